/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays of integers between the host's byte order and the big-endian one of the tree. */
#ifndef IRQSHIFT_VMSTATE_VALUES_PRIV_H
#define IRQSHIFT_VMSTATE_VALUES_PRIV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* values_swap - @count integers of @width bytes (1, 2, 4, 8) from @src to @dst; the same both ways. */
static inline void values_swap(void *dst, const void *src, uint32_t width, uint32_t count)
{
	if (!count)
		return;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	memcpy(dst, src, (size_t)width * count);
#else
	const uint8_t *s = (const uint8_t *)src;
	uint8_t *d = (uint8_t *)dst;

	if (width == 1) {
		memcpy(d, s, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++, s += width, d += width)
		for (uint32_t j = 0; j < width; j++)
			d[j] = s[width - 1 - j];
#endif
}

#endif

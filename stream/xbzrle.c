/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/xbzrle_priv.h"

#include <string.h>

/* A length in ULEB128 of at most two bytes. Return: whether it is one. */
static bool get_run(const uint8_t **p, const uint8_t *end, size_t *ret)
{
	if (*p == end)
		return false;
	*ret = **p & 0x7f;
	if (!(*(*p)++ & 0x80))
		return true;
	if (*p == end || **p & 0x80)
		return false;
	*ret |= (size_t) * (*p)++ << 7;
	return true;
}

bool xbzrle_apply(uint8_t page[QEMU_PAGE_SIZE], const uint8_t *p, size_t size)
{
	const uint8_t *end = p + size;
	size_t at = 0, run;

	while (p < end) {
		if (!get_run(&p, end, &run) || run > QEMU_PAGE_SIZE - at)
			return false;
		at += run;
		if (!get_run(&p, end, &run) || run > QEMU_PAGE_SIZE - at || run > (size_t)(end - p))
			return false;
		memcpy(page + at, p, run);
		at += run;
		p += run;
	}
	return true;
}

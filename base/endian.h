/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Integers of 1 to 8 bytes in a given byte order, at any alignment. */
#ifndef IRQSHIFT_BASE_ENDIAN_H
#define IRQSHIFT_BASE_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t get_be(const uint8_t *p, size_t width)
{
	uint64_t v = 0;

	if (width == 4) /* most are; a width that is known makes one load of it */
		return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
	for (size_t i = 0; i < width; i++)
		v = v << 8 | p[i];
	return v;
}

static inline void put_be(uint8_t *p, size_t width, uint64_t v)
{
	for (size_t i = width; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

static inline uint64_t get_le(const uint8_t *p, size_t width)
{
	uint64_t v = 0;

	if (width == 4)
		return (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
	for (size_t i = width; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static inline void put_le(uint8_t *p, size_t width, uint64_t v)
{
	for (size_t i = 0; i < width; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

/* sign_extend - the signed value of the low @width bytes of @v; @width is 1 to 8. */
static inline int64_t sign_extend(uint64_t v, size_t width)
{
	unsigned int shift = 64 - 8 * (unsigned int)width;

	return (int64_t)(v << shift) >> shift;
}

#endif

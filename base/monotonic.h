/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_BASE_MONOTONIC_H
#define IRQSHIFT_BASE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

/* monotonic_ns/monotonic_ms/monotonic_s - CLOCK_MONOTONIC. */
static inline int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t monotonic_ms(void)
{
	return monotonic_ns() / 1000000;
}

static inline double monotonic_s(void)
{
	return (double)monotonic_ns() * 1e-9;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/tsc.h"

#if defined(__x86_64__) || defined(__i386__)

#include <time.h>

#define TRIES 50
#define WINDOW_NS 50000000
#define SECOND 1000000000u

struct reading {
	uint64_t tsc, ns;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* The clock between two readings of the TSC, the closest pair of them. */
static struct reading read_both(void)
{
	struct reading best = { 0, 0 };
	uint64_t narrowest = UINT64_MAX;

	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t before = __builtin_ia32_rdtsc(), ns = clock_ns(), width = __builtin_ia32_rdtsc() - before;

		if (width < narrowest) {
			narrowest = width;
			best = (struct reading){ before + width / 2, ns };
		}
	}
	return best;
}

/* 128 bits: a window may be longer than it was asked to be. */
static uint64_t rate(const struct reading *a, const struct reading *b)
{
	uint64_t ns = b->ns - a->ns;

	return ns ? (uint64_t)(((unsigned __int128)(b->tsc - a->tsc) * 1000000 + ns / 2) / ns) : 0;
}

uint64_t tsc_measure_khz(void)
{
	const struct timespec window = { .tv_nsec = WINDOW_NS };
	struct reading r[3];
	uint64_t first, second;

	for (unsigned int i = 0; i < 3; i++) {
		if (i)
			nanosleep(&window, NULL);
		r[i] = read_both();
	}
	first = rate(&r[0], &r[1]);
	second = rate(&r[1], &r[2]);
	if ((first > second ? first - second : second - first) > first / 500000 + 1)
		return 0;
	return rate(&r[0], &r[2]);
}

#else

uint64_t tsc_measure_khz(void)
{
	return 0;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/diff_random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state;

void rnd_start(uint64_t seed)
{
	state = seed;
}

/* SplitMix64 */
uint64_t rnd64(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

unsigned int rnd(unsigned int n)
{
	return (unsigned int)(rnd64() % n);
}

uint64_t diff_seed(void)
{
	const char *seed = getenv("DIFF_SEED");

	return seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 20;
}

unsigned int diff_sequences(unsigned int few)
{
	const char *n = getenv("DIFF_SEQUENCES"), *full = getenv("IRQSHIFT_FULL");

	if (n)
		return (unsigned int)strtoul(n, NULL, 0);
	return full && !strcmp(full, "1") ? 100000 : few;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/latency.h"

#define SUBS (1u << LATENCY_SUB_BITS)

/* Below SUBS a bucket is one nanosecond. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int octave, index;

	if (ns < SUBS)
		return (unsigned int)ns;
	octave = 63 - (unsigned int)__builtin_clzll(ns);
	index = ((octave - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS) + (ns >> (octave - LATENCY_SUB_BITS) & (SUBS - 1));
	return index < LATENCY_BUCKETS ? index : LATENCY_BUCKETS - 1;
}

static uint64_t middle_of(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUBS)
		return bucket;
	shift = (bucket >> LATENCY_SUB_BITS) - 1;
	return ((uint64_t)((bucket & (SUBS - 1)) + SUBS) << shift) + ((UINT64_C(1) << shift) >> 1);
}

void latency_add(struct latency *l, uint64_t ns)
{
	uint32_t *bucket = &l->buckets[bucket_of(ns)];

	if (*bucket != UINT32_MAX)
		++*bucket;
	if (!l->count || ns < l->min)
		l->min = ns;
	if (ns > l->max)
		l->max = ns;
	l->count++;
	l->sum += ns;
}

static uint64_t within(const struct latency *l, uint64_t ns)
{
	return ns < l->min ? l->min : ns > l->max ? l->max
						  : ns;
}

uint64_t latency_quantile(const struct latency *l, unsigned int per_mille)
{
	uint64_t total = 0, seen = 0, rank;

	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		total += l->buckets[i];
	if (!total)
		return 0;
	/* Of the total / 1000 * n, rounded up, without the overflow of their product. */
	rank = total / 1000 * per_mille + (total % 1000 * per_mille + 999) / 1000;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen >= rank && seen)
			return within(l, middle_of(i));
	}
	return l->max;
}

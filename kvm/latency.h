/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans of time counted in a fixed room: exact at the ends, to 1/16 in between. Adding one takes constant time. */
#ifndef IRQSHIFT_KVM_LATENCY_H
#define IRQSHIFT_KVM_LATENCY_H

#include <stdint.h>

/* Eight buckets for each power of two, up to 2^36 ns (68 s) and above. */
#define LATENCY_SUB_BITS 3
#define LATENCY_OCTAVES 36
#define LATENCY_BUCKETS ((LATENCY_OCTAVES - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS)

/* Zeroed: none yet. All times in ns. */
struct latency {
	uint64_t count, sum, min, max;
	uint32_t buckets[LATENCY_BUCKETS]; /* a full one stays full */
};

void latency_add(struct latency *l, uint64_t ns);

/**
 * latency_quantile - the span that so many of a thousand do not exceed
 * @per_mille: 500 is the median; 0 to 1000
 *
 * The middle of the bucket, at most 1/16 off; never outside of min and max. Return: it, 0 without any.
 */
uint64_t latency_quantile(const struct latency *l, unsigned int per_mille);

#endif

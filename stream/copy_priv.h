/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that go from one file to another unchanged, by the cheapest way that both take: shared on the disk (reflink),
 * written by the disk straight from the page cache of the input, copied in the kernel, through a buffer.
 */
#ifndef IRQSHIFT_STREAM_COPY_PRIV_H
#define IRQSHIFT_STREAM_COPY_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Below that, the page cache is cheaper than the disk. */
#define COPY_DIRECT_MIN ((uint64_t)16 << 20)

/* Set the descriptors, all else zero; the ways that turned out not to work are remembered. */
struct copier {
	int from, to;
	/* private: */
	bool no_clone, no_direct, no_copy_range;
	uint8_t *buf;
};

/**
 * copy_bytes - write bytes of the input to where the output stands
 * @offset: in the input
 *
 * Return: 0; -EBADMSG when the input ends before; -errno.
 */
int copy_bytes(struct copier *c, uint64_t offset, uint64_t length, struct irqs_error *reterr);

void copier_deinit(struct copier *c);

#endif

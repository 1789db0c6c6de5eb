/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices that a relay holds back. */
#ifndef IRQSHIFT_STREAM_RELAY_PRIV_H
#define IRQSHIFT_STREAM_RELAY_PRIV_H

#include "stream/qemu_read_priv.h"
#include "stream/relay.h"

/* What may be a vmdescription: bytes of a device look like the start of one once in 2^40. */
#define RELAY_TEXTS 8u

struct relay_text {
	uint64_t start, len;
};

struct relay_tail {
	int held;                             /* a nameless file: the head of the stream, then all from the first device on; -1: none yet */
	size_t head;                          /* bytes of the head in it */
	uint64_t size;                        /* of the file */
	uint64_t offset;                      /* in the stream of the first byte behind the head */
	uint64_t looked;                      /* how far the start of a vmdescription was looked for */
	struct relay_text texts[RELAY_TEXTS]; /* not complete yet */
	unsigned int ntexts;
	void *map; /* the converted stream */
	size_t map_size;
};

/* relay_tail_begin - the first device, at @offset of the stream; @head: what the stream began with. 0 or -errno. */
int relay_tail_begin(struct relay_tail *t, const void *head, size_t head_size, uint64_t offset,
		     struct irqs_error *reterr);
void relay_tail_deinit(struct relay_tail *t);

/* Whether what is held ends where a vmdescription does. */
enum { RELAY_MAYBE = 1, /* bytes that look like one end before */
       RELAY_COMPLETE };

/* relay_tail_add - more bytes. Return: one of these or 0; -EBADMSG when it is too long; -errno. */
int relay_tail_add(struct relay_tail *t, const void *data, size_t len, struct irqs_error *reterr);

/**
 * relay_tail_convert - read, convert and write what is held
 * @before: where the walk over the RAM ended
 * @at_end: nothing will come behind it: it may be without a vmdescription
 * @ret: receives the converted bytes behind the head, good until relay_tail_deinit()
 *
 * Return: 0; -EAGAIN when it does not read as a stream, with the reason, and nothing is done; -errno.
 */
int relay_tail_convert(struct relay_tail *t, const struct relay_options *opt, const struct qemu_walk *before,
		       bool at_end, struct iovec *ret, struct irqs_error *reterr);

#endif

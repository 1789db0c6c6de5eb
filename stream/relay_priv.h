/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices that a relay holds back, and the pages that it keeps. */
#ifndef IRQSHIFT_STREAM_RELAY_PRIV_H
#define IRQSHIFT_STREAM_RELAY_PRIV_H

#include "stream/qemu_read_priv.h"
#include "stream/qemu_pages.h"
#include "stream/qemu_walk_priv.h"
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

/* ---- pages ---- */

#define RELAY_PAGES_BUCKETS 256u

struct relay_kept {
	struct relay_kept *next;
	uint64_t offset; /* in the main block */
	bool changed;
	uint8_t bytes[QEMU_PAGE_SIZE];
};

/* What is known of the main block's pages, and what it takes to see them go by. */
struct relay_pages {
	struct qemu_walk_watch watch;
	relay_wants_page *wanted;
	struct relay_kept *buckets[RELAY_PAGES_BUCKETS];
	size_t count;
	const char *lost;          /* why not every page that was wanted is there; NULL: it is */
	char name[256], main[256]; /* of the block that was named last; of the main one */
	size_t name_size, main_size;
	struct qemu_main_block judge;
	uint64_t data; /* where in the stream those of the page begin; 0: none are awaited */
	size_t have;   /* of them in @buf */
	uint8_t buf[QEMU_PAGE_SIZE];
	uint8_t *section; /* what relay_pages_end() made */
};

/* relay_pages_create/relay_pages_destroy - NULL: memory was short. */
struct relay_pages *relay_pages_create(relay_wants_page *wanted);
void relay_pages_destroy(struct relay_pages *t);

/* relay_pages_take - the next @n of the bytes that @w skips, at @w->pos. */
void relay_pages_take(struct relay_pages *t, const struct qemu_walk *w, const uint8_t *p, size_t n);

/* relay_pages_end - @ret receives the section that ends the RAM, with the pages that were changed. Return: 0 or -ENOMEM. */
int relay_pages_end(struct relay_pages *t, const struct qemu_walk *w, struct iovec *ret, struct irqs_error *reterr);

/* relay_pages_look/relay_pages_change - as relay_page(), relay_change_page(). */
enum relay_page relay_pages_look(struct relay_pages *t, uint64_t offset, const uint8_t **ret, const char **ret_why);
int relay_pages_change(struct relay_pages *t, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr);

#endif

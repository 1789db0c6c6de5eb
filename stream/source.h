/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random access to an input of any size through one bounded buffer. What cannot be read at an offset (a
 * pipe, a socket) is first spooled into a nameless temporary file.
 */
#ifndef IRQSHIFT_STREAM_SOURCE_H
#define IRQSHIFT_STREAM_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The largest piece that source_peek() hands out. */
#define SOURCE_PEEK_MAX ((size_t)64 << 10)

struct source {
	int fd;
	uint64_t size;
	bool ended; /* something was asked for beyond the end */
	/* private: */
	bool spooled;  /* fd is ours */
	bool borrowed; /* buf is the caller's, and all there is */
	uint8_t *buf;
	uint64_t buf_offset;
	size_t buf_used;
};

/**
 * source_init - read from a descriptor, which stays the caller's
 * @s: the source
 * @fd: open for reading; when it cannot seek, all of it is read now, from where it stands
 *
 * A spool file lies in $TMPDIR, else in /var/tmp. Return: 0 or -errno.
 */
int source_init(struct source *s, int fd, struct irqs_error *reterr);
void source_deinit(struct source *s);

/* source_init_memory - read from memory that stays the caller's, and unchanged. */
void source_init_memory(struct source *s, const void *data, size_t size);

/* source_spool_create - a nameless temporary file in $TMPDIR, else in /var/tmp. Return: a descriptor or -errno. */
int source_spool_create(void);

/**
 * source_peek - look at bytes
 * @s: the source
 * @offset: where
 * @len: how many; at most SOURCE_PEEK_MAX
 * @ret: receives a pointer that stays good until the next call on @s
 *
 * Return: 0; -EBADMSG (IRQS_MALFORMED, with the offset of the end) when the input ends before; -errno.
 */
int source_peek(struct source *s, uint64_t offset, size_t len, const uint8_t **ret, struct irqs_error *reterr);

/* source_read - copy @len bytes of any number to @dst; errors as source_peek(). */
int source_read(struct source *s, uint64_t offset, void *dst, size_t len, struct irqs_error *reterr);

#endif

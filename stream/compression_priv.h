/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of stream/compression.c: input and output in pieces, and what packs and unpacks them. */
#ifndef IRQSHIFT_STREAM_COMPRESSION_PRIV_H
#define IRQSHIFT_STREAM_COMPRESSION_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/compression.h"

#define COMPRESSION_PIECE ((size_t)256 << 10)

struct compression_io {
	int from, to;
	uint64_t offset; /* in @from's file, of the next byte of @in */
	const uint8_t *in;
	size_t in_len;
	bool ended; /* nothing comes behind @in */
	uint8_t *in_buf, *out_buf;
	const char *name;
	struct irqs_error *reterr;
};

/* compression_fill - have some input, unless it has ended. Return: 0 or -errno. */
int compression_fill(struct compression_io *io);

/* compression_drop - @len bytes of the input are taken. */
void compression_drop(struct compression_io *io, size_t len);

/* compression_take - copy the next @len bytes. Return: 0; -EBADMSG when the input ends before; -errno. */
int compression_take(struct compression_io *io, void *dst, size_t len);

/* compression_put - write. Return: 0 or -errno. */
int compression_put(struct compression_io *io, const void *data, size_t len);

/* compression_bad - the input is broken at its position. Return: -EBADMSG. */
int compression_bad(struct compression_io *io, const char *what);

/* What is left to take, and the room that is left; both at most COMPRESSION_PIECE. */
struct compression_ends {
	const uint8_t *in;
	uint8_t *out;
	size_t in_len, out_len;
	bool last; /* nothing comes behind @in */
};

/* A library that takes input and gives output in pieces of any size. */
struct compression_coder {
	/* Return: what step() and close() get, or NULL: no memory. */
	void *(*open)(bool pack);
	/* Takes and gives what it can. Return: 1 at the end of the packed file, 0, -EBADMSG, -ENOMEM. */
	int (*step)(void *state, bool pack, struct compression_ends *e);
	void (*close)(void *state, bool pack);
};

extern const struct compression_coder compression_gzip, compression_bzip2, compression_xz, compression_zstd;

/* One packed file of lzop. @io stands behind nothing of it, then behind all of it. */
int compression_unlzop(struct compression_io *io);
int compression_lzop(struct compression_io *io);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests, and the two engines that carry them out. */
#ifndef IRQSHIFT_STREAM_TRANSPORT_PRIV_H
#define IRQSHIFT_STREAM_TRANSPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "stream/transport.h"

enum transport_fd_kind {
	TRANSPORT_FILE,   /* has offsets and does not block */
	TRANSPORT_SOCKET, /* can be asked not to block */
	TRANSPORT_PIPE,   /* can be opened again so that it does not block */
	TRANSPORT_OTHER,
};

/* One request. Its memory stays with it until it is done. */
struct transport_op {
	enum { TRANSPORT_READ,
	       TRANSPORT_WRITE,
	       TRANSPORT_POLL } what;
	enum transport_fd_kind kind;
	int fd;
	int nonblock_fd; /* the same pipe, opened not to block; -1: none */
	uint8_t *data;
	size_t len;
	int64_t offset; /* -1: at the position */
	int buffer;     /* the registered buffer in which @data lies; -1: none */
	bool busy;
	int result; /* bytes or -errno */
	void *owner;
};

struct transport_engine {
	/* open - @buffers are those that ops refer to. Return: 0 or -errno: another engine has to do it. */
	int (*open)(void **ret, const struct iovec *buffers, unsigned int nbuffers);
	void (*close)(void *engine);
	/* start - hand an op over; it is busy until wait() gives it back. Return: 0 or -errno. */
	int (*start)(void *engine, struct transport_op *op);
	/* wait - the next op that is done, or NULL after @timeout_ms (negative: never). Return: 0 or -errno. */
	int (*wait)(void *engine, int timeout_ms, struct transport_op **ret);
	/* cancel - end all ops that are busy; those whose result was there already have lost it. */
	void (*cancel)(void *engine);
};

extern const struct transport_engine transport_uring, transport_plain;

/* The most ops that are busy at a time. */
#define TRANSPORT_OPS 128u

/* ---- ways ---- */

#define TRANSPORT_BUFFERS_MAX 16u

struct transport_one_way;

/* One buffer of a way. They are filled, passed and written in turn. */
struct transport_slot {
	enum { SLOT_FREE,
	       SLOT_READING,
	       SLOT_FILLED,
	       SLOT_WRITING } state;
	uint8_t *data;
	size_t len;
	int64_t offset; /* of what is read into it, in a file */
	bool last;      /* the input ends in it */
	struct iovec pieces[TRANSPORT_PIECES];
	size_t npieces, piece; /* the one that is written, and what is left of it */
	struct transport_op read;
	struct transport_one_way *way;
};

struct transport_one_way {
	struct transport *t;
	struct transport_way opt;
	struct transport_slot slots[TRANSPORT_BUFFERS_MAX];
	unsigned int to_read, to_pass, to_write;
	struct transport_slot given; /* pieces that do not come of the input */
	struct transport_slot *writing;
	struct transport_op write;
	int in_again, out_again; /* pipes, opened not to block; -1: none */
	int64_t offset;          /* next to read in a file; -1: not a file */
	unsigned int reads;      /* in flight */
	bool in_ended, passed_last, ended;
	uint64_t unwritten, written;
};

struct transport_watched {
	struct transport *t;
	struct transport_op op;
	int (*ready)(void *ctx, int fd, struct irqs_error *reterr);
	void *ctx;
};

struct transport {
	const struct transport_engine *engine;
	void *state;
	unsigned int nbuffers;
	size_t buffer_size;
	uint8_t *memory;
	struct transport_one_way *ways[TRANSPORT_WAYS];
	unsigned int nways;
	struct transport_watched watches[TRANSPORT_WATCHES + 1]; /* the first is the one of transport_cancel() */
	int cancel_fd;
	struct irqs_error *reterr;
};

/* transport_way_create - number @number of @t. Return: NULL: no memory. */
struct transport_one_way *transport_way_create(struct transport *t, const struct transport_way *way, unsigned int number);
void transport_way_destroy(struct transport_one_way *w);

/* transport_way_pump - pass what was read, start what can be started. Return: 0 or -errno. */
int transport_way_pump(struct transport_one_way *w);

/* transport_read_done/transport_write_done - an op of a slot, of a way, has this result. Return: 0 or -errno. */
int transport_read_done(struct transport_slot *s, int result);
int transport_write_done(struct transport_one_way *w, int result);

/* transport_add_pieces - the pieces of @s are to be written. */
void transport_add_pieces(struct transport_one_way *w, struct transport_slot *s);

/* transport_start - hand an op to the engine. Return: 0 or -errno. */
int transport_start(struct transport *t, struct transport_op *op);

#endif

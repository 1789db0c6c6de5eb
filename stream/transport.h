/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes from descriptors to descriptors: files, pipes, unix and TCP sockets, several ways at a time in one thread. With
 * io_uring reading ahead, writing behind and all ways are in flight together, in registered buffers; where the kernel or
 * a container denies it, by poll(2), read(2) and write(2), with the same results. IRQSHIFT_TRANSPORT=plain in the
 * environment asks for the latter.
 *
 * A way that is not read from takes no more than its buffers: who writes into it has to wait. SIGPIPE must be ignored.
 */
#ifndef IRQSHIFT_STREAM_TRANSPORT_H
#define IRQSHIFT_STREAM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"

/* The most ways and watched descriptors of one transport, and pieces that go on at a time. */
#define TRANSPORT_WAYS 4u
#define TRANSPORT_WATCHES 8u
#define TRANSPORT_PIECES 6u

struct transport;

struct transport_options {
	bool plain;           /* without io_uring */
	unsigned int buffers; /* of a way; 0: 8 */
	size_t buffer_size;   /* bytes; 0: 256 KiB */
};

struct transport_way {
	int in;                         /* a file is read from its position on, several buffers ahead */
	int out;                        /* a file is written at its position */
	const char *in_name, *out_name; /* for errors, or NULL */
	/**
	 * pass - what goes on of bytes that came; NULL: all
	 * @ctx: of this way
	 * @data: in order, as they came
	 * @len: how many; 0: the input has ended, and what is given out now is the last
	 * @ret: receives the pieces, in @data or in memory that stays until transport_destroy()
	 * @ret_n: receives how many; 0 when the call begins
	 *
	 * Return: 0, or -errno with @reterr: transport_run() then returns it, and nothing more is written.
	 */
	int (*pass)(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		    struct irqs_error *reterr);
	void *ctx;
	bool shut; /* at its end, shut the output down for writing: it is a socket */
};

/* transport_create - a transport; *@ret ends with transport_destroy(). @opt may be NULL. Return: 0 or -errno. */
int transport_create(struct transport **ret, const struct transport_options *opt, struct irqs_error *reterr);

/* transport_destroy - also ends what is in flight. The descriptors stay the caller's. */
void transport_destroy(struct transport *t);

/* transport_is_plain - whether it does without io_uring. */
bool transport_is_plain(const struct transport *t);

/**
 * transport_add - one more way
 * @t: the transport, also while transport_run() calls back
 * @way: copied
 * @ret: receives its number, may be NULL
 *
 * The buffer of a pipe is made larger where it may be. Return: 0; -EINVAL when there are too many; -errno.
 */
int transport_add(struct transport *t, const struct transport_way *way, unsigned int *ret, struct irqs_error *reterr);

/**
 * transport_watch - call back when a descriptor can be read from
 * @ready: returns 0 to go on, 1 to forget the descriptor, -errno with its error to end transport_run()
 *
 * Return: 0; -EINVAL when there are too many.
 */
int transport_watch(struct transport *t, int fd, int (*ready)(void *ctx, int fd, struct irqs_error *reterr), void *ctx,
		    struct irqs_error *reterr);

/* transport_give - have a way write pieces that do not come of its input, when nothing of it is in flight; as pass(). */
int transport_give(struct transport *t, unsigned int way, const struct iovec *pieces, size_t n,
		   struct irqs_error *reterr);

/**
 * transport_run - move bytes until all ways have ended
 * @t: the transport
 * @timeout_ms: return after so long; negative: never
 *
 * Return: 0 when all ways have ended; -ETIMEDOUT after @timeout_ms, without an error: call again; -ECANCELED; the error
 * of a pass() or ready(); the error of a descriptor, with its name. After an error nothing is in flight any more.
 */
int transport_run(struct transport *t, int timeout_ms, struct irqs_error *reterr);

/* transport_cancel - have transport_run() return -ECANCELED; from any thread or signal handler. */
void transport_cancel(struct transport *t);

/* transport_unwritten - bytes that a way has to write still, those in flight included. */
uint64_t transport_unwritten(const struct transport *t, unsigned int way);

/* transport_written - bytes that a way has written. */
uint64_t transport_written(const struct transport *t, unsigned int way);

#endif

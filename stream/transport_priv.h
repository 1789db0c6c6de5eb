/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests, and the two engines that carry them out. */
#ifndef IRQSHIFT_STREAM_TRANSPORT_PRIV_H
#define IRQSHIFT_STREAM_TRANSPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"

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

#endif

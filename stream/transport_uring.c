/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests by io_uring. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stream/transport_priv.h"

/* The low bit of a request's mark: its descriptor does not block, and it waits until it can go on. */
#define MARK_WAITS 1u
/* What no op is marked with: a request to cancel. */
#define MARK_NONE 0u

struct uring {
	struct io_uring ring;
	bool registered;
	struct transport_op *ops[TRANSPORT_OPS];
	unsigned int nops;
};

static int ring_open(struct uring *u)
{
	int rc = io_uring_queue_init(TRANSPORT_OPS, &u->ring, IORING_SETUP_COOP_TASKRUN);

	return rc == -EINVAL ? io_uring_queue_init(TRANSPORT_OPS, &u->ring, 0) : rc;
}

static void uring_close(void *engine)
{
	struct uring *u = engine;

	io_uring_queue_exit(&u->ring);
	free(u);
}

static int uring_open(void **ret, const struct iovec *buffers, unsigned int nbuffers)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	rc = ring_open(u);
	if (rc) {
		free(u);
		return rc;
	}
	/* Linux 5.11: waits for pipes and sockets without a thread, and for a time without a request of its own. */
	if (!(u->ring.features & IORING_FEAT_EXT_ARG) || !(u->ring.features & IORING_FEAT_FAST_POLL)) {
		uring_close(u);
		return -ENOSYS;
	}
	/* Not allowed where memory may not be locked: without it is slower, no more. */
	u->registered = !io_uring_register_buffers(&u->ring, buffers, nbuffers);
	*ret = u;
	return 0;
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe && io_uring_submit(&u->ring) >= 0)
		sqe = io_uring_get_sqe(&u->ring);
	return sqe;
}

static int prepare(struct uring *u, struct transport_op *op)
{
	struct io_uring_sqe *sqe = get_sqe(u);
	bool fixed = u->registered && op->buffer >= 0;

	if (!sqe)
		return -EBUSY;
	/* An offset of -1 is the position. */
	if (op->what == TRANSPORT_POLL)
		io_uring_prep_poll_add(sqe, op->fd, POLLIN);
	else if (op->what == TRANSPORT_READ && fixed)
		io_uring_prep_read_fixed(sqe, op->fd, op->data, (unsigned int)op->len, (uint64_t)op->offset, op->buffer);
	else if (op->what == TRANSPORT_READ)
		io_uring_prep_read(sqe, op->fd, op->data, (unsigned int)op->len, (uint64_t)op->offset);
	else if (fixed)
		io_uring_prep_write_fixed(sqe, op->fd, op->data, (unsigned int)op->len, (uint64_t)op->offset, op->buffer);
	else
		io_uring_prep_write(sqe, op->fd, op->data, (unsigned int)op->len, (uint64_t)op->offset);
	io_uring_sqe_set_data64(sqe, (uintptr_t)op);
	return 0;
}

static int prepare_waiting(struct uring *u, struct transport_op *op)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_poll_add(sqe, op->fd, op->what == TRANSPORT_WRITE ? POLLOUT : POLLIN);
	io_uring_sqe_set_data64(sqe, (uintptr_t)op | MARK_WAITS);
	return 0;
}

static int uring_start(void *engine, struct transport_op *op)
{
	struct uring *u = engine;
	int rc;

	if (u->nops == TRANSPORT_OPS)
		return -EBUSY;
	rc = prepare(u, op);
	if (rc)
		return rc;
	op->busy = true;
	u->ops[u->nops++] = op;
	return 0;
}

static void forget(struct uring *u, struct transport_op *op)
{
	for (unsigned int i = 0; i < u->nops; i++)
		if (u->ops[i] == op) {
			u->ops[i] = u->ops[--u->nops];
			break;
		}
	op->busy = false;
}

/* What a completion says. Return: 1 when an op is done, 0 when it goes on, -errno. */
static int complete(struct uring *u, uint64_t mark, int res, struct transport_op **ret)
{
	struct transport_op *op = (struct transport_op *)(uintptr_t)(mark & ~(uint64_t)MARK_WAITS);

	if (!op)
		return 0;
	if (mark & MARK_WAITS)
		return prepare(u, op);
	if (res == -EINTR)
		return prepare(u, op);
	if (res == -EAGAIN)
		return prepare_waiting(u, op);
	op->result = op->what == TRANSPORT_POLL && res > 0 ? 0 : res;
	forget(u, op);
	*ret = op;
	return 1;
}

static int uring_wait(void *engine, int timeout_ms, struct transport_op **ret)
{
	struct __kernel_timespec ts = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000LL };
	struct uring *u = engine;

	*ret = NULL;
	for (;;) {
		struct io_uring_cqe *cqe;
		uint64_t mark;
		int rc, res;

		if (io_uring_peek_cqe(&u->ring, &cqe) || io_uring_sq_ready(&u->ring)) {
			rc = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, timeout_ms < 0 ? NULL : &ts, NULL);
			if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY && rc != -ETIME)
				return rc;
			/* It may have been in time to submit, and too late for a completion. */
			if (io_uring_peek_cqe(&u->ring, &cqe))
				return 0;
		}
		mark = cqe->user_data;
		res = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
		rc = complete(u, mark, res, ret);
		if (rc)
			return rc < 0 ? rc : 0;
	}
}

static void ask_to_cancel(struct uring *u, uint64_t mark)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, mark, 0);
	io_uring_sqe_set_data64(sqe, MARK_NONE);
}

/* The kernel may write into an op's memory until its completion is seen. */
static void uring_cancel(void *engine)
{
	struct uring *u = engine;

	for (unsigned int i = 0; i < u->nops; i++) {
		ask_to_cancel(u, (uintptr_t)u->ops[i]);
		ask_to_cancel(u, (uintptr_t)u->ops[i] | MARK_WAITS);
	}
	while (u->nops) {
		struct io_uring_cqe *cqe;
		int rc = io_uring_submit_and_wait(&u->ring, 1);

		if (rc < 0 && rc != -EINTR)
			return;
		while (!io_uring_peek_cqe(&u->ring, &cqe)) {
			struct transport_op *op = (struct transport_op *)(uintptr_t)(cqe->user_data & ~(uint64_t)MARK_WAITS);

			if (op)
				forget(u, op);
			io_uring_cqe_seen(&u->ring, cqe);
		}
	}
}

const struct transport_engine transport_uring = {
	.open = uring_open,
	.close = uring_close,
	.start = uring_start,
	.wait = uring_wait,
	.cancel = uring_cancel,
};

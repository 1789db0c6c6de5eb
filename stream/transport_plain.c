/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests by poll(2), read(2) and write(2). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/transport_priv.h"

struct plain {
	struct transport_op *ops[TRANSPORT_OPS]; /* those that are busy */
	unsigned int nops;
	unsigned int turn; /* who is asked first: nobody is left out */
};

static int plain_open(void **ret, const struct iovec *buffers, unsigned int nbuffers)
{
	(void)buffers;
	(void)nbuffers;
	*ret = calloc(1, sizeof(struct plain));
	return *ret ? 0 : -ENOMEM;
}

static void plain_close(void *engine)
{
	free(engine);
}

static int plain_start(void *engine, struct transport_op *op)
{
	struct plain *p = engine;

	if (p->nops == TRANSPORT_OPS)
		return -EBUSY;
	op->busy = true;
	p->ops[p->nops++] = op;
	return 0;
}

static ssize_t do_read(const struct transport_op *op)
{
	if (op->kind == TRANSPORT_SOCKET)
		return recv(op->fd, op->data, op->len, MSG_DONTWAIT);
	if (op->offset >= 0)
		return pread(op->fd, op->data, op->len, (off_t)op->offset);
	return read(op->nonblock_fd >= 0 ? op->nonblock_fd : op->fd, op->data, op->len);
}

static ssize_t do_write(const struct transport_op *op)
{
	if (op->kind == TRANSPORT_SOCKET)
		return send(op->fd, op->data, op->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(op->nonblock_fd >= 0 ? op->nonblock_fd : op->fd, op->data, op->len);
}

/* Whether the op is done now; @ready: poll(2) says that it would not block. */
static bool attempt(struct transport_op *op, bool ready)
{
	bool may_block = op->kind == TRANSPORT_OTHER || (op->kind == TRANSPORT_PIPE && op->nonblock_fd < 0);
	ssize_t n;

	if (op->what == TRANSPORT_POLL || may_block) {
		if (!ready)
			return false;
		if (op->what == TRANSPORT_POLL) {
			op->result = 0;
			return true;
		}
	}
	do
		n = op->what == TRANSPORT_READ ? do_read(op) : do_write(op);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	op->result = n < 0 ? -errno : (int)n;
	return true;
}

static struct transport_op *take(struct plain *p, unsigned int i)
{
	struct transport_op *op = p->ops[i];

	p->nops--;
	memmove(p->ops + i, p->ops + i + 1, (p->nops - i) * sizeof(p->ops[0]));
	p->turn = i;
	op->busy = false;
	return op;
}

static int plain_wait(void *engine, int timeout_ms, struct transport_op **ret)
{
	struct pollfd fds[TRANSPORT_OPS];
	struct plain *p = engine;

	*ret = NULL;
	for (unsigned int k = 0; k < p->nops; k++) {
		unsigned int i = (p->turn + k) % p->nops;

		if (attempt(p->ops[i], false)) {
			*ret = take(p, i);
			return 0;
		}
	}
	for (unsigned int i = 0; i < p->nops; i++)
		fds[i] = (struct pollfd){
			.fd = p->ops[i]->fd,
			.events = p->ops[i]->what == TRANSPORT_WRITE ? POLLOUT : POLLIN,
		};
	if (poll(fds, p->nops, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	for (unsigned int i = 0; i < p->nops; i++)
		if (fds[i].revents && attempt(p->ops[i], true)) {
			*ret = take(p, i);
			return 0;
		}
	return 0;
}

static void plain_cancel(void *engine)
{
	struct plain *p = engine;

	for (unsigned int i = 0; i < p->nops; i++)
		p->ops[i]->busy = false;
	p->nops = 0;
}

const struct transport_engine transport_plain = {
	.open = plain_open,
	.close = plain_close,
	.start = plain_start,
	.wait = plain_wait,
	.cancel = plain_cancel,
};

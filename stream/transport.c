/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "stream/transport_priv.h"

#define BUFFERS_DEFAULT 8u
#define BUFFER_SIZE_DEFAULT ((size_t)256 << 10)

/* ---- set up ---- */

static size_t memory_size(const struct transport *t)
{
	return t->buffer_size * t->nbuffers * TRANSPORT_WAYS;
}

static int open_engine(struct transport *t, bool plain, struct irqs_error *reterr)
{
	const char *asked = getenv("IRQSHIFT_TRANSPORT");
	struct iovec buffers[TRANSPORT_BUFFERS_MAX * TRANSPORT_WAYS];
	unsigned int n = t->nbuffers * TRANSPORT_WAYS;
	int rc;

	for (unsigned int i = 0; i < n; i++)
		buffers[i] = (struct iovec){ t->memory + i * t->buffer_size, t->buffer_size };
	t->engine = &transport_uring;
	if (!plain && !(asked && !strcmp(asked, "plain")) && !t->engine->open(&t->state, buffers, n))
		return 0;
	t->engine = &transport_plain;
	rc = t->engine->open(&t->state, buffers, n);
	return rc ? irqs_fail_errno(reterr, -rc, "cannot prepare input and output") : 0;
}

static int cancelled(void *ctx, int fd, struct irqs_error *reterr)
{
	(void)ctx;
	(void)fd;
	irqs_fail_errno(reterr, ECANCELED, "interrupted");
	return -ECANCELED;
}

int transport_create(struct transport **ret, const struct transport_options *opt, struct irqs_error *reterr)
{
	static const struct transport_options defaults;
	struct transport *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return irqs_fail_nomem(reterr);
	opt = opt ? opt : &defaults;
	t->nbuffers = opt->buffers ? opt->buffers : BUFFERS_DEFAULT;
	t->nbuffers = t->nbuffers < TRANSPORT_BUFFERS_MAX ? t->nbuffers : TRANSPORT_BUFFERS_MAX;
	t->buffer_size = opt->buffer_size ? opt->buffer_size : BUFFER_SIZE_DEFAULT;
	t->cancel_fd = -1;
	t->memory = mmap(NULL, memory_size(t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->memory == MAP_FAILED) {
		free(t);
		return irqs_fail_nomem(reterr);
	}
	for (unsigned int i = 0; i <= TRANSPORT_WATCHES; i++)
		t->watches[i].op.fd = -1;
	rc = open_engine(t, opt->plain, reterr);
	if (!rc)
		t->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!rc && t->cancel_fd < 0)
		rc = irqs_fail_errno(reterr, errno, "eventfd");
	if (!rc)
		rc = transport_watch(t, t->cancel_fd, cancelled, NULL, reterr);
	if (rc)
		transport_destroy(t);
	else
		*ret = t;
	return rc;
}

void transport_destroy(struct transport *t)
{
	if (!t)
		return;
	if (t->state) {
		t->engine->cancel(t->state);
		t->engine->close(t->state);
	}
	for (unsigned int i = 0; i < t->nways; i++)
		transport_way_destroy(t->ways[i]);
	if (t->cancel_fd >= 0)
		close(t->cancel_fd);
	munmap(t->memory, memory_size(t));
	free(t);
}

bool transport_is_plain(const struct transport *t)
{
	return t->engine == &transport_plain;
}

int transport_add(struct transport *t, const struct transport_way *way, unsigned int *ret, struct irqs_error *reterr)
{
	struct transport_one_way *w;

	if (t->nways == TRANSPORT_WAYS)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "too many ways");
	w = transport_way_create(t, way, t->nways);
	if (!w)
		return irqs_fail_nomem(reterr);
	if (ret)
		*ret = t->nways;
	t->ways[t->nways++] = w;
	return 0;
}

int transport_watch(struct transport *t, int fd, int (*ready)(void *ctx, int fd, struct irqs_error *reterr), void *ctx,
		    struct irqs_error *reterr)
{
	for (unsigned int i = 0; i <= TRANSPORT_WATCHES; i++) {
		struct transport_watched *w = &t->watches[i];

		if (w->op.fd >= 0)
			continue;
		*w = (struct transport_watched){
			.t = t,
			.op = { .what = TRANSPORT_POLL, .fd = fd, .nonblock_fd = -1, .buffer = -1, .owner = w },
			.ready = ready,
			.ctx = ctx,
		};
		return 0;
	}
	return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "too many watched descriptors");
}

/* ---- the loop ---- */

static int watch_ready(struct transport_watched *w)
{
	int rc = w->ready(w->ctx, w->op.fd, w->t->reterr);

	if (rc > 0)
		w->op.fd = -1;
	return rc < 0 ? rc : 0;
}

static int op_done(struct transport_op *op)
{
	switch (op->what) {
	case TRANSPORT_READ:
		return transport_read_done(op->owner, op->result);
	case TRANSPORT_WRITE:
		return transport_write_done(op->owner, op->result);
	case TRANSPORT_POLL:
		return watch_ready(op->owner);
	}
	return 0;
}

int transport_start(struct transport *t, struct transport_op *op)
{
	int rc = t->engine->start(t->state, op);

	return rc ? irqs_fail_errno(t->reterr, -rc, "cannot start input or output") : 0;
}

/* Start what can be started. */
static int pump_all(struct transport *t, bool *ret_ended)
{
	int rc = 0;

	*ret_ended = true;
	for (unsigned int i = 0; i <= TRANSPORT_WATCHES && !rc; i++)
		if (t->watches[i].op.fd >= 0 && !t->watches[i].op.busy)
			rc = transport_start(t, &t->watches[i].op);
	for (unsigned int i = 0; i < t->nways && !rc; i++) {
		rc = transport_way_pump(t->ways[i]);
		*ret_ended &= t->ways[i]->ended;
	}
	return rc;
}

/* Return: 1 when the time is over, 0, -errno. */
static int turn(struct transport *t, int64_t deadline)
{
	int64_t left = deadline < 0 ? -1 : deadline - monotonic_ms();
	struct transport_op *op;
	int rc = t->engine->wait(t->state, left < 0 ? (deadline < 0 ? -1 : 0) : (int)left, &op);

	if (rc)
		return irqs_fail_errno(t->reterr, -rc, "cannot wait for input or output");
	if (op)
		rc = op_done(op);
	return rc ? rc : deadline >= 0 && monotonic_ms() >= deadline;
}

int transport_run(struct transport *t, int timeout_ms, struct irqs_error *reterr)
{
	int64_t deadline = timeout_ms < 0 ? -1 : monotonic_ms() + timeout_ms;
	bool ended = false, late = false;
	int rc = 0;

	t->reterr = reterr;
	while (!rc) {
		rc = pump_all(t, &ended);
		if (rc || ended || late)
			break;
		rc = turn(t, deadline);
		late = rc > 0;
		rc = late ? 0 : rc;
	}
	if (rc)
		t->engine->cancel(t->state);
	return rc || ended ? rc : -ETIMEDOUT;
}

void transport_cancel(struct transport *t)
{
	uint64_t one = 1;
	ssize_t n = write(t->cancel_fd, &one, sizeof(one));

	(void)n;
}

int transport_give(struct transport *t, unsigned int way, const struct iovec *pieces, size_t n,
		   struct irqs_error *reterr)
{
	struct transport_one_way *w = t->ways[way];

	if (n > TRANSPORT_PIECES || w->ended || w->write.busy || w->to_write != w->to_pass)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "a way that is not idle");
	memcpy(w->given.pieces, pieces, n * sizeof(*pieces));
	w->given.npieces = n;
	transport_add_pieces(w, &w->given);
	return 0;
}

uint64_t transport_unwritten(const struct transport *t, unsigned int way)
{
	return t->ways[way]->unwritten;
}

uint64_t transport_written(const struct transport *t, unsigned int way)
{
	return t->ways[way]->written;
}

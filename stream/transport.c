/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stream/transport_priv.h"

#define BUFFERS_DEFAULT 8u
#define BUFFERS_MAX 16u
#define BUFFER_SIZE_DEFAULT ((size_t)256 << 10)
#define PIPE_SIZE (1 << 20)
#define WRITE_MAX ((size_t)1 << 30)

struct way;

/* One buffer of a way. They are filled, passed and written in turn. */
struct slot {
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
	struct way *way;
};

struct way {
	struct transport *t;
	struct transport_way opt;
	struct slot slots[BUFFERS_MAX];
	unsigned int to_read, to_pass, to_write;
	struct slot given; /* pieces that do not come of the input */
	struct slot *writing;
	struct transport_op write;
	int in_again, out_again; /* pipes, opened not to block; -1: none */
	int64_t offset;          /* next to read in a file; -1: not a file */
	unsigned int reads;      /* in flight */
	bool in_ended, passed_last, ended;
	uint64_t unwritten, written;
};

struct watch {
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
	struct way *ways[TRANSPORT_WAYS];
	unsigned int nways;
	struct watch watches[TRANSPORT_WATCHES + 1]; /* the first is the one of transport_cancel() */
	int cancel_fd;
	struct irqs_error *reterr;
};

/* ---- set up ---- */

static size_t memory_size(const struct transport *t)
{
	return t->buffer_size * t->nbuffers * TRANSPORT_WAYS;
}

static int open_engine(struct transport *t, bool plain, struct irqs_error *reterr)
{
	const char *asked = getenv("IRQSHIFT_TRANSPORT");
	struct iovec buffers[BUFFERS_MAX * TRANSPORT_WAYS];
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
	t->nbuffers = t->nbuffers < BUFFERS_MAX ? t->nbuffers : BUFFERS_MAX;
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

/* Who reads a pipe waits for the last descriptor that writes into it. */
static void close_again(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void destroy_way(struct way *w)
{
	close_again(&w->in_again);
	close_again(&w->out_again);
	free(w);
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
		destroy_way(t->ways[i]);
	if (t->cancel_fd >= 0)
		close(t->cancel_fd);
	munmap(t->memory, memory_size(t));
	free(t);
}

bool transport_is_plain(const struct transport *t)
{
	return t->engine == &transport_plain;
}

static enum transport_fd_kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return TRANSPORT_OTHER;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return TRANSPORT_FILE;
	if (S_ISSOCK(st.st_mode))
		return TRANSPORT_SOCKET;
	return S_ISFIFO(st.st_mode) ? TRANSPORT_PIPE : TRANSPORT_OTHER;
}

/* The flags of a pipe belong to all who have it; one that is opened again has flags of its own. */
static int open_again(int fd, int flags)
{
	char path[64];

	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

static void prepare_slots(struct way *w, unsigned int number, enum transport_fd_kind in)
{
	struct transport *t = w->t;

	for (unsigned int i = 0; i < t->nbuffers; i++) {
		unsigned int buffer = number * t->nbuffers + i;

		w->slots[i].way = w;
		w->slots[i].data = t->memory + buffer * t->buffer_size;
		w->slots[i].read = (struct transport_op){
			.what = TRANSPORT_READ,
			.kind = in,
			.fd = w->opt.in,
			.nonblock_fd = w->in_again,
			.buffer = (int)buffer,
			.owner = &w->slots[i],
		};
	}
}

int transport_add(struct transport *t, const struct transport_way *way, unsigned int *ret, struct irqs_error *reterr)
{
	enum transport_fd_kind in = kind_of(way->in), out = kind_of(way->out);
	struct way *w;

	if (t->nways == TRANSPORT_WAYS)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "too many ways");
	w = calloc(1, sizeof(*w));
	if (!w)
		return irqs_fail_nomem(reterr);
	w->t = t;
	w->opt = *way;
	w->in_again = in == TRANSPORT_PIPE ? open_again(way->in, O_RDONLY) : -1;
	w->out_again = out == TRANSPORT_PIPE ? open_again(way->out, O_WRONLY) : -1;
	w->offset = in == TRANSPORT_FILE ? lseek(way->in, 0, SEEK_CUR) : -1;
	w->write = (struct transport_op){
		.what = TRANSPORT_WRITE,
		.kind = out,
		.fd = way->out,
		.nonblock_fd = w->out_again,
		.offset = -1,
		.owner = w,
	};
	prepare_slots(w, t->nways, in);
	if (ret)
		*ret = t->nways;
	t->ways[t->nways++] = w;
	return 0;
}

int transport_watch(struct transport *t, int fd, int (*ready)(void *ctx, int fd, struct irqs_error *reterr), void *ctx,
		    struct irqs_error *reterr)
{
	for (unsigned int i = 0; i <= TRANSPORT_WATCHES; i++) {
		struct watch *w = &t->watches[i];

		if (w->op.fd >= 0)
			continue;
		*w = (struct watch){
			.t = t,
			.op = { .what = TRANSPORT_POLL, .fd = fd, .nonblock_fd = -1, .buffer = -1, .owner = w },
			.ready = ready,
			.ctx = ctx,
		};
		return 0;
	}
	return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "too many watched descriptors");
}

/* ---- a way ---- */

static struct slot *slot_at(struct way *w, unsigned int n)
{
	return &w->slots[n % w->t->nbuffers];
}

static int fail(struct way *w, bool out, int err)
{
	const char *name = out ? w->opt.out_name : w->opt.in_name, *what = out ? "write" : "read";

	return irqs_fail_errno(w->t->reterr, err, name ? "%s: %s" : "%s%s", name ? name : "", what);
}

static int start(struct transport *t, struct transport_op *op)
{
	int rc = t->engine->start(t->state, op);

	return rc ? irqs_fail_errno(t->reterr, -rc, "cannot start input or output") : 0;
}

static int start_read(struct way *w, struct slot *s)
{
	s->state = SLOT_READING;
	s->read.data = s->data + s->len;
	s->read.len = w->t->buffer_size - s->len;
	s->read.offset = w->offset < 0 ? -1 : s->offset + (int64_t)s->len;
	w->reads++;
	return start(w->t, &s->read);
}

/* A file is read several buffers ahead; the bytes of anything else come in the order of the requests only by one. */
static int pump_reads(struct way *w)
{
	int rc = 0;

	while (!rc && !w->in_ended && slot_at(w, w->to_read)->state == SLOT_FREE && (w->offset >= 0 || !w->reads)) {
		struct slot *s = slot_at(w, w->to_read++);

		s->len = 0;
		s->last = false;
		s->offset = w->offset;
		if (w->offset >= 0)
			w->offset += (int64_t)w->t->buffer_size;
		rc = start_read(w, s);
	}
	return rc;
}

static void add_pieces(struct way *w, struct slot *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->npieces; i++)
		if (s->pieces[i].iov_len) {
			w->unwritten += s->pieces[i].iov_len;
			s->pieces[n++] = s->pieces[i];
		}
	s->npieces = n;
	s->piece = 0;
	s->state = SLOT_WRITING;
}

static int call_pass(struct way *w, struct slot *s)
{
	s->npieces = 0;
	if (w->opt.pass)
		return w->opt.pass(w->opt.ctx, s->data, s->len, s->pieces, &s->npieces, w->t->reterr);
	s->pieces[0] = (struct iovec){ s->data, s->len };
	s->npieces = 1;
	return 0;
}

static int pump_passes(struct way *w)
{
	int rc = 0;

	while (!rc && !w->passed_last && w->to_pass != w->to_read && slot_at(w, w->to_pass)->state == SLOT_FILLED) {
		struct slot *s = slot_at(w, w->to_pass++);

		rc = call_pass(w, s);
		add_pieces(w, s);
		w->passed_last = s->last;
	}
	return rc;
}

static void end_way(struct way *w)
{
	w->ended = true;
	close_again(&w->out_again);
	if (w->opt.shut)
		(void)shutdown(w->opt.out, SHUT_WR);
}

/* The next slot with something to write, those behind it that have nothing given back. */
static struct slot *next_to_write(struct way *w)
{
	if (w->given.piece < w->given.npieces)
		return &w->given;
	while (w->to_write != w->to_pass) {
		struct slot *s = slot_at(w, w->to_write);

		if (s->piece < s->npieces)
			return s;
		s->state = SLOT_FREE;
		w->to_write++;
		if (s->last)
			end_way(w);
	}
	return NULL;
}

static int pump_writes(struct way *w)
{
	const struct iovec *piece;
	const uint8_t *p;

	if (w->write.busy)
		return 0;
	w->writing = next_to_write(w);
	if (!w->writing)
		return 0;
	piece = &w->writing->pieces[w->writing->piece];
	p = piece->iov_base;
	w->write.data = piece->iov_base;
	w->write.len = piece->iov_len < WRITE_MAX ? piece->iov_len : WRITE_MAX;
	w->write.buffer = -1;
	if (w->writing->data && p >= w->writing->data && p < w->writing->data + w->t->buffer_size)
		w->write.buffer = w->writing->read.buffer;
	return start(w->t, &w->write);
}

static int pump(struct way *w)
{
	int rc = w->ended ? 0 : pump_passes(w);

	if (!rc && !w->ended)
		rc = pump_writes(w);
	return rc || w->ended ? rc : pump_reads(w);
}

static int read_done(struct slot *s, int result)
{
	struct way *w = s->way;

	w->reads--;
	if (result < 0)
		return fail(w, false, -result);
	s->len += (size_t)result;
	/* A file ends where nothing is read, and only there. */
	if (result && w->offset >= 0 && s->len < w->t->buffer_size)
		return start_read(w, s);
	s->state = SLOT_FILLED;
	s->last = !s->len;
	w->in_ended |= s->last;
	return 0;
}

static int write_done(struct way *w, int result)
{
	struct iovec *piece = &w->writing->pieces[w->writing->piece];

	if (result <= 0)
		return fail(w, true, result ? -result : EIO);
	w->unwritten -= (uint64_t)result;
	w->written += (uint64_t)result;
	piece->iov_base = (uint8_t *)piece->iov_base + result;
	piece->iov_len -= (size_t)result;
	if (!piece->iov_len)
		w->writing->piece++;
	return 0;
}

/* ---- the loop ---- */

static int watch_ready(struct watch *w)
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
		return read_done(op->owner, op->result);
	case TRANSPORT_WRITE:
		return write_done(op->owner, op->result);
	case TRANSPORT_POLL:
		return watch_ready(op->owner);
	}
	return 0;
}

/* Start what can be started. */
static int pump_all(struct transport *t, bool *ret_ended)
{
	int rc = 0;

	*ret_ended = true;
	for (unsigned int i = 0; i <= TRANSPORT_WATCHES && !rc; i++)
		if (t->watches[i].op.fd >= 0 && !t->watches[i].op.busy)
			rc = start(t, &t->watches[i].op);
	for (unsigned int i = 0; i < t->nways && !rc; i++) {
		rc = pump(t->ways[i]);
		*ret_ended &= t->ways[i]->ended;
	}
	return rc;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: 1 when the time is over, 0, -errno. */
static int turn(struct transport *t, int64_t deadline)
{
	int64_t left = deadline < 0 ? -1 : deadline - now_ms();
	struct transport_op *op;
	int rc = t->engine->wait(t->state, left < 0 ? (deadline < 0 ? -1 : 0) : (int)left, &op);

	if (rc)
		return irqs_fail_errno(t->reterr, -rc, "cannot wait for input or output");
	if (op)
		rc = op_done(op);
	return rc ? rc : deadline >= 0 && now_ms() >= deadline;
}

int transport_run(struct transport *t, int timeout_ms, struct irqs_error *reterr)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
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
	struct way *w = t->ways[way];

	if (n > TRANSPORT_PIECES || w->ended || w->write.busy || w->to_write != w->to_pass)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "a way that is not idle");
	memcpy(w->given.pieces, pieces, n * sizeof(*pieces));
	w->given.npieces = n;
	add_pieces(w, &w->given);
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

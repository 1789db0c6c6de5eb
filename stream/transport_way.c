/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One way of a transport: its buffers are filled, passed and written in turn, whatever engine does it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/transport_priv.h"

#define PIPE_SIZE (1 << 20)
#define WRITE_MAX ((size_t)1 << 30)

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

static void prepare_slots(struct transport_one_way *w, unsigned int number, enum transport_fd_kind in)
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

struct transport_one_way *transport_way_create(struct transport *t, const struct transport_way *way, unsigned int number)
{
	enum transport_fd_kind in = kind_of(way->in), out = kind_of(way->out);
	struct transport_one_way *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
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
	prepare_slots(w, number, in);
	return w;
}

/* Who reads a pipe waits for the last descriptor that writes into it. */
static void close_again(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void transport_way_destroy(struct transport_one_way *w)
{
	close_again(&w->in_again);
	close_again(&w->out_again);
	free(w);
}

static struct transport_slot *slot_at(struct transport_one_way *w, unsigned int n)
{
	return &w->slots[n % w->t->nbuffers];
}

static int fail(struct transport_one_way *w, bool out, int err)
{
	const char *name = out ? w->opt.out_name : w->opt.in_name, *what = out ? "write" : "read";

	return irqs_fail_errno(w->t->reterr, err, name ? "%s: %s" : "%s%s", name ? name : "", what);
}

static int start_read(struct transport_one_way *w, struct transport_slot *s)
{
	s->state = SLOT_READING;
	s->read.data = s->data + s->len;
	s->read.len = w->t->buffer_size - s->len;
	s->read.offset = w->offset < 0 ? -1 : s->offset + (int64_t)s->len;
	w->reads++;
	return transport_start(w->t, &s->read);
}

/* A file is read several buffers ahead; the bytes of anything else come in the order of the requests only by one. */
static int pump_reads(struct transport_one_way *w)
{
	int rc = 0;

	while (!rc && !w->in_ended && slot_at(w, w->to_read)->state == SLOT_FREE && (w->offset >= 0 || !w->reads)) {
		struct transport_slot *s = slot_at(w, w->to_read++);

		s->len = 0;
		s->last = false;
		s->offset = w->offset;
		if (w->offset >= 0)
			w->offset += (int64_t)w->t->buffer_size;
		rc = start_read(w, s);
	}
	return rc;
}

void transport_add_pieces(struct transport_one_way *w, struct transport_slot *s)
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

static int call_pass(struct transport_one_way *w, struct transport_slot *s)
{
	s->npieces = 0;
	if (w->opt.pass)
		return w->opt.pass(w->opt.ctx, s->data, s->len, s->pieces, &s->npieces, w->t->reterr);
	s->pieces[0] = (struct iovec){ s->data, s->len };
	s->npieces = 1;
	return 0;
}

static int pump_passes(struct transport_one_way *w)
{
	int rc = 0;

	while (!rc && !w->passed_last && w->to_pass != w->to_read && slot_at(w, w->to_pass)->state == SLOT_FILLED) {
		struct transport_slot *s = slot_at(w, w->to_pass++);

		rc = call_pass(w, s);
		transport_add_pieces(w, s);
		w->passed_last = s->last;
	}
	return rc;
}

static void end_way(struct transport_one_way *w)
{
	w->ended = true;
	close_again(&w->out_again);
	if (w->opt.shut)
		(void)shutdown(w->opt.out, SHUT_WR);
}

/* The next slot with something to write, those behind it that have nothing given back. */
static struct transport_slot *next_to_write(struct transport_one_way *w)
{
	if (w->given.piece < w->given.npieces)
		return &w->given;
	while (w->to_write != w->to_pass) {
		struct transport_slot *s = slot_at(w, w->to_write);

		if (s->piece < s->npieces)
			return s;
		s->state = SLOT_FREE;
		w->to_write++;
		if (s->last)
			end_way(w);
	}
	return NULL;
}

static int pump_writes(struct transport_one_way *w)
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
	return transport_start(w->t, &w->write);
}

int transport_way_pump(struct transport_one_way *w)
{
	int rc = w->ended ? 0 : pump_passes(w);

	if (!rc && !w->ended)
		rc = pump_writes(w);
	return rc || w->ended ? rc : pump_reads(w);
}

int transport_read_done(struct transport_slot *s, int result)
{
	struct transport_one_way *w = s->way;

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

int transport_write_done(struct transport_one_way *w, int result)
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

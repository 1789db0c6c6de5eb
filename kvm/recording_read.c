/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "kvm/recording.h"
#include "kvm/recording_head_priv.h"
#include "kvm/recording_priv.h"

#define BATCH 1024u

struct reader {
	struct recording pub; /* first */
	recording_read_fn *read;
	void *ctx;
	struct recording_head head;
	uint64_t block; /* where the current one begins */
	uint8_t *body;
	uint32_t kind, len, at; /* of the body: events from @at on have not been taken */
	uint64_t events, lost;
	bool ended;
	struct recording_thread *threads;
	struct irqshift_event batch[BATCH];
};

ssize_t recording_read_fd(void *ctx, void *data, size_t len)
{
	ssize_t n;

	do
		n = read(*(const int *)ctx, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int malformed(const struct reader *r, struct irqs_error *reterr, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->block, NULL, "recorded events: %s", what);
}

/* Return: how many bytes came: @len, or fewer at the end of the input; -errno. */
static ssize_t get(struct reader *r, void *data, size_t len, struct irqs_error *reterr)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = r->read(r->ctx, (char *)data + done, len - done);

		if (n < 0)
			return irqs_fail_errno(reterr, (int)-n, "cannot read the recording");
		if (!n)
			break;
		done += (size_t)n;
	}
	r->pub.pos += done;
	return (ssize_t)done;
}

static int get_all(struct reader *r, void *data, size_t len, struct irqs_error *reterr)
{
	ssize_t n = get(r, data, len, reterr);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : malformed(r, reterr, "cut short");
}

/* ---- blocks ---- */

static int get_block(struct reader *r, struct irqs_error *reterr)
{
	uint8_t head[RECORDING_BLOCK_HEAD];
	int rc;

	r->block = r->pub.pos;
	r->kind = r->len = r->at = 0;
	rc = get_all(r, head, sizeof(head), reterr);
	if (rc)
		return rc;
	if (get_le(head + 4, 4) > RECORDING_BODY_MAX)
		return malformed(r, reterr, "a block of more than 1 MiB");
	r->len = (uint32_t)get_le(head + 4, 4);
	rc = get_all(r, r->body, r->len, reterr);
	if (!rc && crc32c(crc32c(0, head, 8), r->body, r->len) != get_le(head + 8, 4))
		rc = malformed(r, reterr, "the CRC of a block does not match");
	if (!rc)
		r->kind = (uint32_t)get_le(head, 4);
	return rc;
}

static int take_threads(struct reader *r, struct irqs_error *reterr)
{
	size_t count = r->len / RECORDING_THREAD_SIZE;
	struct recording_thread *threads;

	if (r->len % RECORDING_THREAD_SIZE)
		return malformed(r, reterr, "threads that are cut off");
	threads = calloc(count + 1, sizeof(*threads));
	if (!threads)
		return irqs_fail_nomem(reterr);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = r->body + i * RECORDING_THREAD_SIZE;
		uint32_t vcpu = (uint32_t)get_le(at + 4, 4);

		threads[i].tid = (uint32_t)get_le(at, 4);
		threads[i].vcpu = vcpu <= INT32_MAX ? (int)vcpu : -1;
		memcpy(threads[i].comm, at + 8, sizeof(threads[i].comm) - 1);
	}
	free(r->threads);
	r->pub.threads = r->threads = threads;
	r->pub.nthreads = count;
	r->pub.threads_blocks++;
	return 0;
}

static uint32_t size_of_event(const struct reader *r, uint32_t at)
{
	const struct recording_kind_row *row;
	uint64_t number;

	if (r->len - at < RECORDING_EVENT_SIZE)
		return 0;
	number = get_le(r->body + at + 16, 2);
	row = number < RECORDING_NUMBERS ? &r->head.rows[number] : NULL;
	if (!row || !row->nfields || (r->len - at - RECORDING_EVENT_SIZE) / 8 < row->nfields)
		return 0;
	return RECORDING_EVENT_SIZE + 8 * row->nfields;
}

/* All of a block or nothing. */
static int check_events(struct reader *r, struct irqs_error *reterr)
{
	if (r->len < RECORDING_LOST_SIZE)
		return malformed(r, reterr, "events without the number of lost ones");
	for (uint32_t at = RECORDING_LOST_SIZE, size; at < r->len; at += size) {
		size = size_of_event(r, at);
		if (!size)
			return malformed(r, reterr, "an event that is cut off, or of a number that the head does not have");
		r->events++;
	}
	r->lost += get_le(r->body, 8);
	return 0;
}

static int check_end(struct reader *r, struct irqs_error *reterr)
{
	uint8_t more;
	ssize_t n;

	if (r->len != RECORDING_END_SIZE)
		return malformed(r, reterr, "an end of another length");
	if (get_le(r->body, 8) != r->events || get_le(r->body + 8, 8) != r->lost)
		return malformed(r, reterr, "the end counts other events");
	n = get(r, &more, 1, reterr);
	if (n < 0)
		return (int)n;
	if (n)
		return malformed(r, reterr, "something follows the end");
	r->ended = true;
	return 0;
}

/* The next block; afterwards kind says whether there are events to take. */
static int next_block(struct reader *r, struct irqs_error *reterr)
{
	int rc = get_block(r, reterr);

	if (rc)
		return rc;
	if (r->kind == RECORDING_HEAD)
		rc = malformed(r, reterr, "a second head");
	else if (r->kind == RECORDING_THREADS)
		rc = take_threads(r, reterr);
	else if (r->kind == RECORDING_EVENTS)
		rc = check_events(r, reterr);
	else if (r->kind == RECORDING_END)
		rc = check_end(r, reterr);
	else if (!r->kind)
		rc = malformed(r, reterr, "a block of kind 0");
	if (rc)
		r->kind = 0;
	return rc;
}

/* ---- events ---- */

/* Return: whether this version knows it. */
static bool decode(const struct reader *r, const uint8_t *at, struct irqshift_event *e)
{
	const struct recording_kind_row *row = &r->head.rows[get_le(at + 16, 2)];

	if (row->type < 0)
		return false;
	*e = (struct irqshift_event){
		.time = get_le(at, 8),
		.pid = (uint32_t)get_le(at + 8, 4),
		.tid = (uint32_t)get_le(at + 12, 4),
		.type = (uint16_t)row->type,
		.cpu = (uint16_t)get_le(at + 18, 2),
	};
	for (unsigned int i = 0; i < row->nfields; i++)
		if (row->args[i] >= 0)
			e->arg[row->args[i]] = get_le(at + RECORDING_EVENT_SIZE + 8 * (size_t)i, 8);
	return true;
}

static void take_events(struct reader *r, struct event_batch *ret)
{
	if (!r->at) {
		ret->lost = get_le(r->body, 8);
		r->at = RECORDING_LOST_SIZE;
	}
	while (r->at < r->len && ret->count < BATCH) {
		uint32_t size = size_of_event(r, r->at);

		ret->count += decode(r, r->body + r->at, &r->batch[ret->count]);
		r->at += size;
	}
	ret->events = r->batch;
	if (r->at >= r->len)
		r->kind = 0;
}

static int read_batch(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr)
{
	struct reader *r = (struct reader *)s;
	int rc = 0;

	(void)timeout_ms;
	if (r->kind != RECORDING_EVENTS && r->ended)
		return -ENODATA;
	if (r->kind != RECORDING_EVENTS)
		rc = next_block(r, reterr);
	if (!rc && r->kind == RECORDING_EVENTS)
		take_events(r, ret);
	return rc;
}

static void close_reader(struct event_source *s)
{
	struct reader *r = (struct reader *)s;

	free(r->body);
	free(r->threads);
	free(r);
}

/* ---- opening ---- */

static int get_start(struct reader *r, struct irqs_error *reterr)
{
	uint8_t start[RECORDING_START_SIZE];
	ssize_t n = get(r, start, sizeof(start), reterr);
	uint64_t version;

	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(start) || memcmp(start, RECORDING_MAGIC, RECORDING_MAGIC_SIZE) != 0)
		return malformed(r, reterr, "the magic is not there");
	version = get_le(start + RECORDING_MAGIC_SIZE, 4);
	if (version > RECORDING_VERSION)
		return irqs_fail(reterr, IRQS_REFUSED, RECORDING_MAGIC_SIZE, NULL,
				 "recorded events of version %u: known is up to %u", (unsigned int)version, RECORDING_VERSION);
	return version ? 0 : malformed(r, reterr, "version 0");
}

static int get_head(struct reader *r, struct irqs_error *reterr)
{
	int rc = get_start(r, reterr);

	if (!rc)
		rc = get_block(r, reterr);
	if (rc)
		return rc;
	if (r->kind != RECORDING_HEAD || r->len > RECORDING_HEAD_MAX)
		return malformed(r, reterr, "the first block is no head");
	r->kind = 0;
	return recording_head_parse((const char *)r->body, r->len, (int64_t)r->block, &r->head, reterr);
}

int recording_open(recording_read_fn *read, void *ctx, struct recording **ret, struct irqs_error *reterr)
{
	static const struct event_source_ops ops = { .read = read_batch, .close = close_reader };
	struct reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r)
		r->body = malloc(RECORDING_BODY_MAX);
	if (!r || !r->body) {
		free(r);
		return irqs_fail_nomem(reterr);
	}
	r->read = read;
	r->ctx = ctx;
	rc = get_head(r, reterr);
	if (rc) {
		close_reader(&r->pub.source);
		return rc;
	}
	r->pub.source = (struct event_source){ .ops = &ops, .name = "recording", .there = r->head.there };
	r->pub.note = r->head.note;
	*ret = &r->pub;
	return 0;
}

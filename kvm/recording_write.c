/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "kvm/recording.h"
#include "kvm/recording_priv.h"

/* A block with many events is written as several. */
#define CHUNK ((size_t)32 << 10)

ssize_t recording_write_fd(void *ctx, const void *data, size_t len)
{
	ssize_t n;

	do
		n = write(*(const int *)ctx, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int put(const struct recording_writer *w, const void *data, size_t len, struct irqs_error *reterr)
{
	while (len) {
		ssize_t n = w->write(w->ctx, data, len);

		if (n <= 0)
			return irqs_fail_errno(reterr, n ? (int)-n : EIO, "cannot write the recording");
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

/* @block has room for its head before the body. */
static int put_block(const struct recording_writer *w, uint32_t kind, uint8_t *block, size_t len,
		     struct irqs_error *reterr)
{
	put_le(block, 4, kind);
	put_le(block + 4, 4, len);
	put_le(block + 8, 4, crc32c(crc32c(0, block, 8), block + RECORDING_BLOCK_HEAD, len));
	return put(w, block, RECORDING_BLOCK_HEAD + len, reterr);
}

/* ---- head ---- */

static size_t say_event(char *text, size_t size, unsigned int type, uint64_t there)
{
	const struct irq_event_row *row = &irq_event_rows[type];
	size_t n = (size_t)snprintf(text, size, "event %u %s", type, row->tracepoint);

	for (unsigned int i = 0; i < row->nfields; i++)
		n += (size_t)snprintf(text + n, size - n, " %s", row->fields[i]);
	if (!(there >> type & 1))
		n += (size_t)snprintf(text + n, size - n, "\nabsent %s", row->tracepoint);
	return n + (size_t)snprintf(text + n, size - n, "\n");
}

int recording_begin(struct recording_writer *w, recording_write_fn *write, void *ctx, uint64_t there, const char *note,
		    struct irqs_error *reterr)
{
	uint8_t start[RECORDING_START_SIZE] = RECORDING_MAGIC, block[RECORDING_BLOCK_HEAD + 8192];
	char *text = (char *)block + RECORDING_BLOCK_HEAD;
	const size_t size = sizeof(block) - RECORDING_BLOCK_HEAD;
	size_t n = (size_t)snprintf(text, size, "clock monotonic\n");
	int rc;

	*w = (struct recording_writer){ .write = write, .ctx = ctx };
	put_le(start + RECORDING_MAGIC_SIZE, 4, RECORDING_VERSION);
	if (note)
		n += (size_t)snprintf(text + n, size - n, "note %.*s\n", (int)strnlen(note, 512), note);
	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		n += say_event(text + n, size - n, i, there);
	rc = put(w, start, sizeof(start), reterr);
	return rc ? rc : put_block(w, RECORDING_HEAD, block, n, reterr);
}

/* ---- the other blocks ---- */

int recording_threads(struct recording_writer *w, const struct recording_thread *threads, size_t count,
		      struct irqs_error *reterr)
{
	uint8_t block[RECORDING_BLOCK_HEAD + CHUNK / RECORDING_THREAD_SIZE * RECORDING_THREAD_SIZE];
	uint8_t *at = block + RECORDING_BLOCK_HEAD;
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		memset(at, 0, RECORDING_THREAD_SIZE);
		put_le(at, 4, threads[i].tid);
		put_le(at + 4, 4, threads[i].vcpu < 0 ? RECORDING_NO_VCPU : (uint32_t)threads[i].vcpu);
		memcpy(at + 8, threads[i].comm, strnlen(threads[i].comm, sizeof(threads[i].comm) - 1));
		at += RECORDING_THREAD_SIZE;
		if (at < block + sizeof(block) && i + 1 < count)
			continue;
		rc = put_block(w, RECORDING_THREADS, block, (size_t)(at - block) - RECORDING_BLOCK_HEAD, reterr);
		at = block + RECORDING_BLOCK_HEAD;
	}
	return rc;
}

static size_t put_event(uint8_t *at, const struct irqshift_event *e)
{
	unsigned int n = irq_event_rows[e->type].nfields;

	put_le(at, 8, e->time);
	put_le(at + 8, 4, e->pid);
	put_le(at + 12, 4, e->tid);
	put_le(at + 16, 2, e->type);
	put_le(at + 18, 2, e->cpu);
	for (unsigned int i = 0; i < n; i++)
		put_le(at + RECORDING_EVENT_SIZE + 8 * (size_t)i, 8, e->arg[i]);
	return RECORDING_EVENT_SIZE + 8 * (size_t)n;
}

int recording_events(struct recording_writer *w, const struct event_batch *batch, struct irqs_error *reterr)
{
	uint8_t block[RECORDING_BLOCK_HEAD + CHUNK];
	size_t i = 0;
	int rc = 0;

	for (bool first = true; !rc && (i < batch->count || (first && batch->lost)); first = false) {
		size_t n = RECORDING_BLOCK_HEAD;

		put_le(block + n, 8, first ? batch->lost : 0);
		n += RECORDING_LOST_SIZE;
		for (; i < batch->count && n + RECORDING_EVENT_SIZE + sizeof(batch->events->arg) <= sizeof(block); i++) {
			if (batch->events[i].type >= IRQSHIFT_EVENT_TYPES)
				continue;
			n += put_event(block + n, &batch->events[i]);
			w->events++;
		}
		w->lost += first ? batch->lost : 0;
		rc = put_block(w, RECORDING_EVENTS, block, n - RECORDING_BLOCK_HEAD, reterr);
	}
	return rc;
}

int recording_end(struct recording_writer *w, struct irqs_error *reterr)
{
	uint8_t block[RECORDING_BLOCK_HEAD + RECORDING_END_SIZE];

	put_le(block + RECORDING_BLOCK_HEAD, 8, w->events);
	put_le(block + RECORDING_BLOCK_HEAD + 8, 8, w->lost);
	return put_block(w, RECORDING_END, block, RECORDING_END_SIZE, reterr);
}

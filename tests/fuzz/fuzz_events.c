/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as recorded events, through the tables and a timeline. The first byte chooses whether each block gets the CRC of what
 * is in it, or nothing would get past it. What is taken is recorded anew, and that gives the same events.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "kvm/perfetto.h"
#include "kvm/recording.h"
#include "kvm/recording_priv.h"

struct bytes {
	uint8_t *data;
	size_t len, pos, room;
};

static ssize_t give(void *ctx, void *data, size_t len)
{
	struct bytes *b = ctx;
	size_t n = b->len - b->pos < len ? b->len - b->pos : len;

	if (n)
		memcpy(data, b->data + b->pos, n);
	b->pos += n;
	return (ssize_t)n;
}

static ssize_t keep(void *ctx, const void *data, size_t len)
{
	struct bytes *b = ctx;

	if (b->len + len > b->room) {
		b->room = 2 * (b->len + len);
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return (ssize_t)len;
}

static void nowhere(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void mend(uint8_t *data, size_t size)
{
	for (size_t at = RECORDING_START_SIZE; at + RECORDING_BLOCK_HEAD <= size;) {
		size_t len = get_le(data + at + 4, 4);

		if (len > size - at - RECORDING_BLOCK_HEAD)
			return;
		put_le(data + at + 8, 4, crc32c(crc32c(0, data + at, 8), data + at + RECORDING_BLOCK_HEAD, len));
		at += RECORDING_BLOCK_HEAD + len;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	const struct recording_thread thread = { 11, 0, "CPU 0/KVM" };
	struct irqshift_event events[3 * IRQSHIFT_EVENT_TYPES];
	const struct event_batch batch = { events, 3 * IRQSHIFT_EVENT_TYPES, 2 };
	struct bytes out = { 0 };
	struct recording_writer w;

	if (!folder)
		return 0;
	for (unsigned int i = 0; i < batch.count; i++)
		events[i] = (struct irqshift_event){ .time = 1000 + i, .pid = 10, .tid = 11 + i % 3, .type = (uint16_t)(i % IRQSHIFT_EVENT_TYPES), .arg = { i % 4, 0x40, 1 } };
	keep(&out, "\1", 1);
	if (recording_begin(&w, keep, &out, IRQ_EVENTS_ALL, "seed", NULL) || recording_threads(&w, &thread, 1, NULL) ||
	    recording_events(&w, &batch, NULL) || recording_end(&w, NULL))
		abort();
	seed_write(folder, "events", out.data, out.len);
	free(out.data);
	return 0;
}

struct taken {
	uint64_t events, lost;
	uint32_t crc; /* of all events */
};

/* All of a recording; into @out what it gives, when there is one. Return: how reading ended. */
static int take(struct bytes *in, struct bytes *out, struct taken *taken)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct recording_writer w;
	struct perfetto *timeline;
	struct event_batch batch;
	struct recording *r;
	struct monitor *m;
	int rc = recording_open(give, in, &r, &err);

	if (rc) {
		if (err.status != IRQS_MALFORMED && err.status != IRQS_REFUSED)
			abort();
		return rc;
	}
	if (monitor_create(NULL, &m) || perfetto_begin(nowhere, NULL, m, &timeline) ||
	    (out && recording_begin(&w, keep, out, r->source.there, r->note, NULL)))
		abort();
	while (!(rc = event_source_read(&r->source, 0, &batch, &err))) {
		monitor_lost(m, batch.lost);
		taken->lost += batch.lost;
		taken->events += batch.count;
		if (batch.count)
			taken->crc = crc32c(taken->crc, batch.events, batch.count * sizeof(*batch.events));
		for (size_t i = 0; i < batch.count; i++) {
			monitor_event(m, &batch.events[i]);
			perfetto_event(timeline, &batch.events[i]);
		}
		if (out && recording_events(&w, &batch, NULL))
			abort();
	}
	if (rc != -ENODATA && err.status != IRQS_MALFORMED)
		abort();
	if (out && recording_end(&w, NULL))
		abort();
	monitor_interval(m, UINT64_MAX);
	perfetto_end(timeline);
	monitor_destroy(m);
	event_source_close(&r->source);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { .len = size ? size - 1 : 0 }, copy = { 0 };
	struct taken once = { 0 }, twice = { 0 };
	int rc;

	if (!size)
		return 0;
	in.data = malloc(size);
	if (!in.data)
		abort();
	memcpy(in.data, data + 1, size - 1);
	if (data[0] & 1)
		mend(in.data, size - 1);
	rc = take(&in, &copy, &once);
	if (copy.len) {
		if (take(&copy, NULL, &twice) != -ENODATA || once.events != twice.events || once.lost != twice.lost || once.crc != twice.crc)
			abort();
	} else if (rc == -ENODATA) {
		abort();
	}
	free(in.data);
	free(copy.data);
	return 0;
}

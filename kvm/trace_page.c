/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/endian.h"
#include "kvm/trace_priv.h"

/* A record's head: type_len in the low 5 bits, the time since the one before in the other 27. */
#define TYPE_DATA_MAX 28u /* length is 4 times that; 0: in the word that follows */
#define TYPE_PADDING 29u
#define TYPE_TIME_EXTEND 30u
#define TYPE_TIME_STAMP 31u
#define TIME_BITS 27u
/* What a time stamp has room for; the bits above are those of the time before. */
#define STAMP_BITS 59u
/* Above the length in a page's commit. */
#define COMMIT_MISSED (UINT64_C(1) << 31)
#define COMMIT_MISSED_COUNTED (UINT64_C(1) << 30)
#define COMMIT_LENGTH ((UINT64_C(1) << 27) - 1)
/* common_flags (include/linux/trace_events.h): raised in an interrupt, whatever task that came upon. */
#define FLAG_HARDIRQ 0x08u
#define FLAG_SOFTIRQ 0x10u
#define FLAG_NMI 0x40u

struct walk {
	const struct trace_table *table;
	const uint8_t *at, *end;
	uint64_t time;
	unsigned int cpu;
	int (*take)(void *ctx, const struct irqshift_event *e);
	void *ctx;
	struct trace_page *page;
};

static bool has(const struct trace_field *f, size_t len)
{
	return f->size && f->offset <= len && f->size <= len - f->offset;
}

static uint64_t value_of(const struct trace_field *f, const uint8_t *record)
{
	uint64_t v = get_le(record + f->offset, f->size);

	return f->is_signed ? (uint64_t)sign_extend(v, f->size) : v;
}

static int type_of(const struct trace_table *table, uint64_t id)
{
	for (int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		if (table->formats[i].there && table->formats[i].id == id)
			return i;
	return -1;
}

/* Return: 0, or what the taker returned. */
static int take_record(struct walk *w, const uint8_t *record, size_t len)
{
	const struct trace_table *t = w->table;
	struct irqshift_event e = { .time = w->time, .cpu = (uint16_t)w->cpu };
	uint64_t flags;
	int type;

	if (!has(&t->id, len) || !has(&t->pid, len)) {
		w->page->bad++;
		return 0;
	}
	type = type_of(t, value_of(&t->id, record));
	if (type < 0)
		return 0;
	for (unsigned int i = 0; i < irq_event_rows[type].nfields; i++) {
		const struct trace_field *f = &t->formats[type].args[i];

		if (f->size && !has(f, len)) {
			w->page->bad++;
			return 0;
		}
		if (f->size)
			e.arg[i] = value_of(f, record);
	}
	flags = has(&t->flags, len) ? value_of(&t->flags, record) : 0;
	e.type = (uint16_t)type;
	if (!(flags & (FLAG_HARDIRQ | FLAG_SOFTIRQ | FLAG_NMI)))
		e.tid = (uint32_t)value_of(&t->pid, record);
	w->page->count++;
	return w->take(w->ctx, &e);
}

static size_t left(const struct walk *w)
{
	return (size_t)(w->end - w->at);
}

static int take_data(struct walk *w, unsigned int type, uint32_t delta)
{
	size_t len = 4 * (size_t)type;
	const uint8_t *record;

	w->time += delta;
	if (!type) {
		if (left(w) < 4)
			return -EBADMSG;
		len = get_le(w->at, 4);
		if (len < 4)
			return -EBADMSG;
		len -= 4;
		w->at += 4;
	}
	if (len > left(w))
		return -EBADMSG;
	record = w->at;
	w->at += len;
	return take_record(w, record, len);
}

static int take_padding(struct walk *w, uint32_t delta)
{
	uint64_t len;

	/* The rest of the page is empty. */
	if (!delta) {
		w->at = w->end;
		return 0;
	}
	w->time += delta;
	len = left(w) < 4 ? UINT64_MAX : get_le(w->at, 4);
	if (len < 4 || len > left(w))
		return -EBADMSG;
	w->at += len;
	return 0;
}

static int take_time(struct walk *w, unsigned int type, uint32_t delta)
{
	const uint64_t above = ~((UINT64_C(1) << STAMP_BITS) - 1);
	uint64_t span;

	if (left(w) < 4)
		return -EBADMSG;
	span = (get_le(w->at, 4) << TIME_BITS) + delta;
	w->at += 4;
	w->time = type == TYPE_TIME_EXTEND ? w->time + span : (w->time & above) | span;
	return 0;
}

static int take_one(struct walk *w)
{
	uint32_t head = (uint32_t)get_le(w->at, 4);
	unsigned int type = head & 31;

	w->at += 4;
	if (type <= TYPE_DATA_MAX)
		return take_data(w, type, head >> 5);
	if (type == TYPE_PADDING)
		return take_padding(w, head >> 5);
	return take_time(w, type, head >> 5);
}

static uint64_t missed(const struct trace_layout *l, const uint8_t *page, size_t len, uint64_t commit)
{
	size_t at = l->data.offset + (size_t)(commit & COMMIT_LENGTH);

	if (!(commit & COMMIT_MISSED))
		return 0;
	if (!(commit & COMMIT_MISSED_COUNTED) || at > len || len - at < l->commit.size)
		return UINT64_MAX;
	return get_le(page + at, l->commit.size);
}

int trace_page_decode(const struct trace_table *table, const void *page, size_t len, unsigned int cpu,
		      int (*take)(void *ctx, const struct irqshift_event *e), void *ctx, struct trace_page *ret)
{
	const struct trace_layout *l = &table->layout;
	struct walk w = { .table = table, .cpu = cpu, .take = take, .ctx = ctx, .page = ret };
	const uint8_t *bytes = page;
	uint64_t commit, length;
	int rc = 0;

	*ret = (struct trace_page){ 0 };
	if (len < l->data.offset)
		return -EBADMSG;
	commit = get_le(bytes + l->commit.offset, l->commit.size);
	length = commit & COMMIT_LENGTH;
	if (length > len - l->data.offset)
		return -EBADMSG;
	ret->missed = missed(l, bytes, len, commit);
	w.time = get_le(bytes + l->timestamp.offset, 8);
	w.at = bytes + l->data.offset;
	w.end = w.at + length;
	while (!rc && left(&w) >= 4)
		rc = take_one(&w);
	return rc;
}

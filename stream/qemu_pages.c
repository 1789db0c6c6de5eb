/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu_walk_priv.h"

#define HEADER_SIZE 8u /* magic and version */
#define GIB (UINT64_C(1) << 30)

struct block {
	uint64_t name_at, used, bitmap, pages;
	uint8_t name_size;
};

struct finder {
	struct qemu_walk_watch watch;
	struct source names; /* the walk has a source of its own */
	struct block main;
	struct qemu_main_block judge;
	struct qemu_page *pages;
	size_t n;
};

static bool name_is(struct finder *f, uint64_t at, uint8_t size, const char *name)
{
	const uint8_t *p;

	return size == strlen(name) && !source_peek(&f->names, at, size, &p, NULL) && !memcmp(p, name, size);
}

static void on_block(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t bitmap, uint64_t pages)
{
	struct finder *f = (struct finder *)watch;
	bool named = name_is(f, w->name_at, w->name_size, QEMU_MAIN_BLOCK);

	if (qemu_main_block_is(&f->judge, named, w->used))
		f->main = (struct block){ w->name_at, w->used, bitmap, pages, w->name_size };
}

static bool in_main_block(struct finder *f, const struct qemu_walk *w)
{
	const uint8_t *p;
	char name[256];

	if (w->name_size != f->main.name_size || source_peek(&f->names, f->main.name_at, w->name_size, &p, NULL))
		return false;
	memcpy(name, p, w->name_size);
	name[w->name_size] = '\0';
	return name_is(f, w->name_at, w->name_size, name);
}

static void on_page(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t data)
{
	struct finder *f = (struct finder *)watch;

	for (size_t i = 0; i < f->n; i++) {
		struct qemu_page *p = &f->pages[i];

		if (p->offset != w->address || !in_main_block(f, w))
			continue;
		p->at = data;
		p->kind = w->kind == QEMU_RAM_ZERO   ? QEMU_PAGE_ZERO
			  : w->kind == QEMU_RAM_PAGE ? QEMU_PAGE_PLAIN
						     : QEMU_PAGE_PACKED;
	}
}

/* The sections of one kept piece: commands and RAM; what else is in it ends the walk. */
static int walk_piece(struct qemu_stream *s, struct qemu_walk *w, uint64_t pos, uint64_t end)
{
	while (pos < end) {
		const uint8_t *p;
		int rc = source_peek(&s->source, pos, 1, &p, w->reterr);

		if (rc)
			return rc;
		if (*p != QEMU_VM_SECTION_START && *p != QEMU_VM_SECTION_PART && *p != QEMU_VM_SECTION_END &&
		    *p != QEMU_VM_COMMAND)
			return 0;
		w->pos = pos;
		qemu_walk_begin(w);
		rc = qemu_walk_section(w, &s->source);
		if (rc)
			return rc;
		pos = w->pos;
	}
	return 0;
}

static int walk(struct qemu_stream *s, struct finder *f, struct irqs_error *reterr)
{
	struct qemu_ram counted = { 0 };
	struct qemu_walk w = {
		.size = s->source.size,
		.mode = { .mapped_ram = s->mapped_ram, .ignore_shared = s->ignore_shared },
		.ram = &counted,
		.know_footers = true,
		.has_footers = s->has_footers,
		.watch = &f->watch,
		.reterr = reterr,
	};
	int rc = 0;

	for (size_t i = 0; i < s->nitems && !rc; i++) {
		const struct qemu_item *item = &s->items[i];
		uint64_t pos = item->offset;

		if (pos == s->start)
			pos += HEADER_SIZE;
		if (item->kind == QEMU_ITEM_RAW)
			rc = walk_piece(s, &w, pos, item->offset + item->length);
	}
	return rc;
}

/* A bit for each page, in longs of the host that saved it, which is an x86. */
static int look_into_bitmap(struct finder *f, struct qemu_page *p, struct irqs_error *reterr)
{
	uint64_t number = p->offset / QEMU_PAGE_SIZE;
	const uint8_t *byte;
	int rc;

	if (p->offset >= f->main.used)
		return 0;
	rc = source_peek(&f->names, f->main.bitmap + number / 8, 1, &byte, reterr);
	if (rc)
		return rc;
	p->at = f->main.pages + p->offset;
	p->kind = *byte & 1u << number % 8 ? QEMU_PAGE_PLAIN : QEMU_PAGE_ZERO;
	return 0;
}

int qemu_pages_find(struct qemu_stream *s, struct qemu_page *pages, size_t n, struct irqs_error *reterr)
{
	struct finder f = { .watch = { on_block, on_page }, .pages = pages, .n = n };
	int rc = source_init(&f.names, s->source.fd, reterr);

	for (size_t i = 0; i < n; i++)
		pages[i].kind = QEMU_PAGE_ABSENT;
	if (rc)
		return rc;
	rc = walk(s, &f, reterr);
	for (size_t i = 0; i < n && !rc && f.main.pages; i++)
		rc = look_into_bitmap(&f, &pages[i], reterr);
	source_deinit(&f.names);
	return rc;
}

size_t qemu_page_places(uint64_t address, uint64_t ret[QEMU_PAGE_PLACES])
{
	static const uint64_t low[QEMU_PAGE_PLACES] = { 3 * GIB, 2 * GIB, 3 * GIB + GIB / 2, 2 * GIB + GIB / 4 * 3 };

	if (address < 4 * GIB) {
		ret[0] = address;
		return 1;
	}
	for (size_t i = 0; i < QEMU_PAGE_PLACES; i++)
		ret[i] = address - 4 * GIB + low[i];
	return QEMU_PAGE_PLACES;
}

/* Room for two more pieces behind the i-th. */
static int make_room(struct qemu_stream *s, size_t i, struct irqs_error *reterr)
{
	struct qemu_item *more;

	if (s->nitems + 2 > s->items_capacity) {
		more = realloc(s->items, (s->nitems + 2) * sizeof(*more));
		if (!more)
			return irqs_fail_nomem(reterr);
		s->items = more;
		s->items_capacity = s->nitems + 2;
	}
	memmove(&s->items[i + 3], &s->items[i + 1], (s->nitems - i - 1) * sizeof(*s->items));
	s->nitems += 2;
	return 0;
}

static int split(struct qemu_stream *s, size_t i, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	uint8_t *copy = arena_alloc(&s->tree.arena, len);
	struct qemu_item *item;
	int rc = copy ? make_room(s, i, reterr) : irqs_fail_nomem(reterr);

	if (rc)
		return rc;
	memcpy(copy, bytes, len);
	item = &s->items[i];
	item[2] = item[0];
	item[2].offset = at + len;
	item[2].length = item[0].offset + item[0].length - item[2].offset;
	item[1] = (struct qemu_item){ .kind = QEMU_ITEM_BYTES, .offset = at, .length = len, .bytes = copy };
	item[0].length = at - item[0].offset;
	return 0;
}

int qemu_stream_replace(struct qemu_stream *s, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	for (size_t i = 0; i < s->nitems; i++) {
		const struct qemu_item *item = &s->items[i];

		if (item->kind == QEMU_ITEM_RAW && at >= item->offset && at - item->offset <= item->length &&
		    len <= item->length - (at - item->offset))
			return split(s, i, at, bytes, len, reterr);
	}
	irqs_fail(reterr, IRQS_SYSTEM, (int64_t)at, "ram", "%zu bytes that are not in the RAM of the stream", len);
	return -ERANGE;
}

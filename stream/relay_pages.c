/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/relay_priv.h"
#include "stream/xbzrle_priv.h"

#define HEADER_XBZRLE 3u
#define HEADER_COMPRESSED 4u
#define FOOTER_SIZE 5u

static const char too_many[] = "more pages of the RAM look like it than are kept (convert a saved stream)";
static const char packed[] =
	"pages came as differences to others that are not known, or compressed (set the capabilities xbzrle and compress off on "
	"the source)";
static const char no_memory[] = "memory was short";

/* ---- what is kept ---- */

static struct relay_kept **bucket(struct relay_pages *t, uint64_t offset)
{
	return &t->buckets[offset / QEMU_PAGE_SIZE % RELAY_PAGES_BUCKETS];
}

static struct relay_kept *find(struct relay_pages *t, uint64_t offset)
{
	struct relay_kept *k = *bucket(t, offset);

	while (k && k->offset != offset)
		k = k->next;
	return k;
}

static void forget(struct relay_pages *t, uint64_t offset)
{
	struct relay_kept **at = bucket(t, offset), *k;

	while (*at && (*at)->offset != offset)
		at = &(*at)->next;
	k = *at;
	if (!k)
		return;
	*at = k->next;
	free(k);
	t->count--;
}

static void keep(struct relay_pages *t, uint64_t offset, const uint8_t *bytes)
{
	struct relay_kept *k = find(t, offset);

	if (!k && t->count == RELAY_PAGES_MAX) {
		t->lost = t->lost ? t->lost : too_many;
		return;
	}
	if (!k) {
		k = malloc(sizeof(*k));
		if (!k) {
			t->lost = no_memory;
			return;
		}
		*k = (struct relay_kept){ .offset = offset, .next = *bucket(t, offset) };
		*bucket(t, offset) = k;
		t->count++;
	}
	memcpy(k->bytes, bytes, QEMU_PAGE_SIZE);
}

static void take_plain(struct relay_pages *t, uint64_t offset, const uint8_t *bytes)
{
	if (t->wanted(bytes))
		keep(t, offset, bytes);
	else if (t->count)
		forget(t, offset);
}

static void take_difference(struct relay_pages *t, uint64_t offset, const uint8_t *p, size_t size)
{
	struct relay_kept *k = find(t, offset);
	bool known = k && xbzrle_apply(k->bytes, p, size);

	if (!known)
		t->lost = t->lost ? t->lost : packed;
	if (k && (!known || !t->wanted(k->bytes)))
		forget(t, offset);
}

/* ---- pages as they come ---- */

static bool is_name(const struct relay_pages *t, const char *name, size_t size)
{
	return t->name_size == size && !memcmp(t->name, name, size);
}

static void on_block(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t bitmap, uint64_t pages)
{
	struct relay_pages *t = (struct relay_pages *)watch;
	bool named = is_name(t, QEMU_MAIN_BLOCK, strlen(QEMU_MAIN_BLOCK));

	(void)bitmap;
	(void)pages;
	if (!qemu_main_block_is(&t->judge, named, w->used))
		return;
	memcpy(t->main, t->name, t->name_size);
	t->main_size = t->name_size;
}

/* Whether its data, a page at most, are looked at. */
static bool is_kept_whole(uint32_t kind)
{
	return kind == QEMU_RAM_ZERO || kind == QEMU_RAM_PAGE || kind == QEMU_RAM_XBZRLE;
}

static void on_page(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t data)
{
	struct relay_pages *t = (struct relay_pages *)watch;

	t->data = data + (w->kind == QEMU_RAM_XBZRLE ? HEADER_XBZRLE : is_kept_whole(w->kind) ? 0
											      : HEADER_COMPRESSED);
	t->have = 0;
}

static void take_page(struct relay_pages *t, const struct qemu_walk *w, const uint8_t *p, size_t size)
{
	if (!is_name(t, t->main, t->main_size))
		return;
	switch (w->kind) {
	case QEMU_RAM_ZERO:
		forget(t, w->address);
		break;
	case QEMU_RAM_PAGE:
		take_plain(t, w->address, p);
		break;
	case QEMU_RAM_XBZRLE:
		take_difference(t, w->address, p, size);
		break;
	default:
		forget(t, w->address);
		t->lost = t->lost ? t->lost : packed;
	}
}

static void take_name(struct relay_pages *t, const struct qemu_walk *w, const uint8_t *p, size_t n)
{
	uint64_t end = w->name_at + w->name_size;

	t->name_size = w->name_size;
	for (uint64_t at = w->pos; at < end && at < w->pos + n; at++)
		t->name[at - w->name_at] = (char)p[at - w->pos];
}

/* What is skipped ends with the data of the page, but for an empty difference, which leaves t->data behind. */
static void take_data(struct relay_pages *t, const struct qemu_walk *w, const uint8_t *p, size_t n)
{
	bool whole = n == w->skip;
	uint64_t next = t->data + t->have;

	if (!t->data || next < w->pos || next >= w->pos + n)
		return;
	p += next - w->pos;
	n -= (size_t)(next - w->pos);
	if (!is_kept_whole(w->kind)) {
		take_page(t, w, p, 0);
	} else if (whole && !t->have) {
		take_page(t, w, p, n);
	} else {
		memcpy(t->buf + t->have, p, n);
		t->have += n;
		if (!whole)
			return;
		take_page(t, w, t->buf, t->have);
	}
	t->data = 0;
}

void relay_pages_take(struct relay_pages *t, const struct qemu_walk *w, const uint8_t *p, size_t n)
{
	if (w->pos >= w->name_at && w->pos < w->name_at + w->name_size)
		take_name(t, w, p, n);
	take_data(t, w, p, n);
}

/* ---- the end of the RAM ---- */

static size_t put_page(uint8_t *p, const struct relay_pages *t, const struct relay_kept *k)
{
	put_be(p, 8, k->offset | QEMU_RAM_PAGE);
	p[8] = (uint8_t)t->main_size;
	memcpy(p + 9, t->main, t->main_size);
	memcpy(p + 9 + t->main_size, k->bytes, QEMU_PAGE_SIZE);
	return 9 + t->main_size + QEMU_PAGE_SIZE;
}

static size_t count_changed(const struct relay_pages *t)
{
	size_t n = 0;

	for (size_t i = 0; i < RELAY_PAGES_BUCKETS; i++)
		for (const struct relay_kept *k = t->buckets[i]; k; k = k->next)
			n += k->changed;
	return n;
}

static size_t put_section(uint8_t *p, const struct relay_pages *t, const struct qemu_walk *w)
{
	uint8_t *start = p;

	*p++ = QEMU_VM_SECTION_END;
	put_be(p, 4, w->ram_id);
	p += 4;
	for (size_t i = 0; i < RELAY_PAGES_BUCKETS; i++)
		for (const struct relay_kept *k = t->buckets[i]; k; k = k->next)
			p += k->changed ? put_page(p, t, k) : 0;
	put_be(p, 8, QEMU_RAM_EOS);
	p += 8;
	if (w->has_footers) {
		*p = QEMU_VM_SECTION_FOOTER;
		put_be(p + 1, 4, w->ram_id);
		p += FOOTER_SIZE;
	}
	return (size_t)(p - start);
}

int relay_pages_end(struct relay_pages *t, const struct qemu_walk *w, struct iovec *ret, struct irqs_error *reterr)
{
	size_t page = 8 + 1 + t->main_size + QEMU_PAGE_SIZE;

	t->section = malloc(5 + count_changed(t) * page + 8 + FOOTER_SIZE);
	if (!t->section)
		return irqs_fail_nomem(reterr);
	*ret = (struct iovec){ .iov_base = t->section, .iov_len = put_section(t->section, t, w) };
	return 0;
}

/* ---- for who converts ---- */

enum relay_page relay_pages_look(struct relay_pages *t, uint64_t offset, const uint8_t **ret, const char **ret_why)
{
	const struct relay_kept *k = find(t, offset);

	if (k)
		*ret = k->bytes;
	else if (t->lost)
		*ret_why = t->lost;
	return k ? RELAY_PAGE_KEPT : t->lost ? RELAY_PAGE_UNKNOWN
					     : RELAY_PAGE_OTHER;
}

int relay_pages_change(struct relay_pages *t, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	size_t inside = at % QEMU_PAGE_SIZE;
	struct relay_kept *k = find(t, at - inside);

	if (!k || len > QEMU_PAGE_SIZE - inside) {
		irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, "ram", "%zu bytes that are not in a page that was kept", len);
		return -ERANGE;
	}
	memcpy(k->bytes + inside, bytes, len);
	k->changed = true;
	return 0;
}

struct relay_pages *relay_pages_create(relay_wants_page *wanted)
{
	struct relay_pages *t = calloc(1, sizeof(*t));

	if (t) {
		t->watch = (struct qemu_walk_watch){ on_block, on_page };
		t->wanted = wanted;
	}
	return t;
}

void relay_pages_destroy(struct relay_pages *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < RELAY_PAGES_BUCKETS; i++)
		while (t->buckets[i])
			forget(t, t->buckets[i]->offset);
	free(t->section);
	free(t);
}

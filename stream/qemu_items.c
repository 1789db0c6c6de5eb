/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "base/endian.h"
#include "stream/qemu_read_priv.h"

const char qemu_from_stream;

int qemu_fail(struct qemu_reader *r, uint64_t at, const char *what)
{
	return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)at, NULL, "%s", what);
}

int qemu_peek(struct qemu_reader *r, uint64_t offset, size_t width, uint64_t *ret)
{
	const uint8_t *p;
	int rc = source_peek(&r->s->source, offset, width, &p, r->reterr);

	if (!rc)
		*ret = get_be(p, width);
	return rc;
}

int qemu_take(struct qemu_reader *r, size_t width, uint64_t *ret)
{
	int rc = qemu_peek(r, r->pos, width, ret);

	if (!rc)
		r->pos += width;
	return rc;
}

struct qemu_item *qemu_add_item(struct qemu_reader *r, uint64_t start)
{
	struct qemu_stream *s = r->s;

	if (s->nitems == s->items_capacity) {
		size_t n = s->items_capacity ? s->items_capacity * 2 : 64;
		struct qemu_item *more = realloc(s->items, n * sizeof(*more));

		if (!more)
			return NULL;
		s->items = more;
		s->items_capacity = n;
	}
	s->items[s->nitems] = (struct qemu_item){ .offset = start, .length = r->pos - start };
	return &s->items[s->nitems++];
}

int qemu_add_raw(struct qemu_reader *r, uint64_t start)
{
	struct qemu_item *last = r->s->nitems ? &r->s->items[r->s->nitems - 1] : NULL;

	if (last && last->kind == QEMU_ITEM_RAW && last->offset + last->length == start) {
		last->length = r->pos - last->offset;
		return 0;
	}
	return qemu_add_item(r, start) ? 0 : irqs_fail_nomem(r->reterr);
}

int qemu_add_ram(struct qemu_reader *r, uint64_t start)
{
	struct qemu_item *item;
	int rc = qemu_add_raw(r, start);

	if (rc)
		return rc;
	item = &r->s->items[r->s->nitems - 1];
	item->ram = true;
	item->at_fixed_offset |= r->walk.mode.mapped_ram;
	return 0;
}

int qemu_add_node_item(struct qemu_reader *r, uint64_t start, int kind, struct vms_node *n, uint32_t section_id)
{
	struct qemu_item *item = qemu_add_item(r, start);

	if (!item)
		return irqs_fail_nomem(r->reterr);
	item->kind = kind;
	item->node = n;
	item->section_id = section_id;
	return 0;
}

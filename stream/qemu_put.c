/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu_sink_priv.h"
#include "stream/vmdesc.h"

#define BUF_SIZE ((size_t)256 << 10)

struct writer {
	const struct qemu_stream *s;
	struct qemu_sink *sink;
	uint8_t *buf;
	size_t used;
	uint64_t pos;      /* bytes written, those in the buffer included */
	bool leading_done; /* new sections before all others are written */
	uint32_t next_id;  /* section id for a new section */
	struct irqs_error *reterr;
};

static int flush(struct writer *w)
{
	int rc = w->used ? w->sink->write(w->sink, w->buf, w->used, w->reterr) : 0;

	w->used = 0;
	return rc;
}

static int put(struct writer *w, const void *data, uint64_t len)
{
	const uint8_t *p = data;

	w->pos += len;
	while (len) {
		size_t n = BUF_SIZE - w->used < len ? BUF_SIZE - w->used : (size_t)len;

		memcpy(w->buf + w->used, p, n);
		w->used += n;
		p += n;
		len -= n;
		if (w->used == BUF_SIZE) {
			int rc = flush(w);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static int put_int(struct writer *w, size_t width, uint64_t v)
{
	uint8_t be[8];

	put_be(be, width, v);
	return put(w, be, width);
}

/* @n and the fields behind it whose bytes follow in memory, as those of a tree that was read do; @n becomes the last. */
static int put_leaves(struct writer *w, const struct vms_node **n)
{
	const uint8_t *start = (*n)->data, *end = start + vms_size(*n);

	for (const struct vms_node *c = (*n)->next; c && vms_is_leaf(c) && c->data == end; c = c->next) {
		end += vms_size(c);
		*n = c;
	}
	return put(w, start, (size_t)(end - start));
}

static int put_node(struct writer *w, const struct vms_node *n)
{
	size_t len;
	int rc = 0;

	if (n->kind == VMS_SUBSECTION) {
		len = strlen(n->name);
		if ((rc = put_int(w, 1, QEMU_VM_SUBSECTION)) || (rc = put_int(w, 1, len)) ||
		    (rc = put(w, n->name, len)) || (rc = put_int(w, 4, n->version)))
			return rc;
	}
	if (vms_packed(n))
		rc = put(w, n->data, vms_packed(n));
	for (const struct vms_node *c = vms_first_node(n); c && !rc; c = c->next)
		rc = vms_is_leaf(c) ? put_leaves(w, &c) : put_node(w, c);
	return rc;
}

static int put_device(struct writer *w, const struct vms_node *n, uint32_t id)
{
	size_t len = strlen(n->name);
	int rc;

	if ((rc = put_int(w, 1, QEMU_VM_SECTION_FULL)) || (rc = put_int(w, 4, id)) || (rc = put_int(w, 1, len)) ||
	    (rc = put(w, n->name, len)) || (rc = put_int(w, 4, n->instance)) ||
	    (rc = put_int(w, 4, n->version)) || (rc = put_node(w, n)))
		return rc;
	if (!w->s->has_footers)
		return 0;
	rc = put_int(w, 1, QEMU_VM_SECTION_FOOTER);
	return rc ? rc : put_int(w, 4, id);
}

/* New sections from @n on, up to one of the stream. */
static int put_new(struct writer *w, const struct vms_node *n)
{
	int rc = 0;

	for (; n && !n->codec && !rc; n = n->next)
		rc = put_device(w, n, w->next_id++);
	return rc;
}

/* A section of the stream, unless it was removed, and the new ones behind it. */
static int put_device_item(struct writer *w, const struct qemu_item *item)
{
	const struct vms_node *n = item->node;
	int rc = 0;

	if (!w->leading_done)
		rc = put_new(w, vmdesc_leading(w->s->tree.machine));
	w->leading_done = true;
	if (rc || !n->parent)
		return rc;
	rc = put_device(w, n, item->section_id);
	return rc ? rc : put_new(w, n->next);
}

/* Whether sections were removed, added or reshaped: the vmdescription then has to follow. */
static bool shape_changed(const struct qemu_stream *s)
{
	for (size_t i = 0; i < s->nitems; i++)
		if (s->items[i].kind == QEMU_ITEM_DEVICE && !s->items[i].node->parent)
			return true;
	for (const struct vms_node *n = vms_first_child(s->tree.machine); n; n = n->next)
		if (n->reshaped || !n->codec)
			return true;
	return false;
}

static int put_vmdesc(struct writer *w)
{
	const struct qemu_stream *s = w->s;
	char *text = s->vmdesc;
	size_t size = s->vmdesc_size;
	bool changed = shape_changed(s);
	int rc = 0;

	if (changed)
		rc = vmdesc_rewrite(s->vmdesc, s->vmdesc_size, s->tree.machine, &text, &size, w->reterr);
	if (rc)
		return rc;
	if (!(rc = put_int(w, 1, QEMU_VM_VMDESCRIPTION)) && !(rc = put_int(w, 4, size)))
		rc = put(w, text, size);
	if (changed)
		free(text);
	return rc;
}

static int put_raw(struct writer *w, const struct qemu_item *item)
{
	int rc;

	if (item->at_fixed_offset && w->pos != item->offset)
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)item->offset, "ram",
				 "mapped RAM lies at fixed file offsets and an earlier section changed its length");
	rc = flush(w);
	if (!rc)
		rc = w->sink->keep(w->sink, item, w->pos, w->reterr);
	w->pos += item->length;
	return rc;
}

static int put_item(struct writer *w, const struct qemu_item *item)
{
	uint64_t start = w->pos;
	int rc = 0;

	switch (item->kind) {
	case QEMU_ITEM_RAW:
		return put_raw(w, item);
	case QEMU_ITEM_CONFIG:
		rc = put_int(w, 1, QEMU_VM_CONFIGURATION);
		if (!rc)
			rc = put_node(w, item->node);
		break;
	case QEMU_ITEM_DEVICE:
		rc = put_device_item(w, item);
		break;
	case QEMU_ITEM_VMDESC:
		rc = put_vmdesc(w);
		break;
	case QEMU_ITEM_BYTES:
		rc = put(w, item->bytes, item->length);
		break;
	}
	if (rc || !w->sink->end)
		return rc;
	rc = flush(w);
	return rc ? rc : w->sink->end(w->sink, item, start, w->reterr);
}

int qemu_put_items(const struct qemu_stream *s, struct qemu_sink *sink, struct irqs_error *reterr)
{
	struct writer w = { .s = s, .sink = sink, .pos = s->start, .reterr = reterr };
	const struct vms_node *leading = vmdesc_leading(s->tree.machine);
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < s->nitems; i++) {
		if (s->items[i].kind != QEMU_ITEM_DEVICE)
			continue;
		any = true;
		if (s->items[i].section_id >= w.next_id)
			w.next_id = s->items[i].section_id + 1;
	}
	if (leading && !leading->codec && !any)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, leading->name,
				 "a stream without device sections has no place for a new one");
	w.buf = malloc(BUF_SIZE);
	if (!w.buf)
		return irqs_fail_nomem(reterr);
	for (size_t i = 0; i < s->nitems && !rc; i++)
		rc = put_item(&w, &s->items[i]);
	if (!rc)
		rc = flush(&w);
	free(w.buf);
	return rc;
}

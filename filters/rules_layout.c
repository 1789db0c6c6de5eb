/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack and pack: a raw field, which only its device can read, into fields by a layout, and back. The bytes of
 * both are the same: only where one field ends and the next starts is known or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "filters/rules_priv.h"

/* What stands in front of a subsection (QEMU_VM_SUBSECTION), and its header but for the name. */
#define SUBSECTION 5u
#define SUBSECTION_HEADER ((uint64_t)6)

struct unpacker {
	struct rules_run *c;
	const struct vms_node *raw;
	const uint8_t *data;
	uint64_t pos, size;
};

static struct vms_node *child_named(const struct vms_node *parent, const char *name)
{
	for (struct vms_node *c = vms_first_child(parent); c; c = c->next)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static uint64_t get_number(const uint8_t *p, const struct rules_count *c)
{
	uint64_t v = 0;

	if (!c->little_endian)
		return get_be(p, c->width);
	for (uint32_t i = c->width; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

/* How many elements @row has, by what is in the struct already. */
static int get_count(struct rules_run *c, const struct rules_row *row, const struct vms_node *parent, uint32_t *ret)
{
	const struct rules_count *count = &row->count;
	const struct vms_node *from;
	uint64_t v;

	*ret = row->array ? count->fixed : 1;
	if (!row->array || !count->field)
		return 0;
	from = child_named(parent, count->field);
	if (!from || !from->data || vms_size(from) < (uint64_t)count->at + count->width)
		return rules_fail(c, parent, count->field, "no such field: it holds the count of %s", row->name);
	v = from->kind == VMS_INT ? get_be(from->data, from->width) : get_number(from->data + count->at, count);
	v &= count->mask;
	if (v > UINT32_MAX / 2)
		return rules_fail(c, from, NULL, "0x%" PRIx64 " elements of %s", v, row->name);
	v = ((v + count->add) * count->multiply + count->divide - 1) / count->divide;
	if (v > UINT32_MAX / 2)
		return rules_fail(c, from, NULL, "0x%" PRIx64 " elements of %s", v, row->name);
	*ret = (uint32_t)v;
	return 0;
}

static int check_must(struct rules_run *c, const struct rules_row *row, const struct vms_node *n)
{
	char found[32], wanted[32];

	if (!row->has_must || !rules_compare(vms_element_get(n, 0), n->is_signed, &row->must))
		return 0;
	rules_show(n->is_signed, vms_element_get(n, 0), found, sizeof(found));
	rules_show(row->must.negative, row->must.bits, wanted, sizeof(wanted));
	rules_refuse(c, COST_FATAL, n, NULL, "it is %s, and the layout knows only %s", found, wanted);
	irqs_fail(c->reterr, IRQS_REFUSED, IRQS_NO_OFFSET, c->section->name,
		  "refused (fatal): %s is %s, and the layout knows only %s: %s", row->name, found, wanted,
		  c->action->why);
	return -EOPNOTSUPP;
}

static int too_short(struct unpacker *u, const char *name)
{
	return rules_fail(u->c, u->raw, NULL, "its %" PRIu64 " bytes end in %s, at byte %" PRIu64, u->size, name, u->pos);
}

static int unpack_leaf(struct unpacker *u, const struct rules_row *row, struct vms_node *parent, uint32_t count)
{
	bool varies = row->array && !row->is_int;
	uint64_t bytes = varies ? count : (uint64_t)row->width * count;
	struct vms_node *n;
	int rc;

	if (bytes > u->size - u->pos)
		return too_short(u, row->name);
	n = rules_node(u->c, row->is_int ? VMS_INT : VMS_BYTES, row->name, row->type);
	if (!n)
		return u->c->rc;
	n->width = varies ? count : row->width;
	n->count = varies ? 1 : count;
	n->array = row->array && !varies;
	n->is_signed = row->is_signed;
	vms_append(parent, n);
	rc = rules_data(u->c, n, bytes);
	if (rc)
		return rc;
	memcpy(n->data, u->data + u->pos, bytes);
	u->pos += bytes;
	return check_must(u->c, row, n);
}

static int unpack_struct(struct unpacker *u, const struct rules_layout *l, struct vms_node *n);

static int unpack_element(struct unpacker *u, const struct rules_row *row, struct vms_node *parent, uint32_t index)
{
	struct vms_node *n = rules_node(u->c, VMS_STRUCT, row->name, row->type);

	if (!n)
		return u->c->rc;
	n->index = index;
	n->vmsd = arena_strndup(&u->c->run->tree->arena, row->layout->vmsd, strlen(row->layout->vmsd));
	if (!n->vmsd)
		return irqs_fail_nomem(u->c->reterr);
	n->version = row->layout->version;
	vms_append(parent, n);
	return unpack_struct(u, row->layout, n);
}

static int unpack_row(struct unpacker *u, const struct rules_row *row, struct vms_node *parent)
{
	struct vms_node *list;
	uint32_t count;
	int rc = get_count(u->c, row, parent, &count);

	if (rc)
		return rc;
	if (!row->layout)
		return unpack_leaf(u, row, parent, count);
	if (!row->array)
		return unpack_element(u, row, parent, VMS_NO_INDEX);
	if (count > u->size - u->pos)
		return too_short(u, row->name);
	list = rules_node(u->c, VMS_ARRAY, row->name, row->type);
	if (!list)
		return u->c->rc;
	list->array = true;
	list->count = count;
	vms_append(parent, list);
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = unpack_element(u, row, list, i);
	return rc;
}

static const struct rules_layout *find_subsection(const struct rules_layout *l, const char *name, size_t len)
{
	for (size_t i = 0; i < l->nsubsections; i++)
		if (strlen(l->subsections[i]->vmsd) == len && !memcmp(l->subsections[i]->vmsd, name, len))
			return l->subsections[i];
	return NULL;
}

/* Whether a subsection starts here, as QEMU sees it: the mark, and a name that goes on from that of its parent. */
static bool at_subsection(const struct unpacker *u, const struct rules_layout *l)
{
	const uint8_t *p = u->data + u->pos;
	size_t prefix = strlen(l->vmsd);

	return l->nsubsections && u->size - u->pos >= 2 && p[0] == SUBSECTION && p[1] > prefix &&
	       u->size - u->pos >= SUBSECTION_HEADER + p[1] && !memcmp(p + 2, l->vmsd, prefix);
}

static int unpack_subsection(struct unpacker *u, const struct rules_layout *l, struct vms_node *parent)
{
	const uint8_t *p = u->data + u->pos;
	const struct rules_layout *sub = find_subsection(l, (const char *)p + 2, p[1]);
	uint32_t version = (uint32_t)get_be(p + 2 + p[1], 4);
	struct vms_node *n;

	if (!sub)
		return rules_fail(u->c, u->raw, NULL, "the subsection at byte %" PRIu64 " is not in the layout", u->pos);
	if (version != sub->version)
		return rules_fail(u->c, u->raw, NULL, "%s has version %" PRIu32 ", and the layout knows %" PRIu32,
				  sub->vmsd, version, sub->version);
	n = rules_node(u->c, VMS_SUBSECTION, sub->vmsd, NULL);
	if (!n)
		return u->c->rc;
	n->vmsd = n->name;
	n->version = version;
	vms_append(parent, n);
	u->pos += SUBSECTION_HEADER + p[1];
	return unpack_struct(u, sub, n);
}

static int unpack_struct(struct unpacker *u, const struct rules_layout *l, struct vms_node *n)
{
	int rc = 0;

	for (size_t i = 0; i < l->nrows && !rc; i++)
		rc = unpack_row(u, &l->rows[i], n);
	while (!rc && at_subsection(u, l))
		rc = unpack_subsection(u, l, n);
	return rc;
}

int rules_act_unpack(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	char path[512], before[32], after[64];
	struct unpacker u = { .c = c };
	struct vms_node *raw, *made, *parent, *last;
	size_t fields = 0;
	int rc = rules_movable(c, n, a->field, &raw);

	if (rc || !raw)
		return rc;
	if (raw->kind != VMS_BYTES || !raw->type || strcmp(raw->type, a->type) != 0)
		return rules_fail(c, raw, NULL, "no raw bytes of type %s", a->type);
	u = (struct unpacker){ .c = c, .raw = raw, .data = raw->data, .size = vms_size(raw) };
	made = rules_node(c, VMS_STRUCT, raw->name, raw->type);
	if (!made)
		return c->rc;
	rc = unpack_struct(&u, a->layout, made);
	if (!rc && u.pos != u.size)
		rc = rules_fail(c, raw, NULL, "%" PRIu64 " bytes are left behind the layout, at byte %" PRIu64,
				u.size - u.pos, u.pos);
	vms_path(raw, path, sizeof(path));
	rules_show_node(raw, before, sizeof(before));
	parent = raw->parent;
	last = raw;
	while (!rc && vms_first_child(made)) {
		struct vms_node *f = vms_first_child(made);

		rc = strcmp(f->name, raw->name) ? rules_free_name(c, parent, f->name) : 0;
		vms_remove(f);
		vms_insert_after(last, f);
		last = f;
		fields++;
	}
	if (rc)
		return rc;
	vms_remove(raw);
	snprintf(after, sizeof(after), "%zu fields", fields);
	rules_report(c, REPORT_DERIVED, path, before, after);
	return 0;
}

static bool leaf_matches(const struct rules_row *row, const struct vms_node *n, uint32_t count)
{
	if (row->is_int)
		return n->kind == VMS_INT && n->width == row->width && n->count == count;
	return n->kind == VMS_BYTES && vms_size(n) == (row->array ? count : row->width);
}

static int check_struct(struct rules_run *c, const struct rules_layout *l, const struct vms_node *n);

/* That a field is what its row says. */
static int check_row(struct rules_run *c, const struct rules_row *row, const struct vms_node *parent,
		     const struct vms_node *n)
{
	uint32_t count, found = 0;
	int rc = get_count(c, row, parent, &count);

	if (rc)
		return rc;
	if (!row->layout)
		return leaf_matches(row, n, count) ? check_must(c, row, n)
						   : rules_fail(c, n, NULL, "it is not what the layout says");
	if (!row->array)
		return n->kind == VMS_STRUCT ? check_struct(c, row->layout, n)
					     : rules_fail(c, n, NULL, "the layout says that it is a struct");
	for (const struct vms_node *e = vms_first_child(n); e && !rc; e = e->next, found++)
		rc = check_struct(c, row->layout, e);
	/* Read from a stream, an array without elements does not show that they would be structs. */
	if (!rc && (found != count || (!found && vms_size(n))))
		rc = rules_fail(c, n, NULL, "%" PRIu32 " elements, and the layout says %" PRIu32, found, count);
	return rc;
}

static int check_struct(struct rules_run *c, const struct rules_layout *l, const struct vms_node *n)
{
	const struct vms_node *k = vms_first_child(n);
	int rc = 0;

	for (size_t i = 0; i < l->nrows && !rc; i++, k = k->next) {
		if (!k || strcmp(k->name, l->rows[i].name) != 0)
			return rules_fail(c, n, l->rows[i].name, "it is not in its place");
		rc = check_row(c, &l->rows[i], n, k);
	}
	for (; k && !rc; k = k->next) {
		const struct rules_layout *sub = k->kind == VMS_SUBSECTION
							 ? find_subsection(l, k->name, strlen(k->name))
							 : NULL;

		rc = sub ? check_struct(c, sub, k) : rules_fail(c, k, NULL, "it is not in the layout");
	}
	return rc;
}

static uint8_t *put_bytes(uint8_t *to, const struct vms_node *n)
{
	if (vms_is_leaf(n)) {
		memcpy(to, n->data, vms_size(n));
		return to + vms_size(n);
	}
	if (n->kind == VMS_SUBSECTION) {
		size_t len = strlen(n->name);

		*to++ = SUBSECTION;
		*to++ = (uint8_t)len;
		memcpy(to, n->name, len);
		put_be(to + len, 4, n->version);
		to += len + 4;
	}
	for (const struct vms_node *k = vms_first_child(n); k; k = k->next)
		to = put_bytes(to, k);
	return to;
}

/* The fields of a layout, wherever they are among those of @parent. */
static int find_rows(struct rules_run *c, const struct rules_layout *l, const struct vms_node *parent, uint64_t *size)
{
	int rc = 0;

	*size = 0;
	for (size_t i = 0; i < l->nrows && !rc; i++) {
		const struct vms_node *n = child_named(parent, l->rows[i].name);

		if (!n)
			return rules_fail(c, parent, l->rows[i].name, "no such field");
		*size += vms_size(n);
		rc = check_row(c, &l->rows[i], parent, n);
	}
	return rc;
}

static bool has_row(const struct rules_layout *l, const char *name)
{
	for (size_t i = 0; i < l->nrows; i++)
		if (!strcmp(l->rows[i].name, name))
			return true;
	return false;
}

int rules_act_pack(struct rules_run *c, struct vms_node *n)
{
	static const struct rules_place last = { NULL };
	const struct rules_layout *l = c->action->layout;
	char path[512], before[64], after[32];
	const char *name;
	struct vms_node *parent = rules_parent(n, c->action->field, &name), *raw;
	uint64_t size = 0;
	uint8_t *to;
	int rc = parent ? find_rows(c, l, parent, &size) : rules_fail(c, n, c->action->field, "nothing can be put there");

	if (!rc && !has_row(l, name))
		rc = rules_free_name(c, parent, name);
	if (rc)
		return rc;
	if (size > UINT32_MAX / 2)
		return rules_fail(c, parent, NULL, "too long for one field");
	raw = rules_node(c, VMS_BYTES, name, c->action->type);
	if (!raw || (c->rc = rules_data(c, raw, size)))
		return c->rc;
	raw->width = (uint32_t)size;
	to = raw->data;
	if (l->nrows)
		vms_insert_before(child_named(parent, l->rows[0].name), raw);
	else
		rules_put(parent, raw, &last);
	for (size_t i = 0; i < l->nrows; i++) {
		struct vms_node *f = child_named(parent, l->rows[i].name);

		/* The raw field may have the name of one of them. */
		while (f == raw || (f && strcmp(f->name, l->rows[i].name) != 0))
			f = f->next;
		to = put_bytes(to, f);
		vms_remove(f);
	}
	rules_reshaped(parent);
	snprintf(before, sizeof(before), "%zu fields", l->nrows);
	rules_report(c, REPORT_DERIVED, vms_path(raw, path, sizeof(path)), before,
		     rules_show_node(raw, after, sizeof(after)));
	return 0;
}

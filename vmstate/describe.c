/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"

#define SUBSECTION_MARK 5

/* Bytes being read; an error leaves the position where the bad thing starts. */
struct input {
	struct vms_tree *tree;
	const uint8_t *data;
	uint64_t pos, size, base;
	struct irqs_error *reterr;
};

static int fail_short(struct input *in, const struct vms_node *n, uint64_t want)
{
	char path[160];

	return irqs_fail(in->reterr, IRQS_MALFORMED, (int64_t)(in->base + in->pos), vms_path(n, path, sizeof(path)),
			 "needs %" PRIu64 " bytes, %" PRIu64 " are left", want, in->size - in->pos);
}

static int parse_fields(struct input *in, const struct vms_desc *d, uint32_t version, struct vms_node *parent);

static int parse_leaf(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	uint32_t width = f->size;
	bool is_signed = false;
	bool is_int = vms_int_type(f->type, &width, &is_signed);
	struct vms_node *n = vms_node_create(in->tree, is_int ? VMS_INT : VMS_BYTES, f->name, f->type);
	uint64_t bytes;

	if (!n)
		return irqs_fail_nomem(in->reterr);
	n->width = width;
	n->is_signed = is_signed;
	n->array = f->count != 0;
	n->count = f->count ? f->count : 1;
	n->offset = in->base + in->pos;
	vms_append(parent, n);
	bytes = vms_size(n);
	n->data = arena_alloc(&in->tree->arena, bytes);
	if (!n->data)
		return irqs_fail_nomem(in->reterr);
	if (!in->data) /* a new section: all zero */
		return 0;
	if (bytes > in->size - in->pos)
		return fail_short(in, n, bytes);
	memcpy(n->data, in->data + in->pos, bytes);
	in->pos += bytes;
	return 0;
}

static int parse_struct(struct input *in, const struct vms_field *f, struct vms_node *parent, uint32_t index)
{
	struct vms_node *n = vms_node_create(in->tree, VMS_STRUCT, f->name, f->type);

	if (!n)
		return irqs_fail_nomem(in->reterr);
	n->vmsd = f->desc->name;
	n->version = f->desc->version;
	n->index = index;
	n->offset = in->base + in->pos;
	vms_append(parent, n);
	return parse_fields(in, f->desc, f->desc->version, n);
}

static int parse_field(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	struct vms_node *array;
	int rc = 0;

	if (!f->desc)
		return parse_leaf(in, f, parent);
	if (!f->count)
		return parse_struct(in, f, parent, VMS_NO_INDEX);
	array = vms_node_create(in->tree, VMS_ARRAY, f->name, f->type);
	if (!array)
		return irqs_fail_nomem(in->reterr);
	array->array = true;
	array->count = f->count;
	array->offset = in->base + in->pos;
	vms_append(parent, array);
	for (uint32_t i = 0; i < f->count && !rc; i++)
		rc = parse_struct(in, f, array, i);
	return rc;
}

static int parse_fields(struct input *in, const struct vms_desc *d, uint32_t version, struct vms_node *parent)
{
	int rc = 0;

	for (uint32_t i = 0; i < d->nfields && !rc; i++)
		if (d->fields[i].since <= version)
			rc = parse_field(in, &d->fields[i], parent);
	return rc;
}

/* The description of the subsection that starts at the position, or NULL. */
static const struct vms_desc *subsection_here(const struct input *in, const struct vms_desc *d)
{
	const uint8_t *p = in->data + in->pos;
	uint64_t left = in->size - in->pos;

	if (!d->subsections || left < 6 || p[0] != SUBSECTION_MARK || left < (uint64_t)2 + p[1] + 4)
		return NULL;
	for (const struct vms_desc *const *s = d->subsections; *s; s++)
		if (strlen((*s)->name) == p[1] && !memcmp((*s)->name, p + 2, p[1]))
			return *s;
	return NULL;
}

static int check_version(struct input *in, const struct vms_desc *d, const struct vms_node *n)
{
	char path[160];

	if (n->version >= d->minimum_version && n->version <= d->version)
		return 0;
	return irqs_fail(in->reterr, IRQS_MALFORMED, (int64_t)n->offset, vms_path(n, path, sizeof(path)),
			 "version %" PRIu32 " is not in %" PRIu32 "..%" PRIu32, n->version, d->minimum_version,
			 d->version);
}

static int parse_body(struct input *in, const struct vms_desc *d, struct vms_node *n)
{
	const struct vms_desc *sub;
	int rc = check_version(in, d, n);

	if (!rc)
		rc = parse_fields(in, d, n->version, n);
	while (!rc && (sub = subsection_here(in, d))) {
		struct vms_node *s = vms_node_create(in->tree, VMS_SUBSECTION, sub->name, NULL);

		if (!s)
			return irqs_fail_nomem(in->reterr);
		s->vmsd = s->name;
		s->offset = in->base + in->pos;
		s->version = (uint32_t)get_be(in->data + in->pos + 2 + strlen(sub->name), 4);
		vms_append(n, s);
		in->pos += 2 + strlen(sub->name) + 4;
		rc = parse_body(in, sub, s);
	}
	return rc;
}

int vms_desc_parse(struct vms_tree *t, const struct vms_desc *d, struct vms_node *section, const uint8_t *data,
		   uint64_t size, uint64_t offset, uint64_t *ret_used, struct irqs_error *reterr)
{
	struct input in = { .tree = t, .data = data, .size = size, .base = offset, .reterr = reterr };
	int rc;

	section->vmsd = d->name;
	rc = parse_body(&in, d, section);
	if (!rc)
		*ret_used = in.pos;
	return rc;
}

int vms_desc_instantiate(struct vms_tree *t, const struct vms_desc *d, struct vms_node *n)
{
	struct input in = { .tree = t };

	n->vmsd = d->name;
	n->version = d->version;
	return parse_fields(&in, d, d->version, n);
}

static bool leaf_matches(const struct vms_field *f, const struct vms_node *n)
{
	uint32_t width = f->size;

	vms_int_type(f->type, &width, NULL);
	return n->width == width && n->array == (f->count != 0) && n->count == (f->count ? f->count : 1);
}

bool vms_desc_match(const struct vms_desc *d, const struct vms_node *n)
{
	const struct vms_node *c = n->child;

	for (uint32_t i = 0; i < d->nfields; i++) {
		const struct vms_field *f = &d->fields[i];

		if (f->since > n->version)
			continue;
		if (!c || c->kind == VMS_SUBSECTION || strcmp(c->name, f->name))
			return false;
		if (!f->desc) {
			if (!leaf_matches(f, c))
				return false;
		} else if (f->count) {
			if (c->kind != VMS_ARRAY || c->count != f->count || !vms_desc_match(f->desc, c->child))
				return false;
		} else if (c->kind != VMS_STRUCT || !vms_desc_match(f->desc, c)) {
			return false;
		}
		c = c->next;
	}
	return !c || c->kind == VMS_SUBSECTION;
}

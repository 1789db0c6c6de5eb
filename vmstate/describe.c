/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/children_priv.h"

#define SUBSECTION_MARK 5

/* Bytes being read; an error leaves the position where the bad thing starts. */
struct input {
	struct vms_tree *tree;
	const uint8_t *data;
	uint64_t pos, size, base;
	struct irqs_error *reterr;
	/* What the type of the leaf before says: rows of one type often follow each other. */
	const char *type;
	uint32_t int_width; /* 0: no integer */
	bool is_signed;
};

static int fail_short(struct input *in, const struct vms_node *n, uint64_t want)
{
	char path[160];

	return irqs_fail(in->reterr, IRQS_MALFORMED, (int64_t)(in->base + in->pos),
			 vms_path(n, path, sizeof(path)), "needs %" PRIu64 " bytes, %" PRIu64 " are left",
			 want, in->size - in->pos);
}

static int parse_members(struct input *in, const struct vms_desc *d, uint32_t version, struct vms_node *n);

bool vms_field_sent(const struct vms_field *f, const void *state, uint32_t version)
{
	return f->exists ? f->exists(state, version) : f->since <= version;
}

bool vms_field_dummy(const struct vms_field *f, uint32_t version)
{
	return f->until && version > f->until;
}

/* The number of elements that the row above says. */
static int find_count(struct input *in, const struct vms_field *f, const struct vms_node *parent,
		      uint32_t *ret)
{
	char path[160];
	uint64_t n = 0;

	if (in->data) {
		int rc = vms_get(parent, f->count_name, &n, in->reterr);

		if (rc)
			return rc;
	}
	if (n > f->count)
		return irqs_fail(in->reterr, IRQS_MALFORMED, (int64_t)(in->base + in->pos),
				 vms_path(vms_lookup(parent, f->count_name), path, sizeof(path)),
				 "%" PRIu64 " elements of '%s', %" PRIu32 " is the bound", n, f->name,
				 f->count);
	*ret = (uint32_t)n;
	return 0;
}

static int take_data(struct input *in, struct vms_node *n)
{
	uint64_t bytes = vms_size(n);

	if (in->data && bytes > in->size - in->pos)
		return fail_short(in, n, bytes);
	if (vms_node_data(in->tree, n))
		return irqs_fail_nomem(in->reterr);
	if (!in->data) /* a new section: all zero */
		return 0;
	memcpy(n->data, in->data + in->pos, bytes);
	in->pos += bytes;
	return 0;
}

static struct vms_node *add_leaf(struct input *in, struct vms_node *parent, const char *name,
				 const char *type, uint32_t width)
{
	struct vms_node *n;

	if (in->type != type) {
		in->type = type;
		in->int_width = 0;
		in->is_signed = false;
		(void)vms_int_type(type, &in->int_width, &in->is_signed);
	}
	n = vms_node_create_named(in->tree, in->int_width ? VMS_INT : VMS_BYTES, name, type);
	if (!n)
		return NULL;
	n->width = in->int_width ? in->int_width : width;
	n->is_signed = in->is_signed;
	n->offset = in->base + in->pos;
	vms_append(parent, n);
	return n;
}

/* A string: its length in 4 bytes, then its bytes. */
static int size_string(struct input *in, struct vms_node *n)
{
	uint32_t len;

	n->width = VMS_STRING_HEADER;
	if (!in->data)
		return 0;
	if (in->size - in->pos < VMS_STRING_HEADER)
		return fail_short(in, n, VMS_STRING_HEADER);
	len = (uint32_t)get_be(in->data + in->pos, VMS_STRING_HEADER);
	if (len == VMS_STRING_NULL)
		return 0;
	if (len > in->size - in->pos - VMS_STRING_HEADER)
		return fail_short(in, n, (uint64_t)len + VMS_STRING_HEADER);
	n->width += len;
	return 0;
}

static int parse_strings(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	uint32_t count = f->count ? f->count : 1;
	int rc = 0;

	for (uint32_t i = 0; i < count && !rc; i++) {
		struct vms_node *n = add_leaf(in, parent, f->name, f->type, 0);

		if (!n)
			return irqs_fail_nomem(in->reterr);
		if (f->count)
			n->index = i;
		rc = size_string(in, n);
		if (!rc)
			rc = take_data(in, n);
	}
	return rc;
}

static int parse_leaf(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	struct vms_node *n;
	int rc = 0;

	if (!strcmp(f->type, "string"))
		return parse_strings(in, f, parent);
	n = add_leaf(in, parent, f->name, f->type, f->size);
	if (!n)
		return irqs_fail_nomem(in->reterr);
	if (f->count_name && !strcmp(f->type, "buffer")) {
		rc = find_count(in, f, parent, &n->width);
	} else {
		n->array = f->count != 0;
		n->count = f->count ? f->count : 1;
		if (f->count_name)
			rc = find_count(in, f, parent, &n->count);
	}
	return rc ? rc : take_data(in, n);
}

static int parse_struct(struct input *in, const struct vms_field *f, const struct vms_desc *d,
			const char *name, struct vms_node *parent, uint32_t index)
{
	struct vms_node *n =
		vms_node_create_named(in->tree, VMS_STRUCT, name, shape_struct_type(f));

	if (!n)
		return irqs_fail_nomem(in->reterr);
	n->vmsd = d->name;
	n->version = d == f->desc && f->struct_version ? f->struct_version : d->version;
	n->index = index;
	n->offset = in->base + in->pos;
	vms_append(parent, n);
	return parse_members(in, d, n->version, n);
}

static int parse_structs(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	struct vms_node *array = vms_node_create_named(in->tree, VMS_ARRAY, f->name, f->type);
	int rc = 0;

	if (!array)
		return irqs_fail_nomem(in->reterr);
	array->array = true;
	array->count = f->count;
	array->offset = in->base + in->pos;
	if (f->count_name)
		rc = find_count(in, f, parent, &array->count);
	vms_append(parent, array);
	for (uint32_t i = 0; i < array->count && !rc; i++)
		rc = parse_struct(in, f, f->desc, f->name, array, i);
	return rc;
}

/* One of the small integers that hold a list together. */
static int parse_link(struct input *in, struct vms_node *list, const char *name, const char *type,
		      uint32_t index, uint64_t *ret)
{
	struct vms_node *n = add_leaf(in, list, name, type, 0);
	int rc;

	if (!n)
		return irqs_fail_nomem(in->reterr);
	n->index = index;
	rc = take_data(in, n);
	if (!rc)
		*ret = vms_element_get(n, 0);
	return rc;
}

/* A list, or a map: its elements, each behind a byte 1, and a byte 0. */
static int parse_list(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	struct vms_node *list = vms_node_create_named(in->tree, VMS_STRUCT, f->name, f->type);
	uint64_t more, key;
	int rc = 0;

	if (!list)
		return irqs_fail_nomem(in->reterr);
	list->offset = in->base + in->pos;
	vms_append(parent, list);
	if (f->bind == VMS_MAP)
		rc = parse_link(in, list, "nnodes", "uint32", VMS_NO_INDEX, &key);
	for (uint32_t i = 0; !rc; i++) {
		rc = parse_link(in, list, "next", "uint8", i, &more);
		if (rc || !more)
			break;
		if (f->bind == VMS_MAP && f->key_desc)
			rc = parse_struct(in, f, f->key_desc, "key", list, i);
		else if (f->bind == VMS_MAP)
			rc = parse_link(in, list, "key", "uint64", i, &key);
		if (!rc)
			rc = parse_struct(in, f, f->desc, "element", list, i);
	}
	return rc;
}

static int parse_field(struct input *in, const struct vms_field *f, struct vms_node *parent)
{
	char path[160];

	if (f->bind == VMS_POINTERS)
		return irqs_fail(in->reterr, IRQS_REFUSED, (int64_t)(in->base + in->pos),
				 vms_path(parent, path, sizeof(path)),
				 "only the device itself knows which pointers of '%s' are NULL", f->name);
	if (f->bind == VMS_TAILQ || f->bind == VMS_LIST || f->bind == VMS_MAP)
		return parse_list(in, f, parent);
	if (!f->desc)
		return parse_leaf(in, f, parent);
	return f->count ? parse_structs(in, f, parent)
			: parse_struct(in, f, f->desc, f->name, parent, VMS_NO_INDEX);
}

static int parse_fields(struct input *in, const struct vms_desc *d, uint32_t version, struct vms_node *parent)
{
	const uint8_t *data = in->data ? in->data + in->pos : NULL;
	int rc = 0;

	if (vms_pack(in->tree, parent, d, data, in->size - in->pos, in->base + in->pos))
		return irqs_fail_nomem(in->reterr);
	if (vms_packed(parent)) {
		in->pos += data ? vms_packed(parent) : 0;
		return 0;
	}
	for (uint32_t i = 0; i < d->nfields && !rc; i++)
		if (vms_field_sent(&d->fields[i], NULL, version))
			rc = parse_field(in, &d->fields[i], parent);
	return rc;
}

/* The description of the subsection that starts at the position, or NULL. */
static const struct vms_desc *subsection_here(const struct input *in, const struct vms_desc *d)
{
	const uint8_t *p = in->data ? in->data + in->pos : NULL;
	uint64_t left = in->size - in->pos;

	if (!in->data || !d->subsections || left < 6 || p[0] != SUBSECTION_MARK ||
	    left < (uint64_t)2 + p[1] + 4)
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
			 "version %" PRIu32 " is not in %" PRIu32 "..%" PRIu32, n->version,
			 d->minimum_version, d->version);
}

static int parse_body(struct input *in, const struct vms_desc *d, struct vms_node *n)
{
	int rc = check_version(in, d, n);

	return rc ? rc : parse_members(in, d, n->version, n);
}

static int parse_members(struct input *in, const struct vms_desc *d, uint32_t version, struct vms_node *n)
{
	const struct vms_desc *sub;
	int rc = parse_fields(in, d, version, n);

	while (!rc && (sub = subsection_here(in, d))) {
		struct vms_node *s = vms_node_create_named(in->tree, VMS_SUBSECTION, sub->name, NULL);

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

int vms_desc_parse(struct vms_tree *t, const struct vms_desc *d, struct vms_node *section,
		   const uint8_t *data, uint64_t size, uint64_t offset, uint64_t *ret_used,
		   struct irqs_error *reterr)
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
	return parse_members(&in, d, d->version, n);
}

static bool leaf_matches(const struct vms_field *f, const struct vms_node *n)
{
	uint32_t width = f->size, count = f->count ? f->count : 1;

	if (!strcmp(f->type, "string"))
		return n->kind == VMS_BYTES && !n->array;
	if (f->count_name && !strcmp(f->type, "buffer"))
		return n->kind == VMS_BYTES && n->width <= f->count && !n->array;
	vms_int_type(f->type, &width, NULL);
	return n->width == width && n->array == (f->count != 0) &&
	       (f->count_name ? n->count <= count : n->count == count);
}

static bool array_matches(const struct vms_field *f, const struct vms_node *n)
{
	if (n->kind != VMS_ARRAY || (f->count_name ? n->count > f->count : n->count != f->count))
		return false;
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		if (!vms_desc_match(f->desc, c))
			return false;
	return true;
}

static bool field_matches(const struct vms_field *f, const struct vms_node *n)
{
	switch (f->bind) {
	case VMS_TAILQ:
	case VMS_LIST:
	case VMS_MAP:
		return n->kind == VMS_STRUCT && !strcmp(n->type, f->type);
	default:
		break;
	}
	if (!f->desc)
		return leaf_matches(f, n);
	if (f->count)
		return array_matches(f, n);
	return n->kind == VMS_STRUCT && vms_desc_match(f->desc, n);
}

/* The nodes of a row that is written in index form, one for each element, count as one field. */
static const struct vms_node *behind_row(const struct vms_node *n)
{
	const struct vms_node *c = n->next;

	if (n->index == VMS_NO_INDEX)
		return c;
	while (c && c->index != VMS_NO_INDEX && c->kind != VMS_SUBSECTION && !strcmp(c->name, n->name))
		c = c->next;
	return c;
}

/* Whether it still has the fields, and only these, that it was read with by @d. */
static bool is_packed_by(const struct vms_desc *d, const struct vms_node *n)
{
	const struct vms_shape *s = n->kind == VMS_ARRAY ? NULL : children_packed(n);

	return s && s->desc == d && s->version == n->version && (!n->head || n->head->kind == VMS_SUBSECTION);
}

bool vms_desc_match(const struct vms_desc *d, const struct vms_node *n)
{
	const struct vms_node *c;

	if (is_packed_by(d, n))
		return true;
	c = vms_first_child(n);
	for (uint32_t i = 0; i < d->nfields; i++) {
		const struct vms_field *f = &d->fields[i];

		if (!vms_field_sent(f, NULL, n->version))
			continue;
		if (!c || c->kind == VMS_SUBSECTION || strcmp(c->name, f->name))
			return false;
		if (f->bind != VMS_POINTERS && !field_matches(f, c))
			return false;
		c = behind_row(c);
	}
	return !c || c->kind == VMS_SUBSECTION;
}

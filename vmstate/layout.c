/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/layout.h"

#include <string.h>

#include "vmstate/children_priv.h"

static bool make_struct(const struct vms_layout_field *from, struct vms_shape_field *f)
{
	f->kind = from->array ? VMS_ARRAY : VMS_STRUCT;
	f->element_type = f->type;
	f->shape = from->shape;
	return from->width == from->shape->size;
}

static bool make_field(struct vms_tree *t, const struct vms_layout_field *from, struct vms_shape_field *f)
{
	uint32_t width;

	f->name = tree_name(t, from->name);
	f->type = tree_name(t, from->type);
	if (!f->name || !f->type)
		return false;
	f->hash = children_hash(f->name, strlen(f->name));
	f->width = from->width;
	f->count = from->count;
	f->index = from->index;
	f->array = from->array;
	/* What has no bytes has no bound, and a list without elements no first node. */
	if ((from->array && !(from->width && from->count)) || (from->array && from->index != VMS_NO_INDEX))
		return false;
	if (from->shape)
		return make_struct(from, f);
	f->kind = vms_int_type(f->type, &width, &f->is_signed) && width == f->width ? VMS_INT : VMS_BYTES;
	f->is_signed = f->kind == VMS_INT && f->is_signed;
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_shape(const struct vms_shape *a, const struct vms_shape *b);

static bool same_field(const struct vms_shape_field *a, const struct vms_shape_field *b)
{
	if (a->kind != b->kind || a->width != b->width || a->count != b->count || a->index != b->index || a->array != b->array ||
	    a->is_signed != b->is_signed || strcmp(a->name, b->name) != 0 || strcmp(a->type, b->type) != 0)
		return false;
	if (!a->shape || !b->shape)
		return a->shape == b->shape;
	return (!a->array || !strcmp(a->element_type, b->element_type)) && same_shape(a->shape, b->shape);
}

static bool same_shape(const struct vms_shape *a, const struct vms_shape *b)
{
	if (a->version != b->version || a->nfields != b->nfields || a->size != b->size || !same_text(a->vmsd, b->vmsd))
		return false;
	for (uint32_t i = 0; i < a->nfields; i++)
		if (!same_field(&a->fields[i], &b->fields[i]))
			return false;
	return true;
}

static bool make_fields(struct vms_tree *t, struct vms_shape *s, const struct vms_layout_field *fields, uint32_t nfields)
{
	s->fields = arena_alloc(&t->arena, nfields * sizeof(s->fields[0]));
	s->notes = arena_alloc(&t->arena, sizeof(struct vms_shape_note *));
	if (!s->fields || !s->notes)
		return false;
	for (uint32_t i = 0; i < nfields; i++)
		if (!make_field(t, &fields[i], &s->fields[i]) || !shape_add(s, &s->fields[i]))
			return false;
	return shape_index(&t->arena, s);
}

const struct vms_shape *vms_layout(struct vms_tree *t, const char *vmsd, uint32_t version,
				   const struct vms_layout_field *fields, uint32_t nfields, const struct vms_desc *d)
{
	struct vms_shape *s = nfields ? arena_alloc(&t->arena, sizeof(*s)) : NULL;
	const struct vms_shape *own;

	if (!s)
		return NULL;
	s->version = version;
	s->vmsd = vmsd ? tree_name(t, vmsd) : NULL;
	if ((vmsd && !s->vmsd) || !make_fields(t, s, fields, nfields))
		return NULL;
	s->fixed = true;
	own = d ? shape_find(&t->pools->shapes, &t->arena, d, version) : NULL;
	return own && same_shape(own, s) ? own : s;
}

const struct vms_shape *vms_layout_of(const struct vms_node *n)
{
	return children_packed(n);
}

uint32_t vms_layout_size(const struct vms_shape *s)
{
	return s->size;
}

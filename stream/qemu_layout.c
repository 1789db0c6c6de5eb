/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_layout.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 256

struct qemu_layout {
	const json_t *body; /* NULL: free */
	const struct vms_shape *shape;
};

const char *qemu_entry_string(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

bool qemu_entry_number(const json_t *o, const char *key, uint32_t otherwise, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);
	json_int_t i = json_integer_value(v);

	if (!v) {
		*ret = otherwise;
		return true;
	}
	if (!json_is_integer(v) || i < 0 || i >= UINT32_MAX)
		return false;
	*ret = (uint32_t)i;
	return true;
}

/* The struct is under "struct", or written into the entry itself (VMSTATE_WITH_TMP and VMSTATE_VSTRUCT). */
static const json_t *body_of(const json_t *o, const char *type)
{
	const json_t *s = json_object_get(o, "struct");

	if (s)
		return s;
	return (!strcmp(type, "tmp") || !strcmp(type, "vstruct")) && json_object_get(o, "fields") ? o : NULL;
}

/*
 * QEMU 10.0 gives no index to the last element of an array that it lists one by one: nothing but the name tells that
 * it is one.
 */
static uint32_t index_behind(const struct qemu_field *last, const char *name)
{
	return last && last->index != VMS_NO_INDEX && !strcmp(last->name, name) ? last->index + 1 : VMS_NO_INDEX;
}

bool qemu_field_read(const json_t *o, const struct qemu_field *last, struct qemu_field *ret)
{
	struct qemu_field f = { .name = qemu_entry_string(o, "name"), .type = qemu_entry_string(o, "type") };

	if (!f.name || !f.type || !json_object_get(o, "size") || !qemu_entry_number(o, "size", 0, &f.size) ||
	    !qemu_entry_number(o, "array_len", 1, &f.count) || !qemu_entry_number(o, "index", VMS_NO_INDEX, &f.index))
		return false;
	f.array = json_object_get(o, "array_len") != NULL;
	if (f.index == VMS_NO_INDEX && !f.array)
		f.index = index_behind(last, f.name);
	f.body = body_of(o, f.type);
	*ret = f;
	return true;
}

void qemu_layouts_deinit(struct qemu_layouts *l)
{
	free(l->slots);
	*l = (struct qemu_layouts){ 0 };
}

/* The slot of @body, or the free one where it belongs. */
static struct qemu_layout *find_slot(const struct qemu_layouts *l, const json_t *body)
{
	size_t i = (size_t)((uintptr_t)body / sizeof(void *) * UINT64_C(0x9e3779b97f4a7c15) >> 32);

	while (l->slots[i & (l->size - 1)].body && l->slots[i & (l->size - 1)].body != body)
		i++;
	return &l->slots[i & (l->size - 1)];
}

/* Never more than half full. */
static bool make_room(struct qemu_layouts *l)
{
	struct qemu_layouts more = { .size = l->size ? 2 * l->size : SLOTS, .used = l->used };

	if (l->slots && l->used < l->size / 2)
		return true;
	more.slots = calloc(more.size, sizeof(*more.slots));
	if (!more.slots)
		return false;
	for (size_t i = 0; i < l->size; i++)
		if (l->slots[i].body)
			*find_slot(&more, l->slots[i].body) = l->slots[i];
	free(l->slots);
	*l = more;
	return true;
}

/* A list of fields on its way to a layout. */
struct making {
	struct qemu_layouts *layouts;
	struct vms_tree *tree;
	unsigned int depth;
};

static const struct vms_shape *find_layout(const struct making *m, const json_t *body, const struct vms_desc *d);

/* A struct that has subsections is of no fixed size to its neighbours' eyes: they are read from the stream. */
static const struct vms_shape *struct_layout(const struct making *m, const struct qemu_field *f)
{
	struct making below = { m->layouts, m->tree, m->depth + 1 };
	const struct vms_shape *s;

	if (below.depth > QEMU_DEPTH_MAX || json_array_size(json_object_get(f->body, "subsections")))
		return NULL;
	s = find_layout(&below, f->body, NULL);
	return s && vms_layout_size(s) == f->size ? s : NULL;
}

static bool make_fields(const struct making *m, const json_t *list, struct vms_layout_field *fields)
{
	struct qemu_field f, last;
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		if (!qemu_field_read(o, i ? &last : NULL, &f))
			return false;
		fields[i] = (struct vms_layout_field){ f.name, f.type, f.size, f.count, f.index, f.array, NULL };
		if (f.body && !(fields[i].shape = struct_layout(m, &f)))
			return false;
		last = f;
	}
	return true;
}

static const struct vms_shape *make_layout(const struct making *m, const json_t *body, const struct vms_desc *d)
{
	const json_t *list = json_object_get(body, "fields");
	size_t n = json_array_size(list);
	struct vms_layout_field *fields = n && n <= VMS_MAX_NODES ? calloc(n, sizeof(*fields)) : NULL;
	const struct vms_shape *s = NULL;
	uint32_t version;

	if (fields && make_fields(m, list, fields) && qemu_entry_number(body, "version", 0, &version))
		s = vms_layout(m->tree, qemu_entry_string(body, "vmsd_name"), version, fields, (uint32_t)n, d);
	free(fields);
	return s;
}

static const struct vms_shape *find_layout(const struct making *m, const json_t *body, const struct vms_desc *d)
{
	const struct vms_shape *shape;
	struct qemu_layout *slot;

	if (!make_room(m->layouts))
		return NULL;
	slot = find_slot(m->layouts, body);
	if (slot->body)
		return slot->shape;
	shape = make_layout(m, body, d);
	if (!make_room(m->layouts))
		return NULL;
	slot = find_slot(m->layouts, body);
	*slot = (struct qemu_layout){ body, shape };
	m->layouts->used++;
	return shape;
}

const struct vms_shape *qemu_layout(struct qemu_layouts *l, struct vms_tree *t, const json_t *body,
				    const struct vms_desc *d)
{
	struct making m = { l, t, 0 };

	return find_layout(&m, body, d);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes on demand. A conversion looks at some 40 of the 280 fields of a CPU, and by their paths, so that nearly all of
 * its nodes would be made only to be released again.
 */
#include "vmstate/layout.h"

#include <errno.h>
#include <string.h>

#include "vmstate/children_priv.h"

uint8_t *vms_layout_room(struct vms_tree *t, struct vms_node *n, const struct vms_shape *s, uint64_t offset)
{
	if (n->head || s->nodes > VMS_MAX_NODES - t->nodes)
		return NULL;
	n->data = arena_bytes(&t->pools->data, s->size);
	if (!n->data)
		return NULL;
	t->nodes += s->nodes;
	n->children->shape = s;
	n->children->offset = offset;
	return n->data;
}

int vms_pack(struct vms_tree *t, struct vms_node *n, const struct vms_desc *d, const uint8_t *data, uint64_t size,
	     uint64_t offset)
{
	const struct vms_shape *s = shape_find(&t->pools->shapes, &t->arena, d, n->version);

	if (!s || n->head || (data && size < s->size) || s->nodes > VMS_MAX_NODES - t->nodes)
		return 0;
	if (!vms_layout_room(t, n, s, offset))
		return -ENOMEM;
	if (data)
		memcpy(n->data, data, s->size);
	n->children->is_new = !data;
	return 0;
}

/* Nodes being made of the packed fields of a parent. */
struct maker {
	const struct vms_node *parent;
	struct vms_node *nodes;
	struct vms_children *children; /* for the next one that is a parent itself */
};

static struct vms_node *init_node(struct maker *m, uint32_t i, enum vms_kind kind, const char *name, const char *type,
				  uint64_t offset)
{
	const struct vms_children *from = m->parent->children;
	struct vms_node *n = &m->nodes[i];

	n->kind = kind;
	n->name = name;
	n->type = type;
	n->count = 1;
	n->data = m->parent->data + offset;
	n->offset = from->is_new ? 0 : from->offset + offset;
	n->parent = (struct vms_node *)m->parent;
	if (i) {
		n->prev = n - 1;
		n->prev->next = n;
	}
	return n;
}

static void pack(struct maker *m, struct vms_node *n, const struct vms_shape *shape, const char *element_type)
{
	const struct vms_children *from = m->parent->children;
	struct vms_children *c = m->children++;

	c->pool = from->pool;
	c->shape = shape;
	c->element_type = element_type;
	c->is_new = from->is_new;
	c->offset = from->offset + (uint64_t)(n->data - m->parent->data);
	n->children = c;
	if (n->kind == VMS_STRUCT) {
		n->vmsd = shape->vmsd;
		n->version = shape->version;
	}
}

static void make_field(struct maker *m, uint32_t i, const struct vms_shape_field *f)
{
	struct vms_node *n = init_node(m, i, f->kind, f->name, f->type, f->offset);

	n->hash = f->hash;
	n->array = f->array;
	n->count = f->count;
	n->index = f->index;
	if (f->shape) {
		pack(m, n, f->shape, f->element_type);
		return;
	}
	n->width = f->width;
	n->is_signed = f->is_signed;
}

static void make_element(struct maker *m, uint32_t i)
{
	const struct vms_children *from = m->parent->children;
	struct vms_node *n =
		init_node(m, i, VMS_STRUCT, m->parent->name, from->element_type, (uint64_t)i * from->shape->size);

	n->index = i;
	pack(m, n, from->shape, NULL);
}

/* All nodes in one piece, and one with what those need that are parents. */
static bool make_nodes(struct maker *m, uint32_t count)
{
	const struct vms_children *from = m->parent->children;
	struct arena *arena = &from->pool->arena;
	uint32_t parents = m->parent->kind == VMS_ARRAY ? count : 0;

	for (uint32_t i = 0; i < count && m->parent->kind != VMS_ARRAY; i++)
		parents += from->shape->fields[i].shape != NULL;
	m->nodes = arena_alloc(arena, count * sizeof(*m->nodes));
	m->children = arena_alloc(arena, parents * sizeof(*m->children));
	if (!m->nodes || !m->children)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (m->parent->kind == VMS_ARRAY)
			make_element(m, i);
		else
			make_field(m, i, &from->shape->fields[i]);
	return true;
}

void children_unpack(const struct vms_node *parent)
{
	struct vms_node *n = (struct vms_node *)parent, *last;
	struct maker m = { .parent = n };
	uint32_t count = n->kind == VMS_ARRAY ? n->count : n->children->shape->nfields;

	if (!make_nodes(&m, count)) {
		n->children->pool->failed = true;
		return;
	}
	last = &m.nodes[count - 1];
	last->next = n->head;
	if (n->head)
		n->head->prev = last;
	else
		n->tail = last;
	n->head = m.nodes;
	n->data = NULL;
	n->children->shape = NULL;
	n->children->valid = false;
}

struct vms_node *vms_first_child(const struct vms_node *n)
{
	if (children_packed(n))
		children_unpack(n);
	return n->head;
}

struct vms_node *vms_last_child(const struct vms_node *n)
{
	if (children_packed(n))
		children_unpack(n);
	return n->tail;
}

struct vms_node *vms_first_node(const struct vms_node *n)
{
	return n->head;
}

bool vms_packed_by(const struct vms_node *n, const struct vms_desc *d)
{
	const struct vms_shape *s = children_packed(n);

	return s && s->desc == d && n->kind != VMS_ARRAY;
}

bool vms_row_ints(const struct vms_node *n, const struct vms_desc *d, const struct vms_field *row, struct vms_ints *ret)
{
	const struct vms_shape *s = children_packed(n);
	const struct vms_shape_field *f;
	uint32_t at;

	if (!vms_packed_by(n, d))
		return false;
	at = s->rows[row - d->fields];
	f = at ? &s->fields[at - 1] : NULL;
	if (!f || f->kind != VMS_INT)
		return false;
	*ret = (struct vms_ints){ n->data + f->offset, f->type, f->width, f->count, f->is_signed };
	return true;
}

void *vms_layout_note(const struct vms_node *n, const void *key, size_t size)
{
	const struct vms_shape *s = children_packed(n);
	struct vms_shape_note *note = s ? *s->notes : NULL;

	while (note && note->key != key)
		note = note->next;
	if (note || !s)
		return note ? note->data : NULL;
	note = arena_alloc(&n->children->pool->arena, sizeof(*note));
	if (!note)
		return NULL;
	note->key = key;
	note->data = arena_alloc(&n->children->pool->arena, size);
	if (!note->data)
		return NULL;
	note->next = *s->notes;
	*s->notes = note;
	return note->data;
}

uint64_t vms_packed(const struct vms_node *n)
{
	const struct vms_shape *s = children_packed(n);

	if (!s)
		return 0;
	return n->kind == VMS_ARRAY ? (uint64_t)s->size * n->count : s->size;
}

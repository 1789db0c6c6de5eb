/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shapes: what all sections of one version of a description, or of one entry of a vmdescription, have in common, where
 * that is everything but the bytes. Such a section keeps its bytes in one piece, packed, until somebody asks for its nodes.
 */
#ifndef IRQSHIFT_VMSTATE_SHAPE_PRIV_H
#define IRQSHIFT_VMSTATE_SHAPE_PRIV_H

#include <string.h>

#include "vmstate/describe.h"

struct vms_shape_field {
	const char *name, *type;
	const char *element_type;      /* of a struct in an array */
	const struct vms_shape *shape; /* of the struct, or of each in the array; NULL: a leaf */
	uint32_t hash;
	uint32_t next;   /* in its bucket, plus 1 */
	uint32_t offset; /* from the start of the shape's bytes */
	uint32_t width, count;
	uint32_t index; /* of an element that has a field of its own, else VMS_NO_INDEX */
	enum vms_kind kind;
	bool array, is_signed;
};

/* The vmdesc type of a row's struct, or of each in its array or list. */
static inline const char *shape_struct_type(const struct vms_field *f)
{
	return strcmp(f->type, "tmp") != 0 ? "struct" : f->type;
}

/* See vms_layout_note(). */
struct vms_shape_note {
	const void *key;
	void *data;
	struct vms_shape_note *next;
};

struct vms_shape {
	const struct vms_desc *desc; /* NULL: a vmdescription told it */
	const char *vmsd;
	uint32_t version;
	bool fixed; /* false: sections differ, or no memory; nothing below then holds */
	uint32_t size;
	size_t nodes; /* with all below */
	uint32_t nfields;
	struct vms_shape_field *fields;
	uint32_t *rows;    /* with a description: field of a row, plus 1 */
	uint32_t *buckets; /* first field, plus 1 */
	uint32_t mask;
	struct vms_shape_note **notes;
	struct vms_shape *next; /* of the tree's others */
};

/* Shapes that a tree has met, by description. */
#define SHAPE_LISTS 32

struct vms_shapes {
	struct vms_shape *lists[SHAPE_LISTS];
};

/* shape_find - the shape of a description's version; its memory comes from @arena. Return: NULL: none. */
const struct vms_shape *shape_find(struct vms_shapes *shapes, struct arena *arena, const struct vms_desc *d,
				   uint32_t version);

/* shape_add - count a field in that stands behind the others in @s->fields. Return: false: it is too large. */
bool shape_add(struct vms_shape *s, struct vms_shape_field *f);

/* shape_index - all fields are there. Return: false: no memory. */
bool shape_index(struct arena *arena, struct vms_shape *s);

/* shape_field - the first field whose name, of hash @hash, is the @len bytes of @name, behind @before; or NULL. */
const struct vms_shape_field *shape_field(const struct vms_shape *s, const struct vms_shape_field *before, const char *name,
					  size_t len, uint32_t hash);

/*
 * vms_pack - give @n, which is empty, the fields of its version of @d in packed form: from @data, or zeroed when it is NULL
 *
 * Without a shape, or with fewer bytes than that has, nothing happens: see vms_packed(). Return: 0 or -ENOMEM.
 */
int vms_pack(struct vms_tree *t, struct vms_node *n, const struct vms_desc *d, const uint8_t *data, uint64_t size,
	     uint64_t offset);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shapes: what all sections of one version of a description have in common, where that is everything but the bytes.
 * A section read by such a description keeps its bytes in one piece, packed, until somebody asks for its nodes.
 */
#ifndef IRQSHIFT_VMSTATE_SHAPE_PRIV_H
#define IRQSHIFT_VMSTATE_SHAPE_PRIV_H

#include "vmstate/describe.h"

struct vms_shape_field {
	const char *name, *type;
	const char *element_type;      /* of a struct in an array */
	const struct vms_shape *shape; /* of the struct, or of each in the array; NULL: a leaf */
	uint32_t hash;
	uint32_t next;   /* in its bucket, plus 1 */
	uint32_t offset; /* from the start of the shape's bytes */
	uint32_t width, count;
	enum vms_kind kind;
	bool array, is_signed;
};

/* See vms_layout_note(). */
struct vms_shape_note {
	const void *key;
	void *data;
	struct vms_shape_note *next;
};

struct vms_shape {
	const struct vms_desc *desc;
	uint32_t version;
	bool fixed; /* false: sections differ, or no memory; nothing below then holds */
	uint32_t size;
	size_t nodes; /* with all below */
	uint32_t nfields;
	struct vms_shape_field *fields;
	uint32_t *rows;    /* field of a row of the description, plus 1 */
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layouts that data tells, such as an entry of a vmdescription: what all sections with that entry have in common but for
 * their bytes. These they keep in one piece until somebody asks for nodes, as sections do that a description reads; see
 * vms_first_child(). The memory is that of the tree.
 */
#ifndef IRQSHIFT_VMSTATE_LAYOUT_H
#define IRQSHIFT_VMSTATE_LAYOUT_H

#include "vmstate/describe.h"

struct vms_shape;

/* As the members of struct vms_node that have these names. */
struct vms_layout_field {
	const char *name, *type; /* copied */
	uint32_t width, count, index;
	bool array;
	const struct vms_shape *shape; /* of the struct, or of each in the array; NULL: a leaf */
};

/**
 * vms_layout - the layout of these fields
 * @t: the tree that will have sections of it
 * @vmsd: of the section, subsection or struct; copied, may be NULL
 * @version: of the same
 * @d: our own description of it, or NULL; where that says exactly the same, its rows will be found in such sections
 *
 * Return: the layout, good as long as the tree; NULL when these fields cannot be packed: there are none, or they are
 * too large, or a list of nothing is among them; or no memory.
 */
const struct vms_shape *vms_layout(struct vms_tree *t, const char *vmsd, uint32_t version,
				   const struct vms_layout_field *fields, uint32_t nfields, const struct vms_desc *d);

/* vms_layout_of - the layout of the fields of @n that are packed; NULL: none are. The same layout, the same fields. */
const struct vms_shape *vms_layout_of(const struct vms_node *n);

/* vms_layout_size - bytes of all its fields. */
uint32_t vms_layout_size(const struct vms_shape *s);

/**
 * vms_layout_room - give @n, which has no fields yet, those of a layout
 * @offset: of their bytes in the input
 *
 * Return: their bytes, to be filled; NULL, and @n as it was, when the tree would be too large, or no memory.
 */
uint8_t *vms_layout_room(struct vms_tree *t, struct vms_node *n, const struct vms_shape *s, uint64_t offset);

#endif

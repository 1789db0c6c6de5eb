/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries of a vmdescription: one field of them, and the layout that an entry's fields have together. */
#ifndef IRQSHIFT_STREAM_QEMU_LAYOUT_H
#define IRQSHIFT_STREAM_QEMU_LAYOUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmstate/layout.h"

/* Structs inside structs; real devices stay below ten. */
#define QEMU_DEPTH_MAX 32

/* One element of "fields". */
struct qemu_field {
	const char *name, *type; /* in the entry */
	uint32_t size, count, index;
	bool array;
	const json_t *body; /* of a struct: where its "fields" are; NULL: a leaf */
};

/**
 * qemu_field_read - take an element of "fields" apart
 * @o: the element
 * @last: the one before it in the list, NULL for the first
 *
 * Return: false: without a name, a type or a size, or with a number that makes no sense.
 */
bool qemu_field_read(const json_t *o, const struct qemu_field *last, struct qemu_field *ret);

/* qemu_entry_string - NULL when there is none. */
const char *qemu_entry_string(const json_t *o, const char *key);

/* qemu_entry_number - below UINT32_MAX; @otherwise when there is none. Return: false: it makes no sense. */
bool qemu_entry_number(const json_t *o, const char *key, uint32_t otherwise, uint32_t *ret);

/* The layouts of one tree, by the entries that told them, which must not go away meanwhile. */
struct qemu_layouts {
	/* private: */
	struct qemu_layout *slots;
	size_t size, used;
};

void qemu_layouts_deinit(struct qemu_layouts *l);

/**
 * qemu_layout - the layout of a struct, section or subsection
 * @l: zeroed at first
 * @t: the tree
 * @body: where its "fields" are
 * @d: our own description of it, or NULL
 *
 * Return: NULL when these fields have to be read one by one, or when they are not in order, which is then told.
 */
const struct vms_shape *qemu_layout(struct qemu_layouts *l, struct vms_tree *t, const json_t *body,
				    const struct vms_desc *d);

#endif

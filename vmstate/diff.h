/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two trees compared field by field. */
#ifndef IRQSHIFT_VMSTATE_DIFF_H
#define IRQSHIFT_VMSTATE_DIFF_H

#include "vmstate/tree.h"

/* One difference. */
struct vms_difference {
	const char *path;             /* of the field, "[i]" for an element of an array */
	const struct vms_node *a, *b; /* NULL: only the other side has it */
	uint32_t element;             /* of an integer array; VMS_NO_INDEX: the node as a whole */
};

/**
 * vms_diff - report every difference between two machines, structs, sections
 * @a: one side
 * @b: the other
 * @found: called in tree order for each; a value other than 0 ends the walk
 * @ctx: handed to @found
 *
 * Sections are matched by stream name and instance, fields and subsections by name and index. Linear in the
 * number of nodes as long as both sides have the same order. Return: 0, what @found returned, or -ENOMEM.
 */
int vms_diff(const struct vms_node *a, const struct vms_node *b,
	     int (*found)(void *ctx, const struct vms_difference *d), void *ctx);

#endif

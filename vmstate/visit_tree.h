/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visitors that save into a tree and load from one. */
#ifndef IRQSHIFT_VMSTATE_VISIT_TREE_H
#define IRQSHIFT_VMSTATE_VISIT_TREE_H

#include "vmstate/tree.h"
#include "vmstate/visit.h"

struct visit_tree_out {
	struct visitor v;
	/* private: */
	struct vms_tree *tree;
	struct vms_node *parent;
};

struct visit_tree_in {
	struct visitor v;
	/* private: */
	const struct vms_node *top;
	struct {
		const struct vms_node *node, *next;
	} at[VISIT_DEPTH_MAX + 1];
};

/* visit_tree_out_init - save below @parent: the machine, or any struct of @tree. Nothing to release. */
void visit_tree_out_init(struct visit_tree_out *o, struct vms_tree *tree, struct vms_node *parent);

/**
 * visit_tree_in_init - load from a node
 * @in: visitor; nothing to release
 * @top: a section, subsection or struct, which is what the walk opens first; unchanged while @in is in use
 *
 * Fields have to arrive in the order in which they are asked for. Types are compared without what QEMU adds
 * to them to name a check ("uint32 equal" is "uint32").
 */
void visit_tree_in_init(struct visit_tree_in *in, const struct vms_node *top);

#endif

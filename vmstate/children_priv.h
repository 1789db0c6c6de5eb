/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a node finds its children by name. */
#ifndef IRQSHIFT_VMSTATE_CHILDREN_PRIV_H
#define IRQSHIFT_VMSTATE_CHILDREN_PRIV_H

#include "vmstate/tree.h"

/* children_create - of a new node, in @arena; indexes come from @indexes. Return: NULL when out of memory. */
struct vms_children *children_create(struct arena *arena, struct arena *indexes);

/* children_changed - a child of @parent came, went or moved. */
void children_changed(struct vms_node *parent);

/* children_find - the first child whose name is the @len bytes of @name, or NULL. */
struct vms_node *children_find(const struct vms_node *parent, const char *name, size_t len);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a node finds its children by name. */
#ifndef IRQSHIFT_VMSTATE_CHILDREN_PRIV_H
#define IRQSHIFT_VMSTATE_CHILDREN_PRIV_H

#include "vmstate/tree.h"

/* children_create - of a new node, in @arena; indexes come from @indexes. Return: NULL when out of memory. */
struct vms_children *children_create(struct arena *arena, struct arena *indexes);

/* children_hash - of a name of @len bytes, never 0. */
uint32_t children_hash(const char *name, size_t len);

/* children_added/children_removed - @n was put into the list of @parent, or taken out. */
void children_added(struct vms_node *parent, const struct vms_node *n);
void children_removed(struct vms_node *parent, const struct vms_node *n);

/* children_renamed - @n has another name. */
void children_renamed(struct vms_node *n);

/* children_subsections - how many of the children are subsections. */
uint32_t children_subsections(const struct vms_node *parent);

/* children_find - the first child whose name is the @len bytes of @name, or NULL. */
struct vms_node *children_find(const struct vms_node *parent, const char *name, size_t len);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a node finds its children by name. */
#ifndef IRQSHIFT_VMSTATE_CHILDREN_PRIV_H
#define IRQSHIFT_VMSTATE_CHILDREN_PRIV_H

#include "vmstate/shape_priv.h"

/* Memory for what is made when it is first asked for. */
struct children_pool {
	struct arena arena;
	bool failed; /* nodes were asked for and there was no memory */
};

#define TREE_NAMES 256

/* What is kept apart from the nodes: they stay dense, and the bytes of a section stand together in their order. */
struct vms_pools {
	struct children_pool later;
	struct arena data;
	struct vms_shapes shapes;
	const char *names[TREE_NAMES]; /* copied last, by hash */
};

/* tree_name - a copy in the tree; a machine repeats its names with every CPU, and gets the same. NULL: no memory. */
const char *tree_name(struct vms_tree *t, const char *name);

struct vms_children {
	struct children_pool *pool;
	struct vms_node **buckets; /* the first child; the others follow by vms_node.bucket_next, in their order */
	uint32_t mask;             /* buckets, a power of two, minus 1 */
	bool valid;
	uint32_t subsections;
	/* Of a parent whose fields are packed in vms_node.data; they come before the children that have nodes. */
	const struct vms_shape *shape; /* of the fields, or of each element; NULL: not packed */
	const char *element_type;
	uint64_t offset; /* of the bytes in the input */
	bool is_new;     /* there is no input */
};

/* children_create - of a new node, in @arena; what comes later is from @pool. Return: NULL when out of memory. */
struct vms_children *children_create(struct arena *arena, struct children_pool *pool);

/* children_packed - the shape of the fields that are packed; NULL: none are. */
static inline const struct vms_shape *children_packed(const struct vms_node *n)
{
	return n->children ? n->children->shape : NULL;
}

/* children_unpack - give packed fields their nodes. */
void children_unpack(const struct vms_node *parent);

/* children_hash - of a name of @len bytes, never 0. */
uint32_t children_hash(const char *name, size_t len);

/* children_added/children_removed - @n was put into the list of @parent, or taken out. */
void children_added(struct vms_node *parent, const struct vms_node *n);
void children_removed(struct vms_node *parent, const struct vms_node *n);

/* children_renamed - @n has another name. */
void children_renamed(struct vms_node *n);

/* children_subsections - how many of the children are subsections. */
uint32_t children_subsections(const struct vms_node *parent);

/* children_find_made - as children_find(), among the children that have nodes already. */
struct vms_node *children_find_made(const struct vms_node *parent, const char *name, size_t len);

/* children_find - the first child whose name is the @len bytes of @name, or NULL. */
struct vms_node *children_find(const struct vms_node *parent, const char *name, size_t len);

#endif

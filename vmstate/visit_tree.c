/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/visit_tree.h"

#include <inttypes.h>
#include <string.h>

/* ---- saving ---- */

static struct vms_node *add_node(struct visit_tree_out *o, const struct visit_item *item)
{
	const char *type = item->kind == VMS_SECTION && !item->type ? item->name : item->type;
	struct vms_node *n = vms_node_create(o->tree, item->kind, item->name, type);

	if (!n)
		return NULL;
	n->version = item->version;
	n->instance = item->instance;
	n->index = item->index;
	n->width = item->width;
	n->count = item->count;
	n->array = item->array;
	n->is_signed = item->is_signed;
	if (item->vmsd) {
		n->vmsd = !strcmp(item->vmsd, n->name)
				  ? n->name
				  : arena_strndup(&o->tree->arena, item->vmsd, strlen(item->vmsd));
		if (!n->vmsd)
			return NULL;
	}
	return n;
}

static int out_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_tree_out *o = (struct visit_tree_out *)v;
	struct vms_node *n;

	if ((item->kind == VMS_SECTION) != (o->parent->kind == VMS_MACHINE))
		return visit_fail(v, item, reterr, IRQS_USAGE, "sections are what a machine consists of");
	n = add_node(o, item);
	if (!n)
		return irqs_fail_nomem(reterr);
	vms_append(o->parent, n);
	o->parent = n;
	return 0;
}

static int out_end(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_tree_out *o = (struct visit_tree_out *)v;
	uint32_t n = 0;

	if (item->kind == VMS_ARRAY) {
		for (const struct vms_node *c = vms_first_child(o->parent); c; c = c->next)
			n++;
		if (n != item->count)
			return visit_fail(v, NULL, reterr, IRQS_USAGE,
					  "%" PRIu32 " elements, %" PRIu32 " were announced", n, item->count);
	}
	o->parent = o->parent->parent;
	return 0;
}

static int out_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data,
		    struct irqs_error *reterr)
{
	struct visit_tree_out *o = (struct visit_tree_out *)v;
	size_t bytes = (size_t)item->width * item->count;
	struct vms_node *n = add_node(o, item);

	if (n)
		n->data = arena_alloc(&o->tree->arena, bytes);
	if (!n || !n->data)
		return irqs_fail_nomem(reterr);
	if (bytes)
		memcpy(n->data, data, bytes);
	vms_append(o->parent, n);
	return 0;
}

void visit_tree_out_init(struct visit_tree_out *o, struct vms_tree *tree, struct vms_node *parent)
{
	static const struct visit_ops ops = { .begin = out_begin, .end = out_end, .leaf = out_leaf };

	visitor_init(&o->v, &ops, VISIT_SAVE);
	o->tree = tree;
	o->parent = parent;
}

/* ---- loading ---- */

static bool same_type(const char *a, const char *b)
{
	size_t na = strcspn(a, " "), nb = strcspn(b, " ");

	return na == nb && !memcmp(a, b, na);
}

static bool same_place(const struct vms_node *n, const struct visit_item *item)
{
	if (n->kind == VMS_SECTION && n->instance != item->instance)
		return false;
	return n->index == item->index && !strcmp(n->name, item->name);
}

/* What the next node is, for a message. */
static int fail_missing(const struct visitor *v, const struct visit_item *item, const struct vms_node *n,
			struct irqs_error *reterr)
{
	char path[160];

	if (!n)
		return visit_fail(v, item, reterr, IRQS_MALFORMED, "did not arrive");
	return visit_fail(v, item, reterr, IRQS_MALFORMED, "did not arrive: '%s' is in its place",
			  vms_path(n, path, sizeof(path)));
}

static int check_node(const struct visitor *v, const struct visit_item *item, const struct vms_node *n,
		      struct irqs_error *reterr)
{
	if (!n || !same_place(n, item) || (n->kind == VMS_SUBSECTION) != (item->kind == VMS_SUBSECTION))
		return fail_missing(v, item, n, reterr);
	if (item->kind != VMS_SECTION && item->type && n->type && !same_type(n->type, item->type))
		return visit_fail(v, item, reterr, IRQS_MALFORMED, "type '%s' arrived, '%s' is described",
				  n->type, item->type);
	if (n->kind != item->kind || n->array != item->array)
		return visit_fail(v, item, reterr, IRQS_MALFORMED, "%s arrived, %s is described",
				  n->array ? "an array" : "no array", item->array ? "an array" : "none");
	if (n->kind != VMS_ARRAY && n->kind != VMS_INT && n->kind != VMS_BYTES)
		return 0;
	if (n->count != item->count)
		return visit_fail(v, item, reterr, IRQS_MALFORMED,
				  "%" PRIu32 " elements arrived, %" PRIu32 " are described", n->count,
				  item->count);
	if (n->kind != VMS_ARRAY && n->width != item->width)
		return visit_fail(v, item, reterr, IRQS_MALFORMED,
				  "%" PRIu32 " bytes arrived, %" PRIu32 " are described", n->width,
				  item->width);
	return 0;
}

static const struct vms_node *next_node(const struct visit_tree_in *in)
{
	return in->v.depth ? in->at[in->v.depth].next : in->top;
}

static int in_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_tree_in *in = (struct visit_tree_in *)v;
	const struct vms_node *n = next_node(in);
	int rc = check_node(v, item, n, reterr);

	if (rc)
		return rc;
	item->version = n->version;
	in->at[v->depth].next = n->next;
	in->at[v->depth + 1].node = n;
	in->at[v->depth + 1].next = vms_first_child(n);
	return 0;
}

static int in_end(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_tree_in *in = (struct visit_tree_in *)v;
	const struct vms_node *n = in->at[v->depth].next;
	char path[160];

	(void)item;
	if (!n)
		return 0;
	return irqs_fail(reterr, IRQS_MALFORMED, n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET,
			 vms_path(n, path, sizeof(path)), "arrived, and is not described");
}

static int in_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data, struct irqs_error *reterr)
{
	struct visit_tree_in *in = (struct visit_tree_in *)v;
	const struct vms_node *n = next_node(in);
	int rc = check_node(v, item, n, reterr);

	if (rc)
		return rc;
	if (!v->depth)
		return visit_fail(v, item, reterr, IRQS_USAGE, "nothing is open");
	if (n->width && n->count)
		memcpy(data, n->data, (size_t)n->width * n->count);
	in->at[v->depth].next = n->next;
	return 0;
}

static int in_width(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	const struct vms_node *n = next_node((struct visit_tree_in *)v);
	int rc;

	if (n)
		item->width = n->width;
	rc = check_node(v, item, n, reterr);
	return rc;
}

static int in_subsection(struct visitor *v, const char *parent, struct visit_item *ret,
			 struct irqs_error *reterr)
{
	const struct vms_node *n = next_node((struct visit_tree_in *)v);

	(void)parent;
	(void)reterr;
	memset(ret, 0, sizeof(*ret));
	if (n && n->kind == VMS_SUBSECTION) {
		ret->name = n->name;
		ret->version = n->version;
	}
	return 0;
}

void visit_tree_in_init(struct visit_tree_in *in, const struct vms_node *top)
{
	static const struct visit_ops ops = {
		.begin = in_begin,
		.end = in_end,
		.leaf = in_leaf,
		.width = in_width,
		.subsection = in_subsection,
	};

	visitor_init(&in->v, &ops, VISIT_LOAD);
	in->top = top;
	memset(in->at, 0, sizeof(in->at));
}

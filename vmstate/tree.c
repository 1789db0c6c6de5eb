/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes of the tree: creation, structure, sections. Paths and values are in path.c. */
#include "vmstate/tree.h"

#include <errno.h>
#include <string.h>

#include "vmstate/children_priv.h"

const char *tree_name(struct vms_tree *t, const char *name)
{
	size_t len = strlen(name);
	const char **slot = &t->pools->names[children_hash(name, len) % TREE_NAMES];

	if (!*slot || strcmp(*slot, name) != 0)
		*slot = arena_strndup(&t->arena, name, len);
	return *slot;
}

int vms_tree_init(struct vms_tree *t, struct irqs_error *reterr)
{
	arena_init(&t->arena);
	t->nodes = 0;
	t->machine = NULL;
	t->pools = arena_alloc(&t->arena, sizeof(*t->pools));
	if (!t->pools)
		return irqs_fail_nomem(reterr);
	arena_init(&t->pools->later.arena);
	arena_init(&t->pools->data);
	t->machine = vms_node_create(t, VMS_MACHINE, "", NULL);
	return t->machine ? 0 : irqs_fail_nomem(reterr);
}

void vms_tree_deinit(struct vms_tree *t)
{
	if (t->pools) {
		arena_deinit(&t->pools->later.arena);
		arena_deinit(&t->pools->data);
	}
	t->pools = NULL;
	t->machine = NULL;
	arena_deinit(&t->arena);
}

size_t vms_tree_memory(const struct vms_tree *t)
{
	size_t pools = t->pools ? arena_total(&t->pools->later.arena) + arena_total(&t->pools->data) : 0;

	return arena_total(&t->arena) + pools;
}

struct vms_node *vms_node_create_named(struct vms_tree *t, enum vms_kind kind, const char *name, const char *type)
{
	struct vms_node *n;

	if (t->nodes >= VMS_MAX_NODES)
		return NULL;
	n = arena_alloc(&t->arena, sizeof(*n));
	if (!n)
		return NULL;
	n->kind = kind;
	n->count = 1;
	n->index = VMS_NO_INDEX;
	n->name = name;
	n->type = type;
	if (kind != VMS_INT && kind != VMS_BYTES) {
		n->children = children_create(&t->arena, &t->pools->later);
		if (!n->children)
			return NULL;
	}
	t->nodes++;
	return n;
}

struct vms_node *vms_node_create(struct vms_tree *t, enum vms_kind kind, const char *name, const char *type)
{
	const char *name_copy = tree_name(t, name), *type_copy = type ? tree_name(t, type) : NULL;

	if (!name_copy || (type && !type_copy))
		return NULL;
	return vms_node_create_named(t, kind, name_copy, type_copy);
}

bool vms_tree_ok(const struct vms_tree *t)
{
	return !t->pools->later.failed;
}

int vms_node_data(struct vms_tree *t, struct vms_node *n)
{
	n->data = arena_bytes(&t->pools->data, (size_t)n->width * n->count);
	return n->data ? 0 : -ENOMEM;
}

void vms_insert_after(struct vms_node *prev, struct vms_node *n)
{
	struct vms_node *parent = prev->parent;

	n->parent = parent;
	n->prev = prev;
	n->next = prev->next;
	if (prev->next)
		prev->next->prev = n;
	else
		parent->tail = n;
	prev->next = n;
	children_added(parent, n);
}

static void prepend(struct vms_node *parent, struct vms_node *n)
{
	n->parent = parent;
	n->prev = NULL;
	n->next = parent->head;
	if (parent->head)
		parent->head->prev = n;
	else
		parent->tail = n;
	parent->head = n;
	children_added(parent, n);
}

void vms_append(struct vms_node *parent, struct vms_node *n)
{
	if (parent->tail)
		vms_insert_after(parent->tail, n);
	else
		prepend(parent, n);
}

void vms_insert_before(struct vms_node *next, struct vms_node *n)
{
	if (next->prev)
		vms_insert_after(next->prev, n);
	else
		prepend(next->parent, n);
}

int vms_rename(struct vms_tree *t, struct vms_node *n, const char *name)
{
	const char *copy = tree_name(t, name);

	if (!copy)
		return -ENOMEM;
	n->name = copy;
	if (n->kind == VMS_SUBSECTION)
		n->vmsd = copy;
	children_renamed(n);
	return 0;
}

void vms_remove(struct vms_node *n)
{
	struct vms_node *parent = n->parent, *section = vms_section(n);

	if (!parent)
		return;
	if (section && section != n)
		section->reshaped = true;
	if (n->prev)
		n->prev->next = n->next;
	else
		parent->head = n->next;
	if (n->next)
		n->next->prev = n->prev;
	else
		parent->tail = n->prev;
	n->parent = n->prev = n->next = NULL;
	children_removed(parent, n);
}

struct vms_node *vms_add_subsection(struct vms_tree *t, struct vms_node *parent, const char *name,
				    uint32_t version)
{
	struct vms_node *n = vms_node_create(t, VMS_SUBSECTION, name, NULL);
	struct vms_node *section = vms_section(parent);

	if (!n)
		return NULL;
	n->vmsd = n->name;
	n->version = version;
	vms_append(parent, n);
	if (section)
		section->reshaped = true;
	return n;
}

bool vms_int_type(const char *type, uint32_t *ret_width, bool *ret_signed)
{
	static const struct {
		const char *name;
		uint32_t width;
		bool is_signed;
	} ints[] = {
		{ "bool", 1, false },
		{ "uint8", 1, false },
		{ "uint16", 2, false },
		{ "uint32", 4, false },
		{ "uint64", 8, false },
		{ "int8", 1, true },
		{ "int16", 2, true },
		{ "int32", 4, true },
		{ "int64", 8, true },
		{ "timer", 8, false },
		{ "int32 equal", 4, true },
		{ "uint8 equal", 1, false },
		{ "uint16 equal", 2, false },
		{ "uint32 equal", 4, false },
		{ "uint64 equal", 8, false },
		{ "int64 equal", 8, true },
		{ "int32 le", 4, true },
	};

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		if (strcmp(type, ints[i].name))
			continue;
		if (ret_width)
			*ret_width = ints[i].width;
		if (ret_signed)
			*ret_signed = ints[i].is_signed;
		return true;
	}
	return false;
}

struct vms_node *vms_add_int(struct vms_tree *t, struct vms_node *parent, const char *name, const char *type,
			     uint32_t count)
{
	struct vms_node *n, *last, *section = vms_section(parent);
	uint32_t width;
	bool is_signed;

	if (!vms_int_type(type, &width, &is_signed))
		return NULL;
	n = vms_node_create(t, VMS_INT, name, type);
	if (!n)
		return NULL;
	n->width = width;
	n->is_signed = is_signed;
	n->array = count != 0;
	n->count = count ? count : 1;
	if (vms_node_data(t, n))
		return NULL;
	for (last = parent->tail; last && last->kind == VMS_SUBSECTION; last = last->prev)
		;
	if (last)
		vms_insert_after(last, n);
	else
		prepend(parent, n);
	if (section)
		section->reshaped = true;
	return n;
}

uint64_t vms_size(const struct vms_node *n)
{
	uint64_t size = 0;

	switch (n->kind) {
	case VMS_INT:
	case VMS_BYTES:
		return (uint64_t)n->width * n->count;
	case VMS_SUBSECTION:
		size = 1 + 1 + strlen(n->name) + 4;
		break;
	default:
		break;
	}
	size += vms_packed(n);
	for (const struct vms_node *c = n->head; c; c = c->next)
		size += vms_size(c);
	return size;
}

struct vms_node *vms_section(const struct vms_node *n)
{
	while (n && n->kind != VMS_SECTION)
		n = n->parent;
	return (struct vms_node *)n;
}

/* Most sections are not the one: their first letter says so already. */
static bool is_named(const char *name, const char *type)
{
	return name && name[0] == type[0] && !strcmp(name, type);
}

static bool type_matches(const struct vms_node *n, const char *type)
{
	return !type || is_named(n->name, type) || is_named(n->type, type);
}

struct vms_node *vms_next_section(const struct vms_node *machine, const struct vms_node *prev, const char *type)
{
	struct vms_node *n = prev ? prev->next : machine->head;

	while (n && (n->kind != VMS_SECTION || !type_matches(n, type)))
		n = n->next;
	return n;
}

struct vms_node *vms_find_section(const struct vms_node *machine, const char *type, uint32_t instance)
{
	struct vms_node *n = NULL;

	while ((n = vms_next_section(machine, n, type)))
		if (n->instance == instance)
			return n;
	return NULL;
}

struct vms_node *vms_subsection(const struct vms_node *n, const char *name)
{
	struct vms_node *c = children_subsections(n) ? children_find_made(n, name, strlen(name)) : NULL;

	while (c && c->kind != VMS_SUBSECTION)
		c = vms_next_namesake(c);
	return c;
}

int vms_set_type(struct vms_tree *t, struct vms_node *section, const char *type)
{
	const char *copy = tree_name(t, type);

	if (!copy)
		return -ENOMEM;
	section->type = copy;
	return 0;
}

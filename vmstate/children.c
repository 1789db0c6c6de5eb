/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children by name. A CPU has some 70 fields and a conversion asks for a hundred of them, so that a walk over the
 * list, a cache miss for each child, would be most of its time. The index of a node is made by the first question;
 * a change of the list only marks it old, and it is made anew in the same memory as long as that suffices.
 */
#include "vmstate/children_priv.h"

#include <string.h>

/* Up to so many children a walk is as fast. */
#define WALK_MAX 4

struct vms_children *children_create(struct arena *arena, struct children_pool *pool)
{
	struct vms_children *index = arena_alloc(arena, sizeof(*index));

	if (index)
		index->pool = pool;
	return index;
}

uint32_t children_hash(const char *name, size_t len)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = len * factor, word;

	for (; len >= sizeof(word); name += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		h = (h ^ word) * factor;
		h ^= h >> 32;
	}
	for (word = 0; len; len--)
		word = word << 8 | (unsigned char)name[len - 1];
	h = (h ^ word) * factor;
	return (uint32_t)(h ^ h >> 32) | 1U << 31;
}

static void changed(struct vms_node *parent, const struct vms_node *n, uint32_t by)
{
	if (!parent->children)
		return;
	parent->children->valid = false;
	if (n->kind == VMS_SUBSECTION)
		parent->children->subsections += by;
}

void children_added(struct vms_node *parent, const struct vms_node *n)
{
	changed(parent, n, 1);
}

void children_removed(struct vms_node *parent, const struct vms_node *n)
{
	changed(parent, n, UINT32_MAX);
}

void children_renamed(struct vms_node *n)
{
	n->hash = 0;
	if (n->parent)
		changed(n->parent, n, 0);
}

uint32_t children_subsections(const struct vms_node *parent)
{
	return parent->children ? parent->children->subsections : 0;
}

static bool is_named(const struct vms_node *c, const char *name, size_t len)
{
	return !strncmp(c->name, name, len) && !c->name[len];
}

static bool make_room(struct vms_children *index, uint32_t count)
{
	uint32_t size = 2 * WALK_MAX;

	while (size < count)
		size *= 2;
	if (!index->buckets || index->mask < size - 1) {
		index->buckets = arena_alloc(&index->pool->arena, size * sizeof(index->buckets[0]));
		index->mask = size - 1;
	} else {
		memset(index->buckets, 0, (index->mask + (size_t)1) * sizeof(index->buckets[0]));
	}
	return index->buckets != NULL;
}

/* From the last child to the first: each goes in front of its bucket, and so the bucket has them in order. */
static void make_index(const struct vms_node *parent)
{
	struct vms_children *index = parent->children;
	uint32_t count = 0;

	for (const struct vms_node *c = parent->head; c; c = c->next)
		count++;
	if (!make_room(index, count))
		return;
	for (struct vms_node *c = parent->tail; c; c = c->prev) {
		struct vms_node **bucket;

		if (!c->hash)
			c->hash = children_hash(c->name, strlen(c->name));
		bucket = &index->buckets[c->hash & index->mask];
		c->bucket_next = *bucket;
		*bucket = c;
	}
	index->valid = true;
}

static bool is_small(const struct vms_node *parent)
{
	const struct vms_node *c = parent->head;

	for (unsigned int i = 0; c && i < WALK_MAX; i++)
		c = c->next;
	return !c;
}

struct vms_node *children_find(const struct vms_node *parent, const char *name, size_t len)
{
	if (children_packed(parent))
		children_unpack(parent);
	return children_find_made(parent, name, len);
}

struct vms_node *children_find_made(const struct vms_node *parent, const char *name, size_t len)
{
	const struct vms_children *index = parent->children;
	struct vms_node *c;
	uint32_t hash;

	if (index && !index->valid && !is_small(parent))
		make_index(parent);
	if (!index || !index->valid) {
		for (c = parent->head; c && !is_named(c, name, len);)
			c = c->next;
		return c;
	}
	hash = children_hash(name, len);
	c = index->buckets[hash & index->mask];
	while (c && (c->hash != hash || !is_named(c, name, len)))
		c = c->bucket_next;
	return c;
}

struct vms_node *vms_child(const struct vms_node *n, const char *name)
{
	return children_find(n, name, strlen(name));
}

struct vms_node *vms_next_namesake(const struct vms_node *n)
{
	const struct vms_children *index = n->parent ? n->parent->children : NULL;
	bool by_bucket = index && index->valid;
	struct vms_node *c = by_bucket ? n->bucket_next : n->next;

	while (c && strcmp(c->name, n->name) != 0)
		c = by_bucket ? c->bucket_next : c->next;
	return c;
}

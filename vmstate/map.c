/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A treap: a search tree by key that is a heap by a random rank, which keeps it O(log n) deep. */
#include "vmstate/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vms_map_node {
	struct vms_map_node *left, *right;
	void *value;
	uint32_t rank;
	_Alignas(max_align_t) unsigned char key[];
};

static int compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

void vms_map_init(struct vms_map *m, size_t key_size, int (*compare)(const void *a, const void *b))
{
	*m = (struct vms_map){ .key_size = key_size, .compare = compare ? compare : compare_u64, .seed = 1 };
}

static void free_nodes(struct vms_map_node *n, void (*free_value)(void *value))
{
	if (!n)
		return;
	free_nodes(n->left, free_value);
	free_nodes(n->right, free_value);
	if (free_value)
		free_value(n->value);
	free(n);
}

void vms_map_clear(struct vms_map *m, void (*free_value)(void *value))
{
	free_nodes(m->root, free_value);
	m->root = NULL;
	m->count = 0;
}

void *vms_map_get(const struct vms_map *m, const void *key)
{
	const struct vms_map_node *n = m->root;

	while (n) {
		int c = m->compare(key, n->key);

		if (!c)
			return n->value;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

/* xorshift32, never 0 */
static uint32_t next_rank(struct vms_map *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 17;
	m->seed ^= m->seed << 5;
	return m->seed;
}

/* Insert @add below *@link, then turn it up as long as its rank is the higher one. */
static void insert(const struct vms_map *m, struct vms_map_node **link, struct vms_map_node *add)
{
	struct vms_map_node *n = *link;

	if (!n) {
		*link = add;
	} else if (m->compare(add->key, n->key) < 0) {
		insert(m, &n->left, add);
		if (n->left->rank > n->rank) {
			*link = n->left;
			n->left = (*link)->right;
			(*link)->right = n;
		}
	} else {
		insert(m, &n->right, add);
		if (n->right->rank > n->rank) {
			*link = n->right;
			n->right = (*link)->left;
			(*link)->left = n;
		}
	}
}

int vms_map_put(struct vms_map *m, const void *key, void *value)
{
	struct vms_map_node *n;

	if (vms_map_get(m, key))
		return -EEXIST;
	n = malloc(sizeof(*n) + m->key_size);
	if (!n)
		return -ENOMEM;
	n->left = n->right = NULL;
	n->value = value;
	n->rank = next_rank(m);
	memcpy(n->key, key, m->key_size);
	insert(m, &m->root, n);
	m->count++;
	return 0;
}

uint32_t vms_map_count(const struct vms_map *m)
{
	return m->count;
}

static int walk(const struct vms_map_node *n, int (*each)(void *ctx, const void *key, void *value), void *ctx)
{
	int rc;

	if (!n)
		return 0;
	rc = walk(n->left, each, ctx);
	if (!rc)
		rc = each(ctx, n->key, n->value);
	return rc ? rc : walk(n->right, each, ctx);
}

int vms_map_walk(const struct vms_map *m, int (*each)(void *ctx, const void *key, void *value), void *ctx)
{
	return walk(m->root, each, ctx);
}

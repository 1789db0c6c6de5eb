/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree of values by key, which a description can carry (VMS_MAP_OF). The map owns copies of the keys; the
 * values are the owner's, allocated with malloc(). One thread at a time.
 */
#ifndef IRQSHIFT_VMSTATE_MAP_H
#define IRQSHIFT_VMSTATE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct vms_map_node;

struct vms_map {
	/* private: */
	struct vms_map_node *root;
	size_t key_size;
	int (*compare)(const void *a, const void *b);
	uint32_t count, seed;
};

/**
 * vms_map_init - an empty map
 * @m: the map
 * @key_size: bytes of a key
 * @compare: below, at or above 0, as @a is below, equal to or above @b; NULL: keys are uint64_t
 */
void vms_map_init(struct vms_map *m, size_t key_size, int (*compare)(const void *a, const void *b));

/* vms_map_clear - empty it; @free_value is called for each value, NULL: they are somebody else's. */
void vms_map_clear(struct vms_map *m, void (*free_value)(void *value));

/* vms_map_get - the value of a key, or NULL. O(log n). */
void *vms_map_get(const struct vms_map *m, const void *key);

/**
 * vms_map_put - add a value, which must not be NULL
 *
 * O(log n). Return: 0; -EEXIST when the key is there, with the map unchanged; -ENOMEM.
 */
int vms_map_put(struct vms_map *m, const void *key, void *value);

/* vms_map_count - the number of keys. */
uint32_t vms_map_count(const struct vms_map *m);

/* vms_map_walk - @each key in order, until it returns other than 0. Return: what it returned. */
int vms_map_walk(const struct vms_map *m, int (*each)(void *ctx, const void *key, void *value), void *ctx);

#endif

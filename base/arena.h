/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bump allocator: everything that belongs to one tree is released at once. Not thread-safe. */
#ifndef IRQSHIFT_BASE_ARENA_H
#define IRQSHIFT_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	/* private: */
	struct arena_chunk *head;
	size_t total;
};

/* arena_init/arena_deinit - an empty arena in the caller's memory; releasing it releases all it gave out. */
void arena_init(struct arena *a);
void arena_deinit(struct arena *a);

/* arena_alloc - @size zeroed bytes aligned for any object. Return: NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t size);

/* arena_bytes - @size zeroed bytes of any alignment; without one of another kind between, the next come right behind. */
void *arena_bytes(struct arena *a, size_t size);

/* arena_strndup - a terminated copy of @len bytes of @s. Return: NULL when out of memory. */
char *arena_strndup(struct arena *a, const char *s, size_t len);

/* arena_total - bytes taken from the system so far. */
size_t arena_total(const struct arena *a);

#endif

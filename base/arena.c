/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_MIN ((size_t)8 << 10)
#define CHUNK_MAX ((size_t)64 << 10)
#define HUGE_PAGE ((size_t)2 << 20)

/* An arena of that size goes on with huge pages; below, the allocator often has memory that is there already. */
#define MAP_FROM (4 * HUGE_PAGE)

struct arena_chunk {
	struct arena_chunk *next;
	bool mapped; /* HUGE_PAGE bytes of its own, the header included */
	size_t used, size;
	alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a)
{
	a->head = NULL;
	a->total = 0;
}

void arena_deinit(struct arena *a)
{
	struct arena_chunk *c = a->head, *next;

	for (; c; c = next) {
		next = c->next;
		if (c->mapped)
			munmap(c, HUGE_PAGE);
		else
			free(c);
	}
	arena_init(a);
}

/*
 * A chunk that is one huge page where the system has them: a large tree is filled without a fault for each 4 KiB, and
 * walked without a miss of the TLB for each.
 */
static struct arena_chunk *chunk_map(struct arena *a)
{
	unsigned char *p = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arena_chunk *c;
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (before)
		munmap(p, before);
	c = (struct arena_chunk *)(p + before);
	munmap(p + before + HUGE_PAGE, HUGE_PAGE - before);
	(void)madvise(c, HUGE_PAGE, MADV_HUGEPAGE);
	c->mapped = true;
	c->size = HUGE_PAGE - sizeof(*c);
	a->total += HUGE_PAGE;
	return c;
}

static struct arena_chunk *chunk_create(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size > SIZE_MAX - sizeof(*c))
		return NULL;
	c = calloc(1, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	a->total += sizeof(*c) + size;
	return c;
}

/* A large object gets a chunk of its own, behind the one being filled. */
static void *alloc_large(struct arena *a, size_t size)
{
	struct arena_chunk *c = chunk_create(a, size);

	if (!c)
		return NULL;
	c->used = size;
	if (a->head) {
		c->next = a->head->next;
		a->head->next = c;
	} else {
		a->head = c;
	}
	return c->data;
}

/* The next chunk is as large as all before: few of them in a large arena, little waste in a small one. */
static size_t next_size(const struct arena *a)
{
	if (a->total < CHUNK_MIN)
		return CHUNK_MIN;
	return a->total < CHUNK_MAX ? a->total : CHUNK_MAX;
}

static void *alloc_aligned(struct arena *a, size_t size, size_t align)
{
	struct arena_chunk *c = a->head;
	size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

	if (!c || at > c->size || c->size - at < size) {
		size_t chunk = next_size(a);

		if (size > chunk / 4)
			return alloc_large(a, size);
		c = a->total < MAP_FROM ? chunk_create(a, chunk) : chunk_map(a);
		if (!c)
			return NULL;
		c->next = a->head;
		a->head = c;
		at = 0;
	}
	c->used = at + size;
	return c->data + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return alloc_aligned(a, size, alignof(max_align_t));
}

void *arena_bytes(struct arena *a, size_t size)
{
	return alloc_aligned(a, size, 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_bytes(a, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

size_t arena_total(const struct arena *a)
{
	return a->total;
}

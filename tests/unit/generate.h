/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random descriptions and random states of them, for property tests. One seed makes one pair. */
#ifndef TESTS_UNIT_GENERATE_H
#define TESTS_UNIT_GENERATE_H

#include "base/arena.h"
#include "vmstate/bind.h"

struct gen {
	uint64_t seed;
	struct arena arena;
	uint32_t names; /* names given so far */
};

void gen_init(struct gen *g, uint64_t seed);
void gen_deinit(struct gen *g);

/* gen_below - a number below @n, which is not 0. */
uint64_t gen_below(struct gen *g, uint64_t n);

/* gen_desc - a description; its state_size says how large a state is. */
struct vms_desc *gen_desc(struct gen *g);

/* gen_older - what it was at version @version; gen_rest - the fields that came after it. */
struct vms_desc *gen_older(struct gen *g, const struct vms_desc *d, uint32_t version);
struct vms_desc *gen_rest(struct gen *g, const struct vms_desc *d, uint32_t version);

/*
 * gen_state - a state; gen_free releases it. Pointers that may be NULL are so in all states of a description
 * alike. With @empty lists have no elements: something to load into.
 */
void *gen_state(struct gen *g, const struct vms_desc *d, bool empty);
void gen_free(const struct vms_desc *d, void *state);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread that moves the interrupt controllers of a running machine again and again, all six ways. */
#ifndef TESTS_VMM_MOVER_H
#define TESTS_VMM_MOVER_H

#include "tests/vmm/vmm.h"

struct mover_config {
	enum vmm_mode mode; /* where they are at first */
	int64_t every_ns;   /* from the end of a move to the next, more than 0; at random: on average */
	bool random;        /* instants and ways both; else one after another, the same round each time */
	uint64_t seed;
	/* From the mover's thread: move them. Return: as vmm_move(); after an error they are where they were. */
	int (*move)(void *ctx, enum vmm_mode from, enum vmm_mode to);
	void *ctx;
};

struct mover;

/* mover_start - begins to move. @c is copied. Return: 0 or -errno. */
int mover_start(const struct mover_config *c, struct mover **ret, struct irqs_error *reterr);

/* mover_stop - ends it, after the move that may be in progress; NULL is nothing. */
void mover_stop(struct mover *m);

/* mover_next - the mode after @mode in the round; @step: number of the move, counted up. */
enum vmm_mode mover_next(enum vmm_mode mode, unsigned int *step);

#endif

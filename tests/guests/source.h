/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest knows of each periodic interrupt source, and the count of everything that went wrong. */
#ifndef GUEST_SOURCE_H
#define GUEST_SOURCE_H

#include "cpu.h"

/* One processor at a time runs the handler of a source; every other one only reads. */
struct source {
	const char *name;
	u32 period_us; /* 0: not periodic, gaps are not judged */
	volatile bool running;
	volatile u32 count; /* handler runs */
	u32 base;           /* what was expected of earlier phases, see source_stop() */
	u64 start_us;       /* of this phase */
	u64 last_us;        /* of the last handler run, or of the start */
	u32 last_gap_us;
	volatile u32 worst_gap_us; /* since source_take_worst() */
};

/* In percent of the period: a longer gap is an interrupt lost, a shorter one an interrupt doubled. */
extern u32 source_lost_percent;
extern u32 source_early_percent;

extern volatile u32 errors;
extern const char *volatile last_error;

/* error_count - One more error; @text has no spaces. Safe on any processor. */
void error_count(const char *text);

void source_start(struct source *src);

/* source_stop - End a phase: what was expected until now stays expected. */
void source_stop(struct source *src);

/* source_tick - Called by the handler: counts, and judges the gap since the last run. */
void source_tick(struct source *src);

/* source_expected - How many runs the guest's clock asks for by now. */
u32 source_expected(const struct source *src);

/* source_take_worst - The worst gap since the last call. */
u32 source_take_worst(struct source *src);

#endif

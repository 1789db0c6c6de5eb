/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 8254 against a reference that walks pulse by pulse, as the manual describes each mode; and saving and restoring in
 * the middle of everything. DIFF_SEED=N repeats a run.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/pitbox.h"

/* A step is a little longer than a tick, so that rounding never loses one; over a run that adds up to less than a tick. */
enum { STEP_NS = 839,
       STEPS = 400,
       RUNS = 4000,
       LONGEST = 40 };

struct reference {
	unsigned int mode, ce, cr;
	bool bcd, gate, out, written, loaded, halted, null_count, fired;
	unsigned int edges;
};

static void set_out(struct reference *r, bool out)
{
	r->edges += out && !r->out;
	r->out = out;
}

static bool square_or_rate(const struct reference *r)
{
	return r->mode == 2 || r->mode == 3;
}

static void ref_load(struct reference *r)
{
	r->ce = r->mode == 3 ? r->cr & ~1U : r->cr;
	r->loaded = true;
	r->null_count = r->halted = r->fired = false;
}

static unsigned int one_less(const struct reference *r)
{
	return r->ce ? r->ce - 1 : r->bcd ? 9999
					  : 0xffff;
}

/* The count in use was odd: known from the high half's last pulse, for which the element stands at 0. */
static void square_pulse(struct reference *r, bool *odd)
{
	if (r->ce > 2 || (r->ce == 2 && r->out && *odd)) {
		r->ce -= 2;
		return;
	}
	*odd = r->cr & 1;
	ref_load(r);
	set_out(r, !r->out);
}

static void pulse(struct reference *r, bool *odd)
{
	if (!r->loaded || r->halted || (!r->gate && r->mode != 1 && r->mode != 5))
		return;
	switch (r->mode) {
	case 2:
		if (r->ce == 1)
			ref_load(r);
		else
			r->ce--;
		set_out(r, r->ce != 1);
		break;
	case 3:
		square_pulse(r, odd);
		break;
	case 0:
	case 1:
		r->ce = one_less(r);
		if (r->ce == 0)
			set_out(r, true);
		break;
	default:
		r->ce = one_less(r);
		set_out(r, r->ce != 0 || r->fired);
		r->fired = r->fired || r->ce == 0;
		break;
	}
}

static void ref_trigger(struct reference *r, bool *odd)
{
	*odd = r->cr & 1;
	ref_load(r);
	set_out(r, r->mode != 1);
}

static void ref_control(struct reference *r, unsigned int mode, bool bcd)
{
	r->mode = mode;
	r->bcd = bcd;
	r->written = r->loaded = r->halted = false;
	r->null_count = true;
	set_out(r, mode != 0);
}

static void ref_count(struct reference *r, unsigned int count, bool *odd)
{
	r->cr = count;
	r->written = r->null_count = true;
	if (r->mode == 1 || r->mode == 5 || (square_or_rate(r) && r->loaded))
		return;
	*odd = r->cr & 1;
	ref_load(r);
	set_out(r, r->mode != 0);
}

static void ref_gate(struct reference *r, bool level, bool *odd)
{
	bool rises = level && !r->gate;

	r->gate = level;
	if (rises && r->written && r->mode != 0 && r->mode != 4)
		ref_trigger(r, odd);
	if (!level && square_or_rate(r))
		set_out(r, true);
}

static uint16_t coded(unsigned int v, bool bcd)
{
	if (!bcd)
		return (uint16_t)v;
	return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static unsigned int draw(unsigned int *seed, unsigned int below)
{
	return ((unsigned int)rand_r(seed) >> 4) % below;
}

/* One act of the program or of the gate, on both. A new count's second byte follows at once, or after some pulses. */
static void act(struct pitbox *p, struct reference *r, bool *odd, unsigned int *seed, unsigned int *half)
{
	unsigned int kind = draw(seed, 10), count = 2 + draw(seed, LONGEST);

	if (*half || (kind >= 5 && kind < 8)) {
		if (!*half) {
			pitbox_out(p, 0x40, (uint8_t)coded(count, r->bcd));
			if (r->mode == 0 && r->loaded) {
				r->halted = true;
				set_out(r, false);
			}
			*half = count;
			return;
		}
		pitbox_out(p, 0x40, (uint8_t)(coded(*half, r->bcd) >> 8));
		ref_count(r, *half, odd);
		*half = 0;
		return;
	}
	if (kind < 2) {
		unsigned int mode = draw(seed, 6), bcd = draw(seed, 2);

		pitbox_out(p, 0x43, (uint8_t)(0x30 | mode << 1 | bcd));
		ref_control(r, mode, bcd);
		return;
	}
	pit_model_set_gate(&p->m, 0, kind & 1);
	ref_gate(r, kind & 1, odd);
}

static bool agree(struct pitbox *p, const struct reference *r)
{
	uint8_t status = pitbox_status(p, 0);

	return pit_model_out(&p->m, 0) == r->out && !!(status & 0x40) == r->null_count &&
	       pitbox_latched(p, 0) == coded(r->ce, r->bcd) && p->ticks == r->edges;
}

static void run_pulses(unsigned int seed, bool moved)
{
	unsigned int at_start = seed, half = 0;
	struct reference r = { .gate = true, .out = true, .null_count = true };
	struct pitbox p;
	bool odd = false;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_out(&p, 0x43, 0x34);
	ref_control(&r, 2, false);
	for (unsigned int step = 0; step < STEPS; step++) {
		pitbox_run(&p, p.now + STEP_NS);
		pulse(&r, &odd);
		if (draw(&seed, 8) == 0)
			act(&p, &r, &odd, &seed, &half);
		if (moved && draw(&seed, 8) == 0) {
			struct pit_model_extra extra;
			struct pit_state saved;
			struct pitbox other;

			pit_model_save(&p.m, &saved, &extra);
			pitbox_init(&other, p.now, PIT_COALESCE, 0);
			other.ticks = p.ticks;
			cr_assert(pit_model_restore(&other.m, &saved, &extra) == 0);
			cr_assert(other.armed == p.armed, "seed %u step %u", at_start, step);
			p.m.pit = other.m.pit;
			p.m.extra = other.m.extra;
			p.ticks = other.ticks;
		}
		cr_assert(agree(&p, &r), "DIFF_SEED=%u step %u mode %u: out %d/%d ticks %u/%u count %x/%x null %d", at_start,
			  step, r.mode, pit_model_out(&p.m, 0), r.out, p.ticks, r.edges, pitbox_latched(&p, 0),
			  coded(r.ce, r.bcd), r.null_count);
	}
}

static unsigned int first_seed(void)
{
	const char *given = getenv("DIFF_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)time(NULL);

	printf("pit_model_pulses: DIFF_SEED=%u\n", seed);
	return seed;
}

Test(pit_model_pulses, random_programs_agree_with_the_reference_at_every_pulse)
{
	unsigned int seed = first_seed();

	for (unsigned int i = 0; i < RUNS; i++)
		run_pulses(seed + i, false);
}

Test(pit_model_pulses, so_they_do_when_the_state_moves_into_another_model_in_between)
{
	unsigned int seed = first_seed();

	for (unsigned int i = 0; i < RUNS; i++)
		run_pulses(seed + i, true);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "timer_judge.h"

#include <stdlib.h>

struct trial {
	const struct timer_shared *shared;
	const struct timer_stop *stops;
	unsigned int nstops;
	uint32_t tsc_khz;
	double *errors;
	struct timer_outcome outcome;
};

static double us_between(const struct trial *t, uint64_t from, uint64_t to)
{
	return (double)(int64_t)(to - from) * 1e3 / t->tsc_khz;
}

static void note_error(struct trial *t, uint64_t due, uint64_t taken)
{
	t->errors[t->outcome.interrupts++] = us_between(t, due, taken);
}

/* ---- one interrupt arms the next ---- */

/*
 * A count that was moved stood still, and nothing comes while the guest is stopped. What it did not come to take before,
 * within a period, it takes after: its first steps in a new VM are slow, for all memory is new there.
 */
static uint64_t due_after(const struct trial *t, uint64_t armed, uint64_t taken)
{
	bool deadline = t->shared->mode == TIMER_TSC_DEADLINE;
	uint64_t at = deadline ? armed : armed + t->shared->cycles;

	for (unsigned int i = 0; i < t->nstops; i++) {
		const struct timer_stop *s = &t->stops[i];

		if (!deadline && s->read >= armed && s->read < at)
			at += s->written - s->read;
		if (at + t->shared->cycles >= s->began && at < s->resumed && taken >= s->resumed)
			at = s->resumed;
	}
	return at;
}

static bool stopped_between(const struct trial *t, uint64_t from, uint64_t to, bool *blurred)
{
	bool stopped = false;

	*blurred = false;
	for (unsigned int i = 0; i < t->nstops; i++)
		if (t->stops[i].resumed > from && t->stops[i].resumed <= to) {
			stopped = true;
			*blurred |= t->stops[i].blurred;
		}
	return stopped;
}

static void judge_chain(struct trial *t)
{
	const struct timer_shared *shared = t->shared;

	for (unsigned int i = 1; i < shared->count; i++) {
		uint64_t due = due_after(t, shared->log[i].armed, shared->log[i].taken);
		bool blurred;

		if (!stopped_between(t, shared->log[i - 1].taken, shared->log[i].taken, &blurred))
			continue;
		if (blurred) {
			t->outcome.blurred++;
			continue;
		}
		note_error(t, due, shared->log[i].taken);
		t->outcome.twice += (int64_t)(shared->log[i].taken - due) < -(int64_t)shared->cycles / 4;
	}
}

/* ---- a timer that goes on by itself ---- */

struct ticks {
	uint64_t first;           /* the time of the first that can come after a stop */
	unsigned int least, most; /* until the next stop */
};

/* A LAPIC says how long until the next. */
static struct ticks ticks_of_lapic(const struct trial *t, const struct timer_stop *s, const struct timer_stop *next)
{
	uint64_t first = s->written + s->remaining, then = next->read + next->remaining;
	int64_t n = ((int64_t)(then - first) + (int64_t)t->shared->cycles / 2) / (int64_t)t->shared->cycles;

	return (struct ticks){ first, n > 0 ? (unsigned int)n : 0, n > 0 ? (unsigned int)n : 0 };
}

static bool moved(const struct timer_stop *s)
{
	return s->written != s->read;
}

/*
 * A PIT does not: written, it starts a period anew, else it is somewhere in one. KVM gives its ticks to a thread, which may
 * come to it later, or never.
 */
static struct ticks ticks_of_pit(const struct trial *t, const struct timer_stop *s, const struct timer_stop *next)
{
	uint64_t before = moved(s) ? t->shared->cycles / 10 : 2 * t->shared->cycles;

	return (struct ticks){ s->written + t->shared->cycles, 0,
			       (unsigned int)((next->read - s->written + before) / t->shared->cycles) };
}

static void judge_interval(struct trial *t, const struct timer_stop *s, const struct timer_stop *next)
{
	struct ticks ticks = t->shared->mode == TIMER_PIT ? ticks_of_pit(t, s, next) : ticks_of_lapic(t, s, next);
	unsigned int came = next->count - s->count + next->waiting;

	if (s->blurred || next->blurred) {
		t->outcome.blurred++;
		return;
	}
	t->outcome.twice += came > s->waiting + ticks.most;
	t->outcome.lost += !came && s->waiting + ticks.least;
	if (!s->waiting && ticks.most && next->count > s->count && (t->shared->mode != TIMER_PIT || moved(s)))
		note_error(t, ticks.first > s->resumed ? ticks.first : s->resumed, t->shared->log[s->count].taken);
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

struct timer_outcome timer_judge(const struct timer_shared *shared, const struct timer_stop *stops, unsigned int nstops,
				 uint32_t tsc_khz)
{
	struct trial t = { shared, stops, nstops, tsc_khz, calloc(TIMER_LOG, sizeof(double)), { 0 } };
	struct timer_outcome *o = &t.outcome;

	if (shared->mode == TIMER_ONE_SHOT || shared->mode == TIMER_TSC_DEADLINE)
		judge_chain(&t);
	else
		for (unsigned int i = 0; i + 1 < nstops; i++)
			judge_interval(&t, &stops[i], &stops[i + 1]);
	qsort(t.errors, o->interrupts, sizeof(double), by_value);
	if (o->interrupts) {
		o->median_us = t.errors[o->interrupts / 2];
		o->worst_us = t.errors[o->interrupts - 1];
	}
	free(t.errors);
	return *o;
}

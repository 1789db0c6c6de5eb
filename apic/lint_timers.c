/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the timer of a LAPIC. SDM 3A 11.5.4. */
#include <inttypes.h>

#include "apic/cpu.h"
#include "apic/lint_priv.h"

#define YEAR_S UINT64_C(31557600)
#define TSC_KHZ_MAX UINT64_C(10000000) /* what is taken for a frequency that is not known */

static uint64_t khz_of(const struct lapic_state *l)
{
	return lint_knows(l, "tsc_khz") && l->tsc_khz > 0 ? (uint64_t)l->tsc_khz : TSC_KHZ_MAX;
}

static uint8_t timer_vector(const struct lapic_state *l)
{
	return (uint8_t)lapic_reg(l, LAPIC_LVTT);
}

static bool timer_masked(const struct lapic_state *l)
{
	return lapic_reg(l, LAPIC_LVTT) & LAPIC_LVT_MASKED;
}

/* In TSC-deadline mode, able to interrupt, and its interrupt not on its way. */
static bool awaits_deadline(const struct lapic_state *l)
{
	return lapic_timer_mode(l) == LAPIC_TIMER_TSC_DEADLINE && !timer_masked(l) && lapic_enabled(l) &&
	       !lint_has_vector(l, timer_vector(l));
}

static void tmcct_above(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	uint32_t left = lapic_reg(l, LAPIC_TMCCT), count = lapic_reg(l, LAPIC_TMICT);

	if (left > count)
		lint_apic(r, i, "tmcct", "the current count %" PRIu32 " is above the initial count %" PRIu32, left, count);
}

static void runs_masked(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	uint32_t left = lapic_reg(l, LAPIC_TMCCT);

	if (left && timer_masked(l))
		lint_apic(r, i, "lvtt", "the timer counts, %" PRIu32 " left, and its entry is masked", left);
}

/* A handler writes the next deadline with interrupts off, after its EOI. */
static void no_deadline(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (awaits_deadline(l) && !l->tsc_deadline && l->eflags & CPU_EFLAGS_IF && !lint_not_started(l))
		lint_apic(r, i, "tsc_deadline", "TSC-deadline mode, vector %u, and no deadline", timer_vector(l));
}

static void deadline_past(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (awaits_deadline(l) && l->tsc_deadline && l->tsc_deadline <= l->tsc)
		lint_apic(r, i, "tsc_deadline", "the deadline passed %" PRIu64 " ticks ago, and vector %u is not in IRR",
			  l->tsc - l->tsc_deadline, timer_vector(l));
}

static void deadline_mode(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (l->tsc_deadline && lapic_timer_mode(l) != LAPIC_TIMER_TSC_DEADLINE)
		lint_apic(r, i, "tsc_deadline", "there is a deadline, and the timer is not in TSC-deadline mode");
}

static void deadline_far(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	uint64_t away = l->tsc_deadline - l->tsc, khz = khz_of(l);

	if (l->tsc_deadline > l->tsc && away / khz / 1000 > YEAR_S)
		lint_apic(r, i, "tsc_deadline", "the deadline is %" PRIu64 " days away", away / khz / 1000 / 86400);
}

static void oneshot_over(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (lapic_timer_mode(l) == LAPIC_TIMER_ONE_SHOT && lapic_reg(l, LAPIC_TMICT) && !lapic_reg(l, LAPIC_TMCCT) &&
	    !timer_masked(l) && !lint_has_vector(l, timer_vector(l)))
		lint_apic(r, i, "tmcct", "a one-shot of %" PRIu32 " ticks is over: its interrupt was served, or is still to come",
			  lapic_reg(l, LAPIC_TMICT));
}

static void periodic_stopped(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (lapic_timer_mode(l) == LAPIC_TIMER_PERIODIC && !lapic_reg(l, LAPIC_TMICT) && !timer_masked(l) &&
	    lapic_enabled(l))
		lint_apic(r, i, "tmict", "periodic mode, vector %u, and an initial count of 0", timer_vector(l));
}

static void reserved_mode(struct lint_run *r, unsigned int i)
{
	if (lapic_timer_mode(&r->s->lapics[i]) == LAPIC_TIMER_RESERVED)
		lint_apic(r, i, "lvtt", "timer mode 3 is reserved");
}

const struct lint_check lint_timer_checks[] = {
	{ .name = "tmcct-above-tmict", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.TMCCT apic.TMICT",
	  .text = "the current count is above the initial count",
	  .guest = "the timer starts anew with a full period: its interrupt is late", .run = tmcct_above },
	{ .name = "timer-masked", .severity = LINT_NOTE, .scope = LINT_APIC, .needs = "apic.TMCCT apic.LVTT",
	  .text = "the timer counts while its entry is masked",
	  .guest = "no interrupt at its end; a guest that reads the count goes on", .run = runs_masked },
	{ .name = "deadline-none", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.LVTT apic.tsc_deadline apic.IRR apic.ISR apic.eflags apic.SVR apic.apic_base",
	  .text = "TSC-deadline mode with interrupts on, no deadline and no timer interrupt on its way",
	  .guest = "no timer interrupt until it writes a deadline: sleeps do not end", .run = no_deadline },
	{ .name = "deadline-past", .severity = LINT_NOTE, .scope = LINT_APIC,
	  .needs = "apic.LVTT apic.tsc_deadline apic.tsc apic.IRR apic.ISR apic.SVR apic.apic_base",
	  .text = "the deadline is over and the interrupt is not in IRR yet",
	  .guest = "the timer interrupt comes at once", .run = deadline_past },
	{ .name = "deadline-mode", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.LVTT apic.tsc_deadline",
	  .text = "a deadline outside of TSC-deadline mode, where the register reads 0",
	  .guest = "the deadline is dropped without a word: the timer interrupt is lost", .run = deadline_mode },
	{ .name = "deadline-far", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.LVTT apic.tsc_deadline apic.tsc", .text = "the deadline is more than a year away",
	  .guest = "no timer interrupt: sleeps do not end", .run = deadline_far },
	{ .name = "oneshot-over", .severity = LINT_NOTE, .scope = LINT_APIC,
	  .needs = "apic.LVTT apic.TMICT apic.TMCCT apic.IRR apic.ISR",
	  .text = "a one-shot is over, and nothing tells whether its interrupt was served",
	  .guest = "one timer interrupt too many, or one after a full period more, as the restoring host decides",
	  .run = oneshot_over },
	{ .name = "periodic-stopped", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.LVTT apic.TMICT apic.SVR apic.apic_base", .text = "a periodic timer has no period",
	  .guest = "no tick until it writes the count", .run = periodic_stopped },
	{ .name = "timer-mode", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.LVTT",
	  .text = "the timer is in the reserved mode", .guest = "no timer interrupt", .run = reserved_mode },
	{ .name = NULL },
};

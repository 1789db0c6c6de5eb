/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened to the TSC and the timer of a LAPIC. */
#include <inttypes.h>

#include "apic/explain_priv.h"

__extension__ typedef unsigned __int128 uint128;

/* The frequency of the newer state; 0 when it is not known. */
static uint64_t tsc_khz(const struct story *s)
{
	const struct lapic_state *b = s->b;

	return story_knows(s, "tsc_khz", 0) && b->tsc_khz > 0 ? (uint64_t)b->tsc_khz : 0;
}

static uint64_t ticks_ns(uint64_t ticks, uint64_t khz)
{
	return (uint64_t)((uint128)ticks * 1000000 / khz);
}

static void tell_tsc(struct story *s)
{
	uint64_t a, b, khz = tsc_khz(s), apart;
	const char *verb;

	if (!story_values(s, "tsc", 0, &a, &b))
		return;
	verb = b > a ? "advanced" : "went back";
	apart = b > a ? b - a : a - b;
	if (s->context->events && b > a)
		;
	else if (khz)
		story_say_ns(s, ticks_ns(apart, khz), "", "TSC %s by ", verb);
	else
		story_say(s, "TSC %s by %" PRIu64 " ticks", verb, apart);
	story_done(s, "tsc", 0);
}

static void tell_left(struct story *s, uint64_t ticks)
{
	uint64_t khz = tsc_khz(s);

	if (khz)
		story_say_ns(s, ticks_ns(ticks, khz), " left", "timer re-armed: ");
	else
		story_say(s, "timer re-armed: %" PRIu64 " ticks left", ticks);
}

/* The TSC of @a is that of @b by now, when it was told. */
static void tell_deadline(struct story *s, uint64_t tsc_a)
{
	const struct lapic_state *a = s->a, *b = s->b;
	uint64_t was = a->tsc_deadline, is = b->tsc_deadline;
	bool has_tsc = story_knows(s, "tsc", 0);

	if (!story_changed(s, "tsc_deadline", 0))
		return;
	if (was && has_tsc && was <= b->tsc && was > tsc_a)
		story_say(s, "timer fired (its deadline passed)");
	else if (!is)
		story_say(s, "timer stopped (deadline 0)");
	if (is && has_tsc && is > b->tsc)
		tell_left(s, is - b->tsc);
	else if (is)
		story_say(s, "timer re-armed: deadline %" PRIu64, is);
	story_done(s, "tsc_deadline", 0);
}

/* What a count is worth: bus cycles of 1 ns. */
static uint64_t count_ns(const struct lapic_state *l)
{
	return (uint64_t)lapic_reg(l, LAPIC_TMCCT) * lapic_divide(lapic_reg(l, LAPIC_TDCR));
}

static void drop_counters(struct story *s)
{
	static const char *const rows[] = { "TMICT", "TMCCT", "timer_remaining", "initial_count_load_time", "next_time",
					    "timer_expiry" };

	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++)
		story_done(s, rows[i], 0);
}

static void tell_count(struct story *s)
{
	const struct lapic_state *a = s->a, *b = s->b;
	uint32_t left = lapic_reg(b, LAPIC_TMCCT), was = lapic_reg(a, LAPIC_TMCCT);
	bool armed = lapic_reg(a, LAPIC_TMICT) != lapic_reg(b, LAPIC_TMICT);
	enum lapic_timer_mode mode = lapic_timer_mode(b);

	if (!story_knows(s, "TMICT", 0) || !story_knows(s, "TMCCT", 0) || !story_knows(s, "LVTT", 0) ||
	    lapic_timer_mode(a) != mode || (!armed && left == was))
		return;
	if (armed && !lapic_reg(b, LAPIC_TMICT))
		story_say(s, "timer stopped (TMICT 0)");
	else if (mode == LAPIC_TIMER_ONE_SHOT && !left)
		story_say(s, "timer fired (TMCCT 0)");
	else if (armed || (mode == LAPIC_TIMER_ONE_SHOT && left > was))
		story_say_ns(s, count_ns(b), " left", "timer re-armed: ");
	else if (!s->context->events)
		story_say_ns(s, count_ns(b), " left", "timer ran on: ");
	drop_counters(s);
}

/* Without a count, as in a stream, only that it was loaded. */
static void tell_load(struct story *s)
{
	const struct lapic_state *b = s->b;
	uint64_t period = lapic_timer_period_ns(b, LAPIC_TIMER_KVM);

	if (!story_changed(s, "TMICT", 0) || story_knows(s, "TMCCT", 0))
		return;
	if (period)
		story_say_ns(s, period, "", "timer loaded with %" PRIu32 ": ", lapic_reg(b, LAPIC_TMICT));
	else
		story_say(s, "timer stopped (TMICT 0)");
	drop_counters(s);
}

void explain_timer(struct story *s)
{
	const struct lapic_state *a = s->a;
	uint64_t tsc = a->tsc;

	tell_tsc(s);
	tell_deadline(s, tsc);
	tell_count(s);
	tell_load(s);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counting and judging the runs of an interrupt handler by the guest's own clock. */
#include "source.h"

#include "clock.h"

u32 source_lost_percent = 250;
u32 source_early_percent = 25;

volatile u32 errors;
const char *volatile last_error = "none";

void error_count(const char *text)
{
	last_error = text;
	__asm__ volatile("lock incl %0"
			 : "+m"(errors));
}

void source_start(struct source *src)
{
	src->start_us = clock_us();
	src->last_us = src->start_us;
	src->last_gap_us = src->period_us;
	src->running = true;
}

void source_stop(struct source *src)
{
	u64 elapsed = clock_us() - src->start_us;

	src->base += (u32)div64(elapsed + src->period_us / 2, src->period_us);
	src->running = false;
}

/*
 * A run that comes soon after a late one is no double: only two short gaps in a row, or a short one after a normal
 * one, are.
 */
static void judge_gap(const struct source *src, u32 gap)
{
	u64 percent = (u64)gap * 100;

	if (percent > (u64)src->period_us * source_lost_percent)
		error_count(src->name);
	else if (percent < (u64)src->period_us * source_early_percent &&
		 gap + src->last_gap_us < src->period_us + src->period_us / 4)
		error_count(src->name);
}

void source_tick(struct source *src)
{
	u64 now = clock_us();
	u32 gap = (u32)(now - src->last_us);

	src->count++;
	if (src->period_us)
		judge_gap(src, gap);
	if (gap > src->worst_gap_us)
		src->worst_gap_us = gap;
	src->last_us = now;
	src->last_gap_us = gap;
}

u32 source_expected(const struct source *src)
{
	if (!src->running)
		return src->base;
	return src->base + (u32)div64(clock_us() - src->start_us, src->period_us);
}

u32 source_take_worst(struct source *src)
{
	u32 worst = src->worst_gap_us;

	src->worst_gap_us = 0;
	return worst;
}

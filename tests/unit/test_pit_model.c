/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8254, mode by mode: Intel 8254 (231164), mode definitions. Times are ticks after the count was written at 0. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/pitbox.h"

enum { LATCH_STATUS_0 = 0xe2,
       NULL_COUNT = 0x40,
       OUT = 0x80 };

static void start(struct pitbox *p, unsigned int mode, uint16_t count)
{
	pitbox_init(p, 0, PIT_COALESCE, 0);
	pitbox_program(p, 0, mode, false, count);
}

/* Looks are in the middle of a tick, acts at its begin: a load at a rounded time moves the ticks after it. */
static int64_t middle_of(uint64_t tick)
{
	return tick_ns(tick) + 400;
}

static bool out_at(struct pitbox *p, uint64_t tick)
{
	pitbox_run(p, middle_of(tick));
	return pit_model_out(&p->m, 0);
}

static uint16_t count_at(struct pitbox *p, uint64_t tick)
{
	pitbox_run(p, middle_of(tick));
	return pitbox_latched(p, 0);
}

static void gate(struct pitbox *p, uint64_t tick, bool level)
{
	pitbox_run(p, tick_ns(tick));
	pit_model_set_gate(&p->m, 0, level);
}

Test(pit_model, mode_0_is_low_until_the_count_ends_then_high_and_counts_on)
{
	struct pitbox p;

	start(&p, 0, 4);
	cr_expect(!out_at(&p, 0) && count_at(&p, 0) == 4);
	cr_expect(!out_at(&p, 3) && count_at(&p, 3) == 1);
	cr_expect(out_at(&p, 4) && count_at(&p, 4) == 0);
	cr_expect(out_at(&p, 5) && count_at(&p, 5) == 0xffff);
	cr_expect(p.ticks == 1);
}

Test(pit_model, mode_0_stands_still_while_the_gate_is_low)
{
	struct pitbox p;

	start(&p, 0, 4);
	gate(&p, 2, false);
	cr_expect(!out_at(&p, 100) && count_at(&p, 100) == 2 && p.armed == PIT_NEVER);
	gate(&p, 100, true);
	cr_expect(!out_at(&p, 101) && out_at(&p, 103) && p.ticks == 1);
}

Test(pit_model, mode_0_loads_a_count_that_is_written_with_the_gate_low)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	gate(&p, 0, false);
	pitbox_program(&p, 0, 0, false, 3);
	cr_expect(count_at(&p, 50) == 3 && !(pitbox_status(&p, 0) & NULL_COUNT));
	gate(&p, 50, true);
	cr_expect(!out_at(&p, 52) && out_at(&p, 53), "N pulses after the gate");
}

Test(pit_model, mode_0_stops_at_the_first_byte_of_a_new_count_and_goes_on_with_it)
{
	struct pitbox p;

	start(&p, 0, 4);
	cr_expect(out_at(&p, 6));
	pitbox_out(&p, 0x40, 3);
	cr_expect(!out_at(&p, 50), "low at once");
	cr_expect(p.armed == PIT_NEVER);
	pitbox_out(&p, 0x40, 0);
	cr_expect(!out_at(&p, 52) && out_at(&p, 53) && p.ticks == 2);
}

Test(pit_model, mode_1_waits_for_the_gate_and_can_be_triggered_again)
{
	struct pitbox p;

	start(&p, 1, 3);
	cr_expect(out_at(&p, 10) && pitbox_status(&p, 0) & NULL_COUNT);
	gate(&p, 10, false);
	gate(&p, 11, true);
	cr_expect(!out_at(&p, 11) && !(pitbox_status(&p, 0) & NULL_COUNT));
	gate(&p, 12, false);
	cr_expect(!out_at(&p, 13), "the gate has no effect on the output");
	gate(&p, 13, true);
	cr_expect(!out_at(&p, 15) && out_at(&p, 16) && p.ticks == 1);
	cr_expect(count_at(&p, 17) == 0xffff);
}

Test(pit_model, mode_1_uses_a_new_count_at_the_next_trigger)
{
	struct pitbox p;

	start(&p, 1, 4);
	gate(&p, 0, false);
	gate(&p, 0, true);
	pitbox_run(&p, tick_ns(1));
	pitbox_count(&p, 0, 2);
	cr_expect(!out_at(&p, 3) && out_at(&p, 4) && pitbox_status(&p, 0) & NULL_COUNT);
	gate(&p, 5, false);
	gate(&p, 5, true);
	cr_expect(!out_at(&p, 6) && out_at(&p, 7));
}

Test(pit_model, mode_2_is_low_in_the_last_tick_of_every_period)
{
	struct pitbox p;

	start(&p, 2, 3);
	for (uint64_t t = 0; t < 30; t++) {
		cr_expect(out_at(&p, t) == (t % 3 != 2), "%d", (int)t);
		cr_expect(count_at(&p, t) == 3 - t % 3, "%d", (int)t);
		cr_expect(p.ticks == t / 3, "%d", (int)t);
	}
}

Test(pit_model, mode_2_and_3_are_high_without_the_gate_and_begin_anew_with_it)
{
	for (unsigned int mode = 2; mode < 4; mode++) {
		struct pitbox p;

		start(&p, mode, 6);
		cr_expect(!out_at(&p, 5));
		gate(&p, 5, false);
		cr_expect(out_at(&p, 5) && p.ticks == 1, "a low output rises");
		cr_expect(out_at(&p, 99) && count_at(&p, 99) == (mode == 2 ? 1 : 2), "the count stands");
		gate(&p, 100, true);
		cr_expect(count_at(&p, 100) == 6 && out_at(&p, 102) && !out_at(&p, 105) && out_at(&p, 106), "%u", mode);
	}
}

Test(pit_model, mode_2_takes_a_new_count_at_the_end_of_the_period_or_at_a_trigger)
{
	struct pitbox p;

	start(&p, 2, 4);
	pitbox_run(&p, tick_ns(1));
	pitbox_count(&p, 0, 5);
	cr_expect(pitbox_status(&p, 0) & NULL_COUNT);
	cr_expect(!out_at(&p, 3) && out_at(&p, 4) && count_at(&p, 4) == 5);
	cr_expect(!(pitbox_status(&p, 0) & NULL_COUNT) && !out_at(&p, 8) && out_at(&p, 9));
	pitbox_count(&p, 0, 3);
	gate(&p, 10, false);
	gate(&p, 10, true);
	cr_expect(count_at(&p, 10) == 3 && !out_at(&p, 12) && out_at(&p, 13));
}

Test(pit_model, mode_3_is_high_for_the_longer_half_and_counts_by_two)
{
	struct pitbox even, odd;

	start(&even, 3, 4);
	start(&odd, 3, 5);
	for (uint64_t t = 0; t < 40; t++) {
		static const uint16_t even_counts[] = { 4, 2, 4, 2 }, odd_counts[] = { 4, 2, 0, 4, 2 };

		cr_expect(out_at(&even, t) == (t % 4 < 2) && out_at(&odd, t) == (t % 5 < 3), "%d", (int)t);
		cr_expect(count_at(&even, t) == even_counts[t % 4] && count_at(&odd, t) == odd_counts[t % 5], "%d", (int)t);
	}
	cr_expect(even.ticks == 9 && odd.ticks == 7);
}

Test(pit_model, mode_3_takes_a_new_count_at_the_end_of_the_half)
{
	struct pitbox p;

	start(&p, 3, 8);
	pitbox_run(&p, tick_ns(1));
	pitbox_count(&p, 0, 4);
	cr_expect(out_at(&p, 3) && !out_at(&p, 4) && count_at(&p, 4) == 4);
	cr_expect(!out_at(&p, 5) && out_at(&p, 6) && out_at(&p, 7) && !out_at(&p, 8));
}

Test(pit_model, mode_4_strobes_once_for_one_tick_after_the_count)
{
	struct pitbox p;

	start(&p, 4, 3);
	cr_expect(out_at(&p, 2) && !out_at(&p, 3) && out_at(&p, 4) && p.ticks == 1);
	cr_expect(out_at(&p, 65536 + 3), "not again");
	cr_expect(count_at(&p, 65536 + 3) == 0);
	pitbox_run(&p, tick_ns(65540));
	pitbox_count(&p, 0, 2);
	cr_expect(!out_at(&p, 65542) && out_at(&p, 65543), "a new count is the trigger");
}

Test(pit_model, mode_4_is_not_disturbed_by_the_first_byte_of_a_count_but_stops_without_the_gate)
{
	struct pitbox p;

	start(&p, 4, 6);
	pitbox_run(&p, tick_ns(2));
	pitbox_out(&p, 0x40, 9);
	cr_expect(count_at(&p, 4) == 2);
	gate(&p, 4, false);
	cr_expect(out_at(&p, 60) && count_at(&p, 60) == 2);
	gate(&p, 60, true);
	cr_expect(out_at(&p, 61) && !out_at(&p, 62) && out_at(&p, 63));
}

Test(pit_model, mode_5_strobes_after_each_trigger)
{
	struct pitbox p;

	start(&p, 5, 3);
	cr_expect(out_at(&p, 3), "no trigger");
	gate(&p, 9, false);
	gate(&p, 10, true);
	gate(&p, 11, false);
	gate(&p, 12, true);
	cr_expect(out_at(&p, 13) && out_at(&p, 14) && !out_at(&p, 15) && out_at(&p, 16), "the second counts");
	cr_expect(p.ticks == 1);
}

Test(pit_model, a_count_of_0_is_the_greatest)
{
	for (unsigned int bcd = 0; bcd < 2; bcd++) {
		struct pitbox p;
		uint64_t full = bcd ? 10000 : 65536;

		pitbox_init(&p, 0, PIT_COALESCE, 0);
		pitbox_program(&p, 0, 2, bcd, 0);
		cr_expect(count_at(&p, 0) == 0 && count_at(&p, 1) == (bcd ? 0x9999 : 0xffff));
		cr_expect(!out_at(&p, full - 1) && count_at(&p, full - 1) == 1 && out_at(&p, full));
		cr_expect(p.ticks == 1);
	}
}

Test(pit_model, decimal_counts_borrow_from_the_next_digit)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_program(&p, 0, 0, true, 0x1000);
	cr_expect(count_at(&p, 1) == 0x0999 && count_at(&p, 100) == 0x0900);
	cr_expect(!out_at(&p, 999) && out_at(&p, 1000) && count_at(&p, 1000) == 0);
	cr_expect(count_at(&p, 1001) == 0x9999);
}

Test(pit_model, a_count_of_1_in_modes_2_and_3_leaves_the_output_high)
{
	for (unsigned int mode = 2; mode < 4; mode++) {
		struct pitbox p;

		start(&p, mode, 1);
		cr_expect(p.armed == PIT_NEVER && out_at(&p, 1000) && count_at(&p, 1000) == 1 && !p.ticks);
		pitbox_count(&p, 0, 10);
		pitbox_run(&p, tick_ns(1100));
		cr_expect(p.ticks > 8 && p.ticks < 11, "a proper one ends that: %u", p.ticks);
	}
}

Test(pit_model, a_control_word_stops_the_count_and_sets_the_output)
{
	for (unsigned int mode = 0; mode < 6; mode++) {
		struct pitbox p;

		start(&p, 2, 10);
		pitbox_run(&p, tick_ns(4));
		pitbox_out(&p, 0x43, (uint8_t)(0x30 | mode << 1));
		cr_expect(pit_model_out(&p.m, 0) == (mode != 0) && p.armed == PIT_NEVER, "%u", mode);
		cr_expect(pitbox_status(&p, 0) == (0x70 | mode << 1 | (mode ? OUT : 0)), "%u", mode);
		cr_expect(count_at(&p, 99) == 6 && !p.ticks, "the element stands");
	}
}

Test(pit_model, a_control_word_that_raises_the_output_is_an_edge)
{
	struct pitbox p;

	start(&p, 0, 100);
	pitbox_out(&p, 0x43, 0x34);
	cr_expect(p.ticks == 1);
	pitbox_out(&p, 0x43, 0x34);
	cr_expect(p.ticks == 1);
}

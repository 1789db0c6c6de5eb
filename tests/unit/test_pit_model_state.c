/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8254's state: out of a model, into one, from KVM and QEMU, which know less. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "tests/unit/pitbox.h"

/* A second model at the same time, with the state of the first; @whole: with what the shared state has no place for. */
static void moved(const struct pitbox *from, struct pitbox *to, bool whole)
{
	struct pit_model_extra extra;
	struct pit_state saved;

	pit_model_save(&from->m, &saved, &extra);
	pitbox_init(to, from->now, PIT_REINJECT, 0);
	cr_assert(pit_model_restore(&to->m, &saved, whole ? &extra : NULL) == 0);
}

Test(pit_model_state, it_moves_between_the_two_bytes_of_a_count)
{
	for (unsigned int whole = 0; whole < 2; whole++)
		for (unsigned int mode = 0; mode < 6; mode++) {
			struct pitbox a, b;

			pitbox_init(&a, 0, PIT_COALESCE, 0);
			pitbox_program(&a, 0, mode, false, 0x1234);
			pitbox_out(&a, 0x40, 0x78);
			moved(&a, &b, whole);
			cr_expect(b.armed == a.armed || mode == 1 || mode == 5, "mode %u", mode);
			pitbox_out(&b, 0x40, 0x56);
			cr_expect(b.m.pit.channels[0].count == 0x5678);
			if (mode == 0 || mode == 4)
				cr_expect(pitbox_latched(&b, 0) == 0x5678, "mode %u starts with it", mode);
			if (mode == 2 || mode == 3)
				cr_expect(pitbox_latched(&b, 0) == 0x1234, "mode %u goes on", mode);
		}
}

Test(pit_model_state, it_moves_between_the_two_bytes_of_a_latch)
{
	for (unsigned int whole = 0; whole < 2; whole++) {
		struct pitbox a, b;

		pitbox_init(&a, 0, PIT_COALESCE, 0);
		pitbox_program(&a, 2, 4, false, 0x1234);
		pitbox_out(&a, 0x43, 0x80);
		cr_expect(pitbox_in(&a, 0x42) == 0x34);
		moved(&a, &b, whole);
		cr_expect(pitbox_in(&b, 0x42) == 0x12);
		pitbox_out(&b, 0x43, 0xc8);
		moved(&b, &a, whole);
		cr_expect(pitbox_in(&a, 0x42) == 0xb8 && pitbox_in(&a, 0x42) == 0x34, "status, then count");
		moved(&a, &b, whole);
		cr_expect(pitbox_in(&b, 0x42) == 0x12);
	}
}

Test(pit_model_state, it_moves_between_control_word_and_count)
{
	struct pitbox a, b;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_out(&a, 0x43, 0x34);
	moved(&a, &b, true);
	cr_expect(b.armed == PIT_NEVER && pitbox_status(&b, 0) == 0xf4);
	pitbox_count(&b, 0, 100);
	cr_expect(b.armed == tick_ns(100));
}

Test(pit_model_state, a_periodic_channel_keeps_its_phase_and_loses_no_tick_on_the_way)
{
	for (unsigned int whole = 0; whole < 2; whole++) {
		struct pit_model_extra extra;
		struct pit_state saved;
		struct pitbox a, b;

		pitbox_init(&a, 0, PIT_COALESCE, 0);
		pitbox_program(&a, 0, 2, false, 100);
		pitbox_run(&a, tick_ns(250));
		cr_expect(a.ticks == 2);
		pit_model_save(&a.m, &saved, &extra);
		pitbox_init(&b, tick_ns(520), PIT_REINJECT, 0);
		cr_assert(pit_model_restore(&b.m, &saved, whole ? &extra : NULL) == 0);
		for (unsigned int i = 0; i < 9; i++)
			pit_model_acked(&b.m);
		cr_expect(b.ticks == 3, "those at 300, 400, 500: %u", b.ticks);
		cr_expect(b.armed == tick_ns(600));
	}
}

Test(pit_model_state, owed_ticks_move_too)
{
	struct pitbox a, b;

	pitbox_init(&a, 0, PIT_REINJECT, 0);
	pitbox_program(&a, 0, 2, false, 100);
	pitbox_at(&a, tick_ns(450));
	pit_model_expired(&a.m);
	moved(&a, &b, true);
	for (unsigned int i = 0; i < 9; i++)
		pit_model_acked(&b.m);
	cr_expect(a.ticks + b.ticks == 4, "%u %u", a.ticks, b.ticks);
}

Test(pit_model_state, a_channel_that_stands_still_has_a_load_time_that_gives_its_count)
{
	struct pit_state saved;
	struct pitbox a, b;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_out(&a, 0x61, 1);
	pitbox_program(&a, 2, 0, false, 1000);
	pitbox_run(&a, tick_ns(300));
	pitbox_out(&a, 0x61, 0);
	pitbox_run(&a, tick_ns(100000));
	pit_model_save(&a.m, &saved, NULL);
	cr_expect(pit_count(&saved.channels[2], a.now) == 700);
	moved(&a, &b, false);
	pitbox_run(&b, tick_ns(100500));
	cr_expect(pitbox_latched(&b, 2) == 700, "it stands still there as well");
}

Test(pit_model_state, a_state_with_a_waiting_count_is_shown_as_starting_with_it)
{
	struct pit_state saved;
	struct pitbox a;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_program(&a, 0, 2, false, 1000);
	pitbox_run(&a, tick_ns(300));
	pitbox_count(&a, 0, 50);
	pit_model_save(&a.m, &saved, NULL);
	cr_expect(saved.channels[0].count == 50 && saved.channels[0].count_load_time == tick_ns(1000));
}

Test(pit_model_state, everything_is_known_and_the_next_edge_is_there_twice)
{
	struct pit_state saved;
	struct pitbox a;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_program(&a, 0, 2, false, 1000);
	pitbox_out(&a, 0x61, 3);
	pit_model_set_hpet_legacy(&a.m, true);
	pit_model_save(&a.m, &saved, NULL);
	for (unsigned int r = 0; r < pit_chip.nrows; r++)
		for (unsigned int i = 0; i < pit_chip.rows[r].count; i++)
			cr_expect(reg_known(&pit_chip.rows[r], &saved, i), "%s", pit_chip.rows[r].name);
	cr_expect(saved.channels[0].next_transition_time == tick_ns(1000) && saved.irq_timer == tick_ns(1000));
	cr_expect(saved.flags == (KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON) && saved.irq_disabled == 1);
}

Test(pit_model_state, what_a_state_does_not_know_gets_its_reset_value)
{
	struct pit_state nothing = { 0 };
	struct pitbox a;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_program(&a, 0, 2, false, 1000);
	cr_assert(pit_model_restore(&a.m, &nothing, NULL) == 0);
	cr_expect(a.armed == PIT_NEVER && a.m.pit.channels[0].gate == 1 && a.m.pit.channels[2].gate == 0);
	cr_expect(a.m.pit.channels[1].count == 0x10000 && a.m.pit.channels[1].mode == 0xff);
}

Test(pit_model_state, a_restore_disarms_what_was_armed_before)
{
	struct pitbox a, b;
	struct pit_state saved;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pit_model_save(&a.m, &saved, NULL);
	pitbox_init(&b, 0, PIT_COALESCE, 0);
	pitbox_program(&b, 0, 2, false, 1000);
	cr_assert(b.armed != PIT_NEVER);
	cr_assert(pit_model_restore(&b.m, &saved, NULL) == 0);
	cr_expect(b.armed == PIT_NEVER);
}

Test(pit_model_state, an_impossible_state_is_refused_and_changes_nothing)
{
	static const struct {
		uint8_t mode, rw_mode, read_state, write_state, count_latched;
		int32_t count;
	} bad[] = {
		{ 6, 3, 3, 3, 0, 1 },
		{ 0, 4, 3, 3, 0, 1 },
		{ 0, 3, 5, 3, 0, 1 },
		{ 0, 3, 3, 5, 0, 1 },
		{ 0, 3, 3, 3, 5, 1 },
		{ 0, 3, 3, 3, 0, 0x10001 },
		{ 0, 3, 3, 3, 0, -1 },
	};
	struct pit_model_extra extra;
	struct pit_state saved;
	struct pitbox a;
	struct pit_model before;

	pitbox_init(&a, 0, PIT_COALESCE, 0);
	pitbox_program(&a, 0, 2, false, 1000);
	before = a.m;
	for (size_t i = 0; i < REG_ARRAY_SIZE(bad); i++) {
		struct pit_channel *c = &saved.channels[i % 3];

		pit_model_save(&a.m, &saved, &extra);
		c->mode = bad[i].mode;
		c->rw_mode = bad[i].rw_mode;
		c->read_state = bad[i].read_state;
		c->write_state = bad[i].write_state;
		c->count_latched = bad[i].count_latched;
		c->count = bad[i].count;
		cr_expect(pit_model_restore(&a.m, &saved, NULL) == -EINVAL, "%zu", i);
	}
	pit_model_save(&a.m, &saved, &extra);
	extra.counters[1].current = 0;
	cr_expect(pit_model_restore(&a.m, &saved, &extra) == -EINVAL);
	extra.counters[1].current = 1;
	extra.counters[1].frozen_ns = -2;
	cr_expect(pit_model_restore(&a.m, &saved, &extra) == -EINVAL);
	cr_expect(!memcmp(&before, &a.m, sizeof(before)));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8254 as programs see it: access modes, latches, read-back, port 0x61, late ticks, the HPET. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/pitbox.h"

static void start(struct pitbox *p, unsigned int mode, uint16_t count)
{
	pitbox_init(p, 0, PIT_COALESCE, 0);
	pitbox_program(p, 0, mode, false, count);
}

Test(pit_model_ports, access_by_one_byte_leaves_the_other_zero)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_out(&p, 0x43, 0x10);
	pitbox_out(&p, 0x40, 0x12);
	cr_expect(p.m.pit.channels[0].count == 0x0012);
	cr_expect(pitbox_in(&p, 0x40) == 0x12 && pitbox_in(&p, 0x40) == 0x12, "the low byte each time");
	pitbox_out(&p, 0x43, 0x20);
	pitbox_out(&p, 0x40, 0x12);
	cr_expect(p.m.pit.channels[0].count == 0x1200);
	cr_expect(pitbox_in(&p, 0x40) == 0x12 && pitbox_in(&p, 0x40) == 0x12, "the high byte each time");
	pitbox_out(&p, 0x43, 0x00);
	cr_expect(pitbox_in(&p, 0x40) == 0x12 && !p.m.pit.channels[0].count_latched, "one byte empties the latch");
}

Test(pit_model_ports, reads_and_writes_of_two_bytes_can_be_interleaved)
{
	struct pitbox p;

	start(&p, 0, 0x1234);
	cr_expect(pitbox_in(&p, 0x40) == 0x34);
	pitbox_out(&p, 0x40, 0x78);
	cr_expect(pitbox_in(&p, 0x40) == 0x12);
	pitbox_out(&p, 0x40, 0x56);
	cr_expect(pitbox_in(&p, 0x40) == 0x78 && pitbox_in(&p, 0x40) == 0x56);
}

Test(pit_model_ports, a_latch_holds_until_it_is_read_and_a_second_command_is_ignored)
{
	struct pitbox p;

	start(&p, 2, 0x8000);
	pitbox_run(&p, tick_ns(0x100));
	pitbox_out(&p, 0x43, 0x00);
	pitbox_run(&p, tick_ns(0x205));
	pitbox_out(&p, 0x43, 0x00);
	cr_expect(pitbox_in(&p, 0x40) == 0x00);
	pitbox_run(&p, tick_ns(0x306));
	cr_expect(pitbox_in(&p, 0x40) == 0x7f);
	cr_expect(pitbox_in(&p, 0x40) == 0xfa, "running again");
}

Test(pit_model_ports, a_control_word_drops_what_is_latched)
{
	struct pitbox p;

	start(&p, 2, 0x8000);
	pitbox_out(&p, 0x43, 0xc2);
	pitbox_out(&p, 0x43, 0x30);
	pitbox_out(&p, 0x40, 5);
	pitbox_out(&p, 0x40, 0);
	cr_expect(pitbox_in(&p, 0x40) == 5 && pitbox_in(&p, 0x40) == 0);
}

Test(pit_model_ports, read_back_latches_what_it_names_status_first)
{
	struct pitbox p;

	start(&p, 2, 0x1234);
	pitbox_program(&p, 1, 3, false, 0x4321);
	pitbox_out(&p, 0x43, 0xc6);
	pitbox_run(&p, tick_ns(7));
	cr_expect(pitbox_in(&p, 0x40) == 0xb4 && pitbox_in(&p, 0x40) == 0x34 && pitbox_in(&p, 0x40) == 0x12);
	cr_expect(pitbox_in(&p, 0x41) == 0xb6 && pitbox_in(&p, 0x41) == 0x20 && pitbox_in(&p, 0x41) == 0x43);
	cr_expect(!p.m.pit.channels[2].count_latched && !p.m.pit.channels[2].status_latched);
	pitbox_out(&p, 0x43, 0xd2);
	cr_expect(!p.m.pit.channels[0].status_latched && p.m.pit.channels[0].count_latched, "count only");
	pitbox_out(&p, 0x43, 0xe2);
	cr_expect(p.m.pit.channels[0].status_latched, "and now the status");
	pitbox_out(&p, 0x43, 0xf4);
	cr_expect(!p.m.pit.channels[1].status_latched && !p.m.pit.channels[1].count_latched, "neither");
}

Test(pit_model_ports, a_second_read_back_of_the_status_is_ignored)
{
	struct pitbox p;

	start(&p, 0, 10);
	pitbox_out(&p, 0x43, 0xe2);
	pitbox_run(&p, tick_ns(20));
	pitbox_out(&p, 0x43, 0xe2);
	cr_expect(pitbox_in(&p, 0x40) == 0x30, "the output was low");
	cr_expect(pitbox_status(&p, 0) == 0xb0);
}

Test(pit_model_ports, the_status_has_the_control_word_as_it_was_written)
{
	for (unsigned int word = 0x10; word < 0x40; word++) {
		struct pitbox p;

		pitbox_init(&p, 0, PIT_COALESCE, 0);
		pitbox_out(&p, 0x43, (uint8_t)word);
		cr_expect((pitbox_status(&p, 0) & 0x7f) == (0x40 | word), "0x%x", word);
	}
}

Test(pit_model_ports, modes_6_and_7_are_modes_2_and_3)
{
	struct pitbox p;

	start(&p, 6, 3);
	pitbox_run(&p, tick_ns(2));
	cr_expect(!pit_model_out(&p.m, 0));
	start(&p, 7, 8);
	pitbox_run(&p, tick_ns(2));
	cr_expect(pitbox_latched(&p, 0) == 4);
}

Test(pit_model_ports, nothing_counts_before_the_first_control_word)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_out(&p, 0x40, 5);
	pitbox_run(&p, tick_ns(1000));
	cr_expect(p.armed == PIT_NEVER && !p.ticks && pit_model_out(&p.m, 0));
}

Test(pit_model_ports, port_0x61_has_the_gate_the_speaker_and_the_output_of_channel_2)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_program(&p, 2, 3, false, 100);
	cr_expect((pitbox_in(&p, 0x61) & 0x2f) == 0x20);
	pitbox_out(&p, 0x61, 0xff);
	cr_expect((pitbox_in(&p, 0x61) & 0xef) == 0x23 && pit_model_speaker(&p.m));
	pitbox_run(&p, tick_ns(50));
	cr_expect((pitbox_in(&p, 0x61) & 0x20) == 0);
	pitbox_out(&p, 0x61, 0x02);
	cr_expect((pitbox_in(&p, 0x61) & 0x23) == 0x22, "without the gate it is high");
	pitbox_out(&p, 0x61, 0x00);
	cr_expect(!pit_model_speaker(&p.m));
}

Test(pit_model_ports, the_refresh_bit_changes_every_15_microseconds)
{
	struct pitbox p;
	unsigned int changes = 0;
	uint8_t last;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	last = pitbox_in(&p, 0x61) & 0x10;
	for (int64_t us = 0; us < 15085; us++) {
		uint8_t bit;

		pitbox_run(&p, us * 1000);
		bit = pitbox_in(&p, 0x61) & 0x10;
		changes += bit != last;
		last = bit;
	}
	cr_expect(changes == 999 || changes == 1000, "%u", changes);
}

Test(pit_model_ports, words_go_byte_by_byte_to_neighbouring_ports)
{
	struct pitbox p;

	pitbox_init(&p, 0, PIT_COALESCE, 0);
	pitbox_out(&p, 0x43, 0x10);
	pitbox_out(&p, 0x43, 0x50);
	pit_model_write(&p.m, 0x40, 2, 0x2211);
	cr_expect(p.m.pit.channels[0].count == 0x11 && p.m.pit.channels[1].count == 0x22);
	cr_expect(pit_model_read(&p.m, 0x40, 2) == 0x2211);
	cr_expect(pit_model_read(&p.m, 0x42, 4) >> 8 == 0xffffff);
	cr_expect(pit_model_owns(0x40) && pit_model_owns(0x43) && pit_model_owns(0x61));
	cr_expect(!pit_model_owns(0x44) && !pit_model_owns(0x3f) && !pit_model_owns(0x62));
}

Test(pit_model_ports, late_ticks_are_coalesced_or_given_one_per_acknowledge)
{
	for (unsigned int each = 0; each < 2; each++) {
		struct pitbox p;
		unsigned int acks = 0;

		pitbox_init(&p, 0, each ? PIT_REINJECT : PIT_COALESCE, 0);
		pitbox_program(&p, 0, 2, false, 100);
		pitbox_at(&p, tick_ns(750));
		pit_model_expired(&p.m);
		cr_expect(p.ticks == 1);
		for (unsigned int before = 0; before != p.ticks; acks++) {
			before = p.ticks;
			pit_model_acked(&p.m);
		}
		cr_expect(p.ticks == (each ? 7U : 1U), "%u", p.ticks);
		cr_expect(p.armed == tick_ns(800), "in phase");
	}
}

Test(pit_model_ports, owed_ticks_are_forgiven_by_a_new_count_and_by_the_caller)
{
	for (unsigned int by_count = 0; by_count < 2; by_count++) {
		struct pitbox p;

		pitbox_init(&p, 0, PIT_REINJECT, 0);
		pitbox_program(&p, 0, 2, false, 100);
		pitbox_at(&p, tick_ns(750));
		pit_model_expired(&p.m);
		if (by_count)
			pitbox_count(&p, 0, 200);
		else
			pit_model_forgive(&p.m);
		pit_model_acked(&p.m);
		cr_expect(p.ticks == 1);
	}
}

Test(pit_model_ports, a_timer_that_fires_early_is_armed_again)
{
	struct pitbox p;

	start(&p, 2, 100);
	pitbox_at(&p, tick_ns(50));
	p.armed = PIT_NEVER;
	pit_model_expired(&p.m);
	cr_expect(p.ticks == 0 && p.armed == tick_ns(100));
}

Test(pit_model_ports, nothing_takes_longer_after_a_century)
{
	struct pitbox p;
	int64_t century = INT64_C(100) * 365 * 86400 * 1000000000;

	start(&p, 2, 2);
	pitbox_at(&p, century);
	pit_model_expired(&p.m);
	cr_expect(p.ticks == 1 && p.armed > century && p.armed < century + 2000);
}

Test(pit_model_ports, the_hpet_takes_the_ticks_and_gives_them_back_in_phase)
{
	struct pitbox p;

	start(&p, 2, 100);
	pitbox_run(&p, tick_ns(150));
	pit_model_set_hpet_legacy(&p.m, true);
	cr_expect(p.ticks == 1 && p.armed == PIT_NEVER && p.m.pit.irq_disabled);
	pitbox_run(&p, tick_ns(950));
	pit_model_set_hpet_legacy(&p.m, false);
	cr_expect(p.ticks == 1 && p.armed == tick_ns(1000));
	pitbox_run(&p, tick_ns(1000));
	cr_expect(p.ticks == 2);
}

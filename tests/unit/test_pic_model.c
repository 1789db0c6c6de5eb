/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8259A pair: lines, acknowledge, end of interrupt, rotation, masks, poll. Intel 8259A (231468). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/pic_pair.h"

enum { EOI = 0x20,
       SPECIFIC_EOI = 0x60,
       ROTATE_EOI = 0xa0,
       ROTATE_SPECIFIC = 0xe0,
       SET_PRIORITY = 0xc0 };

Test(pic_model, every_line_gives_its_vector_and_its_in_service_bits)
{
	for (unsigned int irq = 0; irq < 16; irq++) {
		struct pic_pair p;

		if (irq == PIC_CASCADE)
			continue;
		pair_setup(&p, 0x01);
		pair_pulse(&p, irq);
		cr_expect(pair_take(&p) == (int)(0x30 + irq), "%u", irq);
		cr_expect(pair_isr(&p, M0) == (irq < 8 ? 1 << irq : 0x04), "%u", irq);
		cr_expect(pair_isr(&p, S0) == (irq < 8 ? 0 : 1 << irq % 8), "%u", irq);
		cr_expect(pair_take(&p) == -1);
	}
}

Test(pic_model, an_edge_requests_once_while_the_line_stays_high)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pic_model_set_line(&p.m, 4, true);
	cr_expect(pair_take(&p) == 0x34);
	pair_out(&p, M0, EOI);
	pic_model_set_line(&p.m, 4, true);
	cr_expect(pair_take(&p) == -1, "no new edge");
	pair_pulse(&p, 4);
	cr_expect(pair_take(&p) == -1, "the line was high");
	pair_pulse(&p, 4);
	cr_expect(pair_take(&p) == 0x34);
}

Test(pic_model, a_level_line_requests_as_long_as_it_is_high)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, ELCR1, 0x0c);
	pic_model_set_line(&p.m, 11, true);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect(pair_take(&p) == 0x3b, "%u", i);
		cr_expect(pair_irr(&p, S0) == 0x08, "irr follows the line");
		pair_out(&p, S0, EOI);
		pair_out(&p, M0, EOI);
	}
	pic_model_set_line(&p.m, 11, false);
	cr_expect(pair_irr(&p, S0) == 0 && pair_isr(&p, S0) == 0);
}

Test(pic_model, a_level_line_that_falls_before_the_acknowledge_gives_spurious_7)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, ELCR0, 0x20);
	pic_model_set_line(&p.m, 5, true);
	cr_assert(p.intr);
	pic_model_set_line(&p.m, 5, false);
	cr_expect(!p.intr);
	cr_expect(pic_model_ack(&p.m) == 0x37);
	cr_expect(pair_isr(&p, M0) == 0, "no in-service bit: no EOI");
}

Test(pic_model, a_slave_s_line_that_falls_gives_spurious_15_and_needs_an_eoi_of_the_master_only)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, ELCR1, 0x04);
	pic_model_set_line(&p.m, 10, true);
	pic_model_set_line(&p.m, 10, false);
	cr_expect(pair_take(&p) == 0x3f);
	cr_expect(pair_isr(&p, S0) == 0);
	cr_expect(pair_isr(&p, M0) == 0x04);
	pair_pulse(&p, 9);
	cr_expect(pair_take(&p) == -1, "line 2 is in service");
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == 0x39);
}

Test(pic_model, elcr_has_the_lines_of_its_mask_only_and_a_fresh_level_line_requests_what_it_is)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, ELCR0, 0xff);
	pair_out(&p, ELCR1, 0xff);
	cr_expect(pair_in(&p, ELCR0) == 0xf8 && pair_in(&p, ELCR1) == 0xde);
	pair_out(&p, ELCR0, 0);
	pair_pulse(&p, 5);
	cr_expect(p.intr);
	pair_out(&p, ELCR0, 0x20);
	cr_expect(!p.intr && pair_irr(&p, M0) == 0, "the line is low");
	pair_out(&p, ELCR0, 0);
	pic_model_set_line(&p.m, 5, true);
	cr_expect(pair_take(&p) == 0x35);
	pair_out(&p, ELCR0, 0x20);
	cr_expect(pair_irr(&p, M0) == 0x20, "the line is high");
}

Test(pic_model, a_higher_line_interrupts_a_lower_one_and_non_specific_eoi_ends_the_highest)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_pulse(&p, 6);
	cr_expect(pair_take(&p) == 0x36);
	pair_pulse(&p, 7);
	cr_expect(pair_take(&p) == -1);
	pair_pulse(&p, 3);
	cr_expect(pair_take(&p) == 0x33);
	cr_expect(pair_isr(&p, M0) == 0x48);
	pair_out(&p, M0, EOI);
	cr_expect(pair_isr(&p, M0) == 0x40 && p.ended == 1U << 3);
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == 0x37);
}

Test(pic_model, specific_eoi_ends_the_line_it_names)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_pulse(&p, 6);
	pair_take(&p);
	pair_pulse(&p, 3);
	pair_take(&p);
	pair_out(&p, M0, SPECIFIC_EOI | 6);
	cr_expect(pair_isr(&p, M0) == 0x08 && p.ended == 1U << 6);
	pair_out(&p, M0, SPECIFIC_EOI | 5);
	cr_expect(pair_isr(&p, M0) == 0x08 && p.ended == 1U << 6, "5 is not in service");
}

Test(pic_model, rotation_on_eoi_makes_the_ended_line_the_lowest)
{
	struct pic_pair p;

	/* The example of the data sheet: 4 is served and ended while 6 is in service as well. */
	pair_setup(&p, 0x01);
	pair_pulse(&p, 6);
	pair_take(&p);
	pair_pulse(&p, 4);
	pair_take(&p);
	pair_out(&p, M0, ROTATE_EOI);
	cr_expect(pair_isr(&p, M0) == 0x40);
	pair_pulse(&p, 4);
	cr_expect(pair_take(&p) == -1, "4 is below 6 now");
	pair_pulse(&p, 5);
	cr_expect(pair_take(&p) == 0x35);
}

Test(pic_model, set_priority_and_rotation_on_specific_eoi_name_the_lowest_line)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, M0, SET_PRIORITY | 5);
	pair_pulse(&p, 0);
	pair_pulse(&p, 6);
	cr_expect(pair_take(&p) == 0x36, "6 is the highest");
	cr_expect(pair_take(&p) == -1);
	pair_out(&p, M0, ROTATE_SPECIFIC | 6);
	cr_expect(pair_isr(&p, M0) == 0);
	pair_pulse(&p, 6);
	pair_pulse(&p, 7);
	cr_expect(pair_take(&p) == 0x37, "7 is the highest, 6 the lowest");
	pair_out(&p, M0, SPECIFIC_EOI | 7);
	cr_expect(pair_take(&p) == 0x30);
}

Test(pic_model, the_no_operation_of_ocw2_changes_nothing)
{
	struct pic_pair p;
	struct pic_state before[2];

	pair_setup(&p, 0x01);
	pair_pulse(&p, 1);
	pair_take(&p);
	pic_model_save(&p.m, before);
	pair_out(&p, M0, 0x41);
	cr_expect(!memcmp(before, p.m.pics, sizeof(before)));
}

Test(pic_model, automatic_eoi_leaves_nothing_in_service_and_rotates_when_set)
{
	struct pic_pair p;

	pair_setup(&p, 0x03);
	pair_pulse(&p, 3);
	pair_pulse(&p, 1);
	cr_expect(pair_take(&p) == 0x31 && pair_isr(&p, M0) == 0 && p.ended == 2);
	cr_expect(pair_take(&p) == 0x33, "nothing blocks it");
	pair_out(&p, M0, 0x80);
	pair_pulse(&p, 3);
	cr_expect(pair_take(&p) == 0x33);
	pair_pulse(&p, 3);
	pair_pulse(&p, 4);
	cr_expect(pair_take(&p) == 0x34, "3 became the lowest");
	pair_out(&p, M0, 0x00);
	pair_pulse(&p, 6);
	cr_expect(pair_take(&p) == 0x36, "5 is the highest, 6 is before 3");
	pair_pulse(&p, 6);
	cr_expect(pair_take(&p) == 0x36, "rotation is off: 6 is where it was");
}

Test(pic_model, special_fully_nested_mode_lets_a_higher_line_of_the_slave_interrupt)
{
	for (unsigned int nested = 0; nested < 2; nested++) {
		struct pic_pair p;

		pair_setup(&p, nested ? 0x11 : 0x01);
		pair_pulse(&p, 12);
		cr_expect(pair_take(&p) == 0x3c);
		pair_pulse(&p, 9);
		cr_expect(pair_take(&p) == (nested ? 0x39 : -1));
		pair_out(&p, S0, EOI);
		pair_out(&p, M0, EOI);
		cr_expect(pair_take(&p) == (nested ? -1 : 0x39));
	}
}

Test(pic_model, special_mask_mode_opens_all_but_the_masked_line_and_its_eoi_skips_that)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_pulse(&p, 2 + 1);
	pair_take(&p);
	pair_pulse(&p, 6);
	cr_expect(pair_take(&p) == -1);
	pair_out(&p, M1, 0x08);
	cr_expect(pair_take(&p) == -1, "the mask alone does not open");
	pair_out(&p, M0, 0x68);
	cr_expect(pair_take(&p) == 0x36, "special mask mode does");
	pair_out(&p, M0, EOI);
	cr_expect(pair_isr(&p, M0) == 0x08, "a masked in-service bit is not ended");
	pair_pulse(&p, 5);
	pair_out(&p, M0, 0x28);
	cr_expect(pair_take(&p) == 0x35, "without ESMM nothing changes");
	pair_pulse(&p, 4);
	pair_out(&p, M0, 0x48);
	cr_expect(pair_take(&p) == -1, "left again");
}

Test(pic_model, a_poll_is_an_acknowledge_that_the_program_reads)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, M0, 0x0c);
	cr_expect(pair_in(&p, M0) == 0x07, "nothing to serve");
	pair_pulse(&p, 5);
	pair_out(&p, M0, 0x0c);
	cr_expect(pair_in(&p, M1) == 0x85, "from either port");
	cr_expect(pair_in(&p, M1) == 0x00, "once");
	cr_expect(pair_isr(&p, M0) == 0x20 && pair_irr(&p, M0) == 0 && !p.intr);
	pair_out(&p, M0, EOI);
	cr_expect(p.ended == 1U << 5);
}

Test(pic_model, the_slave_is_polled_after_the_master_and_takes_its_request_back)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_pulse(&p, 13);
	pair_out(&p, M0, 0x0c);
	cr_expect(pair_in(&p, M0) == 0x82);
	pair_out(&p, S0, 0x0c);
	cr_expect(pair_in(&p, S0) == 0x85);
	cr_expect(pair_isr(&p, M0) == 0x04 && pair_isr(&p, S0) == 0x20);
	pair_out(&p, S0, EOI);
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == -1);
	pair_pulse(&p, 13);
	pair_out(&p, S0, 0x0c);
	cr_expect(pair_in(&p, S0) == 0x85);
	cr_expect(pair_take(&p) == -1, "the slave alone: the master does not ask for it any more");
}

Test(pic_model, the_slave_asks_again_for_what_is_left_after_an_acknowledge)
{
	struct pic_pair p;

	pair_setup(&p, 0x13);
	pair_pulse(&p, 8);
	pair_pulse(&p, 14);
	cr_expect(pair_take(&p) == 0x38);
	cr_expect(pair_take(&p) == 0x3e);
	cr_expect(pair_take(&p) == -1);
}

Test(pic_model, masked_lines_wait_and_the_mask_reads_back)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, M1, 0x24);
	pair_out(&p, S1, 0x5a);
	cr_expect(pair_in(&p, M1) == 0x24 && pair_in(&p, S1) == 0x5a);
	pair_pulse(&p, 5);
	pair_pulse(&p, 8);
	cr_expect(pair_take(&p) == -1);
	cr_expect(pair_irr(&p, M0) == 0x24);
	pair_out(&p, M1, 0x00);
	cr_expect(pair_take(&p) == 0x38);
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == 0x35);
}

Test(pic_model, intr_is_told_on_changes_only)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	p.changes = 0;
	pair_pulse(&p, 3);
	pair_pulse(&p, 4);
	pair_pulse(&p, 1);
	cr_expect(p.changes == 1);
	pair_take(&p);
	cr_expect(p.changes == 2 && !p.intr);
}

Test(pic_model, words_go_byte_by_byte_to_neighbouring_ports)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pic_model_write(&p.m, M0, 2, 0x5a0b);
	cr_expect(pair_in(&p, M1) == 0x5a);
	cr_expect(pic_model_read(&p.m, M0, 2) == 0x5a00);
	cr_expect(pic_model_read(&p.m, M0, 4) == 0xffff5a00);
	cr_expect(pic_model_read(&p.m, 0x1f, 2) == 0x00ff);
	pic_model_write(&p.m, ELCR0, 2, 0x1e38);
	cr_expect(pic_model_read(&p.m, ELCR0, 2) == 0x1e38);
	cr_expect(pic_model_owns(0x20) && pic_model_owns(0xa1) && pic_model_owns(0x4d1));
	cr_expect(!pic_model_owns(0x22) && !pic_model_owns(0x9f) && !pic_model_owns(0x4d2) && !pic_model_owns(0x120));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The initialisation of the 8259A: sequences, what ICW1 resets, single mode, level triggering; saving in between. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pic_pair.h"

enum { EOI = 0x20 };

Test(pic_model_init, icw4_is_expected_only_when_icw1_says_so)
{
	struct pic_pair p;

	pair_setup(&p, 0x13);
	pair_out(&p, M0, 0x10);
	pair_out(&p, M1, 0x50);
	pair_out(&p, M1, 0x04);
	pair_out(&p, M1, 0x02);
	cr_expect(pair_in(&p, M1) == 0x02, "OCW1 already");
	pair_pulse(&p, 3);
	cr_expect(pair_take(&p) == 0x53);
	cr_expect(pair_isr(&p, M0) == 0x08, "automatic EOI of before is off");
	cr_expect(!p.m.pics[0].special_fully_nested_mode);
}

Test(pic_model_init, single_mode_skips_icw3_and_line_2_has_its_own_vector)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_chip(&p, M0, 0x13, 0x40, 0x01);
	cr_expect(p.m.pics[0].init_state == 0);
	pair_pulse(&p, 9);
	cr_expect(pair_take(&p) == 0x42, "the slave is not asked");
	cr_expect(pair_isr(&p, S0) == 0 && pair_irr(&p, S0) == 0x02);
	pair_chip(&p, M0, 0x12, 0x40, 0);
	cr_expect(p.m.pics[0].init_state == 0, "ICW2 alone");
}

Test(pic_model_init, only_the_upper_five_bits_of_icw2_count)
{
	struct pic_pair p;

	pair_init(&p, 0);
	pair_chip(&p, M0, 0x11, 0x2f, 0x01);
	pair_pulse(&p, 1);
	cr_expect(pair_take(&p) == 0x29);
}

Test(pic_model_init, ltim_makes_all_lines_level_triggered_whatever_elcr_says)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_pulse(&p, 1);
	pic_model_set_line(&p.m, 0, true);
	pair_chip(&p, M0, 0x19, 0x30, 0x01);
	cr_expect(pair_irr(&p, M0) == 0x01, "the lines as they are");
	cr_expect(pair_take(&p) == 0x30);
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == 0x30, "again");
	pic_model_set_line(&p.m, 0, false);
	pair_out(&p, M0, EOI);
	cr_expect(pair_take(&p) == -1);
	cr_expect(pair_in(&p, ELCR0) == 0);
}

Test(pic_model_init, icw1_resets_masks_priorities_and_edges_but_not_what_is_in_service)
{
	struct pic_pair p;
	struct pic_state *s = &p.m.pics[0];

	pair_setup(&p, 0x01);
	pair_pulse(&p, 6);
	pair_take(&p);
	pair_pulse(&p, 3);
	pic_model_set_line(&p.m, 4, true);
	pair_out(&p, M1, 0xc0);
	pair_out(&p, M0, 0xc3);
	pair_out(&p, M0, 0x6b);
	pair_out(&p, M0, 0x11);
	cr_expect(s->imr == 0 && s->priority_add == 0 && !s->special_mask && !s->read_reg_select);
	cr_expect(s->irr == 0 && s->isr == 0x40 && s->init_state == 1 && s->irq_base == 0x30);
	pair_out(&p, M1, 0x30);
	pair_out(&p, M1, 0x04);
	pair_out(&p, M1, 0x01);
	pic_model_set_line(&p.m, 4, true);
	cr_expect(pair_take(&p) == -1, "a line that was high must fall first");
	pic_model_set_line(&p.m, 4, false);
	pic_model_set_line(&p.m, 4, true);
	cr_expect(pair_take(&p) == 0x34);
}

Test(pic_model_init, nothing_is_asked_before_the_last_icw)
{
	struct pic_pair p;

	pair_setup(&p, 0x01);
	pair_out(&p, M0, 0x11);
	pair_pulse(&p, 1);
	cr_expect(!p.intr);
	pair_out(&p, M1, 0x30);
	pair_out(&p, M1, 0x04);
	cr_expect(!p.intr);
	pair_out(&p, M1, 0x01);
	cr_expect(pair_take(&p) == 0x31);
}

Test(pic_model_init, icw1_starts_over_from_anywhere)
{
	for (unsigned int words = 0; words < 4; words++) {
		struct pic_pair p;

		pair_setup(&p, 0x01);
		pair_out(&p, M0, 0x11);
		for (unsigned int i = 0; i < words; i++)
			pair_out(&p, M1, 0x70);
		pair_chip(&p, M0, 0x11, 0x30, 0x01);
		pair_pulse(&p, 1);
		cr_expect(pair_take(&p) == 0x31, "%u", words);
	}
}

/* One random access, line change or acknowledge; what came of it. */
static uint32_t random_step(struct pic_pair *p, unsigned int *seed)
{
	static const uint16_t ports[] = { M0, M1, S0, S1, ELCR0, ELCR1 };
	uint16_t port = ports[(unsigned int)rand_r(seed) % 6];
	unsigned int kind = (unsigned int)rand_r(seed) % 8, arg = (unsigned int)rand_r(seed) >> 8;

	if (kind < 3)
		pic_model_write(&p->m, port, 1, arg & 0xff);
	else if (kind < 5)
		return pic_model_read(&p->m, port, 1);
	else if (kind < 7)
		pic_model_set_line(&p->m, arg & 15, arg >> 4 & 1);
	else
		return (uint32_t)pair_take(p);
	return 0;
}

Test(pic_model_init, a_pair_that_was_saved_and_restored_anywhere_goes_on_as_the_one_that_was_not)
{
	unsigned int seed = 8259, steps = 0;

	for (unsigned int run = 0; run < 2000; run++) {
		struct pic_pair a, b;
		struct pic_state saved[2];

		pair_init(&a, 0);
		for (unsigned int n = (unsigned int)rand_r(&seed) % 60; n; n--)
			random_step(&a, &seed);
		pair_init(&b, 0);
		pic_model_save(&a.m, saved);
		cr_assert(pic_model_restore(&b.m, saved) == 0);
		for (unsigned int n = 40; n; n--, steps++) {
			unsigned int same = seed;
			uint32_t got = random_step(&a, &seed), restored = random_step(&b, &same);

			cr_assert(got == restored && a.intr == b.intr, "run %u", run);
			cr_assert(!memcmp(a.m.pics, b.m.pics, sizeof(a.m.pics)), "run %u", run);
		}
	}
	cr_expect(steps > 10000);
}

Test(pic_model_init, the_sequence_goes_on_after_a_restore_between_any_two_words)
{
	static const uint8_t words[] = { 0x11, 0x30, 0x04, 0x03 };

	for (unsigned int cut = 1; cut < 4; cut++) {
		struct pic_pair p, q;
		struct pic_state saved[2];

		pair_init(&p, 0);
		for (unsigned int i = 0; i < cut; i++)
			pair_out(&p, i ? M1 : M0, words[i]);
		pic_model_save(&p.m, saved);
		pair_init(&q, 0);
		cr_assert(pic_model_restore(&q.m, saved) == 0);
		for (unsigned int i = cut; i < 4; i++)
			pair_out(&q, M1, words[i]);
		pair_pulse(&q, 6);
		cr_expect(pair_take(&q) == 0x36 && pair_isr(&q, M0) == 0, "cut after %u", cut);
	}
}

Test(pic_model_init, a_poll_command_survives_a_restore)
{
	struct pic_pair p, q;
	struct pic_state saved[2];

	pair_setup(&p, 0x01);
	pair_pulse(&p, 3);
	pair_out(&p, M0, 0x0c);
	pic_model_save(&p.m, saved);
	pair_init(&q, 0);
	cr_assert(pic_model_restore(&q.m, saved) == 0);
	cr_expect(q.intr && q.changes == 1);
	cr_expect(pair_in(&q, M0) == 0x83 && !q.intr);
}

Test(pic_model_init, the_slave_s_line_of_a_state_from_the_kernel_becomes_what_the_slave_says)
{
	struct pic_pair p;
	struct pic_state saved[2];

	pair_setup(&p, 0x01);
	pic_model_save(&p.m, saved);
	saved[PIC_SLAVE].irr = 0x02;
	cr_assert(pic_model_restore(&p.m, saved) == 0);
	cr_expect(pair_take(&p) == 0x39);
	cr_expect(pair_take(&p) == -1);
	pic_model_save(&p.m, saved);
	saved[PIC_MASTER].irr = 0x04;
	saved[PIC_MASTER].isr = saved[PIC_SLAVE].isr = 0;
	cr_assert(pic_model_restore(&p.m, saved) == 0);
	cr_expect(pair_take(&p) == 0x3f, "the kernel keeps a request that the slave took back");
}

Test(pic_model_init, what_a_state_does_not_know_gets_its_reset_value)
{
	struct pic_pair p;
	struct pic_state saved[2] = { 0 };

	pair_setup(&p, 0x13);
	pair_chip(&p, M0, 0x1b, 0x40, 0x01);
	saved[0].single_mode = saved[1].elcr_mask = 1;
	cr_assert(pic_model_restore(&p.m, saved) == 0);
	cr_expect(!p.m.pics[0].single_mode && !p.m.pics[0].ltim && p.m.pics[0].irq_base == 0);
	cr_expect(p.m.pics[0].elcr_mask == 0xf8 && p.m.pics[1].elcr_mask == 0xde);
}

Test(pic_model_init, an_impossible_state_is_refused_and_changes_nothing)
{
	struct pic_pair p;
	struct pic_state saved[2], before[2];

	pair_setup(&p, 0x01);
	pic_model_save(&p.m, before);
	pic_model_save(&p.m, saved);
	saved[1].init_state = 4;
	cr_expect(pic_model_restore(&p.m, saved) == -EINVAL);
	saved[1].init_state = 0;
	saved[1].priority_add = 8;
	saved[0].imr = 0xff;
	cr_expect(pic_model_restore(&p.m, saved) == -EINVAL);
	cr_expect(!memcmp(before, p.m.pics, sizeof(before)));
}

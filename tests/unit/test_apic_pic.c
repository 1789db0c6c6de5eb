/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "apic/ioapic.h"
#include "apic/pic.h"

static void pair_init(struct pic_state pics[2])
{
	memset(pics, 0, 2 * sizeof(pics[0]));
	pics[PIC_MASTER].irq_base = 0x30;
	pics[PIC_SLAVE].irq_base = 0x38;
}

Test(apic_pic, line_0_has_the_highest_priority)
{
	struct pic_state s = { .irr = 0xff };

	cr_expect(pic_pending(&s, true) == 0);
	s.imr = 0x01;
	cr_expect(pic_pending(&s, true) == 1);
	s.imr = 0xff;
	cr_expect(pic_pending(&s, true) == -1);
}

Test(apic_pic, a_line_waits_for_one_of_higher_priority_in_service)
{
	struct pic_state s = { .irr = 0x10, .isr = 0x08 };

	cr_expect(pic_pending(&s, true) == -1);
	s.isr = 0x10;
	cr_expect(pic_pending(&s, true) == -1, "its own service");
	s.isr = 0x20;
	cr_expect(pic_pending(&s, true) == 4);
}

Test(apic_pic, priority_rotates_with_priority_add)
{
	for (uint8_t add = 0; add < 8; add++) {
		struct pic_state s = { .irr = 0xff, .priority_add = add };

		cr_expect(pic_pending(&s, true) == add, "%u", add);
		s.isr = (uint8_t)(1 << ((add + 1) & 7));
		cr_expect(pic_pending(&s, true) == add, "the next lower is in service");
		s.irr = (uint8_t) ~(1 << add);
		cr_expect(pic_pending(&s, true) == -1);
	}
}

Test(apic_pic, special_mask_mode_ignores_masked_lines_in_service)
{
	struct pic_state s = { .irr = 0x10, .isr = 0x08, .imr = 0x08 };

	cr_expect(pic_pending(&s, true) == -1);
	s.special_mask = 1;
	cr_expect(pic_pending(&s, true) == 4);
}

Test(apic_pic, special_fully_nested_mode_lets_the_slave_ask_again_on_the_master_only)
{
	struct pic_state s = { .irr = 0x04, .isr = 0x04 };

	cr_expect(pic_pending(&s, true) == -1);
	s.special_fully_nested_mode = 1;
	cr_expect(pic_pending(&s, true) == 2);
	cr_expect(pic_pending(&s, false) == -1);
}

Test(apic_pic, the_slave_s_request_comes_through_line_2)
{
	struct pic_state pics[2];

	pair_init(pics);
	cr_expect(pic_pair_pending(pics) == -1 && !pic_pair_intr(pics));
	pics[PIC_SLAVE].irr = 0x02;
	cr_expect(pic_pair_pending(pics) == 9);
	cr_expect(pic_pair_vector(pics, 9) == 0x39);
	pics[PIC_MASTER].irr = 0x08;
	cr_expect(pic_pair_pending(pics) == 9, "line 2 goes before line 3");
	pics[PIC_MASTER].irr = 0x02;
	cr_expect(pic_pair_pending(pics) == 1);
	pics[PIC_MASTER].imr = 0x06;
	cr_expect(pic_pair_pending(pics) == -1, "masked on the master");
}

Test(apic_pic, a_request_that_the_slave_took_back_is_spurious_15)
{
	struct pic_state pics[2];

	pair_init(pics);
	pics[PIC_MASTER].irr = 0x04;
	cr_expect(pic_pair_pending(pics) == 15);
	cr_expect(pic_pair_vector(pics, 15) == 0x3f);
}

Test(apic_pic, unacknowledge_gives_the_request_back_so_that_it_is_pending_again)
{
	for (unsigned int irq = 0; irq < 16; irq++) {
		struct pic_state pics[2];

		if (irq == PIC_CASCADE)
			continue;
		pair_init(pics);
		pics[irq / 8].isr = (uint8_t)(1 << irq % 8);
		if (irq >= 8)
			pics[PIC_MASTER].isr = 1 << PIC_CASCADE;
		cr_expect(pic_pair_pending(pics) == -1);
		cr_expect(pic_pair_unacknowledge(pics, (uint8_t)(0x30 + irq)) == (int)irq, "%u", irq);
		cr_expect(pic_pair_pending(pics) == (int)irq, "%u", irq);
		cr_expect(!pics[PIC_MASTER].isr && !pics[PIC_SLAVE].isr);
	}
}

Test(apic_pic, unacknowledge_of_a_foreign_vector_changes_nothing)
{
	struct pic_state pics[2], before[2];

	pair_init(pics);
	pics[PIC_MASTER].isr = 0x02;
	memcpy(before, pics, sizeof(before));
	cr_expect(pic_pair_unacknowledge(pics, 0xec) == -ENOENT);
	cr_expect(pic_pair_unacknowledge(pics, 0x30) == -ENOENT, "not in service");
	cr_expect(!memcmp(before, pics, sizeof(before)));
}

Test(apic_pic, unacknowledge_asks_again_in_automatic_eoi_mode)
{
	struct pic_state pics[2];

	pair_init(pics);
	pics[PIC_MASTER].auto_eoi = 1;
	cr_expect(pic_pair_unacknowledge(pics, 0x33) == 3);
	cr_expect(pic_pair_pending(pics) == 3);
	pics[PIC_MASTER].imr = 0x10;
	cr_expect(pic_pair_unacknowledge(pics, 0x34) == -ENOENT, "masked: it was not this chip");
}

Test(apic_ioapic, a_pin_is_serviceable_unless_masked_or_in_service)
{
	struct ioapic_state s = { .irr = 0x1f };

	s.redirtbl[0] = 0x30;
	s.redirtbl[1] = 0x31 | IOAPIC_RTE_MASKED;
	s.redirtbl[2] = 0x32 | IOAPIC_RTE_LEVEL;
	s.redirtbl[3] = 0x33 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR;
	s.redirtbl[4] = 0x34 | IOAPIC_RTE_REMOTE_IRR;
	s.redirtbl[5] = 0x35;
	cr_expect(ioapic_serviceable(&s) == 0x15, "0x%x", ioapic_serviceable(&s));
}

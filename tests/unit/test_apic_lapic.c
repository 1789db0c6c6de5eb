/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "apic/lapic.h"

static struct lapic_state enabled_lapic(void)
{
	struct lapic_state s;

	reg_state_reset(&lapic_chip, &s, true);
	s.apic_base = 0xfee00000 | LAPIC_BASE_ENABLE;
	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	return s;
}

Test(apic_lapic, divide_configuration_gives_1_to_128)
{
	static const struct {
		uint32_t tdcr;
		unsigned int divide;
	} want[] = {
		{ 0x0, 2 },
		{ 0x1, 4 },
		{ 0x2, 8 },
		{ 0x3, 16 },
		{ 0x8, 32 },
		{ 0x9, 64 },
		{ 0xa, 128 },
		{ 0xb, 1 },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(want); i++) {
		cr_expect(lapic_divide(want[i].tdcr) == want[i].divide, "TDCR 0x%x", want[i].tdcr);
		cr_expect(1U << lapic_count_shift(want[i].tdcr) == want[i].divide, "TDCR 0x%x", want[i].tdcr);
		cr_expect(lapic_divide(want[i].tdcr | 0xfffffff4) == want[i].divide, "reserved bits count");
	}
}

Test(apic_lapic, highest_vector_is_found_in_every_word)
{
	struct lapic_state s = enabled_lapic();

	cr_expect(lapic_bank_highest(&s, LAPIC_IRR) == -1);
	for (int v = 0; v < 256; v++) {
		lapic_bank_set(&s, LAPIC_IRR, (uint8_t)v);
		cr_expect(lapic_bank_highest(&s, LAPIC_IRR) == v, "%d", v);
		cr_expect(lapic_bank_test(&s, LAPIC_IRR, (uint8_t)v) &&
			  !lapic_bank_test(&s, LAPIC_ISR, (uint8_t)v));
	}
	lapic_bank_clear(&s, LAPIC_IRR, 255);
	cr_expect(lapic_bank_highest(&s, LAPIC_IRR) == 254);
}

Test(apic_lapic, processor_priority_is_the_higher_of_task_and_service)
{
	static const struct {
		int isr;
		uint8_t tpr, ppr;
	} want[] = {
		{ -1, 0x00, 0x00 },
		{ -1, 0x35, 0x35 },
		{ 0x51, 0x00, 0x50 },
		{ 0x51, 0x35, 0x50 },
		{ 0x51, 0x5f, 0x5f },
		{ 0x51, 0x60, 0x60 },
		{ 0xff, 0xef, 0xf0 },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(want); i++) {
		struct lapic_state s = enabled_lapic();

		lapic_set_reg(&s, LAPIC_TPR, want[i].tpr);
		if (want[i].isr >= 0)
			lapic_bank_set(&s, LAPIC_ISR, (uint8_t)want[i].isr);
		cr_expect(lapic_ppr(&s) == want[i].ppr, "ISR %d TPR 0x%x: 0x%x", want[i].isr, want[i].tpr,
			  lapic_ppr(&s));
	}
}

Test(apic_lapic, a_vector_is_deliverable_when_its_class_is_above_the_priority)
{
	struct lapic_state s = enabled_lapic();

	cr_expect(lapic_deliverable(&s) == -1);
	lapic_bank_set(&s, LAPIC_IRR, 0x31);
	lapic_bank_set(&s, LAPIC_IRR, 0x52);
	cr_expect(lapic_deliverable(&s) == 0x52);
	lapic_set_reg(&s, LAPIC_TPR, 0x50);
	cr_expect(lapic_deliverable(&s) == -1, "same class");
	lapic_set_reg(&s, LAPIC_TPR, 0x4f);
	cr_expect(lapic_deliverable(&s) == 0x52);
	lapic_bank_set(&s, LAPIC_ISR, 0x58);
	cr_expect(lapic_deliverable(&s) == -1, "one of the class is in service");
}

Test(apic_lapic, a_disabled_lapic_delivers_nothing)
{
	struct lapic_state s = enabled_lapic();

	lapic_bank_set(&s, LAPIC_IRR, 0x52);
	lapic_set_reg(&s, LAPIC_SVR, 0xff);
	cr_expect(lapic_deliverable(&s) == -1, "SVR");
	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	s.apic_base &= ~LAPIC_BASE_ENABLE;
	cr_expect(lapic_deliverable(&s) == -1, "APIC base");
}

Test(apic_lapic, the_pic_reaches_the_cpu_through_lint0_or_past_a_disabled_apic)
{
	struct lapic_state s = enabled_lapic();

	lapic_set_reg(&s, LAPIC_LVT0, 0x700);
	cr_expect(lapic_accepts_pic(&s));
	lapic_set_reg(&s, LAPIC_LVT0, 0x700 | LAPIC_LVT_MASKED);
	cr_expect(!lapic_accepts_pic(&s), "masked");
	lapic_set_reg(&s, LAPIC_LVT0, 0x030);
	cr_expect(!lapic_accepts_pic(&s), "fixed");
	s.apic_base &= ~LAPIC_BASE_ENABLE;
	cr_expect(lapic_accepts_pic(&s), "off");
}

Test(apic_lapic, unacknowledge_moves_a_vector_back_and_lets_it_be_delivered_again)
{
	struct lapic_state s = enabled_lapic();

	lapic_bank_set(&s, LAPIC_ISR, 0xec);
	cr_expect(lapic_unacknowledge(&s, 0xec));
	cr_expect(lapic_deliverable(&s) == 0xec && lapic_bank_highest(&s, LAPIC_ISR) == -1);
	cr_expect(!lapic_unacknowledge(&s, 0x30), "not in service");
	cr_expect(!lapic_bank_test(&s, LAPIC_IRR, 0x30));
}

Test(apic_lapic, flat_logical_destinations_match_by_any_bit)
{
	struct lapic_state s = enabled_lapic();

	lapic_set_reg(&s, LAPIC_DFR, 0xffffffff);
	lapic_set_reg(&s, LAPIC_LDR, 0x04000000);
	cr_expect(lapic_match_logical(&s, 0x04) && lapic_match_logical(&s, 0xfe) &&
		  lapic_match_logical(&s, 0xff));
	cr_expect(!lapic_match_logical(&s, 0x03) && !lapic_match_logical(&s, 0));
}

Test(apic_lapic, cluster_destinations_match_in_their_cluster_only)
{
	struct lapic_state s = enabled_lapic();

	lapic_set_reg(&s, LAPIC_DFR, 0x0fffffff);
	lapic_set_reg(&s, LAPIC_LDR, 0x22000000);
	cr_expect(lapic_match_logical(&s, 0x22) && lapic_match_logical(&s, 0x2f) &&
		  lapic_match_logical(&s, 0xff));
	cr_expect(!lapic_match_logical(&s, 0x12) && !lapic_match_logical(&s, 0x21));
}

Test(apic_lapic, x2apic_logical_destinations_follow_from_the_id)
{
	struct lapic_state s = enabled_lapic();

	s.apic_base |= LAPIC_BASE_X2APIC;
	reg_set(lapic_member("initial_id"), &s, 0, 0x123);
	cr_expect(lapic_id(&s) == 0x123);
	cr_expect(lapic_match_logical(&s, 0x00120008) && lapic_match_logical(&s, 0x0012ffff));
	cr_expect(!lapic_match_logical(&s, 0x00120004) && !lapic_match_logical(&s, 0x00130008));
	cr_expect(lapic_match_logical(&s, 0xffffffff) && lapic_match_physical(&s, 0xffffffff));
	cr_expect(lapic_match_physical(&s, 0x123) && !lapic_match_physical(&s, 0x23));
}

Test(apic_lapic, xapic_physical_destinations_match_the_id_register)
{
	struct lapic_state s = enabled_lapic();

	lapic_set_reg(&s, LAPIC_ID, 0x05000000);
	cr_expect(lapic_match_physical(&s, 5) && lapic_match_physical(&s, 0xff) &&
		  !lapic_match_physical(&s, 4));
}

static struct lapic_state timer(uint32_t lvtt, uint32_t count, uint32_t tdcr, int64_t load)
{
	struct lapic_state s = enabled_lapic();

	lapic_set_reg(&s, LAPIC_LVTT, lvtt);
	lapic_set_reg(&s, LAPIC_TMICT, count);
	lapic_set_reg(&s, LAPIC_TDCR, tdcr);
	reg_set(lapic_member("initial_count_load_time"), &s, 0, (uint64_t)load);
	return s;
}

Test(apic_lapic, a_sampled_timer_counts_from_its_load_time)
{
	struct lapic_state s = timer(0x000ec, 1000, 0x3, 5000);

	cr_expect(lapic_timer_sample(&s, 5000, LAPIC_TIMER_KVM) && s.timer_remaining_ns == 16000);
	cr_expect(lapic_reg(&s, LAPIC_TMCCT) == 1000);
	cr_expect(lapic_timer_sample(&s, 5000 + 15999, LAPIC_TIMER_KVM) && s.timer_remaining_ns == 1);
	cr_expect(lapic_reg(&s, LAPIC_TMCCT) == 1, "not 0 before it ends: 0 means that it has");
	cr_expect(!lapic_timer_sample(&s, 5000 + 16000, LAPIC_TIMER_KVM), "one-shot");
	cr_expect(!reg_known(lapic_member("timer_remaining"), &s, 0));
	cr_expect(lapic_timer_sample(&s, 5000 + 16000, LAPIC_TIMER_QEMU), "a tick longer there");
}

Test(apic_lapic, a_periodic_timer_keeps_its_phase_however_late_it_is_sampled)
{
	struct lapic_state s = timer(0x200ec, 1000, 0xb, 0);

	cr_expect(lapic_timer_sample(&s, 1000 * INT64_C(3000000007) + 300, LAPIC_TIMER_KVM));
	cr_expect(s.timer_remaining_ns == 700);
}

Test(apic_lapic, sampled_and_rebased_at_the_same_time_a_timer_keeps_its_expiry)
{
	for (uint32_t mode = 0; mode < 2; mode++)
		for (uint32_t tdcr = 0; tdcr < 16; tdcr++) {
			struct lapic_state s = timer(mode << 17 | 0xec, 777, tdcr & 0xb, -400), t;

			cr_assert(lapic_timer_sample(&s, 50, LAPIC_TIMER_QEMU));
			t = s;
			lapic_timer_rebase(&t, 50, LAPIC_TIMER_QEMU);
			cr_expect(t.timer_expiry == 50 + (int64_t)s.timer_remaining_ns);
			cr_expect(t.next_time == t.timer_expiry);
			cr_assert(lapic_timer_sample(&t, 50, LAPIC_TIMER_QEMU));
			cr_expect(t.timer_remaining_ns == s.timer_remaining_ns);
			cr_expect(t.count_shift == (int)lapic_count_shift(tdcr & 0xb));
		}
}

Test(apic_lapic, a_masked_timer_goes_on_but_is_not_armed)
{
	struct lapic_state s = timer(0x200ec | LAPIC_LVT_MASKED, 1000, 0xb, 0);

	cr_expect(lapic_timer_sample(&s, 100, LAPIC_TIMER_QEMU));
	lapic_timer_rebase(&s, 7000, LAPIC_TIMER_QEMU);
	cr_expect(s.timer_expiry == -1 && s.next_time == 7000 + 901);
}

Test(apic_lapic, a_fired_one_shot_is_not_started_again)
{
	struct lapic_state s = timer(0xec, 1000, 0xb, 0);

	cr_expect(!lapic_timer_sample(&s, 5000, LAPIC_TIMER_QEMU));
	lapic_timer_rebase(&s, 123456, LAPIC_TIMER_QEMU);
	cr_expect(s.timer_expiry == -1);
	cr_expect(!lapic_timer_sample(&s, 123456, LAPIC_TIMER_QEMU));
	cr_expect(lapic_reg(&s, LAPIC_TMCCT) == 0);
}

Test(apic_lapic, a_tsc_deadline_timer_has_no_remaining_time_here)
{
	struct lapic_state s = timer(0x400ec, 1000, 0xb, 0);

	cr_expect(lapic_timer_mode(&s) == LAPIC_TIMER_TSC_DEADLINE);
	cr_expect(!lapic_timer_sample(&s, 10, LAPIC_TIMER_KVM));
}

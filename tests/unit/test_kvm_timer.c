/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What two reads of a counting timer say together. */
#include <criterion/criterion.h>

#include "apic/lapic_rows.h"
#include "kvm/timer_priv.h"

#define VECTOR 0x41
#define PERIOD 1000000

static struct lapic_state with_count(enum lapic_timer_mode mode, uint32_t count)
{
	struct lapic_state s = { 0 };

	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	lapic_set_reg(&s, LAPIC_TDCR, 0xb);
	lapic_set_reg(&s, LAPIC_LVTT, (uint32_t)mode << 17 | VECTOR);
	lapic_set_reg(&s, LAPIC_TMICT, PERIOD);
	lapic_set_reg(&s, LAPIC_TMCCT, count);
	return s;
}

static bool requested(enum lapic_timer_mode mode, uint32_t before, uint32_t now, int64_t ns)
{
	struct lapic_state s = with_count(mode, before);
	const struct kvm_timer_before first = kvm_timer_before(&s, 5000);

	lapic_set_reg(&s, LAPIC_TMCCT, now);
	kvm_timer_merge_count(&s, &first, 5000 + ns, 1);
	return lapic_bank_test(&s, LAPIC_IRR, VECTOR);
}

Test(kvm_timer, a_period_is_over_when_the_count_went_up_or_the_time_is_too_long_for_it)
{
	cr_expect_not(requested(LAPIC_TIMER_PERIODIC, 900, 300, 600));
	cr_expect(requested(LAPIC_TIMER_PERIODIC, 900, PERIOD - 100, 1000));
	cr_expect(requested(LAPIC_TIMER_PERIODIC, 900, 300, PERIOD + 600));
	cr_expect(requested(LAPIC_TIMER_PERIODIC, 0, PERIOD - 100, 100), "0 is a tick that is on its way");
	cr_expect(requested(LAPIC_TIMER_PERIODIC, 900, 0, 900));
}

Test(kvm_timer, a_slow_read_ends_no_period)
{
	cr_expect_not(requested(LAPIC_TIMER_PERIODIC, 900, 10, 2000), "read with 10 left, and the clock a while later");
}

Test(kvm_timer, a_one_shot_is_over_when_its_count_is_and_was_not)
{
	cr_expect_not(requested(LAPIC_TIMER_ONE_SHOT, 900, 300, 600));
	cr_expect(requested(LAPIC_TIMER_ONE_SHOT, 900, 0, 1000));
	cr_expect_not(requested(LAPIC_TIMER_ONE_SHOT, 0, 0, 1000), "it interrupted before");
}

Test(kvm_timer, a_deadline_that_is_gone_stands_unless_its_vector_is_requested)
{
	struct lapic_state s = with_count(LAPIC_TIMER_TSC_DEADLINE, 0);

	kvm_timer_merge_deadline(&s, 1234, 0);
	cr_expect_eq(s.tsc_deadline, 1234);
	lapic_bank_set(&s, LAPIC_ISR, VECTOR); /* of the deadline before */
	kvm_timer_merge_deadline(&s, 1234, 0);
	cr_expect_eq(s.tsc_deadline, 1234);
	lapic_bank_set(&s, LAPIC_IRR, VECTOR);
	kvm_timer_merge_deadline(&s, 1234, 0);
	cr_expect_eq(s.tsc_deadline, 0);
}

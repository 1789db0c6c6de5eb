/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The LAPIC model's timer (SDM 3A 11.5.4). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/apic_bed.h"

#define MASKED 0x10000U
#define PERIODIC 0x20000U
#define DEADLINE 0x40000U
#define RESERVED 0x60000U

static struct apic_bed bed;

/* A timer with divide 1, vector 0x40. */
static void start(uint32_t mode, uint32_t count)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_TDCR, 0xb);
	bed_write(&bed, 0, LAPIC_LVTT, mode | 0x40);
	bed_write(&bed, 0, LAPIC_TMICT, count);
}

static uint32_t count(void)
{
	return bed_read(&bed, 0, LAPIC_TMCCT);
}

/* Whether the timer interrupted; takes and ends it. */
static bool interrupted(void)
{
	if (lapic_model_injectable(&bed.cpu[0]) != 0x40)
		return false;
	lapic_model_acknowledge(&bed.cpu[0]);
	bed_write(&bed, 0, LAPIC_EOI, 0);
	return true;
}

static uint64_t tsc_now(void)
{
	return (uint64_t)bed.now_ns * 2 + bed.tsc_offset;
}

static void set_deadline(uint64_t at)
{
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], LAPIC_MSR_TSC_DEADLINE, at), 0);
}

static uint64_t deadline(void)
{
	return bed_rdmsr(&bed, 0, LAPIC_MSR_TSC_DEADLINE);
}

Test(lapic_model_timer, every_divide_gives_its_period)
{
	static const uint32_t tdcr[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };

	for (unsigned int i = 0; i < REG_ARRAY_SIZE(tdcr); i++) {
		int64_t period = INT64_C(1000) << i;

		bed_init(&bed, 1);
		bed_write(&bed, 0, LAPIC_LVTT, 0x40);
		bed_write(&bed, 0, LAPIC_TDCR, tdcr[i]);
		bed_write(&bed, 0, LAPIC_TMICT, 1000);
		bed_pass(&bed, period - 1);
		cr_expect_eq(count(), 1);
		cr_expect(!interrupted());
		bed_pass(&bed, 1);
		cr_expect_eq(count(), 0);
		cr_expect(interrupted(), "divide by %u", 1U << i);
	}
}

Test(lapic_model_timer, a_longer_bus_cycle_makes_ticks_longer)
{
	struct lapic_model_config config = bed_config(&bed);

	config.bus_cycle_ns = 40;
	bed_init_with(&bed, 1, config);
	bed_write(&bed, 0, LAPIC_TMICT, 100);
	bed_pass(&bed, 40 * 2 * 25);
	cr_expect_eq(count(), 75);
}

Test(lapic_model_timer, one_shot_interrupts_once_and_stays_zero)
{
	start(0, 1000);
	bed_pass(&bed, 1000);
	cr_expect(interrupted());
	for (int i = 0; i < 5; i++) {
		bed_pass(&bed, 777);
		cr_expect_eq(count(), 0);
		cr_expect(!interrupted());
	}
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TMICT), 1000);
}

Test(lapic_model_timer, periodic_keeps_its_phase)
{
	start(PERIODIC, 1000);
	for (int i = 0; i < 10; i++) {
		bed_pass(&bed, 1000);
		cr_expect(interrupted(), "%d", i);
		cr_expect_eq(count(), 1000);
	}
	bed_pass(&bed, 400);
	cr_expect_eq(count(), 600);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, a_late_expiry_joins_ticks_and_keeps_the_phase)
{
	start(PERIODIC, 1000);
	bed.now_ns += 3500;
	lapic_model_timer(&bed.cpu[0]);
	cr_expect(interrupted());
	cr_expect(!interrupted());
	cr_expect_eq(count(), 500);
	cr_expect_eq(bed.armed_ns[0], bed.now_ns + 500);
}

Test(lapic_model_timer, a_short_period_does_not_storm_the_host)
{
	struct lapic_model_config config = bed_config(&bed);
	unsigned int arms;

	config.min_period_ns = 100000;
	bed_init_with(&bed, 1, config);
	bed_write(&bed, 0, LAPIC_SVR, 0x1ff);
	bed_write(&bed, 0, LAPIC_TDCR, 0xb);
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	bed_write(&bed, 0, LAPIC_TMICT, 1);
	arms = bed.arms[0];
	bed_pass(&bed, 10000000);
	cr_expect(interrupted());
	cr_expect_leq(bed.arms[0] - arms, 101);
	cr_expect_geq(bed.arms[0] - arms, 99);
}

Test(lapic_model_timer, accesses_do_not_put_a_joined_tick_off)
{
	struct lapic_model_config config = bed_config(&bed);

	config.min_period_ns = 100000;
	bed_init_with(&bed, 1, config);
	bed_write(&bed, 0, LAPIC_SVR, 0x1ff);
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	bed_write(&bed, 0, LAPIC_TMICT, 1000);
	for (int i = 0; i < 11; i++) {
		bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
		bed_pass(&bed, 10000);
	}
	cr_expect(interrupted());
}

Test(lapic_model_timer, count_stays_zero_when_it_must)
{
	bed_init(&bed, 1);
	cr_expect_eq(count(), 0, "never started");
	start(0, 0);
	bed_pass(&bed, 100);
	cr_expect_eq(count(), 0, "TMICT 0");
	start(0, 1000);
	bed_pass(&bed, 5000);
	cr_expect_eq(count(), 0, "one-shot is over");
	start(DEADLINE, 1000);
	bed_pass(&bed, 10);
	cr_expect_eq(count(), 0, "TSC-deadline mode");
	start(RESERVED, 1000);
	bed_pass(&bed, 10);
	cr_expect_eq(count(), 0, "reserved mode");
	start(PERIODIC, 1000);
	bed_write(&bed, 0, LAPIC_TMICT, 0);
	bed_pass(&bed, 10);
	cr_expect_eq(count(), 0, "stopped");
}

Test(lapic_model_timer, writing_the_count_starts_again)
{
	start(0, 1000);
	bed_pass(&bed, 900);
	bed_write(&bed, 0, LAPIC_TMICT, 1000);
	bed_pass(&bed, 900);
	cr_expect(!interrupted());
	cr_expect_eq(count(), 100);
	bed_write(&bed, 0, LAPIC_TMICT, 0);
	bed_pass(&bed, 1000);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, a_new_divide_keeps_the_count)
{
	start(0, 1000);
	bed_pass(&bed, 600);
	bed_write(&bed, 0, LAPIC_TDCR, 0x1);
	cr_expect_eq(count(), 400);
	bed_pass(&bed, 400);
	cr_expect_eq(count(), 300, "divide by 4");
	bed_pass(&bed, 1200);
	cr_expect(interrupted());
}

Test(lapic_model_timer, a_masked_timer_counts_and_does_not_interrupt)
{
	start(MASKED, 1000);
	cr_expect_eq(bed.armed_ns[0], LAPIC_MODEL_NEVER, "nobody would see it");
	bed_pass(&bed, 400);
	cr_expect_eq(count(), 600);
	bed_write(&bed, 0, LAPIC_LVTT, 0x40);
	bed_pass(&bed, 600);
	cr_expect(interrupted());
	start(MASKED, 1000);
	bed_pass(&bed, 1000);
	bed_write(&bed, 0, LAPIC_LVTT, 0x40);
	bed_pass(&bed, 1000);
	cr_expect(!interrupted(), "it was over before");
}

Test(lapic_model_timer, one_shot_and_periodic_change_while_counting)
{
	start(0, 1000);
	bed_pass(&bed, 400);
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	cr_expect_eq(count(), 600);
	bed_pass(&bed, 600);
	cr_expect(interrupted());
	cr_expect_eq(count(), 1000);
	bed_write(&bed, 0, LAPIC_LVTT, 0x40);
	bed_pass(&bed, 1000);
	cr_expect(interrupted());
	bed_pass(&bed, 1000);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, a_one_shot_that_is_over_does_not_start_by_becoming_periodic)
{
	start(0, 1000);
	bed_pass(&bed, 1000);
	cr_expect(interrupted());
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	bed_pass(&bed, 5000);
	cr_expect(!interrupted());
	cr_expect_eq(count(), 0);
}

Test(lapic_model_timer, into_and_out_of_deadline_mode_disarms)
{
	start(PERIODIC, 1000);
	bed_write(&bed, 0, LAPIC_LVTT, DEADLINE | 0x40);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TMICT), 0);
	bed_write(&bed, 0, LAPIC_TMICT, 55);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TMICT), 0, "ignored in this mode");
	set_deadline(tsc_now() + 1000);
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	cr_expect_eq(deadline(), 0);
	bed_pass(&bed, 10000);
	cr_expect(!interrupted());
	bed_write(&bed, 0, LAPIC_LVTT, DEADLINE | 0x40);
	cr_expect_eq(deadline(), 0, "it does not come back");
}

Test(lapic_model_timer, the_deadline_interrupts_once_and_clears_itself)
{
	start(DEADLINE, 0);
	set_deadline(tsc_now() + 2001);
	bed_pass(&bed, 1000);
	cr_expect(!interrupted());
	cr_expect_neq(deadline(), 0);
	bed_pass(&bed, 1);
	cr_expect(interrupted());
	cr_expect_eq(deadline(), 0);
	bed_pass(&bed, 10000);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, a_deadline_that_has_passed_interrupts_at_once)
{
	start(DEADLINE, 0);
	set_deadline(1);
	cr_expect(interrupted());
	cr_expect_eq(deadline(), 0);
}

Test(lapic_model_timer, a_deadline_of_zero_disarms)
{
	start(DEADLINE, 0);
	set_deadline(tsc_now() + 2000);
	set_deadline(0);
	bed_pass(&bed, 5000);
	cr_expect(!interrupted());
	cr_expect_eq(bed.armed_ns[0], LAPIC_MODEL_NEVER);
}

Test(lapic_model_timer, a_deadline_beyond_time_is_never)
{
	start(DEADLINE, 0);
	set_deadline(UINT64_MAX);
	cr_expect_gt(bed.armed_ns[0], bed.now_ns);
	cr_expect_eq(deadline(), UINT64_MAX);
}

Test(lapic_model_timer, deadline_msr_does_nothing_in_other_modes)
{
	start(0, 0);
	set_deadline(1);
	cr_expect_eq(deadline(), 0);
	bed_pass(&bed, 1000);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, a_masked_deadline_is_lost)
{
	start(DEADLINE | MASKED, 0);
	set_deadline(tsc_now() + 2000);
	bed_pass(&bed, 1000);
	cr_expect_eq(deadline(), 0);
	bed_write(&bed, 0, LAPIC_LVTT, DEADLINE | 0x40);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, the_deadline_follows_a_written_tsc)
{
	start(DEADLINE, 0);
	set_deadline(tsc_now() + 2000000);
	bed.tsc_offset += 1999000;
	lapic_model_tsc_changed(&bed.cpu[0]);
	bed_pass(&bed, 500);
	cr_expect(interrupted());
}

Test(lapic_model_timer, an_early_call_does_not_interrupt)
{
	start(DEADLINE, 0);
	set_deadline(tsc_now() + 2000);
	bed.now_ns += 999;
	lapic_model_timer(&bed.cpu[0]);
	cr_expect(!interrupted());
	cr_expect_eq(bed.armed_ns[0], bed.now_ns + 1, "armed again");
	start(0, 1000);
	bed.now_ns += 999;
	lapic_model_timer(&bed.cpu[0]);
	cr_expect(!interrupted());
	cr_expect_eq(bed.armed_ns[0], bed.now_ns + 1);
}

Test(lapic_model_timer, disabling_by_svr_masks_and_goes_on_counting)
{
	start(PERIODIC, 1000);
	bed_write(&bed, 0, LAPIC_SVR, 0xff);
	bed_pass(&bed, 2300);
	cr_expect_eq(count(), 700);
	bed_write(&bed, 0, LAPIC_SVR, 0x1ff);
	bed_pass(&bed, 700);
	cr_expect(!interrupted(), "still masked");
	bed_write(&bed, 0, LAPIC_LVTT, PERIODIC | 0x40);
	bed_pass(&bed, 1000);
	cr_expect(interrupted());
}

Test(lapic_model_timer, disabling_by_the_base_stops_it)
{
	start(PERIODIC, 1000);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], LAPIC_MSR_APIC_BASE, 0xfee00000), 0);
	cr_expect_eq(bed.armed_ns[0], LAPIC_MODEL_NEVER);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], LAPIC_MSR_APIC_BASE, 0xfee00800), 0);
	bed_pass(&bed, 5000);
	cr_expect_eq(count(), 0);
	cr_expect(!interrupted());
}

Test(lapic_model_timer, states_of_the_kernel_continue_by_their_count)
{
	struct lapic_state s;

	bed_init(&bed, 1);
	memset(&s, 0, sizeof(s));
	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	lapic_set_reg(&s, LAPIC_TDCR, 0xb);
	lapic_set_reg(&s, LAPIC_LVTT, PERIODIC | 0x40);
	lapic_set_reg(&s, LAPIC_TMICT, 1000);
	lapic_set_reg(&s, LAPIC_TMCCT, 250);
	cr_assert_eq(lapic_model_set(&bed.cpu[0], &s, NULL), 0);
	bed_pass(&bed, 250);
	cr_expect(interrupted());
	cr_expect_eq(count(), 1000);
	lapic_set_reg(&s, LAPIC_TMCCT, 0);
	cr_assert_eq(lapic_model_set(&bed.cpu[0], &s, NULL), 0);
	cr_expect_eq(count(), 1000, "periodic: a whole period");
	lapic_set_reg(&s, LAPIC_LVTT, 0x40);
	cr_assert_eq(lapic_model_set(&bed.cpu[0], &s, NULL), 0);
	bed_pass(&bed, 5000);
	cr_expect(!interrupted(), "one-shot: over");
}

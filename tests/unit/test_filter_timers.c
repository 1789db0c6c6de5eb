/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time: the TSC, kvmclock, the LAPIC timer, the PIT. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "apic/cpu.h"
#include "apic/pit.h"
#include "machine.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_timers, .fini = close_machine);

#define LVTT_PERIODIC 0x200ec
#define LVTT_ONE_SHOT 0x000ec
#define LVTT_MASKED 0x10000

Test(filter_timers, the_greatest_tsc_becomes_tcgs)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu[1].env.tsc", MACHINE_TSC + 1000);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "timer.cpu_ticks_offset", MACHINE_TSC + 1000);
	machine_expect(&m, "cpu[0].env.tsc", 0);
	machine_expect(&m, "cpu[1].env.tsc", 0);
	cr_expect(machine_entry(&m, "cpu[0].env.tsc")->cost == COST_APPROXIMATE);
	cr_expect(machine_entry(&m, "cpu[1].env.tsc")->cost == COST_LOSSLESS);
}

Test(filter_timers, tcgs_tsc_becomes_that_of_all_cpus)
{
	machine_init(&m, PROFILE_TCG, 2);
	cr_assert(!machine_convert(&m, "tcg", "kvm-split"));
	machine_expect(&m, "cpu[0].env.tsc", MACHINE_TSC);
	machine_expect(&m, "cpu[1].env.tsc", MACHINE_TSC);
}

Test(filter_timers, the_tsc_is_the_same_there_and_back)
{
	machine_init(&m, PROFILE_KVM, 2);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu[0].env.tsc", MACHINE_TSC);
	machine_expect(&m, "cpu[1].env.tsc", MACHINE_TSC);
}

Test(filter_timers, between_kvm_hosts_the_tsc_is_left_alone)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!machine_convert(&m, "kvm", "kvm-off"));
	machine_expect(&m, "cpu[0].env.tsc", MACHINE_TSC);
	machine_expect(&m, "timer.cpu_ticks_offset", 7777);
	machine_expect(&m, "kvmclock.clock", 9876543210);
}

Test(filter_timers, kvmclock_is_dropped_for_tcg_and_its_value_reported)
{
	const struct report_entry *e;

	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(!vms_find_section(m.tree.machine, "kvmclock", 0));
	e = machine_entry(&m, "kvmclock[0]");
	cr_assert(e && e->action == REPORT_DROPPED && e->cost == COST_LOSSLESS);
	cr_expect_str_eq(e->old_value, "0x24cb016ea");
}

Test(filter_timers, kvmclock_comes_back_for_a_guest_that_uses_it)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.system_time_msr", 0x6a01001);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "kvmclock[0]")->cost == COST_APPROXIMATE);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_assert(vms_find_section(m.tree.machine, "kvmclock", 0) != NULL);
	cr_expect(machine_entry(&m, "kvmclock[0]")->action == REPORT_SYNTHESISED);
	cr_expect(!vms_lookup(m.tree.machine, "kvmclock.kvmclock/clock_is_reliable"));
}

Test(filter_timers, no_kvmclock_is_added_for_a_guest_that_does_not_use_it)
{
	machine_init(&m, PROFILE_TCG, 1);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_expect(!vms_find_section(m.tree.machine, "kvmclock", 0));
	cr_expect(machine_entry(&m, "kvmclock")->action == REPORT_KEPT);
}

/* 1000 ticks of 16 ns, loaded at the moment of the save. */
static void kernel_timer(uint32_t lvtt)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "apic[0].lvt[0]", lvtt);
	machine_set(&m, "apic[0].divide_conf", 3);
	machine_set(&m, "apic[0].count_shift", 4);
	machine_set(&m, "apic[0].initial_count", 1000);
}

Test(filter_timers, a_kernel_timer_goes_on_one_period_after_the_save)
{
	kernel_timer(LVTT_PERIODIC);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].initial_count_load_time", MACHINE_NOW);
	machine_expect(&m, "apic[0].timer_expiry", MACHINE_NOW + 1001 * 16);
	machine_expect(&m, "apic[0].next_time", MACHINE_NOW + 1001 * 16);
	cr_expect(machine_entry(&m, "apic[0].initial_count")->cost == COST_APPROXIMATE);
}

Test(filter_timers, a_one_shot_of_the_kernel_without_its_count_fires_at_once_and_once_only)
{
	int64_t load;

	kernel_timer(LVTT_ONE_SHOT);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].timer_expiry", MACHINE_NOW);
	machine_expect(&m, "apic[0].next_time", MACHINE_NOW);
	machine_expect(&m, "apic[0].initial_count", 1000);
	cr_expect(machine_entry(&m, "apic[0].timer_expiry")->cost == COST_APPROXIMATE);
	/* QEMU 7.2 hw/intc/apic_common.c, apic_next_timer(): no next time once so many ticks have passed. */
	load = (int64_t)machine_get(&m, "apic[0].initial_count_load_time");
	cr_expect_geq((MACHINE_NOW - load) >> 4, 1000);
}

Test(filter_timers, a_masked_timer_has_no_expiry)
{
	kernel_timer(LVTT_PERIODIC | LVTT_MASKED);
	machine_set(&m, "apic[0].timer_expiry", MACHINE_NOW + 16016);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].timer_expiry", -1);
	cr_expect(machine_entry(&m, "apic[0].initial_count") == NULL);
}

Test(filter_timers, a_kernel_timer_with_a_known_phase_keeps_it)
{
	kernel_timer(LVTT_PERIODIC);
	machine_set(&m, "apic[0].initial_count_load_time", MACHINE_NOW - 5 * 16000 - 4000);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].timer_expiry", MACHINE_NOW + 12000);
}

Test(filter_timers, an_idle_timer_is_left_alone)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].timer_expiry", -1);
	cr_expect(machine_entry(&m, "apic[0].timer_expiry") == NULL);
}

/* The same timer in user space, loaded 6 us before the save. */
static void user_timer(uint32_t lvtt, uint64_t expiry)
{
	machine_init(&m, PROFILE_TCG, 1);
	machine_set(&m, "apic[0].lvt[0]", lvtt);
	machine_set(&m, "apic[0].divide_conf", 3);
	machine_set(&m, "apic[0].count_shift", 4);
	machine_set(&m, "apic[0].initial_count", 1000);
	machine_set(&m, "apic[0].initial_count_load_time", MACHINE_NOW - 6000);
	machine_set(&m, "apic[0].next_time", expiry);
	machine_set(&m, "apic[0].timer_expiry", expiry);
}

Test(filter_timers, a_one_shot_counts_what_is_left_in_the_kernel)
{
	user_timer(LVTT_ONE_SHOT, MACHINE_NOW + 10016);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[0].initial_count", 626);
	machine_expect(&m, "apic[0].initial_count_load_time", MACHINE_NOW);
	machine_expect(&m, "apic[0].irr[7]", 0);
}

Test(filter_timers, a_one_shot_that_has_fired_does_not_fire_again_in_the_kernel)
{
	user_timer(LVTT_ONE_SHOT, (uint64_t)-1);
	machine_set(&m, "apic[0].initial_count_load_time", MACHINE_NOW - 1000000);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[0].initial_count", 0);
	machine_expect(&m, "apic[0].timer_expiry", -1);
	machine_expect(&m, "apic[0].irr[7]", 0);
}

Test(filter_timers, a_timer_that_is_due_raises_its_interrupt_for_the_kernel)
{
	static const uint32_t modes[] = { LVTT_PERIODIC, LVTT_ONE_SHOT };

	for (size_t i = 0; i < 2; i++) {
		user_timer(modes[i], MACHINE_NOW - 10);
		machine_set(&m, "apic[0].initial_count_load_time", MACHINE_NOW - 10 - 16016);
		cr_assert(!machine_convert(&m, "tcg", "kvm"));
		machine_expect(&m, "apic[0].irr[7]", 1 << 12);
		machine_expect(&m, "apic[0].initial_count", i ? 0 : 1000);
		if (!i)
			machine_deinit(&m);
	}
}

Test(filter_timers, a_masked_timer_that_is_due_raises_nothing)
{
	user_timer(LVTT_PERIODIC | LVTT_MASKED, MACHINE_NOW - 10);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[0].irr[7]", 0);
}

Test(filter_timers, a_periodic_timer_starts_a_period_in_the_kernel)
{
	user_timer(LVTT_PERIODIC, MACHINE_NOW + 10016);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[0].initial_count", 1000);
	cr_expect(machine_entry(&m, "apic[0].initial_count")->cost == COST_APPROXIMATE);
}

Test(filter_timers, between_user_space_hosts_a_timer_keeps_its_phase)
{
	user_timer(LVTT_PERIODIC, MACHINE_NOW + 10016);
	cr_assert(!machine_convert(&m, "tcg", "kvm-off"));
	machine_expect(&m, "apic[0].timer_expiry", MACHINE_NOW + 10016);
	machine_expect(&m, "apic[0].initial_count_load_time", MACHINE_NOW - 6000);
}

Test(filter_timers, old_edges_of_a_timer_come_as_one)
{
	user_timer(LVTT_PERIODIC, MACHINE_NOW - 100 * 16016 - 7);
	cr_assert(!machine_convert(&m, "tcg", "kvm-off"));
	machine_expect(&m, "apic[0].timer_expiry", MACHINE_NOW - 7);
	machine_expect(&m, "apic[0].next_time", MACHINE_NOW - 7);
}

Test(filter_timers, an_armed_one_shot_is_the_same_there_and_back)
{
	kernel_timer(LVTT_ONE_SHOT);
	machine_set(&m, "apic[0].next_time", MACHINE_NOW + 16016);
	machine_set(&m, "apic[0].timer_expiry", MACHINE_NOW + 16016);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[0].initial_count", 1000);
	machine_expect(&m, "apic[0].initial_count_load_time", MACHINE_NOW);
}

static const int64_t pit_period = INT64_C(0x10000) * 1000000000 / 1193182;

Test(filter_timers, a_kernel_pit_ticks_half_a_period_later)
{
	static const char *const targets[] = { "kvm-split", "kvm-off", "tcg" };

	for (size_t i = 0; i < 3; i++) {
		int64_t next;

		machine_init(&m, PROFILE_KVM, 1);
		cr_assert(!machine_convert(&m, "kvm", targets[i]));
		next = (int64_t)machine_get(&m, "i8254.channels[0].next_transition_time");
		cr_expect(next > MACHINE_NOW + pit_period / 2 - 1000 &&
			  next < MACHINE_NOW + pit_period / 2 + 1000);
		machine_expect(&m, "i8254.channels[0].count_load_time", MACHINE_NOW - pit_period / 2);
		cr_expect((int64_t)vms_get_or(vms_lookup(m.tree.machine, "i8254.channels[0]"),
					      "next_transition_time", 0) == next);
		cr_expect(machine_entry(&m, "i8254[0].channels[0].count_load_time")->cost ==
			  COST_APPROXIMATE);
		if (i < 2)
			machine_deinit(&m);
	}
}

Test(filter_timers, a_single_count_of_a_kernel_pit_starts_again)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "i8254.channels[0].mode", 0);
	machine_set(&m, "i8254.channels[0].count", 0x1000);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "i8254.channels[0].count_load_time", MACHINE_NOW);
	cr_expect((int64_t)machine_get(&m, "i8254.channels[0].next_transition_time") >
		  MACHINE_NOW + INT64_C(0xfff) * 1000000000 / 1193182);
}

Test(filter_timers, a_pit_that_the_hpet_replaced_stays_silent)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "i8254.channels[0].irq_disabled", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "i8254.channels[0].next_transition_time", -1);
	machine_expect(&m, "i8254.channels[0].irq_disabled", 1);
}

Test(filter_timers, between_user_space_hosts_the_pit_keeps_its_phase)
{
	machine_init(&m, PROFILE_KVM_SPLIT, 1);
	cr_assert(!machine_convert(&m, "kvm-split", "tcg"));
	machine_expect(&m, "i8254.channels[0].next_transition_time", MACHINE_NOW + 20000000);
	machine_expect(&m, "i8254.channels[0].count_load_time", 18514468);
}

Test(filter_timers, old_edges_of_the_pit_come_as_one)
{
	int64_t next;

	machine_init(&m, PROFILE_TCG, 1);
	machine_set(&m, "i8254.channels[0].next_transition_time", 500000000);
	cr_assert(!machine_convert(&m, "tcg", "kvm-split"));
	next = (int64_t)machine_get(&m, "i8254.channels[0].next_transition_time");
	cr_expect(next <= MACHINE_NOW && next > MACHINE_NOW - pit_period);
}

Test(filter_timers, the_pit_of_the_kernel_finds_its_line_low)
{
	machine_init(&m, PROFILE_TCG, 1);
	machine_set(&m, "i8259[0].last_irr", 0x07);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "i8259[0].last_irr", 0x02);
	cr_expect(machine_entry(&m, "i8254[0].channels[0].count_load_time")->cost == COST_APPROXIMATE);
	machine_deinit(&m);
	machine_init(&m, PROFILE_TCG, 1);
	machine_set(&m, "i8259[0].last_irr", 0x01);
	machine_set(&m, "i8254.channels[0].irq_disabled", 1);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "i8259[0].last_irr", 0x01);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU state that a target cannot hold, and what only KVM can go on with. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/cpu.h"
#include "apic/pic.h"
#include "machine.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_cpu, .fini = close_machine);

static void with_value(enum profile_kind kind, const char *path, uint64_t value)
{
	machine_init(&m, kind, 1);
	machine_set(&m, path, value);
}

Test(filter_cpu, x2apic_mode_is_refused_where_there_is_none)
{
	static const struct {
		const char *to;
		bool refused;
	} cases[] = {
		{ "tcg", true },
		{ "tcg@qemu-8.2", true },
		{ "kvm-off", true },
		{ "tcg@qemu-9.0", false },
		{ "tcg@qemu-10.0", false },
		{ "kvm-split", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		with_value(PROFILE_KVM, "apic[0].apicbase", 0xfee00d00);
		if (cases[i].refused)
			cr_expect(machine_refuses(&m, "kvm", cases[i].to, "apic[0].apicbase", COST_FATAL),
				  "%s", cases[i].to);
		else
			cr_expect(!machine_convert(&m, "kvm", cases[i].to), "%s: %s", cases[i].to,
				  m.err.text);
		machine_deinit(&m);
	}
	machine_init(&m, PROFILE_TCG, 1);
}

Test(filter_cpu, x2apic_mode_is_refused_by_an_older_tcg_and_the_machine_stays_as_it_is)
{
	char *before, *after;

	with_value(PROFILE_TCG, "apic[0].apicbase", 0xfee00d00);
	before = machine_text(&m);
	cr_expect(machine_refuses(&m, "tcg@qemu-10.0", "tcg@qemu-7.2", "apic[0].apicbase", COST_FATAL));
	after = machine_text(&m);
	cr_expect_str_eq(before, after);
	free(before);
	free(after);
}

Test(filter_cpu, a_timer_in_tsc_deadline_mode_is_refused_where_there_is_none)
{
	static const char *const without[] = { "tcg", "tcg@qemu-10.0", "kvm-off" };

	for (size_t i = 0; i < 3; i++) {
		with_value(PROFILE_KVM, "apic[0].lvt[0]", 0x400ec);
		cr_expect(machine_refuses(&m, "kvm", without[i], "apic[0].lvt[0]", COST_FATAL), "%s",
			  without[i]);
		machine_deinit(&m);
	}
	with_value(PROFILE_KVM, "apic[0].lvt[0]", 0x400ec);
	cr_expect(!machine_convert(&m, "kvm", "kvm-split"));
}

Test(filter_cpu, a_stale_deadline_is_only_reported)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/msr_tscdeadline", 123456);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "cpu[0].cpu/msr_tscdeadline")->cost == COST_LOSSLESS);
}

Test(filter_cpu, kvm_off_is_gone_in_qemu_10)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_expect(machine_refuses(&m, "kvm", "kvm-off@qemu-10.0", "machine", COST_FATAL));
}

Test(filter_cpu, each_bit_that_tcg_has_not_is_named)
{
	static const struct {
		const char *field, *name;
		unsigned int bit;
	} bits[] = {
		{ "env.cr[4]", "CR4.VMXE", 13 },
		{ "env.cr[4]", "CR4.PCIDE", 17 },
		{ "env.cr[4]", "CR4.CET", 23 },
		{ "env.xcr0", "XCR0.OPMASK", 5 },
		{ "env.xcr0", "XCR0.XTILEDATA", 18 },
		{ "env.efer", "EFER.LMSLE", 13 },
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "cpu[0].%s", bits[i].field);
		machine_init(&m, PROFILE_KVM, 1);
		machine_set(&m, path, machine_get(&m, path) | UINT64_C(1) << bits[i].bit);
		cr_expect(machine_refuses(&m, "kvm", "tcg@qemu-10.0", path, COST_FATAL), "%s", bits[i].name);
		cr_expect(strstr(machine_entry(&m, path)->why, bits[i].name), "%s", bits[i].name);
		machine_deinit(&m);
	}
	with_value(PROFILE_KVM, "cpu[0].env.xcr0", 0xe7);
	cr_expect(!machine_convert(&m, "kvm", "kvm-split"));
}

Test(filter_cpu, bits_that_tcg_has_pass)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.cr[4]", 0x3506f0);
	machine_set(&m, "cpu[0].env.xcr0", 0x21f);
	machine_set(&m, "cpu[0].env.efer", 0x1d01);
	machine_set(&m, "cpu[0].env.xcr0", 0x207);
	cr_expect(!machine_convert(&m, "kvm", "tcg"), "%s", m.err.text);
}

#define CR4_UMIP (1 << 11)
#define CR4_OSXSAVE (1 << 18)
#define CR4_SMAP (1 << 21)
#define HFLAGS 0x40c2b0

Test(filter_cpu, hflags_follow_from_cr4_and_xcr0_for_tcg)
{
	static const struct {
		uint64_t cr4, xcr0, hflags;
	} cases[] = {
		{ 0x6b0, 7, HFLAGS },
		{ CR4_OSXSAVE, 3, HFLAGS },
		{ CR4_OSXSAVE, 7, HFLAGS | CPU_HF_AVX_EN },
		{ CR4_SMAP, 1, HFLAGS | CPU_HF_SMAP },
		{ CR4_UMIP, 1, HFLAGS | CPU_HF_UMIP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine_init(&m, PROFILE_KVM, 1);
		machine_set(&m, "cpu[0].env.cr[4]", cases[i].cr4);
		machine_set(&m, "cpu[0].env.xcr0", cases[i].xcr0);
		cr_assert(!machine_convert(&m, "kvm", "tcg"));
		machine_expect(&m, "cpu[0].env.hflags", cases[i].hflags);
		cr_assert(!machine_convert(&m, "tcg", "kvm"));
		machine_expect(&m, "cpu[0].env.hflags", HFLAGS);
		machine_deinit(&m);
	}
	machine_init(&m, PROFILE_TCG, 1);
}

Test(filter_cpu, an_interrupt_shadow_is_reported)
{
	with_value(PROFILE_TCG, "cpu[0].env.hflags", HFLAGS | CPU_HF_INHIBIT_IRQ);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_expect(machine_entry(&m, "cpu[0].env.hflags")->cost == COST_APPROXIMATE);
}

Test(filter_cpu, nested_guests_are_refused)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/nested_state", 0);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].cpu/nested_state", COST_FATAL));
	machine_deinit(&m);
	with_value(PROFILE_TCG, "cpu[0].env.hflags", HFLAGS | CPU_HF_GUEST);
	cr_expect(machine_refuses(&m, "tcg", "kvm", "cpu[0].env.hflags", COST_FATAL));
	machine_deinit(&m);
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/exception_info", 1);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].cpu/exception_info", COST_FATAL));
}

Test(filter_cpu, services_of_kvm_in_use_cost_what_the_guest_loses)
{
	static const struct {
		const char *name, *field;
		uint64_t on;
		enum report_cost cost;
	} cases[] = {
		{ "cpu/async_pf_msr", "env.async_pf_en_msr", 0x1009, COST_LOSSY },
		{ "cpu/async_pv_eoi_msr", "env.pv_eoi_en_msr", 0x1001, COST_LOSSLESS },
		{ "cpu/steal_time_msr", "env.steal_time_msr", 0x1001, COST_APPROXIMATE },
		{ "cpu/msr_hyperv_vapic", "env.msr_hv_vapic", 1, COST_FATAL },
		{ "cpu/msr_hyperv_time", "env.msr_hv_tsc", 1, COST_APPROXIMATE },
		{ "cpu/msr_hyperv_synic", "env.msr_hv_synic_control", 1, COST_FATAL },
		{ "cpu/msr_tsc_adjust", "env.tsc_adjust", 99, COST_APPROXIMATE },
		{ "cpu/xss", "env.xss", 1 << 8, COST_FATAL },
		{ "cpu/triple_fault", "env.triple_fault_pending", 1, COST_LOSSY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct report_entry *e;
		char path[128];
		int rc;

		snprintf(path, sizeof(path), "cpu[0].%s.%s", cases[i].name, cases[i].field);
		machine_init(&m, PROFILE_KVM, 1);
		machine_add_cpu(&m, cases[i].name, cases[i].on);
		rc = machine_convert(&m, "kvm", "tcg");
		e = machine_entry(&m, path);
		cr_assert(e != NULL, "nothing about %s", path);
		cr_expect(e->cost == cases[i].cost && rc == (e->cost > COST_APPROXIMATE ? -EOPNOTSUPP : 0),
			  "%s", path);
		cr_expect(e->action == (rc ? REPORT_REFUSED : REPORT_KEPT), "%s", path);
		machine_deinit(&m);
		machine_init(&m, PROFILE_KVM, 1);
		machine_add_cpu(&m, cases[i].name, 0);
		cr_expect(!machine_convert(&m, "kvm", "tcg"), "%s: off, and refused: %s", path, m.err.text);
		machine_deinit(&m);
	}
	machine_init(&m, PROFILE_TCG, 1);
}

Test(filter_cpu, a_hyperv_timer_is_found_at_any_place)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/msr_hyperv_stimer", 0);
	machine_set(&m, "cpu[0].cpu/msr_hyperv_stimer.env.msr_hv_stimer_config[3]", 0x11);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].cpu/msr_hyperv_stimer", COST_FATAL));
	cr_expect(!machine_convert(&m, "kvm", "kvm-split"));
}

Test(filter_cpu, hypercalls_of_a_guest_on_several_cpus_are_warned_of)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu[0].env.system_time_msr", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "cpu[0].env.system_time_msr") == NULL);
	machine_deinit(&m);
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu[1].env.system_time_msr", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(strstr(machine_entry(&m, "cpu[1].env.system_time_msr")->why, "kvm-pv-ipi=off"));
}

Test(filter_cpu, poll_control_of_tcg_does_not_reach_kvm)
{
	machine_init(&m, PROFILE_TCG, 1);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_expect(!vms_lookup(m.tree.machine, "cpu[0].cpu/poll_control_msr"));
	cr_expect(machine_entry(&m, "cpu[0].cpu/poll_control_msr")->action == REPORT_DROPPED);
}

Test(filter_cpu, unknown_subsections_are_reported)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(
		vms_add_subsection(&m.tree, vms_find_section(m.tree.machine, "cpu", 0), "cpu/new_thing", 1));
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "cpu[0].cpu/new_thing")->cost == COST_APPROXIMATE);
}

Test(filter_cpu, an_instruction_clock_is_refused_by_kvm)
{
	machine_init(&m, PROFILE_TCG, 1);
	cr_assert(
		vms_add_subsection(&m.tree, vms_find_section(m.tree.machine, "timer", 0), "timer/icount", 1));
	cr_expect(machine_refuses(&m, "tcg", "kvm", "timer[0].timer/icount", COST_FATAL));
}

Test(filter_cpu, a_subsection_that_an_older_qemu_refuses_is_lossy_to_drop)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(machine_add(&m, "i8259", 0, pic_vms_desc.subsections[0]));
	cr_expect(machine_refuses(&m, "kvm@qemu-10.0", "tcg@qemu-7.2", "i8259[0].i8259/ltim", COST_LOSSY));
	machine_deinit(&m);
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(machine_add(&m, "i8259", 0, pic_vms_desc.subsections[0]));
	cr_expect(!machine_convert_allow(&m, "kvm@qemu-10.0", "tcg@qemu-7.2", COST_LOSSY));
	cr_expect(!vms_lookup(m.tree.machine, "i8259[0].i8259/ltim"));
}

Test(filter_cpu, a_subsection_that_the_target_knows_stays)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(machine_add(&m, "i8259", 0, pic_vms_desc.subsections[0]));
	cr_expect(!machine_convert(&m, "kvm@qemu-10.0", "tcg@qemu-10.0"));
	cr_expect(vms_lookup(m.tree.machine, "i8259[0].i8259/ltim"));
}

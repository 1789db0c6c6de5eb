/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events on their way to a CPU: acknowledged interrupts, exceptions, NMI, requests, run states. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "apic/cpu.h"
#include "machine.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_events, .fini = close_machine);

/* Vector 0x51 is bit 17 of word 2. */
#define WORD_51 "[2]"
#define BIT_51 (1 << 17)

static void inject_from_lapic(enum profile_kind kind)
{
	machine_init(&m, kind, 1);
	machine_set(&m, "cpu[0].env.interrupt_injected", 0x51);
	machine_set(&m, "apic[0].isr" WORD_51, BIT_51);
	machine_set(&m, "apic[0].isr[1]", 2);
}

Test(filter_events, an_injected_vector_goes_back_into_irr_for_tcg)
{
	static const enum profile_kind kinds[] = { PROFILE_KVM, PROFILE_KVM_SPLIT, PROFILE_KVM_OFF };
	static const char *const names[] = { "kvm", "kvm-split", "kvm-off" };

	for (size_t i = 0; i < 3; i++) {
		inject_from_lapic(kinds[i]);
		cr_assert(!machine_convert(&m, names[i], "tcg"));
		machine_expect(&m, "cpu[0].env.interrupt_injected", -1);
		machine_expect(&m, "apic[0].isr" WORD_51, 0);
		machine_expect(&m, "apic[0].irr" WORD_51, BIT_51);
		machine_expect(&m, "apic[0].isr[1]", 2);
		machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
		if (i < 2)
			machine_deinit(&m);
	}
}

Test(filter_events, an_injected_vector_stays_with_the_cpu_under_kvm)
{
	static const char *const names[] = { "kvm-split", "kvm-off" };

	for (size_t i = 0; i < 2; i++) {
		inject_from_lapic(PROFILE_KVM);
		cr_assert(!machine_convert(&m, "kvm", names[i]));
		machine_expect(&m, "cpu[0].env.interrupt_injected", 0x51);
		machine_expect(&m, "apic[0].isr" WORD_51, BIT_51);
		machine_expect(&m, "apic[0].irr" WORD_51, 0);
		if (!i)
			machine_deinit(&m);
	}
}

Test(filter_events, an_injected_pic_vector_goes_back_into_the_slave)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.interrupt_injected", 0x38 + 6);
	machine_set(&m, "i8259[1].isr", 1 << 6);
	machine_set(&m, "i8259[0].isr", 1 << 2);
	machine_set(&m, "apic[0].lvt[3]", 0x700);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "i8259[1].isr", 0);
	machine_expect(&m, "i8259[1].irr", 1 << 6);
	machine_expect(&m, "i8259[0].isr", 0);
	machine_expect(&m, "i8259[0].irr", 1 << 2);
	machine_expect(&m, "i8259[0].last_irr", 1 << 2);
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
}

Test(filter_events, a_pic_that_ends_interrupts_itself_asks_again)
{
	machine_init(&m, PROFILE_KVM_SPLIT, 1);
	machine_set(&m, "cpu[0].env.interrupt_injected", 0x31);
	machine_set(&m, "i8259[0].auto_eoi", 1);
	cr_assert(!machine_convert(&m, "kvm-split", "tcg"));
	machine_expect(&m, "i8259[0].irr", 2);
	machine_expect(&m, "cpu[0].env.interrupt_injected", -1);
}

Test(filter_events, a_vector_of_nobody_would_be_lost)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.interrupt_injected", 0x51);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].env.interrupt_injected", COST_LOSSY));
}

Test(filter_events, a_vector_below_the_one_in_service_was_not_injected_by_the_lapic)
{
	inject_from_lapic(PROFILE_KVM);
	machine_set(&m, "apic[0].isr[3]", 1);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].env.interrupt_injected", COST_LOSSY));
	machine_expect(&m, "apic[0].isr" WORD_51, BIT_51);
}

Test(filter_events, a_soft_interrupt_is_not_put_into_a_controller)
{
	inject_from_lapic(PROFILE_KVM);
	machine_set(&m, "cpu[0].env.soft_interrupt", 1);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].env.interrupt_injected", COST_LOSSY));
	machine_expect(&m, "apic[0].irr" WORD_51, 0);
	machine_expect(&m, "apic[0].isr" WORD_51, BIT_51);
}

Test(filter_events, a_number_that_is_no_vector_is_malformed)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.interrupt_injected", 256);
	cr_expect(machine_convert(&m, "kvm", "tcg") == -EBADMSG);
	cr_expect(m.err.status == IRQS_MALFORMED);
}

Test(filter_events, nothing_injected_is_nothing_to_do)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "cpu[0].env.interrupt_injected") == NULL);
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, a_fault_happens_again_under_tcg)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.exception_nr", 14);
	machine_set(&m, "cpu[0].env.has_error_code", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu[0].env.exception_nr", -1);
	machine_expect(&m, "cpu[0].env.has_error_code", 0);
	cr_expect(!vms_lookup(m.tree.machine, "cpu_common[0].cpu_common/exception_index"));
}

Test(filter_events, a_debug_trap_is_carried_there_and_back)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.exception_nr", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu[0].env.exception_nr", -1);
	machine_expect(&m, "cpu_common[0].cpu_common/exception_index.exception_index", 1);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu[0].env.exception_nr", 1);
	machine_expect(&m, "cpu[0].env.has_error_code", 0);
	cr_expect(!vms_lookup(m.tree.machine, "cpu_common[0].cpu_common/exception_index"));
}

Test(filter_events, an_exception_that_nothing_repeats_is_lossy)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.exception_nr", 30);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[0].env.exception_nr", COST_LOSSY));
}

Test(filter_events, a_pending_nmi_wakes_a_cpu_of_tcg)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.nmi_pending", 1);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu[0].env.nmi_pending", 0);
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_NMI);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu[0].env.nmi_pending", 1);
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, an_injected_nmi_is_not_being_served_yet)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.nmi_injected", 1);
	machine_set(&m, "cpu[0].env.hflags2", 0x105);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu[0].env.nmi_injected", 0);
	machine_expect(&m, "cpu[0].env.hflags2", 0x101);
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_NMI);
}

Test(filter_events, an_nmi_in_service_stays_in_service)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.hflags2", 0x105);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu[0].env.hflags2", 0x105);
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, smi_and_init_are_the_same_on_both_sides)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_SMI | CPU_INTERRUPT_INIT);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_SMI | CPU_INTERRUPT_INIT);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_SMI | CPU_INTERRUPT_INIT);
}

Test(filter_events, only_a_vector_above_the_priority_is_a_request)
{
	static const struct {
		uint8_t tpr;
		uint32_t spiv;
		uint64_t request;
	} cases[] = {
		{ 0x00, 0x1ff, CPU_INTERRUPT_HARD },
		{ 0x40, 0x1ff, CPU_INTERRUPT_HARD },
		{ 0x50, 0x1ff, 0 },
		{ 0x00, 0x0ff, 0 },
	};

	for (size_t i = 0; i < 4; i++) {
		machine_init(&m, PROFILE_KVM, 1);
		machine_set(&m, "apic[0].irr" WORD_51, BIT_51);
		machine_set(&m, "apic[0].tpr", cases[i].tpr);
		machine_set(&m, "apic[0].spurious_vec", cases[i].spiv);
		cr_assert(!machine_convert(&m, "kvm", "tcg"));
		machine_expect(&m, "cpu_common[0].interrupt_request", cases[i].request);
		if (i < 3)
			machine_deinit(&m);
	}
}

static void pic_asks(enum profile_kind kind, uint32_t lint0)
{
	machine_init(&m, kind, 2);
	machine_set(&m, "i8259[0].irr", 2);
	machine_set(&m, "apic[0].lvt[3]", lint0);
}

Test(filter_events, the_pic_is_a_request_where_lint0_takes_it)
{
	pic_asks(PROFILE_KVM, 0x700);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
	machine_expect(&m, "cpu_common[1].interrupt_request", 0);
	machine_deinit(&m);
	pic_asks(PROFILE_KVM, 0x10700);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, the_pic_of_a_split_irqchip_is_a_request_of_the_first_cpu)
{
	pic_asks(PROFILE_KVM, 0x700);
	cr_assert(!machine_convert(&m, "kvm", "kvm-split"));
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
	machine_expect(&m, "cpu_common[1].interrupt_request", 0);
	cr_assert(!machine_convert(&m, "kvm-split", "kvm"));
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, a_halted_cpu_wakes_for_the_pic_of_a_split_irqchip)
{
	pic_asks(PROFILE_TCG, 0x700);
	machine_set(&m, "cpu_common[0].halted", 1);
	cr_assert(!machine_convert(&m, "tcg", "kvm-split"));
	machine_expect(&m, "cpu[0].env.mp_state", LAPIC_MP_RUNNABLE);
	machine_expect(&m, "cpu_common[0].halted", 0);
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
	machine_deinit(&m);
	pic_asks(PROFILE_KVM, 0x700);
	machine_set(&m, "cpu[0].env.mp_state", LAPIC_MP_HALTED);
	machine_set(&m, "cpu_common[0].halted", 1);
	cr_assert(!machine_convert(&m, "kvm", "kvm-split"));
	machine_expect(&m, "cpu[0].env.mp_state", LAPIC_MP_RUNNABLE);
	machine_deinit(&m);
	pic_asks(PROFILE_KVM, 0x700);
	machine_set(&m, "cpu[0].env.mp_state", LAPIC_MP_HALTED);
	machine_set(&m, "cpu_common[0].halted", 1);
	machine_set(&m, "cpu[0].env.eflags", 0x46);
	cr_assert(!machine_convert(&m, "kvm", "kvm-split"));
	machine_expect(&m, "cpu[0].env.mp_state", LAPIC_MP_HALTED);
}

Test(filter_events, stale_requests_do_not_reach_the_kernel)
{
	machine_init(&m, PROFILE_TCG, 1);
	machine_set(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD | CPU_INTERRUPT_POLL | 4);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu_common[0].interrupt_request", 0);
}

Test(filter_events, a_halted_cpu_stays_halted_there_and_back)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "apic[1].irr" WORD_51, BIT_51);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu_common[1].halted", 1);
	machine_expect(&m, "cpu[1].env.mp_state", 0);
	machine_expect(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_HARD);
	machine_expect(&m, "cpu_common[0].halted", 0);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "cpu_common[1].halted", 1);
	machine_expect(&m, "cpu[1].env.mp_state", LAPIC_MP_HALTED);
	machine_expect(&m, "cpu[0].env.mp_state", LAPIC_MP_RUNNABLE);
}

Test(filter_events, a_cpu_that_never_started_waits_for_its_start_up_ipi)
{
	for (unsigned int state = LAPIC_MP_UNINITIALIZED; state <= LAPIC_MP_INIT_RECEIVED; state++) {
		machine_init(&m, PROFILE_KVM, 2);
		machine_set(&m, "cpu[1].env.mp_state", state);
		machine_set(&m, "cpu_common[1].halted", 0);
		cr_assert(!machine_convert(&m, "kvm", "tcg"));
		machine_expect(&m, "cpu_common[1].halted", 1);
		machine_expect(&m, "apic[1].apic_sipi.wait_for_sipi", 1);
		machine_expect(&m, "cpu[1].env.mp_state", 0);
		cr_expect(!vms_lookup(m.tree.machine, "apic[0].apic_sipi"));
		cr_assert(!machine_convert(&m, "tcg", "kvm"));
		machine_expect(&m, "cpu[1].env.mp_state", LAPIC_MP_INIT_RECEIVED);
		machine_expect(&m, "cpu_common[1].halted", 0);
		cr_expect(!vms_lookup(m.tree.machine, "apic[1].apic_sipi"));
		if (state == LAPIC_MP_UNINITIALIZED)
			machine_deinit(&m);
	}
}

Test(filter_events, a_start_up_ipi_on_its_way_arrives)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu[1].env.mp_state", LAPIC_MP_SIPI_RECEIVED);
	machine_set(&m, "cpu[1].env.sipi_vector", 0x9a);
	cr_assert(!machine_convert(&m, "kvm", "kvm-off"));
	machine_expect(&m, "apic[1].apic_sipi.sipi_vector", 0x9a);
	machine_expect(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_SIPI);
	machine_expect(&m, "cpu_common[1].halted", 1);
	cr_assert(!machine_convert(&m, "kvm-off", "kvm"));
	machine_expect(&m, "cpu[1].env.mp_state", LAPIC_MP_SIPI_RECEIVED);
	machine_expect(&m, "cpu[1].env.sipi_vector", 0x9a);
	machine_expect(&m, "cpu_common[1].interrupt_request", 0);
}

Test(filter_events, a_run_state_that_only_kvm_has_is_refused)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "cpu[1].env.mp_state", 9);
	cr_expect(machine_refuses(&m, "kvm", "tcg", "cpu[1].env.mp_state", COST_FATAL));
}

Test(filter_events, a_start_up_ipi_that_nobody_waits_for_is_forgotten)
{
	machine_init(&m, PROFILE_KVM_OFF, 2);
	machine_set(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_SIPI);
	cr_assert(!machine_convert(&m, "kvm-off", "tcg"));
	machine_expect(&m, "cpu_common[1].interrupt_request", 0);
}

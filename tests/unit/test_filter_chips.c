/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IOAPIC's pins, the wires of the PICs, directed EOI, and what the guest sees differ. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "apic/cpu.h"
#include "apic/ioapic.h"
#include "machine.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_chips, .fini = close_machine);

#define DEST(id) ((uint64_t)(id) << 56)

/* Pin 9 asks; vector 0x21 is bit 1 of word 1. */
static void pin_asks(enum profile_kind kind, uint64_t rte)
{
	machine_init(&m, kind, 2);
	machine_set(&m, "ioapic.irr", 1 << 9);
	machine_set(&m, "ioapic.ioredtbl[9]", rte);
}

Test(filter_chips, a_pending_level_pin_is_delivered_to_its_cpu)
{
	static const char *const targets[] = { "kvm-split", "kvm-off", "tcg" };

	for (size_t i = 0; i < 3; i++) {
		pin_asks(PROFILE_KVM, DEST(1) | IOAPIC_RTE_LEVEL | 0x21);
		cr_assert(!machine_convert(&m, "kvm", targets[i]));
		machine_expect(&m, "apic[1].irr[1]", 2);
		machine_expect(&m, "apic[1].tmr[1]", 2);
		machine_expect(&m, "apic[0].irr[1]", 0);
		machine_expect(&m, "ioapic.ioredtbl[9]",
			       DEST(1) | IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
		machine_expect(&m, "ioapic.irr", 1 << 9);
		machine_expect(&m, "cpu_common[1].interrupt_request", i ? CPU_INTERRUPT_HARD : 0);
		if (i < 2)
			machine_deinit(&m);
	}
}

Test(filter_chips, a_pending_edge_is_delivered_once)
{
	pin_asks(PROFILE_KVM, DEST(0) | 0x21);
	machine_set(&m, "apic[0].tmr[1]", 2);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].irr[1]", 2);
	machine_expect(&m, "apic[0].tmr[1]", 0);
	machine_expect(&m, "ioapic.irr", 0);
	machine_expect(&m, "ioapic.ioredtbl[9]", 0x21);
	machine_set(&m, "apic[0].irr[1]", 0);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].irr[1]", 0);
}

Test(filter_chips, pins_that_are_masked_or_in_service_are_not_delivered)
{
	pin_asks(PROFILE_KVM, DEST(0) | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED | 0x21);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].irr[1]", 0);
	machine_expect(&m, "ioapic.irr", 1 << 9);
	machine_deinit(&m);
	pin_asks(PROFILE_KVM, DEST(0) | IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	machine_set(&m, "apic[0].isr[1]", 2);
	machine_set(&m, "apic[0].tmr[1]", 2);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].irr[1]", 0);
	machine_expect(&m, "apic[0].isr[1]", 2);
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
}

Test(filter_chips, an_edge_that_came_while_the_pin_was_masked_is_ignored)
{
	pin_asks(PROFILE_KVM, IOAPIC_RTE_MASKED | 0x21);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "ioapic.irr", 0);
	machine_expect(&m, "apic[0].irr[1]", 0);
}

Test(filter_chips, a_kernel_ioapic_services_its_pins_itself)
{
	pin_asks(PROFILE_TCG, DEST(1) | IOAPIC_RTE_LEVEL | 0x21);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "apic[1].irr[1]", 0);
	machine_expect(&m, "ioapic.irr", 1 << 9);
}

Test(filter_chips, destinations_are_physical_logical_lowest_and_all)
{
	static const struct {
		uint64_t rte;
		uint32_t first, second;
	} cases[] = {
		{ DEST(0xff) | 0x21, 2, 2 },
		{ DEST(2) | IOAPIC_RTE_LOGICAL | 0x21, 0, 2 },
		{ DEST(3) | IOAPIC_RTE_LOGICAL | 0x21, 2, 2 },
		{ DEST(3) | IOAPIC_RTE_LOGICAL | 0x100 | 0x21, 0, 2 },
		{ DEST(7) | 0x21, 0, 0 },
		{ DEST(0) | 0x05, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pin_asks(PROFILE_KVM, cases[i].rte);
		machine_set(&m, "apic[0].tpr", 0x10);
		cr_assert(!machine_convert(&m, "kvm", "tcg"));
		machine_expect(&m, "apic[0].irr[1]", cases[i].first);
		machine_expect(&m, "apic[1].irr[1]", cases[i].second);
		machine_expect(&m, "ioapic.irr", cases[i].first || cases[i].second ? 0 : 1 << 9);
		machine_deinit(&m);
	}
	machine_init(&m, PROFILE_TCG, 1);
}

Test(filter_chips, a_disabled_lapic_takes_nothing)
{
	pin_asks(PROFILE_KVM, DEST(1) | IOAPIC_RTE_LEVEL | 0x21);
	machine_set(&m, "apic[1].spurious_vec", 0xff);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[1].irr[1]", 0);
	machine_expect(&m, "ioapic.ioredtbl[9]", DEST(1) | IOAPIC_RTE_LEVEL | 0x21);
}

Test(filter_chips, a_pin_that_asks_for_an_nmi_raises_one)
{
	pin_asks(PROFILE_KVM, DEST(1) | 0x400);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_NMI);
	machine_expect(&m, "ioapic.irr", 0);
	machine_deinit(&m);
	pin_asks(PROFILE_KVM, DEST(1) | 0x400);
	cr_assert(!machine_convert(&m, "kvm", "kvm-split"));
	machine_expect(&m, "cpu[1].env.nmi_pending", 1);
	machine_expect(&m, "cpu_common[1].interrupt_request", 0);
}

Test(filter_chips, a_pin_that_no_eoi_will_free_is_freed)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | 0x21);
	cr_expect(machine_entry(&m, "ioapic[0].ioredtbl[9]")->cost == COST_APPROXIMATE);
}

Test(filter_chips, a_level_in_service_gets_the_eoi_of_a_level)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	machine_set(&m, "apic[0].isr[1]", 2);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	machine_expect(&m, "apic[0].tmr[1]", 2);
}

Test(filter_chips, a_level_that_was_injected_is_requested_again_and_its_pin_waits)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "ioapic.irr", 1 << 9);
	machine_set(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	machine_set(&m, "apic[0].isr[1]", 2);
	machine_set(&m, "apic[0].tmr[1]", 2);
	machine_set(&m, "cpu[0].env.interrupt_injected", 0x21);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "apic[0].isr[1]", 0);
	machine_expect(&m, "apic[0].irr[1]", 2);
	machine_expect(&m, "apic[0].tmr[1]", 2);
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
}

Test(filter_chips, directed_eoi_ends_where_the_ioapic_has_no_eoi_register)
{
	machine_init(&m, PROFILE_KVM_SPLIT, 1);
	machine_set(&m, "apic[0].spurious_vec", 0x11ff);
	machine_set(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	cr_assert(!machine_convert(&m, "kvm-split", "kvm"));
	machine_expect(&m, "apic[0].spurious_vec", 0x1ff);
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | 0x21);
}

Test(filter_chips, directed_eoi_goes_on_where_the_ioapic_has_an_eoi_register)
{
	machine_init(&m, PROFILE_KVM_SPLIT, 1);
	machine_set(&m, "apic[0].spurious_vec", 0x11ff);
	machine_set(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	cr_assert(!machine_convert(&m, "kvm-split", "tcg"));
	machine_expect(&m, "apic[0].spurious_vec", 0x11ff);
	machine_expect(&m, "ioapic.ioredtbl[9]", IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x21);
	cr_expect(machine_entry(&m, "apic[0].spurious_vec")->action == REPORT_KEPT);
}

Test(filter_chips, the_slaves_request_reaches_the_master_in_user_space)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "i8259[1].irr", 1);
	machine_set(&m, "apic[0].lvt[3]", 0x700);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "i8259[0].irr", 4);
	machine_expect(&m, "i8259[0].last_irr", 4);
	machine_expect(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_HARD);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	machine_expect(&m, "i8259[0].irr", 4);
	machine_expect(&m, "i8259[0].last_irr", 0);
}

Test(filter_chips, a_masked_slave_does_not_reach_the_master)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "i8259[1].irr", 1);
	machine_set(&m, "i8259[1].imr", 0xff);
	machine_set(&m, "i8259[0].last_irr", 4);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	machine_expect(&m, "i8259[0].irr", 0);
	machine_expect(&m, "i8259[0].last_irr", 0);
}

Test(filter_chips, the_ioapics_version_is_reported_where_it_changes)
{
	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!machine_convert(&m, "kvm", "kvm-split"));
	cr_expect(machine_entry(&m, "ioapic[0].id")->action == REPORT_KEPT);
	cr_assert(!machine_convert(&m, "kvm-split", "tcg"));
	cr_expect(machine_entry(&m, "ioapic[0].id") == NULL);
	cr_assert(!machine_convert(&m, "tcg", "kvm"));
	cr_expect(machine_entry(&m, "ioapic[0].id")->action == REPORT_KEPT);
}

Test(filter_chips, the_lvt_entry_for_machine_checks_is_reported)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_set(&m, "cpu[0].env.mcg_cap", 0x100050a);
	cr_assert(!machine_convert(&m, "kvm", "tcg"));
	cr_expect(machine_entry(&m, "cpu[0].env.mcg_cap") != NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interrupt state of a machine out of a QEMU stream's tree. */
#include <criterion/criterion.h>

#include "apic/irqchip.h"
#include "machine.h"

static void read_machine(struct machine *m, enum profile_kind kind, unsigned int cpus, struct irqchip_state *ret)
{
	struct profile p = { .kind = kind };

	machine_init(m, kind, cpus);
	cr_assert(!profile_name_sections(&m->tree, &p));
	cr_assert(!irqchip_from_stream(m->tree.machine, ret, &m->err), "%s", m->err.text);
}

static void release(struct machine *m, struct irqchip_state *s)
{
	irqchip_deinit(s);
	machine_deinit(m);
}

Test(apic_irqchip, the_types_of_the_sections_tell_the_mode)
{
	static const enum irqchip_mode modes[] = {
		[PROFILE_KVM] = IRQCHIP_FULL,
		[PROFILE_KVM_SPLIT] = IRQCHIP_SPLIT,
		[PROFILE_KVM_OFF] = IRQCHIP_NONE,
		[PROFILE_TCG] = IRQCHIP_NONE,
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(modes); i++) {
		struct irqchip_state s;
		struct machine m;

		read_machine(&m, (enum profile_kind)i, 1, &s);
		cr_expect_eq(s.mode, modes[i], "kind %zu: %s", i, irqchip_mode_name(s.mode));
		release(&m, &s);
	}
}

Test(apic_irqchip, each_cpu_has_what_its_three_sections_say)
{
	struct irqchip_state s;
	struct machine m;

	read_machine(&m, PROFILE_KVM, 3, &s);
	cr_assert_eq(s.nlapics, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct lapic_state *l = &s.lapics[i];

		cr_expect_eq(l->initial_id, i);
		cr_expect_eq(lapic_reg(l, LAPIC_ID), i << 24);
		cr_expect_eq(l->mp_state, i ? LAPIC_MP_HALTED : LAPIC_MP_RUNNABLE);
		cr_expect_eq(l->halted, i > 0);
		cr_expect(reg_known(lapic_member("tsc"), l, 0));
		cr_expect_not(lapic_reg_known(l, LAPIC_TMCCT), "QEMU does not read it");
	}
	release(&m, &s);
}

Test(apic_irqchip, the_chips_of_the_machine_are_known)
{
	struct irqchip_state s;
	struct machine m;

	read_machine(&m, PROFILE_KVM, 1, &s);
	cr_expect_eq(s.pics[PIC_MASTER].irq_base, 0x30);
	cr_expect_eq(s.pics[PIC_SLAVE].irq_base, 0x38);
	cr_expect_eq(s.ioapic.redirtbl[23], 0x10000);
	cr_expect_eq(s.pit.channels[0].mode, 2);
	cr_expect_eq(s.clock.cpu_clock_offset, MACHINE_NOW, "section timer");
	cr_expect_eq(s.clock.kvmclock, UINT64_C(9876543210), "section kvmclock");
	release(&m, &s);
}

Test(apic_irqchip, a_chip_that_is_not_there_is_unknown)
{
	static const struct ioapic_state nothing;
	struct irqchip_state s;
	struct machine m;

	machine_init(&m, PROFILE_KVM_SPLIT, 1);
	vms_remove(vms_find_section(m.tree.machine, "ioapic", 0));
	cr_assert(!irqchip_from_stream(m.tree.machine, &s, &m.err));
	cr_expect_arr_eq(s.ioapic.known, nothing.known, sizeof(nothing.known));
	release(&m, &s);
}

Test(apic_irqchip, lapics_without_sections_of_their_cpus_are_read_all_the_same)
{
	struct irqchip_state s;
	struct machine m;

	machine_init(&m, PROFILE_KVM, 2);
	while (vms_next_section(m.tree.machine, NULL, "cpu"))
		vms_remove(vms_next_section(m.tree.machine, NULL, "cpu"));
	cr_assert(!irqchip_from_stream(m.tree.machine, &s, &m.err));
	cr_assert_eq(s.nlapics, 2);
	cr_expect_eq(s.lapics[1].initial_id, 1);
	cr_expect_not(reg_known(lapic_member("mp_state"), &s.lapics[1], 0));
	release(&m, &s);
}

Test(apic_irqchip, a_value_that_no_register_holds_names_its_field_and_leaves_nothing)
{
	struct irqchip_state s;
	struct machine m;
	struct vms_node *id;

	machine_init(&m, PROFILE_KVM, 1);
	id = vms_lookup(m.tree.machine, "ioapic.ioregsel");
	cr_assert(id != NULL);
	id->width = 8;
	cr_assert(!vms_node_data(&m.tree, id));
	vms_element_set(id, 0, 0x1234);
	cr_assert_eq(irqchip_from_stream(m.tree.machine, &s, &m.err), -EBADMSG);
	cr_expect_str_eq(m.err.path, "ioapic[0].ioregsel");
	cr_expect_eq(s.nlapics, 0);
	cr_expect_null(s.lapics);
	machine_deinit(&m);
}

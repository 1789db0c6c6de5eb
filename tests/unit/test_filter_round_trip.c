/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There and back between all kinds of host: what both sides carry does not change. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "apic/cpu.h"
#include "machine.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_round_trip, .fini = close_machine);

/* Everything but the clocks and timers, whose state one side does not carry. */
static char *without_time(void)
{
	static const char *const timed[] = { "timer", "kvmclock", "i8254" };
	char *text;

	for (size_t i = 0; i < 3; i++) {
		struct vms_node *s = vms_find_section(m.tree.machine, timed[i], 0);

		/* The filters need the time of the save: taken out only at the end. */
		if (s)
			vms_remove(s);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct vms_node *apic = vms_find_section(m.tree.machine, "apic", i);

		cr_assert(!vms_set(apic, "initial_count_load_time", 0, NULL) &&
			  !vms_set(apic, "next_time", 0, NULL));
	}
	text = machine_text(&m);
	machine_deinit(&m);
	return text;
}

/* The line in which two texts begin to differ, cut off in both. */
static bool same(char *a, char *b, const char **ret_a, const char **ret_b)
{
	size_t line = 0, i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '\n')
			line = i + 1;
	if (a[i] == b[i])
		return true;
	a[line + strcspn(a + line, "\n")] = '\0';
	b[line + strcspn(b + line, "\n")] = '\0';
	*ret_a = a + line;
	*ret_b = b + line;
	return false;
}

static void craft(enum profile_kind kind)
{
	bool kernel = kind == PROFILE_KVM || kind == PROFILE_KVM_SPLIT;

	machine_init(&m, kind, 3);
	machine_set(&m, "apic[0].isr[1]", 0x40000);
	machine_set(&m, "apic[0].irr[2]", 1 << 17);
	machine_set(&m, "apic[0].irr[1]", 4);
	machine_set(&m, "apic[1].irr[7]", 0x1000);
	machine_set(&m, "apic[0].isr[3]", 2);
	machine_set(&m, "apic[0].tmr[3]", 2);
	machine_set(&m, "ioapic.ioredtbl[9]", 0xc861);
	machine_set(&m, "ioapic.irr", 1 << 9);
	machine_set(&m, "i8259[0].irr", 0x13);
	machine_set(&m, "i8259[0].imr", 0xff);
	machine_set(&m, "i8259[1].isr", 0x20);
	if (kernel) {
		machine_set(&m, "cpu[2].env.mp_state", LAPIC_MP_INIT_RECEIVED);
		machine_set(&m, "cpu_common[2].halted", 0);
		machine_set(&m, "cpu[0].env.nmi_pending", 1);
	} else {
		struct vms_node *sipi = machine_add(&m, "apic", 2, &lapic_sipi_vms_desc);

		vms_element_set(vms_first_child(sipi)->next, 0, 1);
		machine_set(&m, "cpu_common[1].interrupt_request", CPU_INTERRUPT_HARD);
	}
	if (kind == PROFILE_TCG) {
		for (uint32_t i = 0; i < 3; i++)
			vms_remove(vms_subsection(vms_find_section(m.tree.machine, "cpu", i),
						  "cpu/poll_control_msr"));
		machine_set(&m, "cpu_common[0].interrupt_request", CPU_INTERRUPT_NMI);
	}
}

Test(filter_round_trip, crafted_events_are_the_same_there_and_back)
{
	static const char *const names[] = { "kvm", "kvm-split", "kvm-off", "tcg" };

	for (int here = 0; here < 4; here++) {
		for (int there = 0; there < 4; there++) {
			const char *was = "", *is = "";
			char *before, *after;

			craft((enum profile_kind)here);
			cr_assert(!machine_convert(&m, names[here], names[here]));
			before = without_time();
			craft((enum profile_kind)here);
			cr_assert(!machine_convert(&m, names[here], names[there]), "%s", m.err.text);
			cr_assert(!machine_convert(&m, names[there], names[here]), "%s", m.err.text);
			after = without_time();
			cr_expect(same(before, after, &was, &is), "%s to %s and back: %s: %s", names[here],
				  names[there], was, is);
			free(before);
			free(after);
		}
	}
	machine_init(&m, PROFILE_TCG, 1);
}

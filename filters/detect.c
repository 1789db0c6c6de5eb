/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kind of host saved a machine: the marks that QEMU 7.2 and 10.0 leave in their streams. */
#include <inttypes.h>
#include <stdio.h>

#include "apic/clock.h"
#include "apic/lapic.h"
#include "apic/pit.h"
#include "filters/profile.h"

#define NS_PER_S UINT64_C(1000000000)

/* Two marks of a LAPIC in the kernel: its timer was loaded at the time of the save, and its shift is derived. */
static bool lapics_from_kernel(const struct vms_node *machine, uint64_t now)
{
	const struct vms_node *s = NULL;

	while ((s = vms_next_section(machine, s, "apic"))) {
		uint64_t shift = lapic_count_shift((uint32_t)vms_get_or(s, "divide_conf", 0));

		if (vms_get_or(s, "initial_count_load_time", now + 1) != now ||
		    vms_get_or(s, "count_shift", shift) != shift)
			return false;
	}
	return true;
}

/* Ticks from the load of channel 0 to what QEMU takes for the first change of its output. */
static uint64_t first_change(unsigned int mode, uint64_t count)
{
	if (mode == 2)
		return count + 1;
	return mode == 3 ? (count + 1) / 2 : count;
}

/*
 * A PIT in the kernel: QEMU computes the next change of channel 0's output as if the count had just been
 * loaded; before time 0 its arithmetic gives the nanosecond after the load. In user space the next change is
 * in the future, or was left behind when the HPET took the interrupt over.
 */
static bool pit_from_kernel(const struct vms_node *pit, uint64_t now)
{
	uint64_t load = vms_get_or(pit, "channels[0].count_load_time", 0);
	uint64_t next = vms_get_or(pit, "channels[0].next_transition_time", 0);
	uint64_t count = vms_get_or(pit, "channels[0].count", 0) & 0x1ffff;
	unsigned int mode = (unsigned int)vms_get_or(pit, "channels[0].mode", 0);
	uint64_t first = load + first_change(mode, count) * NS_PER_S / PIT_FREQ;

	if (next == load + 1)
		return true;
	return next == first && (int64_t)next < (int64_t)now;
}

static bool tsc_in_cpu(const struct vms_node *machine)
{
	const struct vms_node *s = NULL;

	while ((s = vms_next_section(machine, s, "cpu")))
		if (vms_get_or(s, "env.tsc", 0))
			return true;
	return false;
}

int profile_detect(const struct vms_node *machine, struct profile *ret, char *evidence, size_t size,
		   struct irqs_error *reterr)
{
	const struct vms_node *pit = vms_find_section(machine, "i8254", 0);
	bool apic = vms_next_section(machine, NULL, "apic") != NULL;
	bool clock = vms_find_section(machine, "kvmclock", 0) != NULL;
	bool tsc = tsc_in_cpu(machine);
	int64_t saved = clock_now(machine);
	uint64_t now = (uint64_t)saved;
	struct profile p = { .kind = PROFILE_TCG };

	if (!apic && !vms_next_section(machine, NULL, "i8259") && !vms_next_section(machine, NULL, "ioapic"))
		return irqs_fail(
			reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
			"no interrupt controller: nothing tells what kind of host saved this machine");
	if (!clock && !tsc) {
		snprintf(evidence, size, "no kvmclock section, and the CPUs carry no TSC of their own");
	} else if (saved == REG_NO_TIME) {
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "timer.cpu_clock_offset",
				 "not there: without the time of the save nothing tells which kind of KVM "
				 "host it was");
	} else if (apic && !lapics_from_kernel(machine, now)) {
		p.kind = PROFILE_KVM_OFF;
		snprintf(evidence, size,
			 "%s, and a LAPIC timer that was not loaded at the moment of the save",
			 clock ? "a kvmclock section" : "the CPUs carry their TSC");
	} else if (pit && !pit_from_kernel(pit, now)) {
		p.kind = apic ? PROFILE_KVM_SPLIT : PROFILE_KVM_OFF;
		snprintf(evidence, size, "%s, and a PIT that was running in user space",
			 apic ? "LAPIC timers loaded at the moment of the save" : "a TSC in the CPUs");
	} else {
		p.kind = PROFILE_KVM;
		snprintf(evidence, size, "%s, and %s",
			 apic ? "LAPIC timers loaded at the moment of the save" : "a TSC in the CPUs",
			 pit ? "a PIT whose next edge is its first"
			     : "no PIT that would tell a split irqchip");
	}
	*ret = p;
	return 0;
}

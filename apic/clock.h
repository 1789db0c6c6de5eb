/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clocks of a machine: QEMU's sections `timer` and `kvmclock`. Nanoseconds, and ticks of the TSC. */
#ifndef IRQSHIFT_APIC_CLOCK_H
#define IRQSHIFT_APIC_CLOCK_H

#include "apic/reg.h"

struct clock_state {
	uint64_t known[REG_KNOWN_WORDS]; /* first: see apic/reg.h */
	int64_t cpu_ticks_offset;   /* TCG: the guest's TSC while the VM is stopped */
	int64_t cpu_clock_offset;   /* virtual time while the VM is stopped: "now" of all device times */
	uint64_t kvmclock;          /* guest time that kvm-clock shows, ns */
	uint8_t kvmclock_reliable;  /* kvmclock was read in the kernel, not from the guest's page */
	uint64_t kvmclock_realtime; /* wall clock when kvmclock was read, ns */
	uint64_t kvmclock_host_tsc; /* host TSC when kvmclock was read */
	uint32_t kvmclock_flags;    /* struct kvm_clock_data */
};

enum timer_vms { TIMER_VMS_CPU_TICKS_OFFSET, TIMER_VMS_UNUSED, TIMER_VMS_CPU_CLOCK_OFFSET, TIMER_VMS_NR };

extern const struct vms_desc timer_vms_desc, kvmclock_vms_desc, kvmclock_reliable_vms_desc;
extern const struct vms_field timer_vms_fields[TIMER_VMS_NR];
extern const struct reg_chip clock_chip;

/* clock_from_tree - a state from a section `timer` or `kvmclock`; see lapic_from_tree(). */
int clock_from_tree(const struct vms_node *section, struct clock_state *ret, struct irqs_error *reterr);

/* clock_add_tree - add what the other section carries. */
int clock_add_tree(const struct vms_node *section, struct clock_state *s, struct irqs_error *reterr);

/*
 * clock_to_tree - write what is known into the fields of a section `timer` or `kvmclock`; see
 * reg_to_tree().
 */
int clock_to_tree(const struct clock_state *s, struct vms_node *section, struct irqs_error *reterr);

/* clock_now - virtual time of a machine's tree, from its section `timer`; REG_NO_TIME when there is none. */
int64_t clock_now(const struct vms_node *machine);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sections of a QEMU stream's tree belong together. */
#ifndef IRQSHIFT_APIC_SECTIONS_H
#define IRQSHIFT_APIC_SECTIONS_H

#include "apic/lapic.h"
#include "apic/pic.h"

/* The sections of one virtual CPU; common and apic may be NULL. */
struct vcpu {
	struct vms_node *cpu, *common, *apic;
};

/**
 * vcpu_next - iterate over the virtual CPUs in the order of the stream
 * @machine: the machine
 * @v: zeroed to start with
 *
 * `cpu` and `cpu_common` share an instance, `apic` has the APIC ID for one: QEMU registers the three of a
 * CPU one behind the other, so the n-th `cpu` belongs to the n-th `apic`.
 *
 * Return: whether there is one more.
 */
bool vcpu_next(const struct vms_node *machine, struct vcpu *v);

/* vcpu_lapic - all that the sections of a CPU say of its LAPIC and its events. Return: 0 or -EBADMSG. */
int vcpu_lapic(const struct vcpu *v, struct lapic_state *ret, struct irqs_error *reterr);

/**
 * machine_pics - the pair of PICs
 * @machine: the machine
 * @ret_chips: receives the sections, master first; may be NULL
 * @ret: receives their states
 *
 * Return: 0; -ENOENT when it has no pair, with no error filled; -EBADMSG.
 */
int machine_pics(const struct vms_node *machine, struct vms_node *ret_chips[2], struct pic_state ret[2],
		 struct irqs_error *reterr);

#endif

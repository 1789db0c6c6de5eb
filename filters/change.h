/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What filters share: changes that report themselves, and the sections of one virtual CPU. */
#ifndef IRQSHIFT_FILTERS_CHANGE_H
#define IRQSHIFT_FILTERS_CHANGE_H

#include "apic/lapic.h"
#include "apic/pic.h"
#include "filters/filter.h"

/**
 * change_field - set an integer field; the report says "derived"
 * @run: the conversion
 * @n: section, struct or subsection
 * @path: field below @n
 * @value: new value; nothing happens when the field has it already
 * @cost: of the change
 * @reterr: the field is not there, or too narrow
 * @why: one sentence without full stop, printf-like
 *
 * Return: 0, -EBADMSG or -ERANGE.
 */
int change_field(struct filter_run *run, struct vms_node *n, const char *path, uint64_t value,
		 enum report_cost cost, struct irqs_error *reterr, const char *why, ...)
	__attribute__((format(printf, 7, 8)));

/* change_drop - take a section or subsection out; the report keeps the value of its first integer field. */
void change_drop(struct filter_run *run, struct vms_node *n, enum report_cost cost, const char *why, ...)
	__attribute__((format(printf, 4, 5)));

/* change_added - report a section or subsection that was added, with its first integer field. */
void change_added(struct filter_run *run, const struct vms_node *n, enum report_cost cost, const char *why,
		  ...) __attribute__((format(printf, 4, 5)));

/* change_note - an entry about @field of @n (NULL: @n itself) as it is: REPORT_KEPT or REPORT_REFUSED. */
void change_note(struct filter_run *run, enum report_action action, enum report_cost cost,
		 const struct vms_node *n, const char *field, const char *why, ...)
	__attribute__((format(printf, 6, 7)));

/* change_bank - write ISR, TMR or IRR of @s (LAPIC_ISR ...) into section `apic`; an entry per changed word. */
int change_bank(struct filter_run *run, struct vms_node *apic, const struct lapic_state *s, uint16_t bank,
		enum report_cost cost, struct irqs_error *reterr, const char *why, ...)
	__attribute__((format(printf, 7, 8)));

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

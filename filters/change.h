/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What filters share: changes that report themselves. */
#ifndef IRQSHIFT_FILTERS_CHANGE_H
#define IRQSHIFT_FILTERS_CHANGE_H

#include "apic/sections.h"
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

#endif

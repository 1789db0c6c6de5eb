/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All chips by the names that a QEMU stream and the tree give them. */
#ifndef IRQSHIFT_APIC_REGISTRY_H
#define IRQSHIFT_APIC_REGISTRY_H

#include "apic/explain.h"

struct apic_chip {
	const char *name;        /* section in a QEMU stream, from whichever irqchip */
	/* irqshift type of a section from an in-kernel irqchip, or NULL: it has none */
	const char *kernel_type;
	const char *title;
	const struct vms_desc *desc;
	const struct reg_chip *regs; /* rows that this section carries have its desc */
	/* The section in words; 0 or -EBADMSG. */
	int (*print)(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr);
};

/* In no particular order, NULL name last. */
extern const struct apic_chip apic_chips[];

/* apic_find_chip - by stream name or irqshift type ("apic", "kvm-apic"), or NULL. */
const struct apic_chip *apic_find_chip(const char *name);

/* apic_find_desc - the description of a section by its name in the stream, or NULL. */
const struct vms_desc *apic_find_desc(const char *idstr);

/**
 * apic_print_section - decode a section of a chip that the registry has
 *
 * Return: 0; -ENOENT when it has no such chip, with nothing printed and no error filled; -EBADMSG.
 */
int apic_print_section(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr);

/**
 * apic_diff_section - compare two sections of the same chip in words
 * @cpus: LAPICs of the machine of @b, for what happened at the IOAPIC; or NULL
 * @prefix: put before each line
 * @ret_lines: receives how many lines there were
 *
 * Return: as apic_print_section(); -EINVAL when the sections are of different chips.
 */
int apic_diff_section(const struct vms_node *a, const struct vms_node *b, const struct irqchip_state *cpus,
		      const char *prefix, const struct reg_out *out, unsigned int *ret_lines,
		      struct irqs_error *reterr);

/**
 * apic_explain_section - the sentences of apic_diff_section() alone
 * @a: fields that the sentences explain get their value in @b, so that vms_diff() gives the rest
 *
 * Return: as apic_diff_section().
 */
int apic_explain_section(struct vms_node *a, const struct vms_node *b, const char *prefix,
			 const struct reg_out *out, unsigned int *ret_lines, struct irqs_error *reterr);

#endif

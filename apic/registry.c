/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/registry.h"

#include <errno.h>
#include <string.h>

#include "apic/any_state_priv.h"
#include "apic/cpu.h"

static int64_t now_of(const struct vms_node *section)
{
	return section->parent ? clock_now(section->parent) : REG_NO_TIME;
}

static int print_lapic(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct lapic_state s;
	int rc = lapic_from_tree(section, &s, reterr);

	if (!rc)
		lapic_print(&s, now_of(section), out);
	return rc;
}

static int print_ioapic(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct ioapic_state s;
	int rc = ioapic_from_tree(section, &s, reterr);

	if (!rc)
		ioapic_print(&s, out);
	return rc;
}

static int print_pic(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct pic_state s;
	int rc = pic_from_tree(section, &s, reterr);

	if (!rc)
		pic_print(&s, section->instance ? PIC_SLAVE : PIC_MASTER, out);
	return rc;
}

static int print_pit(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct pit_state s;
	int rc = pit_from_tree(section, &s, reterr);

	if (!rc)
		pit_print(&s, now_of(section), out);
	return rc;
}

static int print_cpu(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct lapic_state s;
	int rc = lapic_from_tree(section, &s, reterr);

	if (rc)
		return rc;
	reg_emit_styled(out, REG_HEADING, "CPU %u", section->instance);
	reg_emit(out, ", interrupt state\n");
	reg_print(&lapic_chip, &s, NULL, out);
	for (const struct vms_node *c = vms_first_child(section); c; c = c->next) {
		const struct cpu_sub *sub = c->kind == VMS_SUBSECTION ? cpu_find_sub(c->name) : NULL;

		if (sub)
			reg_emit(out, "  %s (%s): %s\n", c->name, cpu_sub_class_name(sub->kind), sub->report);
	}
	return 0;
}

static int print_cpu_common(const struct vms_node *section, const struct reg_out *out,
			    struct irqs_error *reterr)
{
	struct lapic_state s;
	int rc = lapic_from_tree(section, &s, reterr);

	if (rc)
		return rc;
	reg_emit_styled(out, REG_HEADING, "CPU %u", section->instance);
	reg_emit(out, "\n");
	reg_print(&lapic_chip, &s, NULL, out);
	return 0;
}

static int print_clock(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	struct clock_state s;
	int rc = clock_from_tree(section, &s, reterr);

	if (rc)
		return rc;
	reg_emit_styled(out, REG_HEADING, "%s", section->name);
	reg_emit(out, "\n");
	reg_print(&clock_chip, &s, NULL, out);
	return 0;
}

const struct apic_chip apic_chips[] = {
	{ .name = "apic", .kernel_type = "kvm-apic", .title = "local APIC", .desc = &lapic_vms_desc,
	  .regs = &lapic_chip, .print = print_lapic },
	{ .name = "ioapic", .kernel_type = "kvm-ioapic", .title = "IOAPIC", .desc = &ioapic_vms_desc,
	  .regs = &ioapic_chip, .print = print_ioapic },
	{ .name = "i8259", .kernel_type = "kvm-i8259", .title = "PIC", .desc = &pic_vms_desc,
	  .regs = &pic_chip,
	  .print = print_pic },
	{ .name = "i8254", .kernel_type = "kvm-i8254", .title = "PIT", .desc = &pit_vms_desc,
	  .regs = &pit_chip,
	  .print = print_pit },
	{ .name = "cpu", .title = "CPU", .desc = &cpu_vms_desc, .regs = &lapic_chip, .print = print_cpu },
	{ .name = "cpu_common", .title = "CPU run state", .desc = &cpu_common_vms_desc, .regs = &lapic_chip,
	  .print = print_cpu_common },
	{ .name = "timer", .title = "virtual time", .desc = &timer_vms_desc, .regs = &clock_chip,
	  .print = print_clock },
	{ .name = "kvmclock", .title = "kvm-clock", .desc = &kvmclock_vms_desc, .regs = &clock_chip,
	  .print = print_clock },
	{ .name = NULL },
};

const struct apic_chip *apic_find_chip(const char *name)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++)
		if (!strcmp(c->name, name) || (c->kernel_type && !strcmp(c->kernel_type, name)))
			return c;
	return NULL;
}

const struct vms_desc *apic_find_desc(const char *idstr)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++)
		if (!strcmp(c->name, idstr))
			return c->desc;
	return NULL;
}

int apic_print_section(const struct vms_node *section, const struct reg_out *out, struct irqs_error *reterr)
{
	const struct apic_chip *chip = apic_find_chip(section->name);

	return chip ? chip->print(section, out, reterr) : -ENOENT;
}

/* Two sections of one chip as states. */
struct pair {
	const struct apic_chip *chip;
	union any_state a, b;
};

static int read_pair(struct pair *p, const struct vms_node *a, const struct vms_node *b, struct irqs_error *reterr)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->chip = apic_find_chip(a->name);
	if (!p->chip)
		return -ENOENT;
	if (strcmp(a->name, b->name))
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%s and %s cannot be compared",
				 a->name, b->name);
	rc = reg_from_tree(p->chip->regs, a, &p->a, reterr);
	return rc ? rc : reg_from_tree(p->chip->regs, b, &p->b, reterr);
}

int apic_diff_section(const struct vms_node *a, const struct vms_node *b, const struct irqchip_state *cpus,
		      const char *prefix, const struct reg_out *out, unsigned int *ret_lines,
		      struct irqs_error *reterr)
{
	struct explain_context context = { .instance = b->instance };
	struct pair p;
	int rc = read_pair(&p, a, b, reterr);

	if (rc)
		return rc;
	if (cpus) {
		context.cpus = cpus->lapics;
		context.ncpus = cpus->nlapics;
	}
	*ret_lines = reg_diff_words(p.chip->regs, &p.a, &p.b, &context, prefix, out);
	return 0;
}

int apic_explain_section(struct vms_node *a, const struct vms_node *b, const char *prefix,
			 const struct reg_out *out, unsigned int *ret_lines, struct irqs_error *reterr)
{
	const struct explain_context context = { .instance = b->instance };
	struct pair p;
	int rc = read_pair(&p, a, b, reterr);

	if (rc)
		return rc;
	*ret_lines = reg_explain(p.chip->regs, &p.a, &p.b, &context, prefix, out);
	return *ret_lines ? reg_to_tree(p.chip->regs, &p.a, a, reterr) : 0;
}

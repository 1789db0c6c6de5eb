/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/irqchip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apic/sections.h"

const char *irqchip_mode_name(enum irqchip_mode mode)
{
	static const char *const names[] = { "none", "split", "full" };

	return (unsigned int)mode < REG_ARRAY_SIZE(names) ? names[mode] : "?";
}

void irqchip_deinit(struct irqchip_state *s)
{
	free(s->lapics);
	free(s->routes);
	memset(s, 0, sizeof(*s));
}

static enum irqchip_mode mode_of(const struct vms_node *machine)
{
	static const char *const outside[] = { "kvm-ioapic", "kvm-i8259", "kvm-i8254" };

	for (size_t i = 0; i < REG_ARRAY_SIZE(outside); i++)
		if (vms_next_section(machine, NULL, outside[i]))
			return IRQCHIP_FULL;
	return vms_next_section(machine, NULL, "kvm-apic") ? IRQCHIP_SPLIT : IRQCHIP_NONE;
}

static unsigned int count_sections(const struct vms_node *machine, const char *type)
{
	const struct vms_node *n = NULL;
	unsigned int count = 0;

	while ((n = vms_next_section(machine, n, type)))
		count++;
	return count;
}

/* The next CPU; a machine without a section for each has its LAPICs at least. */
static int next_lapic(const struct vms_node *machine, bool cpus, struct vcpu *v, struct lapic_state *ret,
		      struct irqs_error *reterr)
{
	if (cpus)
		return vcpu_next(machine, v) ? vcpu_lapic(v, ret, reterr) : -ENOENT;
	v->apic = vms_next_section(machine, v->apic, "apic");
	return v->apic ? lapic_from_tree(v->apic, ret, reterr) : -ENOENT;
}

static int read_lapics(const struct vms_node *machine, struct irqchip_state *s, struct irqs_error *reterr)
{
	unsigned int cpus = count_sections(machine, "cpu");
	unsigned int n = cpus ? cpus : count_sections(machine, "apic");
	struct vcpu v = { 0 };
	int rc = 0;

	if (!n)
		return 0;
	s->lapics = calloc(n, sizeof(*s->lapics));
	if (!s->lapics)
		return irqs_fail_nomem(reterr);
	while (s->nlapics < n && !rc) {
		rc = next_lapic(machine, cpus, &v, &s->lapics[s->nlapics], reterr);
		s->nlapics++;
	}
	return rc;
}

/* A chip that is there. */
static int read_chip(const struct reg_chip *chip, const struct vms_node *machine, const char *type, uint32_t instance,
		     void *state, struct irqs_error *reterr)
{
	const struct vms_node *section = vms_find_section(machine, type, instance);

	return section ? reg_from_tree(chip, section, state, reterr) : 0;
}

int irqchip_from_stream(const struct vms_node *machine, struct irqchip_state *ret, struct irqs_error *reterr)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->mode = mode_of(machine);
	rc = read_lapics(machine, ret, reterr);
	if (!rc)
		rc = read_chip(&ioapic_chip, machine, "ioapic", 0, &ret->ioapic, reterr);
	for (uint32_t i = 0; i < 2 && !rc; i++)
		rc = read_chip(&pic_chip, machine, "i8259", i, &ret->pics[i], reterr);
	if (!rc)
		rc = read_chip(&pit_chip, machine, "i8254", 0, &ret->pit, reterr);
	if (!rc)
		rc = read_chip(&clock_chip, machine, "timer", 0, &ret->clock, reterr);
	if (!rc)
		rc = read_chip(&clock_chip, machine, "kvmclock", 0, &ret->clock, reterr);
	if (rc)
		irqchip_deinit(ret);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/irqchip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apic/registry.h"
#include "apic/sections.h"

/* What a machine has one of. */
static const struct {
	const char *name;
	uint32_t instance;
	const struct reg_chip *chip;
	size_t at;
} singles[] = {
	{ "ioapic", 0, &ioapic_chip, offsetof(struct irqchip_state, ioapic) },
	{ "i8259", PIC_MASTER, &pic_chip, offsetof(struct irqchip_state, pics[PIC_MASTER]) },
	{ "i8259", PIC_SLAVE, &pic_chip, offsetof(struct irqchip_state, pics[PIC_SLAVE]) },
	{ "i8254", 0, &pit_chip, offsetof(struct irqchip_state, pit) },
	{ "clock", 0, &clock_chip, offsetof(struct irqchip_state, clock) },
};

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

static const char *type_of(const char *name, bool in_kernel)
{
	const struct apic_chip *chip = in_kernel ? apic_find_chip(name) : NULL;

	return chip && chip->kernel_type ? chip->kernel_type : name;
}

static uint32_t lapic_instance(const struct lapic_state *l, unsigned int i)
{
	return reg_known(lapic_member("initial_id"), l, 0) ? l->initial_id : i;
}

bool irqchip_part(const struct irqchip_state *s, unsigned int i, struct irqchip_part *ret)
{
	if (i < s->nlapics) {
		ret->name = "apic";
		ret->type = type_of(ret->name, s->mode != IRQCHIP_NONE);
		ret->instance = lapic_instance(&s->lapics[i], i);
		ret->chip = &lapic_chip;
		ret->state = &s->lapics[i];
		return true;
	}
	i -= s->nlapics;
	if (i >= REG_ARRAY_SIZE(singles))
		return false;
	ret->name = singles[i].name;
	ret->type = type_of(ret->name, s->mode == IRQCHIP_FULL);
	ret->instance = singles[i].instance;
	ret->chip = singles[i].chip;
	ret->state = (char *)s + singles[i].at;
	return true;
}

bool irqchip_part_known(const struct irqchip_part *p)
{
	const uint64_t *known = p->state;

	for (unsigned int i = 0; i < REG_KNOWN_WORDS; i++)
		if (known[i])
			return true;
	return false;
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
	struct irqchip_part p;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->mode = mode_of(machine);
	rc = read_lapics(machine, ret, reterr);
	for (unsigned int i = ret->nlapics; !rc && irqchip_part(ret, i, &p); i++)
		rc = read_chip(p.chip, machine, p.name, p.instance, p.state, reterr);
	if (!rc)
		rc = read_chip(&clock_chip, machine, "timer", 0, &ret->clock, reterr);
	if (!rc)
		rc = read_chip(&clock_chip, machine, "kvmclock", 0, &ret->clock, reterr);
	if (rc)
		irqchip_deinit(ret);
	return rc;
}

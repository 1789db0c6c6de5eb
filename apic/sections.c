/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/sections.h"

#include <errno.h>
#include <string.h>

/* As vms_find_section(), looking behind the one of the CPU before first: QEMU writes the CPUs in one order. */
static struct vms_node *next_common(const struct vms_node *machine, const struct vms_node *before, uint32_t instance)
{
	struct vms_node *s = before ? vms_next_section(machine, before, "cpu_common") : NULL;

	return s && s->instance == instance ? s : vms_find_section(machine, "cpu_common", instance);
}

bool vcpu_next(const struct vms_node *machine, struct vcpu *v)
{
	bool first = !v->cpu, had_apic = first || v->apic;

	v->cpu = vms_next_section(machine, v->cpu, "cpu");
	if (!v->cpu)
		return false;
	v->apic = had_apic ? vms_next_section(machine, first ? NULL : v->apic, "apic") : NULL;
	v->common = next_common(machine, v->common, v->cpu->instance);
	return true;
}

int vcpu_lapic(const struct vcpu *v, struct lapic_state *ret, struct irqs_error *reterr)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = v->apic ? lapic_from_tree(v->apic, ret, reterr) : 0;
	if (!rc)
		rc = lapic_add_tree(v->cpu, ret, reterr);
	if (!rc && v->common)
		rc = lapic_add_tree(v->common, ret, reterr);
	return rc;
}

int machine_pics(const struct vms_node *machine, struct vms_node *ret_chips[2], struct pic_state ret[2],
		 struct irqs_error *reterr)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct vms_node *chip = vms_find_section(machine, "i8259", i);
		int rc = chip ? pic_from_tree(chip, &ret[i], reterr) : -ENOENT;

		if (rc)
			return rc;
		if (ret_chips)
			ret_chips[i] = chip;
	}
	return 0;
}

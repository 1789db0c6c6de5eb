/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/kvm.h>
#include <string.h>

#include "kvm/gather_priv.h"

static int take_chip(const struct gather *g, uint32_t id, const struct reg_chip *table, enum reg_abi abi, void *ret)
{
	struct kvm_irqchip chip = { .chip_id = id };
	int rc = kvm_vm(g->port, KVM_GET_IRQCHIP, &chip, sizeof(chip));

	if (rc < 0)
		return gather_failed_vm(g, rc, "KVM_GET_IRQCHIP");
	abi_get(table, abi, &chip.chip, ret);
	return 0;
}

static int take_pit(const struct gather *g)
{
	struct pit_state *s = &g->state->pit;
	struct kvm_pit_state2 pit;
	int rc = kvm_vm(g->port, KVM_GET_PIT2, &pit, sizeof(pit));

	if (rc < 0)
		return gather_failed_vm(g, rc, "KVM_GET_PIT2");
	abi_get(&pit_chip, REG_ABI_PIT, &pit, s);
	reg_forget(reg_find_name(&pit_chip, "count_load_time"), s, 0);
	reg_set(reg_find_name(&pit_chip, "irq_disabled"), s, 0, pit.flags & KVM_PIT_FLAGS_HPET_LEGACY);
	return 0;
}

int gather_chips(const struct gather *g)
{
	struct irqchip_state *s = g->state;
	int rc;

	if (g->probe->mode != IRQCHIP_FULL)
		return 0;
	rc = take_chip(g, KVM_IRQCHIP_PIC_MASTER, &pic_chip, REG_ABI_PIC, &s->pics[PIC_MASTER]);
	if (!rc)
		rc = take_chip(g, KVM_IRQCHIP_PIC_SLAVE, &pic_chip, REG_ABI_PIC, &s->pics[PIC_SLAVE]);
	if (!rc)
		rc = take_chip(g, KVM_IRQCHIP_IOAPIC, &ioapic_chip, REG_ABI_IOAPIC, &s->ioapic);
	if (!rc && reg_known(reg_find_name(&ioapic_chip, "ID"), &s->ioapic, 0))
		reg_set(reg_find_name(&ioapic_chip, "VER"), &s->ioapic, 0,
			(IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION_11);
	if (!rc && g->probe->pit)
		rc = take_pit(g);
	return rc;
}

int gather_clock(const struct gather *g)
{
	struct clock_state *s = &g->state->clock;
	struct kvm_clock_data clock;
	int rc;

	reg_set(reg_find_name(&clock_chip, "cpu_clock_offset"), s, 0, (uint64_t)gather_now_ns());
	if (!g->probe->clock)
		return 0;
	memset(&clock, 0, sizeof(clock));
	rc = kvm_vm(g->port, KVM_GET_CLOCK, &clock, sizeof(clock));
	if (rc < 0)
		return gather_failed_vm(g, rc, "KVM_GET_CLOCK");
	abi_get(&clock_chip, REG_ABI_CLOCK, &clock, s);
	reg_set(reg_find_name(&clock_chip, "kvmclock_reliable"), s, 0, !!(clock.flags & KVM_CLOCK_TSC_STABLE));
	if (!(clock.flags & KVM_CLOCK_REALTIME))
		reg_forget(reg_find_name(&clock_chip, "kvmclock_realtime"), s, 0);
	if (!(clock.flags & KVM_CLOCK_HOST_TSC))
		reg_forget(reg_find_name(&clock_chip, "kvmclock_host_tsc"), s, 0);
	return 0;
}

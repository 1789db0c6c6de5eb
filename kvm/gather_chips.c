/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/kvm.h>
#include <string.h>

#include "base/monotonic.h"
#include "kvm/gather_priv.h"

enum { MASTER,
       SLAVE,
       IOAPIC,
       PIT,
       CHIPS };

/* One list's structures. */
struct chips {
	struct kvm_irqchip chips[PIT]; /* by the enum above */
	struct kvm_pit_state2 pit;
	struct kvm_port_call calls[CHIPS];
};

static void ask(const struct gather *g, struct chips *c)
{
	static const uint32_t ids[] = { [MASTER] = KVM_IRQCHIP_PIC_MASTER, [SLAVE] = KVM_IRQCHIP_PIC_SLAVE, [IOAPIC] = KVM_IRQCHIP_IOAPIC };

	for (unsigned int i = 0; i < PIT; i++) {
		c->chips[i].chip_id = ids[i];
		c->calls[i] = (struct kvm_port_call){ .request = KVM_GET_IRQCHIP, .arg = &c->chips[i], .size = sizeof(c->chips[i]) };
	}
	c->calls[PIT] = (struct kvm_port_call){ .request = KVM_GET_PIT2, .arg = &c->pit, .size = sizeof(c->pit) };
	kvm_list(g->port, c->calls, g->probe->pit ? CHIPS : PIT, KVM_LIST_ALL);
}

static int take_chip(const struct gather *g, const struct chips *c, unsigned int which, const struct reg_chip *table,
		     enum reg_abi abi, void *ret)
{
	if (c->calls[which].result < 0)
		return gather_failed_vm(g, c->calls[which].result, "KVM_GET_IRQCHIP");
	abi_get(table, abi, &c->chips[which].chip, ret);
	return 0;
}

static int take_pit(const struct gather *g, const struct chips *c)
{
	struct pit_state *s = &g->state->pit;

	if (c->calls[PIT].result < 0)
		return gather_failed_vm(g, c->calls[PIT].result, "KVM_GET_PIT2");
	abi_get(&pit_chip, REG_ABI_PIT, &c->pit, s);
	reg_forget(reg_find_name(&pit_chip, "count_load_time"), s, 0);
	reg_set(reg_find_name(&pit_chip, "irq_disabled"), s, 0, c->pit.flags & KVM_PIT_FLAGS_HPET_LEGACY);
	return 0;
}

int gather_chips(const struct gather *g)
{
	struct irqchip_state *s = g->state;
	struct chips c = { 0 };
	int rc;

	if (g->probe->mode != IRQCHIP_FULL)
		return 0;
	ask(g, &c);
	rc = take_chip(g, &c, MASTER, &pic_chip, REG_ABI_PIC, &s->pics[PIC_MASTER]);
	if (!rc)
		rc = take_chip(g, &c, SLAVE, &pic_chip, REG_ABI_PIC, &s->pics[PIC_SLAVE]);
	if (!rc)
		rc = take_chip(g, &c, IOAPIC, &ioapic_chip, REG_ABI_IOAPIC, &s->ioapic);
	if (!rc && reg_known(reg_find_name(&ioapic_chip, "ID"), &s->ioapic, 0))
		reg_set(reg_find_name(&ioapic_chip, "VER"), &s->ioapic, 0,
			(IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION_11);
	if (!rc && g->probe->pit)
		rc = take_pit(g, &c);
	return rc;
}

int gather_clock(const struct gather *g)
{
	struct clock_state *s = &g->state->clock;
	struct kvm_clock_data clock;
	int rc;

	reg_set(reg_find_name(&clock_chip, "cpu_clock_offset"), s, 0, (uint64_t)monotonic_ns());
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

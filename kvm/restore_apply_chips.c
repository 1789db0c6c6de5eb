/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that change the chips of the machine. What is not known keeps the value that it has. */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "apic/abi.h"
#include "kvm/restore_priv.h"

static int call(const struct kvm_restore *r, unsigned long request, void *arg, size_t size, const char *what,
		struct irqs_error *reterr)
{
	int rc = kvm_vm(r->port, request, arg, size);

	return rc < 0 ? irqs_fail_errno(reterr, -rc, "%s", what) : 0;
}

static bool has_chips(const struct kvm_restore *r)
{
	return r->probe->mode == IRQCHIP_FULL;
}

static int put_pic(const struct kvm_restore *r, uint32_t id, const struct pic_state *s, const char *what,
		   struct irqs_error *reterr)
{
	struct kvm_irqchip chip = { .chip_id = id };
	uint8_t elcr_mask;
	int rc;

	if (!restore_knows(&pic_chip, REG_ABI_PIC, s))
		return 0;
	rc = call(r, KVM_GET_IRQCHIP, &chip, sizeof(chip), what, reterr);
	if (rc)
		return rc;
	elcr_mask = chip.chip.pic.elcr_mask;
	abi_put(&pic_chip, REG_ABI_PIC, s, &chip.chip.pic);
	chip.chip.pic.elcr_mask = elcr_mask; /* the machine's */
	return call(r, KVM_SET_IRQCHIP, &chip, sizeof(chip), what, reterr);
}

/* The slave first: its output is an input of the master, whose registers then stand. */
int restore_pics(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct pic_state *pics = r->state->pics;
	int rc;

	if (!has_chips(r))
		return 0;
	rc = put_pic(r, KVM_IRQCHIP_PIC_SLAVE, &pics[PIC_SLAVE], "pic[1]: KVM_SET_IRQCHIP", reterr);
	return rc ? rc : put_pic(r, KVM_IRQCHIP_PIC_MASTER, &pics[PIC_MASTER], "pic[0]: KVM_SET_IRQCHIP", reterr);
}

int restore_ioapic(const struct kvm_restore *r, struct irqs_error *reterr)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int rc;

	if (!has_chips(r) || !restore_knows(&ioapic_chip, REG_ABI_IOAPIC, &r->state->ioapic))
		return 0;
	rc = call(r, KVM_GET_IRQCHIP, &chip, sizeof(chip), "ioapic: KVM_GET_IRQCHIP", reterr);
	if (rc)
		return rc;
	abi_put(&ioapic_chip, REG_ABI_IOAPIC, &r->state->ioapic, &chip.chip.ioapic);
	return call(r, KVM_SET_IRQCHIP, &chip, sizeof(chip), "ioapic: KVM_SET_IRQCHIP", reterr);
}

int restore_pit(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct reg_row *disabled = reg_find_name(&pit_chip, "irq_disabled"), *flags = reg_find_name(&pit_chip, "flags");
	const struct pit_state *s = &r->state->pit;
	struct kvm_pit_state2 pit;
	int rc;

	if (!has_chips(r) || !restore_knows(&pit_chip, REG_ABI_PIT, s))
		return 0;
	rc = call(r, KVM_GET_PIT2, &pit, sizeof(pit), "KVM_GET_PIT2", reterr);
	if (rc)
		return rc;
	abi_put(&pit_chip, REG_ABI_PIT, s, &pit);
	if (reg_known(disabled, s, 0) && !reg_known(flags, s, 0))
		pit.flags = (pit.flags & ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY) |
			    (s->irq_disabled ? KVM_PIT_FLAGS_HPET_LEGACY : 0);
	return call(r, KVM_SET_PIT2, &pit, sizeof(pit), "KVM_SET_PIT2", reterr);
}

static void put_route(const struct irq_route *from, struct kvm_irq_routing_entry *to)
{
	memset(to, 0, sizeof(*to));
	to->gsi = from->gsi;
	if (from->chip == IRQ_ROUTE_MSI) {
		to->type = KVM_IRQ_ROUTING_MSI;
		to->u.msi.address_lo = (uint32_t)from->msi_address;
		to->u.msi.address_hi = (uint32_t)(from->msi_address >> 32);
		to->u.msi.data = from->msi_data;
		return;
	}
	to->type = KVM_IRQ_ROUTING_IRQCHIP;
	to->u.irqchip.irqchip = (uint32_t)from->chip;
	to->u.irqchip.pin = from->pin;
}

int restore_routes(const struct kvm_restore *r, struct irqs_error *reterr)
{
	unsigned int n = r->state->nroutes;
	struct kvm_irq_routing *routing;
	size_t size;
	int rc;

	if (!n)
		return 0;
	size = sizeof(*routing) + n * sizeof(routing->entries[0]);
	routing = calloc(1, size);
	if (!routing)
		return irqs_fail_nomem(reterr);
	routing->nr = n;
	for (unsigned int i = 0; i < n; i++)
		put_route(&r->state->routes[i], &routing->entries[i]);
	rc = call(r, KVM_SET_GSI_ROUTING, routing, size, "KVM_SET_GSI_ROUTING", reterr);
	free(routing);
	return rc;
}

/* The pin of a chip that a GSI leads to; without declared routes those that KVM starts with. */
static int pin_of(const struct irqchip_state *s, unsigned int gsi, enum irq_route_chip chip)
{
	for (unsigned int i = 0; i < s->nroutes; i++)
		if (s->routes[i].gsi == gsi && s->routes[i].chip == chip)
			return (int)s->routes[i].pin;
	if (s->nroutes)
		return -1;
	if (chip == IRQ_ROUTE_IOAPIC)
		return gsi < IOAPIC_PINS ? (int)gsi : -1;
	return gsi / 8 == (unsigned int)chip ? (int)gsi % 8 : -1;
}

bool restore_line_rises(const struct irqchip_state *s, unsigned int gsi)
{
	int pin = pin_of(s, gsi, IRQ_ROUTE_IOAPIC);
	uint64_t rte = pin < 0 ? IOAPIC_RTE_MASKED : s->ioapic.redirtbl[pin % IOAPIC_PINS];
	bool level = false;

	if (!(rte & (IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED)))
		return false; /* the edge was there already */
	for (int chip = IRQ_ROUTE_PIC_MASTER; chip <= IRQ_ROUTE_PIC_SLAVE; chip++) {
		pin = pin_of(s, gsi, (enum irq_route_chip)chip);
		if (pin >= 0 && s->pics[chip].elcr >> pin % 8 & 1)
			level = true;
	}
	return level || rte & IOAPIC_RTE_LEVEL;
}

uint32_t restore_raised(const struct irqchip_state *s, enum irq_route_chip chip)
{
	uint32_t pins = 0;

	for (unsigned int gsi = 0; gsi < 32; gsi++) {
		int pin = pin_of(s, gsi, chip);

		if (pin >= 0 && s->lines >> gsi & 1 && restore_line_rises(s, gsi))
			pins |= UINT32_C(1) << pin;
	}
	return pins;
}

/* KVM forgets who holds a line: those who do raise it again. */
int restore_lines(const struct kvm_restore *r, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int gsi = 0; has_chips(r) && gsi < 32 && !rc; gsi++) {
		struct kvm_irq_level line = { .irq = gsi, .level = 1 };

		if (r->state->lines >> gsi & 1 && restore_line_rises(r->state, gsi))
			rc = call(r, KVM_IRQ_LINE, &line, sizeof(line), "KVM_IRQ_LINE", reterr);
	}
	return rc;
}

int restore_clock(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct clock_state *s = &r->state->clock;
	struct kvm_clock_data clock;
	bool realtime = r->options.realtime && reg_known(reg_find_name(&clock_chip, "kvmclock_realtime"), s, 0);

	if (!r->probe->clock || !reg_known(reg_find_name(&clock_chip, "kvmclock"), s, 0))
		return 0;
	memset(&clock, 0, sizeof(clock));
	abi_put(&clock_chip, REG_ABI_CLOCK, s, &clock);
	clock.flags = realtime ? KVM_CLOCK_REALTIME : 0;
	return call(r, KVM_SET_CLOCK, &clock, sizeof(clock), "KVM_SET_CLOCK", reterr);
}

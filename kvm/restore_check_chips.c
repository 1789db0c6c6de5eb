/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused of the chips of the machine, before anything changes. */
#include <inttypes.h>
#include <linux/kvm.h>

#include "kvm/restore_priv.h"

/* KVM_MAX_IRQ_ROUTES */
#define ROUTES_MAX 4096

static int check_values(const struct reg_chip *chip, const void *state, const char *name, int index,
			struct irqs_error *reterr)
{
	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		for (unsigned int i = 0; i < row->count; i++)
			if (reg_known(row, state, i) && row->storage == REG_STORED && reg_get(row, state, i) & row->rsvd)
				return restore_refuse(reterr, name, index, row->name, row->count > 1 ? (int)i : -1,
						      "reserved bits 0x%" PRIx64 " are set", reg_get(row, state, i) & row->rsvd);
	}
	return 0;
}

/* The greatest value of rows that are numbers. */
struct limit {
	const char *name;
	uint64_t max;
};

static int check_limits(const struct reg_chip *chip, const struct limit *limits, size_t n, const void *state,
			const char *name, int index, struct irqs_error *reterr)
{
	for (size_t l = 0; l < n; l++) {
		const struct reg_row *row = reg_find_name(chip, limits[l].name);

		for (unsigned int i = 0; i < row->count; i++)
			if (reg_known(row, state, i) && reg_get(row, state, i) > limits[l].max)
				return restore_refuse(reterr, name, index, row->name, row->count > 1 ? (int)i : -1,
						      "%" PRIu64 ", at most %" PRIu64 " is possible", reg_get(row, state, i),
						      limits[l].max);
	}
	return 0;
}

/* The kernel knows neither a single PIC nor one with all lines level-triggered. */
static const struct limit pic_limits[] = {
	{ "priority_add", 7 },
	{ "read_reg_select", 1 },
	{ "poll", 1 },
	{ "special_mask", 1 },
	{ "init_state", 3 },
	{ "auto_eoi", 1 },
	{ "rotate_on_auto_eoi", 1 },
	{ "special_fully_nested_mode", 1 },
	{ "init4", 1 },
	{ "single_mode", 0 },
	{ "ltim", 0 },
};

int restore_check_pics(const struct kvm_restore *r, unsigned int unused, struct irqs_error *reterr)
{
	const struct pic_state *pics = r->state->pics;
	bool master = restore_knows(&pic_chip, REG_ABI_PIC, &pics[PIC_MASTER]);
	bool slave = restore_knows(&pic_chip, REG_ABI_PIC, &pics[PIC_SLAVE]);
	int rc = 0;

	(void)unused;
	if (r->probe->mode != IRQCHIP_FULL || (!master && !slave))
		return 0;
	if (master != slave)
		return restore_refuse(reterr, "pic", master ? PIC_SLAVE : PIC_MASTER, NULL, -1,
				      "nothing of it is known, but the other PIC is");
	for (int i = PIC_MASTER; i <= PIC_SLAVE && !rc; i++)
		rc = check_limits(&pic_chip, pic_limits, REG_ARRAY_SIZE(pic_limits), &pics[i], "pic", i, reterr);
	return rc;
}

int restore_check_ioapic(const struct kvm_restore *r, unsigned int unused, struct irqs_error *reterr)
{
	const struct ioapic_state *s = &r->state->ioapic;
	const struct reg_row *irr = reg_find_name(&ioapic_chip, "irr");

	(void)unused;
	if (r->probe->mode != IRQCHIP_FULL || !restore_knows(&ioapic_chip, REG_ABI_IOAPIC, s))
		return 0;
	if (reg_known(reg_find_name(&ioapic_chip, "VER"), s, 0) && (s->version & 0xff) != IOAPIC_VERSION_11)
		return restore_refuse(reterr, "ioapic", -1, "VER", -1,
				      "version 0x%x: the guest may use its EOI register, and the kernel's IOAPIC has none",
				      s->version & 0xff);
	if (reg_known(irr, s, 0) && s->irr >> IOAPIC_PINS)
		return restore_refuse(reterr, "ioapic", -1, "irr", -1, "0x%x: it has %d pins", s->irr, IOAPIC_PINS);
	return check_values(&ioapic_chip, s, "ioapic", -1, reterr);
}

static const struct limit pit_limits[] = {
	{ "count", 0x10000 },
	{ "bcd", 1 },
	{ "gate", 1 },
	{ "rw_mode", 3 },
	{ "read_state", 4 },
	{ "write_state", 4 },
	{ "count_latched", 4 },
	{ "status_latched", 1 },
	{ "flags", KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON },
};

int restore_check_pit(const struct kvm_restore *r, unsigned int unused, struct irqs_error *reterr)
{
	const struct pit_state *s = &r->state->pit;
	const struct reg_row *mode = reg_find_name(&pit_chip, "mode");

	(void)unused;
	if (r->probe->mode != IRQCHIP_FULL || !restore_knows(&pit_chip, REG_ABI_PIT, s))
		return 0;
	if (!r->probe->pit)
		return restore_refuse(reterr, "pit", -1, NULL, -1, "the VM has no PIT in the kernel");
	for (int i = 0; i < PIT_CHANNELS; i++)
		if (reg_known(mode, s, (unsigned int)i) && s->channels[i].mode > 5 && s->channels[i].mode != 0xff)
			return restore_refuse(reterr, "pit", -1, "mode", i, "%u is none", s->channels[i].mode);
	return check_limits(&pit_chip, pit_limits, REG_ARRAY_SIZE(pit_limits), s, "pit", -1, reterr);
}

int restore_check_routes(const struct kvm_restore *r, unsigned int unused, struct irqs_error *reterr)
{
	static const unsigned int pins[] = {
		[IRQ_ROUTE_PIC_MASTER] = 8,
		[IRQ_ROUTE_PIC_SLAVE] = 8,
		[IRQ_ROUTE_IOAPIC] = IOAPIC_PINS,
	};
	const struct irqchip_state *s = r->state;

	(void)unused;
	if (!s->nroutes)
		return 0;
	if (r->probe->mode == IRQCHIP_NONE || !r->probe->routing)
		return restore_refuse(reterr, "routes", -1, NULL, -1, "the VM takes none");
	if (s->nroutes > ROUTES_MAX)
		return restore_refuse(reterr, "routes", -1, NULL, -1, "%u, KVM takes %d", s->nroutes, ROUTES_MAX);
	for (unsigned int i = 0; i < s->nroutes; i++) {
		const struct irq_route *route = &s->routes[i];

		if ((unsigned int)route->chip > IRQ_ROUTE_MSI || route->gsi >= ROUTES_MAX)
			return restore_refuse(reterr, "routes", (int)i, NULL, -1, "GSI %u to chip %d", route->gsi, route->chip);
		if (route->chip == IRQ_ROUTE_MSI)
			continue;
		if (r->probe->mode == IRQCHIP_SPLIT)
			return restore_refuse(reterr, "routes", (int)i, NULL, -1,
					      "GSI %u leads to a chip that is in user space", route->gsi);
		if (route->pin >= pins[route->chip])
			return restore_refuse(reterr, "routes", (int)i, NULL, -1, "GSI %u leads to pin %u of %u", route->gsi,
					      route->pin, pins[route->chip]);
	}
	return 0;
}

/* Lines of chips in user space are raised there. */
int restore_check_lines(const struct kvm_restore *r, unsigned int unused, struct irqs_error *reterr)
{
	(void)unused;
	if (r->probe->mode == IRQCHIP_FULL && r->state->lines && !restore_knows(&ioapic_chip, REG_ABI_IOAPIC, &r->state->ioapic))
		return restore_refuse(reterr, "lines", -1, NULL, -1,
				      "0x%x are high, but no IOAPIC says which of them are level-triggered", r->state->lines);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's controllers put together: wires, lines, ports, memory. */
#include "userspace/irqchip_model.h"

#include <errno.h>
#include <string.h>

#include "userspace/irqchip_model_priv.h"

#define IOAPIC_BASE UINT64_C(0xfec00000)
#define PIT_GSI 0

#define TO_PIC(n)                                                                                        \
	{                                                                                                \
		.gsi = (n), .chip = (n) < 8 ? IRQ_ROUTE_PIC_MASTER : IRQ_ROUTE_PIC_SLAVE, .pin = (n) % 8 \
	}
#define TO_PIN(n, p)                                             \
	{                                                        \
		.gsi = (n), .chip = IRQ_ROUTE_IOAPIC, .pin = (p) \
	}
#define TO_BOTH(n) TO_PIC(n), TO_PIN(n, n)

const struct irq_route irqchip_model_routes[IRQCHIP_MODEL_ROUTES] = {
	TO_PIC(0),
	TO_PIN(0, 2),
	TO_BOTH(1),
	TO_BOTH(3),
	TO_BOTH(4),
	TO_BOTH(5),
	TO_BOTH(6),
	TO_BOTH(7),
	TO_BOTH(8),
	TO_BOTH(9),
	TO_BOTH(10),
	TO_BOTH(11),
	TO_BOTH(12),
	TO_BOTH(13),
	TO_BOTH(14),
	TO_BOTH(15),
	TO_PIN(16, 16),
	TO_PIN(17, 17),
	TO_PIN(18, 18),
	TO_PIN(19, 19),
	TO_PIN(20, 20),
	TO_PIN(21, 21),
	TO_PIN(22, 22),
	TO_PIN(23, 23),
};

/* ---- callbacks of the chips ---- */

static int64_t now_ns(void *ctx)
{
	struct irqchip_model *m = ctx;

	return m->config.ops->now_ns(m->config.ctx);
}

static uint64_t tsc(void *ctx, unsigned int cpu)
{
	struct irqchip_model *m = ctx;

	return m->config.ops->tsc(m->config.ctx, cpu);
}

static void arm(void *ctx, unsigned int cpu, int64_t at_ns)
{
	struct irqchip_model *m = ctx;

	m->config.ops->arm(m->config.ctx, cpu, at_ns);
}

static void kick(void *ctx, unsigned int cpu)
{
	struct irqchip_model *m = ctx;

	m->config.ops->kick(m->config.ctx, cpu);
}

static void moved(void *ctx, unsigned int cpu, uint64_t base)
{
	struct irqchip_model *m = ctx;

	if (m->config.ops->moved)
		m->config.ops->moved(m->config.ctx, cpu, base);
}

static const struct lapic_model_ops lapic_ops = { now_ns, tsc, arm, kick, moved };
static const struct lapic_model_ops lapic_ops_without_tsc = { now_ns, NULL, arm, kick, moved };

static void tell_routes(struct irqchip_model *m)
{
	if (!m->routes_changed)
		return;
	m->routes_changed = false;
	if (m->config.ops->routes)
		m->config.ops->routes(m->config.ctx);
}

int irqchip_model_msi(struct irqchip_model *m, uint64_t address, uint32_t data)
{
	if (!irqchip_is_split(m))
		return apic_bus_msi(&m->bus, address, data);
	tell_routes(m);
	return m->config.ops->msi(m->config.ctx, address, data);
}

static int ioapic_msi(void *ctx, uint64_t address, uint32_t data)
{
	return irqchip_model_msi(ctx, address, data);
}

/* INTR is wired to LINT0 of every CPU. Which of them takes it in split, the kernel knows. */
static void pic_intr(void *opaque, bool level)
{
	struct irqchip_model *m = opaque;

	for (unsigned int i = 0; i < m->config.ncpus; i++)
		if (!irqchip_is_split(m))
			lapic_model_lint(&m->lapics[i], 0, level);
		else if (level)
			kick(m, i);
}

static void pic_eoi(void *opaque, unsigned int irq)
{
	struct irqchip_model *m = opaque;

	if (irq == PIT_GSI)
		m->pit_acked = true;
}

static const struct pic_model_ops pic_ops = { pic_intr, pic_eoi };

static void pit_arm(void *opaque, int64_t at_ns)
{
	arm(opaque, IRQCHIP_MODEL_PIT, at_ns == PIT_NEVER ? LAPIC_MODEL_NEVER : at_ns);
}

static void set_pins(struct irqchip_model *m, uint32_t gsi, bool level)
{
	for (unsigned int i = 0; i < m->config.nroutes; i++) {
		const struct irq_route *r = &m->config.routes[i];

		if (r->gsi != gsi)
			continue;
		if (r->chip == IRQ_ROUTE_IOAPIC)
			ioapic_model_line(&m->ioapic, r->pin, level);
		else if (r->chip != IRQ_ROUTE_MSI)
			pic_model_set_line(&m->pic, r->pin + (r->chip == IRQ_ROUTE_PIC_SLAVE ? 8 : 0), level);
		else if (level)
			irqchip_model_msi(m, r->msi_address, r->msi_data);
	}
}

static void pit_tick(void *opaque)
{
	struct irqchip_model *m = opaque;

	set_pins(m, PIT_GSI, true);
	set_pins(m, PIT_GSI, false);
	if (m->pic.pics[PIC_MASTER].imr & 1 << PIT_GSI)
		m->pit_unheard = true;
}

static int64_t pit_now(void *opaque)
{
	return now_ns(opaque);
}

static const struct pit_model_ops pit_ops = { pit_now, pit_arm, pit_tick };

void irqchip_settle(struct irqchip_model *m)
{
	if (m->pit_unheard)
		pit_model_forgive(&m->pit);
	else if (m->pit_acked)
		pit_model_acked(&m->pit);
	m->pit_acked = m->pit_unheard = false;
}

/* ---- making one ---- */

static bool valid(const struct irqchip_model_config *c, const struct lapic_model *lapics)
{
	if (c->mode != IRQCHIP_NONE && c->mode != IRQCHIP_SPLIT)
		return false;
	if (!c->ncpus || c->ncpus > APIC_BUS_CPUS || !c->ops->now_ns || !c->ops->arm || !c->ops->kick)
		return false;
	return c->mode == IRQCHIP_SPLIT ? !!c->ops->msi : !!lapics;
}

static int add_lapics(struct irqchip_model *m)
{
	struct lapic_model_config config = m->config.lapic;
	int rc = 0;

	config.ops = m->config.ops->tsc ? &lapic_ops : &lapic_ops_without_tsc;
	config.ctx = m;
	for (unsigned int i = 0; i < m->config.ncpus && !rc; i++) {
		config.id = m->config.ids ? m->config.ids[i] : i;
		config.bsp = i == 0;
		rc = lapic_model_init(&m->lapics[i], &m->bus, &config);
	}
	return rc;
}

int irqchip_model_init(struct irqchip_model *m, struct lapic_model *lapics, const struct irqchip_model_config *config)
{
	struct ioapic_model_config io = {
		.msi = ioapic_msi,
		.ctx = m,
		.base = IOAPIC_BASE,
		.version = config->ioapic_version,
		.npins = IOAPIC_PINS,
	};
	int rc;

	if (!valid(config, lapics))
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->config.ids = NULL;
	m->lapics = lapics;
	if (!config->routes) {
		m->config.routes = irqchip_model_routes;
		m->config.nroutes = IRQCHIP_MODEL_ROUTES;
	}
	apic_bus_init(&m->bus, false);
	rc = ioapic_model_init(&m->ioapic, &io);
	if (rc)
		return rc;
	apic_bus_add_ioapic(&m->bus, &m->ioapic);
	pic_model_init(&m->pic, &pic_ops, m, config->pic_quirks);
	pit_model_init(&m->pit, &pit_ops, m, config->catch_up, config->pit_quirks);
	return irqchip_is_split(m) ? 0 : add_lapics(m);
}

struct lapic_model *irqchip_model_lapic(struct irqchip_model *m, unsigned int cpu)
{
	return &m->lapics[cpu];
}

const struct ioapic_model *irqchip_model_ioapic(const struct irqchip_model *m)
{
	return &m->ioapic;
}

/* ---- devices ---- */

void irqchip_model_line(struct irqchip_model *m, uint32_t gsi, bool level)
{
	uint32_t bit = gsi < IRQCHIP_MODEL_LINES ? UINT32_C(1) << gsi : 0;

	m->lines = level ? m->lines | bit : m->lines & ~bit;
	set_pins(m, gsi, level);
	irqchip_settle(m);
}

void irqchip_model_expired(struct irqchip_model *m, unsigned int timer)
{
	if (timer == IRQCHIP_MODEL_PIT)
		pit_model_expired(&m->pit);
	else if (!irqchip_is_split(m) && timer < m->config.ncpus)
		lapic_model_timer(&m->lapics[timer]);
	irqchip_settle(m);
}

void irqchip_model_eoi(struct irqchip_model *m, uint8_t vector)
{
	ioapic_model_eoi(&m->ioapic, vector);
}

/* ---- the guest's accesses ---- */

static uint32_t load(const uint8_t *p, unsigned int size)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < size && i < 4; i++)
		value |= (uint32_t)p[i] << 8 * i;
	return value;
}

static void store(uint8_t *p, unsigned int size, uint32_t value)
{
	for (unsigned int i = 0; i < size; i++)
		p[i] = i < 4 ? (uint8_t)(value >> 8 * i) : 0xff;
}

bool irqchip_model_pio(struct irqchip_model *m, uint16_t port, bool write, void *data, unsigned int size)
{
	bool pit = pit_model_owns(port);

	if (!pit && !pic_model_owns(port))
		return false;
	if (pit && write)
		pit_model_write(&m->pit, port, size, load(data, size));
	else if (pit)
		store(data, size, pit_model_read(&m->pit, port, size));
	else if (write)
		pic_model_write(&m->pic, port, size, load(data, size));
	else
		store(data, size, pic_model_read(&m->pic, port, size));
	irqchip_settle(m);
	return true;
}

static void access_ioapic(struct irqchip_model *m, uint32_t offset, bool write, void *data, unsigned int size)
{
	if (!write) {
		ioapic_model_read(&m->ioapic, offset, data, size);
		return;
	}
	m->routes_changed = irqchip_is_split(m);
	ioapic_model_write(&m->ioapic, offset, data, size);
	tell_routes(m);
}

bool irqchip_model_mmio(struct irqchip_model *m, unsigned int cpu, uint64_t address, bool write, void *data,
			unsigned int size)
{
	if (!irqchip_is_split(m) && lapic_model_decodes(&m->lapics[cpu], address)) {
		if (write)
			lapic_model_write(&m->lapics[cpu], address & 0xfff, data, size);
		else
			lapic_model_read(&m->lapics[cpu], address & 0xfff, data, size);
		return true;
	}
	if (!ioapic_model_decodes(&m->ioapic, address))
		return false;
	access_ioapic(m, (uint32_t)(address - m->ioapic.s.base_address), write, data, size);
	return true;
}

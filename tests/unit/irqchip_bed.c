/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/irqchip_bed.h"

#include <stdlib.h>
#include <string.h>

static int64_t now_ns(void *ctx)
{
	return ((struct irqchip_bed *)ctx)->now_ns;
}

static uint64_t tsc(void *ctx, unsigned int cpu)
{
	(void)cpu;
	return (uint64_t)((struct irqchip_bed *)ctx)->now_ns * 2;
}

static void arm(void *ctx, unsigned int timer, int64_t at_ns)
{
	struct irqchip_bed *bed = ctx;

	bed->armed_ns[timer == IRQCHIP_MODEL_PIT ? IRQCHIP_BED_CPUS : timer] = at_ns;
}

static void kick(void *ctx, unsigned int cpu)
{
	((struct irqchip_bed *)ctx)->kicks[cpu]++;
}

static int msi(void *ctx, uint64_t address, uint32_t data)
{
	struct irqchip_bed *bed = ctx;

	if (bed->nmsis == IRQCHIP_BED_LOG)
		abort();
	bed->msis[bed->nmsis].address = address;
	bed->msis[bed->nmsis].data = data;
	bed->msis[bed->nmsis++].routes = bed->nroutes;
	return 1;
}

static void routes(void *ctx)
{
	((struct irqchip_bed *)ctx)->nroutes++;
}

static const struct irqchip_model_ops ops = {
	.now_ns = now_ns, .tsc = tsc, .arm = arm, .kick = kick, .msi = msi, .routes = routes
};

struct irqchip_model_config irqchip_bed_config(struct irqchip_bed *bed, enum irqchip_mode mode)
{
	return (struct irqchip_model_config){
		.ops = &ops,
		.ctx = bed,
		.mode = mode,
		.ncpus = 2,
		.lapic = { .x2apic = true, .tsc_deadline = true, .phys_bits = 46, .bus_cycle_ns = 1, .tsc_khz = 2000000 },
		.ioapic_version = IOAPIC_VERSION_11,
	};
}

void irqchip_bed_init(struct irqchip_bed *bed, enum irqchip_mode mode)
{
	struct irqchip_model_config config = irqchip_bed_config(bed, mode);

	memset(bed, 0, sizeof(*bed));
	bed->now_ns = 1000000;
	if (irqchip_model_init(&bed->m, mode == IRQCHIP_NONE ? bed->lapics : NULL, &config))
		abort();
	for (unsigned int i = 0; i < config.ncpus && mode == IRQCHIP_NONE; i++)
		irqchip_bed_lapic(bed, i, LAPIC_SVR, 0x1ff);
	memset(bed->kicks, 0, sizeof(bed->kicks));
}

void irqchip_bed_out(struct irqchip_bed *bed, uint16_t port, uint8_t value)
{
	if (!irqchip_model_pio(&bed->m, port, true, &value, 1))
		abort();
}

uint8_t irqchip_bed_in(struct irqchip_bed *bed, uint16_t port)
{
	uint8_t value;

	if (!irqchip_model_pio(&bed->m, port, false, &value, 1))
		abort();
	return value;
}

static void write32(struct irqchip_bed *bed, unsigned int cpu, uint64_t address, uint32_t value)
{
	if (!irqchip_model_mmio(&bed->m, cpu, address, true, &value, 4))
		abort();
}

void irqchip_bed_lapic(struct irqchip_bed *bed, unsigned int cpu, uint32_t offset, uint32_t value)
{
	write32(bed, cpu, 0xfee00000 + offset, value);
}

void irqchip_bed_rte(struct irqchip_bed *bed, unsigned int pin, uint64_t rte)
{
	write32(bed, 0, 0xfec00000, IOAPIC_RTE + 2 * pin + 1);
	write32(bed, 0, 0xfec00010, (uint32_t)(rte >> 32));
	write32(bed, 0, 0xfec00000, IOAPIC_RTE + 2 * pin);
	write32(bed, 0, 0xfec00010, (uint32_t)rte);
}

void irqchip_bed_pics(struct irqchip_bed *bed, uint16_t unmasked)
{
	static const uint8_t icws[2][4] = { { 0x11, 0x20, 4, 1 }, { 0x11, 0x28, 2, 1 } };

	for (unsigned int i = 0; i < 2; i++) {
		uint16_t port = i ? 0xa0 : 0x20;

		irqchip_bed_out(bed, port, icws[i][0]);
		for (unsigned int w = 1; w < 4; w++)
			irqchip_bed_out(bed, port + 1, icws[i][w]);
		irqchip_bed_out(bed, port + 1, (uint8_t) ~(unmasked >> 8 * i));
	}
}

struct irqchip_state irqchip_bed_state(struct irqchip_bed *bed)
{
	static struct lapic_state lapics[IRQCHIP_BED_CPUS];
	struct irqchip_state s = { .lapics = lapics };

	memset(lapics, 0, sizeof(lapics));
	if (irqchip_model_get(&bed->m, &s, NULL))
		abort();
	return s;
}

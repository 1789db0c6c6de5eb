/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/apic_bed.h"

#include <stdlib.h>
#include <string.h>

static int64_t now_ns(void *ctx)
{
	return ((struct apic_bed *)ctx)->now_ns;
}

static uint64_t tsc(void *ctx, unsigned int cpu)
{
	struct apic_bed *bed = ctx;

	return bed->tsc_offset + (uint64_t)bed->now_ns * 2 + cpu;
}

static void arm(void *ctx, unsigned int cpu, int64_t at_ns)
{
	struct apic_bed *bed = ctx;

	if (cpu >= BED_CPUS)
		return;
	bed->armed_ns[cpu] = at_ns;
	bed->arms[cpu]++;
}

static void kick(void *ctx, unsigned int cpu)
{
	if (cpu < BED_CPUS)
		((struct apic_bed *)ctx)->kicks[cpu]++;
}

static void moved(void *ctx, unsigned int cpu, uint64_t base)
{
	if (cpu < BED_CPUS)
		((struct apic_bed *)ctx)->page[cpu] = base;
}

static const struct lapic_model_ops ops = { now_ns, tsc, arm, kick, moved };

struct lapic_model_config bed_config(struct apic_bed *bed)
{
	return (struct lapic_model_config){
		.ops = &ops,
		.ctx = bed,
		.bsp = true,
		.x2apic = true,
		.tsc_deadline = true,
		.cmci = true,
		.eoi_suppression = true,
		.phys_bits = 46,
		.bus_cycle_ns = 1,
		.tsc_khz = BED_TSC_KHZ,
	};
}

static int to_bus(void *ctx, uint64_t address, uint32_t data)
{
	return apic_bus_msi(ctx, address, data);
}

void bed_init_with(struct apic_bed *bed, unsigned int ncpus, struct lapic_model_config config)
{
	struct ioapic_model_config io = {
		.msi = to_bus,
		.ctx = &bed->bus,
		.base = 0xfec00000,
		.version = IOAPIC_VERSION_20,
		.npins = 24,
	};

	memset(bed, 0, sizeof(*bed));
	bed->now_ns = 1000000;
	bed->ncpus = (uint8_t)ncpus;
	apic_bus_init(&bed->bus, false);
	for (unsigned int i = 0; i < ncpus; i++) {
		config.id = i;
		config.bsp = i == 0;
		bed->armed_ns[i] = LAPIC_MODEL_NEVER;
		if (lapic_model_init(&bed->cpu[i], &bed->bus, &config))
			abort();
	}
	if (ioapic_model_init(&bed->ioapic, &io))
		abort();
	apic_bus_add_ioapic(&bed->bus, &bed->ioapic);
}

void bed_init(struct apic_bed *bed, unsigned int ncpus)
{
	bed_init_with(bed, ncpus, bed_config(bed));
	for (unsigned int i = 0; i < ncpus; i++)
		bed_write(bed, i, LAPIC_SVR, 0x1ff);
	memset(bed->kicks, 0, sizeof(bed->kicks));
}

void bed_x2apic(struct apic_bed *bed, unsigned int cpu)
{
	uint64_t base = lapic_model_state(&bed->cpu[cpu])->apic_base;

	if (lapic_model_wrmsr(&bed->cpu[cpu], LAPIC_MSR_APIC_BASE, base | LAPIC_BASE_X2APIC))
		abort();
}

uint32_t bed_read(struct apic_bed *bed, unsigned int cpu, uint32_t offset)
{
	uint32_t value;

	lapic_model_read(&bed->cpu[cpu], offset, &value, sizeof(value));
	return value;
}

void bed_write(struct apic_bed *bed, unsigned int cpu, uint32_t offset, uint32_t value)
{
	lapic_model_write(&bed->cpu[cpu], offset, &value, sizeof(value));
}

uint64_t bed_rdmsr(struct apic_bed *bed, unsigned int cpu, uint32_t index)
{
	uint64_t value;

	if (lapic_model_rdmsr(&bed->cpu[cpu], index, &value))
		abort();
	return value;
}

void bed_ipi(struct apic_bed *bed, uint32_t dest, uint32_t icr)
{
	bed_write(bed, 0, LAPIC_ICR2, dest << 24);
	bed_write(bed, 0, LAPIC_ICR, icr);
}

unsigned int bed_send(struct apic_bed *bed, uint32_t id, uint8_t vector, bool level)
{
	struct apic_message msg = { .dest = id, .vector = vector, .level = level };

	return apic_bus_send(&bed->bus, &msg);
}

bool bed_requested(const struct apic_bed *bed, unsigned int cpu, uint8_t vector)
{
	return lapic_bank_test(lapic_model_state(&bed->cpu[cpu]), LAPIC_IRR, vector);
}

void bed_pass(struct apic_bed *bed, int64_t ns)
{
	int64_t end = bed->now_ns + ns;

	for (;;) {
		unsigned int next = 0;

		for (unsigned int i = 1; i < bed->ncpus; i++)
			if (bed->armed_ns[i] < bed->armed_ns[next])
				next = i;
		if (bed->armed_ns[next] > end)
			break;
		if (bed->armed_ns[next] > bed->now_ns)
			bed->now_ns = bed->armed_ns[next];
		bed->armed_ns[next] = LAPIC_MODEL_NEVER;
		lapic_model_timer(&bed->cpu[next]);
	}
	bed->now_ns = end;
}

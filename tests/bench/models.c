/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * models: accesses per second of the emulated chips alone, without the exit of a vCPU, and what a timer interrupt costs
 * from pit_model_expired() or lapic_model_timer() to the vector that a vCPU injects. The best of ROUNDS rounds each, which
 * other load disturbs least.
 */
#include <stdio.h>
#include <time.h>

#include "base/monotonic.h"
#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"
#include "userspace/pic_model.h"
#include "userspace/pit_model.h"

enum { ROUNDS = 7,
       TIMES = 200000,
       CPUS = 4,
       PERIOD_NS = 1000000,
       TSC_PER_NS = 3 };

struct machine {
	struct pic_model pic;
	struct pit_model pit;
	struct apic_bus bus;
	struct lapic_model lapics[CPUS]; /* the last one is in x2APIC mode */
	struct ioapic_model ioapic;
	int64_t now;
	unsigned int vectors;
};

static void on_intr(void *opaque, bool level)
{
	(void)opaque;
	(void)level;
}

static int64_t on_now(void *opaque)
{
	return ((struct machine *)opaque)->now;
}

static void on_arm(void *opaque, int64_t at_ns)
{
	(void)opaque;
	(void)at_ns;
}

static void on_tick(void *opaque)
{
	struct machine *m = opaque;

	pic_model_set_line(&m->pic, 0, true);
	pic_model_set_line(&m->pic, 0, false);
}

static const struct pic_model_ops pic_ops = { .intr = on_intr };
static const struct pit_model_ops pit_ops = { .now_ns = on_now, .arm = on_arm, .tick = on_tick };

static uint64_t on_tsc(void *opaque, unsigned int cpu)
{
	(void)cpu;
	return (uint64_t)on_now(opaque) * TSC_PER_NS;
}

static void on_lapic_arm(void *opaque, unsigned int cpu, int64_t at_ns)
{
	(void)cpu;
	on_arm(opaque, at_ns);
}

static void on_kick(void *opaque, unsigned int cpu)
{
	(void)opaque;
	(void)cpu;
}

static int on_msi(void *opaque, uint64_t address, uint32_t data)
{
	return apic_bus_msi(&((struct machine *)opaque)->bus, address, data);
}

static const struct lapic_model_ops lapic_ops = { on_now, on_tsc, on_lapic_arm, on_kick, NULL };

static void write_page(struct machine *m, unsigned int cpu, uint32_t offset, uint32_t value)
{
	lapic_model_write(&m->lapics[cpu], offset, &value, sizeof(value));
}

static void write_window(struct machine *m, uint32_t reg, uint32_t value)
{
	ioapic_model_write(&m->ioapic, 0x00, &reg, sizeof(reg));
	ioapic_model_write(&m->ioapic, 0x10, &value, sizeof(value));
}

static void setup_apics(struct machine *m)
{
	struct lapic_model_config config = { .ops = &lapic_ops,
					     .ctx = m,
					     .x2apic = true,
					     .tsc_deadline = true,
					     .phys_bits = 36,
					     .bus_cycle_ns = 1,
					     .tsc_khz = TSC_PER_NS * 1000000 };
	struct ioapic_model_config io = { .msi = on_msi,
					  .ctx = m,
					  .base = 0xfec00000,
					  .version = IOAPIC_VERSION_20,
					  .npins = 24 };

	apic_bus_init(&m->bus, false);
	for (unsigned int i = 0; i < CPUS; i++) {
		config.id = i;
		config.bsp = !i;
		lapic_model_init(&m->lapics[i], &m->bus, &config);
		write_page(m, i, LAPIC_SVR, 0x1ff);
	}
	write_page(m, 0, LAPIC_TDCR, 0xb);
	write_page(m, 0, LAPIC_LVTT, 0x20030);
	write_page(m, 0, LAPIC_TMICT, PERIOD_NS);
	lapic_model_wrmsr(&m->lapics[CPUS - 1], LAPIC_MSR_APIC_BASE, 0xfee00000 | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
	lapic_model_wrmsr(&m->lapics[CPUS - 1], LAPIC_MSR_X2APIC + LAPIC_LVTT / 16, 0x40031);
	ioapic_model_init(&m->ioapic, &io);
	apic_bus_add_ioapic(&m->bus, &m->ioapic);
	write_window(m, IOAPIC_RTE + 8, 0x8041);
}

static void setup(struct machine *m)
{
	static const uint8_t words[][2] = {
		{ 0x20, 0x11 },
		{ 0x21, 0x30 },
		{ 0x21, 0x04 },
		{ 0x21, 0x01 },
		{ 0xa0, 0x11 },
		{ 0xa1, 0x38 },
		{ 0xa1, 0x02 },
		{ 0xa1, 0x01 },
	};

	m->now = 0;
	pic_model_init(&m->pic, &pic_ops, m, 0);
	pit_model_init(&m->pit, &pit_ops, m, PIT_COALESCE, 0);
	for (size_t i = 0; i < REG_ARRAY_SIZE(words); i++)
		pic_model_write(&m->pic, words[i][0], 1, words[i][1]);
	pit_model_write(&m->pit, 0x43, 1, 0x34);
	pit_model_write(&m->pit, 0x40, 1, 0xa9);
	pit_model_write(&m->pit, 0x40, 1, 0x04);
	setup_apics(m);
}

static void read_mask(struct machine *m)
{
	m->vectors += pic_model_read(&m->pic, 0x21, 1);
}

static void write_mask(struct machine *m)
{
	pic_model_write(&m->pic, 0x21, 1, 0x00);
}

static void end_of_interrupt(struct machine *m)
{
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

/* A line of the slave, its vector, both EOIs. */
static void interrupt(struct machine *m)
{
	pic_model_set_line(&m->pic, 12, true);
	pic_model_set_line(&m->pic, 12, false);
	m->vectors += pic_model_ack(&m->pic);
	pic_model_write(&m->pic, 0xa0, 1, 0x20);
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

static void read_counter(struct machine *m)
{
	m->now += 1000;
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
}

static void latch_and_read(struct machine *m)
{
	m->now += 1000;
	pit_model_write(&m->pit, 0x43, 1, 0x00);
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
}

static void read_port_b(struct machine *m)
{
	m->now += 1000;
	m->vectors += pit_model_read(&m->pit, 0x61, 1);
}

static void timer_interrupt(struct machine *m)
{
	m->now += 1000152;
	pit_model_expired(&m->pit);
	m->vectors += pic_model_intr(&m->pic) ? pic_model_ack(&m->pic) : 0;
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

static void read_page(struct machine *m, uint32_t offset)
{
	uint32_t value;

	lapic_model_read(&m->lapics[0], offset, &value, sizeof(value));
	m->vectors += value;
}

static void read_tpr(struct machine *m)
{
	read_page(m, LAPIC_TPR);
}

static void read_count(struct machine *m)
{
	m->now++;
	read_page(m, LAPIC_TMCCT);
}

static void write_tpr(struct machine *m)
{
	write_page(m, 0, LAPIC_TPR, 0x20);
}

static void take(struct machine *m, unsigned int cpu)
{
	if (lapic_model_injectable(&m->lapics[cpu]) >= 0)
		m->vectors += (unsigned int)lapic_model_acknowledge(&m->lapics[cpu]);
}

static void send_ipi(struct machine *m)
{
	write_page(m, 0, LAPIC_ICR2, 1 << 24);
	write_page(m, 0, LAPIC_ICR, 0x4052);
	take(m, 1);
	write_page(m, 1, LAPIC_EOI, 0);
}

static void send_self(struct machine *m)
{
	lapic_model_wrmsr(&m->lapics[CPUS - 1], LAPIC_MSR_X2APIC + LAPIC_SELF / 16, 0x53);
	take(m, CPUS - 1);
	lapic_model_wrmsr(&m->lapics[CPUS - 1], LAPIC_MSR_X2APIC + LAPIC_EOI / 16, 0);
}

/* With what it takes to be ready for the next one. */
static void lapic_timer_interrupt(struct machine *m)
{
	m->now += PERIOD_NS;
	lapic_model_timer(&m->lapics[0]);
	take(m, 0);
	write_page(m, 0, LAPIC_EOI, 0);
}

static void deadline_interrupt(struct machine *m)
{
	struct lapic_model *lapic = &m->lapics[CPUS - 1];

	lapic_model_wrmsr(lapic, LAPIC_MSR_TSC_DEADLINE, ((uint64_t)m->now + PERIOD_NS) * TSC_PER_NS);
	m->now += PERIOD_NS;
	lapic_model_timer(lapic);
	take(m, CPUS - 1);
	lapic_model_wrmsr(lapic, LAPIC_MSR_X2APIC + LAPIC_EOI / 16, 0);
}

static void read_entry(struct machine *m)
{
	uint32_t reg = IOAPIC_RTE + 8, value;

	ioapic_model_write(&m->ioapic, 0x00, &reg, sizeof(reg));
	ioapic_model_read(&m->ioapic, 0x10, &value, sizeof(value));
	m->vectors += value;
}

static void write_entry(struct machine *m)
{
	write_window(m, IOAPIC_RTE + 8, 0x8041);
}

static void level_interrupt(struct machine *m)
{
	ioapic_model_line(&m->ioapic, 4, true);
	take(m, 0);
	ioapic_model_line(&m->ioapic, 4, false);
	write_page(m, 0, LAPIC_EOI, 0);
}

static const struct {
	const char *name;
	void (*run)(struct machine *m);
	unsigned int accesses; /* port accesses in it */
} rows[] = {
	{ "PIC: read the mask", read_mask, 1 },
	{ "PIC: write the mask", write_mask, 1 },
	{ "PIC: EOI", end_of_interrupt, 1 },
	{ "PIC: line 12, vector, two EOIs", interrupt, 2 },
	{ "PIT: read a running count", read_counter, 1 },
	{ "PIT: latch, two reads", latch_and_read, 3 },
	{ "PIT: read port 0x61", read_port_b, 1 },
	{ "PIT: expiry to vector, EOI", timer_interrupt, 1 },
	{ "LAPIC: read TPR", read_tpr, 1 },
	{ "LAPIC: write TPR", write_tpr, 1 },
	{ "LAPIC: read a running count", read_count, 1 },
	{ "LAPIC: IPI to another, vector, EOI", send_ipi, 3 },
	{ "x2APIC: self IPI, vector, EOI", send_self, 2 },
	{ "LAPIC: expiry to vector, EOI", lapic_timer_interrupt, 1 },
	{ "x2APIC: deadline to vector, EOI", deadline_interrupt, 2 },
	{ "IOAPIC: read an entry", read_entry, 2 },
	{ "IOAPIC: write an entry", write_entry, 2 },
	{ "IOAPIC: level, vector, EOI", level_interrupt, 1 },
};

static double best_ns(void (*run)(struct machine *m))
{
	double best = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		static struct machine m;
		double start, ns;

		setup(&m);
		start = monotonic_s();
		for (unsigned int i = 0; i < TIMES; i++)
			run(&m);
		ns = (monotonic_s() - start) * 1e9 / TIMES;
		if (!round || ns < best)
			best = ns;
	}
	return best;
}

int main(void)
{
	printf("%-34s %10s %16s\n", "models alone", "ns", "accesses/s");
	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++) {
		double ns = best_ns(rows[i].run);

		printf("%-34s %10.1f %16.0f\n", rows[i].name, ns, rows[i].accesses * 1e9 / ns);
	}
	return 0;
}

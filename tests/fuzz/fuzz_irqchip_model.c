/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine's controllers, emulated as a whole, under any accesses, lines, messages and times; carried into a second
 * machine in between, as they are or with any bytes of the state changed.
 */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "base/endian.h"
#include "userspace/irqchip_model.h"

#define CPUS 2U
#define STEP 16U /* bytes of the input for a step: what, which, address, value */

struct machine {
	struct irqchip_model m;
	struct lapic_model lapics[CPUS];
	int64_t armed[CPUS + 1];
};

static struct machine machines[2];
static int64_t now;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int64_t now_ns(void *ctx)
{
	(void)ctx;
	return now;
}

static uint64_t tsc(void *ctx, unsigned int cpu)
{
	(void)ctx;
	return (uint64_t)now * 2 + cpu;
}

static void arm(void *ctx, unsigned int timer, int64_t at_ns)
{
	struct machine *machine = ctx;

	check(timer < CPUS || timer == IRQCHIP_MODEL_PIT);
	machine->armed[timer < CPUS ? timer : CPUS] = at_ns;
}

static void kick(void *ctx, unsigned int cpu)
{
	(void)ctx;
	check(cpu < CPUS);
}

static int msi(void *ctx, uint64_t address, uint32_t data)
{
	(void)ctx;
	check(address >> 20 == 0xfee);
	return data & 1;
}

static const struct irqchip_model_ops ops = { .now_ns = now_ns, .tsc = tsc, .arm = arm, .kick = kick, .msi = msi };

static void start(struct machine *machine, uint8_t kind)
{
	struct irqchip_model_config config = {
		.ops = &ops,
		.ctx = machine,
		.mode = kind & 1 ? IRQCHIP_SPLIT : IRQCHIP_NONE,
		.ncpus = CPUS,
		.lapic = { .x2apic = true, .tsc_deadline = true, .eoi_suppression = true, .phys_bits = 40, .bus_cycle_ns = 1, .min_period_ns = 100000, .tsc_khz = 2000000 },
		.ioapic_version = kind & 2 ? IOAPIC_VERSION_20 : IOAPIC_VERSION_11,
		.catch_up = kind & 4 ? PIT_REINJECT : PIT_COALESCE,
	};

	memset(machine, 0, sizeof(*machine));
	for (unsigned int i = 0; i <= CPUS; i++)
		machine->armed[i] = LAPIC_MODEL_NEVER;
	check(!irqchip_model_init(&machine->m, kind & 1 ? NULL : machine->lapics, &config));
}

static void pass(struct machine *machine, uint32_t ns)
{
	now += ns;
	for (unsigned int i = 0; i <= CPUS; i++)
		if (machine->armed[i] <= now) {
			machine->armed[i] = LAPIC_MODEL_NEVER;
			irqchip_model_expired(&machine->m, i < CPUS ? i : IRQCHIP_MODEL_PIT);
		}
}

static void run(struct machine *machine, unsigned int cpu, uint8_t what)
{
	struct irqchip_events e;
	int vector;

	if (machine->m.config.mode == IRQCHIP_NONE) {
		irqchip_model_events(&machine->m, cpu, &e);
		if (irqchip_model_waits(&machine->m, cpu, what & 1))
			return;
	}
	vector = irqchip_model_acknowledge(&machine->m, cpu);
	check(vector >= -1 && vector < 256);
	if (machine->m.config.mode == IRQCHIP_NONE && what & 2)
		irqchip_model_halt(&machine->m, cpu);
}

static void poke(void *state, size_t size, uint64_t at, uint8_t value)
{
	((uint8_t *)state)[at % size] = value;
}

/* Into the other machine; what that refuses, changes nothing there, and this one goes on. */
static struct machine *carry(struct machine *machine, uint8_t kind, const uint8_t *p, bool spoil)
{
	static struct lapic_state lapics[CPUS];
	struct machine *other = &machines[machine == machines];
	struct irqchip_state s = { .lapics = lapics };
	struct pit_model_extra pit;
	struct irqs_error err;

	memset(lapics, 0, sizeof(lapics));
	if (irqchip_model_get(&machine->m, &s, &pit))
		return machine;
	if (spoil) {
		poke(&lapics[p[0] & 1], sizeof(lapics[0]), get_le(p, 2), p[2]);
		poke(&s.ioapic, sizeof(s.ioapic), get_le(p + 3, 2), p[5]);
		poke(s.pics, sizeof(s.pics), get_le(p + 6, 2), p[8]);
		poke(&s.pit, sizeof(s.pit), get_le(p + 9, 2), p[11]);
	}
	start(other, kind);
	return irqchip_model_set(&other->m, &s, spoil ? NULL : &pit, &err) ? machine : other;
}

static void access_port(struct machine *machine, uint8_t how, uint16_t port, uint32_t value)
{
	static const uint16_t known[] = { 0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x4d0, 0x4d1 };
	uint8_t data[4];

	put_le(data, 4, value);
	if (how & 0x80)
		port = known[port % (sizeof(known) / sizeof(known[0]))];
	irqchip_model_pio(&machine->m, port, how & 1, data, 1U << (how >> 1 & 3) % 3);
}

static void access_memory(struct machine *machine, uint8_t how, uint32_t address, uint64_t value)
{
	uint8_t data[8];

	put_le(data, 8, value);
	irqchip_model_mmio(&machine->m, how >> 4 & 1, (how & 0x80 ? UINT64_C(0xfee00000) : UINT64_C(0xfec00000)) + (address & 0xfff), how & 1,
			   data, 1U << (how >> 1 & 3));
}

static void access_register(struct machine *machine, uint8_t how, uint32_t index, uint64_t value)
{
	struct lapic_model *l = &machine->lapics[how >> 4 & 1];

	if (machine->m.config.mode == IRQCHIP_SPLIT)
		return;
	index = how & 0x80 ? LAPIC_MSR_X2APIC + index % 0x40 : how & 0x40 ? LAPIC_MSR_APIC_BASE
									  : LAPIC_MSR_TSC_DEADLINE;
	if (how & 1)
		lapic_model_wrmsr(l, index, value);
	else
		lapic_model_rdmsr(l, index, &value);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	uint8_t all[1 + 9 * STEP] = { 0 };

	if (!folder)
		return 0;
	for (uint8_t i = 0; i < 9; i++) {
		all[1 + i * STEP] = i;
		all[2 + i * STEP] = 0x81;
		all[3 + i * STEP] = 0xf0;
	}
	seed_write(folder, "all", all, sizeof(all));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *machine = &machines[0];
	uint8_t kind;

	if (!size)
		return 0;
	now = 1000000;
	kind = data[0];
	start(machine, kind);
	for (data++, size--; size >= STEP; data += STEP, size -= STEP) {
		uint32_t where = (uint32_t)get_le(data + 2, 4);
		uint64_t value = get_le(data + 6, 8);

		switch (data[0] % 9) {
		case 0:
			access_port(machine, data[1], (uint16_t)where, (uint32_t)value);
			break;
		case 1:
			access_memory(machine, data[1], where, value);
			break;
		case 2:
			access_register(machine, data[1], where, value);
			break;
		case 3:
			irqchip_model_line(&machine->m, where % 40, data[1] & 1);
			break;
		case 4:
			irqchip_model_msi(&machine->m, 0xfee00000 | (where & 0xfffff), (uint32_t)value);
			break;
		case 5:
			pass(machine, where);
			break;
		case 6:
			run(machine, data[1] >> 4 & 1, data[1]);
			break;
		case 7:
			irqchip_model_eoi(&machine->m, data[1]);
			break;
		case 8:
			machine = carry(machine, kind, data + 2, data[1] & 1);
			break;
		}
	}
	return 0;
}

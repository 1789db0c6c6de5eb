/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any accesses, messages, pins, times and states on LAPICs that share a bus with an IOAPIC; what holds for every LAPIC
 * must hold after each.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"

enum { CPUS = 4,
       STEP = 8 };

static struct machine {
	struct apic_bus bus;
	struct lapic_model cpu[CPUS];
	struct ioapic_model ioapic;
	int64_t now, armed[CPUS];
	uint64_t tsc_offset, page[CPUS];
} machine;

static int64_t on_now(void *ctx)
{
	(void)ctx;
	return machine.now;
}

static uint64_t on_tsc(void *ctx, unsigned int cpu)
{
	(void)ctx;
	return (uint64_t)machine.now * 3 + machine.tsc_offset + cpu;
}

static void on_arm(void *ctx, unsigned int cpu, int64_t at_ns)
{
	(void)ctx;
	machine.armed[cpu] = at_ns;
}

static void on_kick(void *ctx, unsigned int cpu)
{
	(void)ctx;
	if (cpu >= CPUS)
		abort();
}

static void on_moved(void *ctx, unsigned int cpu, uint64_t base)
{
	(void)ctx;
	machine.page[cpu] = base;
}

static const struct lapic_model_ops ops = {
	.now_ns = on_now, .tsc = on_tsc, .arm = on_arm, .kick = on_kick, .moved = on_moved
};

static int to_bus(void *ctx, uint64_t address, uint32_t data)
{
	return apic_bus_msi(ctx, address, data);
}

/* One byte says what there is. */
static void setup(uint8_t features)
{
	struct lapic_model_config config = {
		.ops = &ops,
		.x2apic = features & 1,
		.tsc_deadline = features & 2,
		.cmci = features & 4,
		.eoi_suppression = features & 8,
		.electrical = features & 16,
		.virtual_wire = true,
		.phys_bits = features & 32 ? 52 : 36,
		.bus_cycle_ns = features & 64 ? 1000000 : 1,
		.min_period_ns = features & 128 ? 200000 : 0,
		.tsc_khz = 3000000,
	};
	struct ioapic_model_config io = {
		.msi = to_bus,
		.ctx = &machine.bus,
		.base = 0xfec00000,
		.version = features & 8 ? IOAPIC_VERSION_20 : IOAPIC_VERSION_11,
		.npins = 24,
	};

	memset(&machine, 0, sizeof(machine));
	apic_bus_init(&machine.bus, features & 16);
	for (unsigned int i = 0; i < CPUS; i++) {
		config.id = i;
		config.bsp = !i;
		machine.armed[i] = LAPIC_MODEL_NEVER;
		machine.page[i] = 0xfee00000;
		if (lapic_model_init(&machine.cpu[i], &machine.bus, &config))
			abort();
	}
	if (ioapic_model_init(&machine.ioapic, &io))
		abort();
	apic_bus_add_ioapic(&machine.bus, &machine.ioapic);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct {
		uint8_t features, steps[15][STEP];
	} seed = { 0x0f,
		   {
			   { 0x00, 0x04, 0xf0, 0x00, 0xff, 0x01 },             /* SVR */
			   { 0x10, 0x04, 0xf0, 0x00, 0xff, 0x01 },             /* of CPU 1 */
			   { 0x00, 0x04, 0x00, 0x03, 0x41, 0x00, 0x0c },       /* ICR: all others */
			   { 0x00, 0x04, 0x20, 0x03, 0x42, 0x00, 0x02 },       /* LVTT: periodic */
			   { 0x00, 0x04, 0x80, 0x03, 0x10 },                   /* TMICT */
			   { 0x09, 0x10, 0x00, 0x00, 0x01 },                   /* time */
			   { 0x0a },                                           /* take it */
			   { 0x00, 0x04, 0xb0, 0x00 },                         /* EOI */
			   { 0x04, 0x00, 0x00, 0x00, 0x03, 0x00, 0xe0, 0xfe }, /* x2APIC */
			   { 0x02, 0x00, 0x30, 0x00, 0x43, 0x00, 0x04 },       /* ICR: self */
			   { 0x0e, 0x84, 0x00, 0x00, 0x14 },                   /* IOREGSEL */
			   { 0x0e, 0x84, 0x10, 0x00, 0x44, 0x80 },             /* level */
			   { 0x0e, 0x00, 0x02, 0x00, 0x01 },                   /* its line */
			   { 0x08 },                                           /* save and restore */
			   { 0x0d, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04 }, /* another state */
		   } };
	const char *folder = seed_folder(*argc, *argv);

	if (folder)
		seed_write(folder, "steps", &seed, sizeof(seed));
	return 0;
}

/* ---- what must hold ---- */

static void check_registers(const struct lapic_state *s)
{
	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++) {
		/* In x2APIC mode they have 32 bits. */
		if (row->offset == REG_NO_OFFSET || (lapic_x2apic(s) && (row->offset == LAPIC_ICR2 || row->offset == LAPIC_LDR)))
			continue;
		for (unsigned int i = 0; i < row->count; i++)
			if ((reg_get(row, s, i) ^ row->reset) & row->rsvd)
				abort();
	}
	if (lapic_reg(s, LAPIC_TMCCT) > lapic_reg(s, LAPIC_TMICT))
		abort();
}

/* After every step. */
static void check(unsigned int cpu)
{
	struct lapic_model *m = &machine.cpu[cpu];
	const struct lapic_state *s = lapic_model_state(m);
	int vector = lapic_model_injectable(m);
	uint64_t page = machine.page[cpu];

	if (vector >= 0 && (!lapic_bank_test(s, LAPIC_IRR, (uint8_t)vector) || vector <= (int)lapic_ppr(s)))
		abort();
	if (page == LAPIC_MODEL_NOWHERE ? lapic_model_decodes(m, s->apic_base & ~UINT64_C(0xfff))
					: !lapic_model_decodes(m, page + 0xfff) || lapic_model_decodes(m, page + 0x1000))
		abort();
	if (s->mp_state > LAPIC_MP_SIPI_RECEIVED)
		abort();
}

/* A periodic count that stands still starts when the state is set: see lapic_model_set(). */
static bool starts(const struct lapic_state *s)
{
	return lapic_timer_mode(s) == LAPIC_TIMER_PERIODIC && !lapic_reg(s, LAPIC_TMCCT);
}

static bool same(const struct reg_row *row, const struct lapic_state *a, const struct lapic_state *b)
{
	for (unsigned int i = 0; i < row->count; i++) {
		if (reg_known(row, a, i) != reg_known(row, b, i))
			return false;
		if (reg_known(row, a, i) && reg_get(row, a, i) != reg_get(row, b, i))
			return false;
	}
	return true;
}

/* What is read out is sane, goes in again, and is the same then. */
static void check_round_trip(unsigned int cpu)
{
	struct lapic_model *m = &machine.cpu[cpu];
	struct lapic_state before, after;

	lapic_model_get(m, &before);
	check_registers(&before);
	if (lapic_model_set(m, &before, NULL))
		abort();
	lapic_model_get(m, &after);
	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++) {
		if (same(row, &before, &after))
			continue;
		if (!starts(&before) || (row->offset != LAPIC_TMCCT && row != lapic_member("timer_remaining")))
			abort();
	}
}

static void check_found(const struct apic_message *msg)
{
	struct apic_set set;

	apic_bus_find(&machine.bus, msg, &set);
	for (unsigned int i = 0; i < 64 * APIC_BUS_WORDS; i++)
		if (set.words[i / 64] >> i % 64 & 1 &&
		    (i >= CPUS || !(lapic_model_state(&machine.cpu[i])->apic_base & LAPIC_BASE_ENABLE)))
			abort();
}

/* ---- steps ---- */

struct step {
	uint8_t what, how;
	uint16_t at;
	uint32_t number;
	uint64_t wide;
	unsigned int cpu, len;
	uint8_t bytes[16];
};

static void decode(struct step *s, const uint8_t *data)
{
	s->what = data[0] & 15;
	s->cpu = data[0] >> 4 & 3;
	s->how = data[1];
	s->len = data[1] & 15;
	memcpy(&s->at, data + 2, 2);
	memcpy(&s->number, data + 4, 4);
	s->wide = s->number | (s->how & 0x40 ? (uint64_t)s->number << 32 : 0);
	for (unsigned int i = 0; i < sizeof(s->bytes); i++)
		s->bytes[i] = data[4 + i % 4];
}

static void page_access(struct lapic_model *m, const struct step *s, bool write)
{
	uint8_t data[16];

	if (write)
		lapic_model_write(m, s->at, s->bytes, s->len);
	else
		lapic_model_read(m, s->at, data, s->len);
}

static void msr_access(struct lapic_model *m, const struct step *s, bool write)
{
	static const uint32_t others[] = { LAPIC_MSR_APIC_BASE, LAPIC_MSR_TSC_DEADLINE, 0x7ff, 0x900 };
	uint32_t index = s->how & 0x20 ? others[s->at & 3] : LAPIC_MSR_X2APIC + (s->at & 0xff);
	uint64_t value;

	if (write)
		lapic_model_wrmsr(m, index, s->wide);
	else
		lapic_model_rdmsr(m, index, &value);
}

/* A mode that has no reserved bits by accident. */
static void set_base(struct lapic_model *m, const struct step *s)
{
	uint64_t value = (s->number & 0xfffff000) | (uint64_t)(s->number & 1) << 11 | (uint64_t)(s->number & 2) << 9;

	lapic_model_wrmsr(m, LAPIC_MSR_APIC_BASE, s->how & 1 ? s->wide : value);
}

/* Time goes on by anything from a nanosecond to a century; some VMMs call late, some early. */
static void pass(const struct step *s)
{
	uint64_t by = (uint64_t)(1 + s->number % 256) << s->how % 54;

	machine.now = by > (uint64_t)(INT64_MAX - machine.now) ? INT64_MAX : machine.now + (int64_t)by;
	for (unsigned int i = 0; i < CPUS; i++) {
		if (machine.armed[i] > machine.now && !(s->at & 1))
			continue;
		machine.armed[i] = LAPIC_MODEL_NEVER;
		lapic_model_timer(&machine.cpu[i]);
		if (machine.armed[i] <= machine.now && machine.now != INT64_MAX)
			abort();
	}
}

static void enter(struct lapic_model *m, const struct step *s)
{
	int vector;

	lapic_model_take_init(m);
	lapic_model_take_sipi(m);
	lapic_model_take_smi(m);
	lapic_model_take_nmi(m);
	if (lapic_model_extint(m))
		lapic_model_extint_taken(m);
	lapic_model_set_halted(m, s->how & 1);
	lapic_model_runnable(m);
	vector = lapic_model_injectable(m);
	if (lapic_model_acknowledge(m) != vector && vector >= 0)
		abort();
}

static void message(const struct step *s)
{
	struct apic_message msg = {
		.dest = s->number,
		.vector = (uint8_t)s->at,
		.delivery = s->at >> 8 & 7,
		.logical = s->how & 1,
		.level = s->how & 2,
		.deassert = s->how & 4,
		.one = s->how & 8,
	};

	if (s->how & 0x10)
		msg.dest &= 0xff;
	check_found(&msg);
	if (apic_bus_send(&machine.bus, &msg) > CPUS)
		abort();
}

static void device(const struct step *s)
{
	uint8_t data[16];

	if (s->how & 0x80)
		ioapic_model_write(&machine.ioapic, s->at, s->bytes, s->len);
	else if (s->how & 0x40)
		ioapic_model_read(&machine.ioapic, s->at, data, s->len);
	else if (s->how & 0x20)
		lapic_model_lint(&machine.cpu[s->cpu], s->how & 3, s->number & 1);
	else if (s->how & 0x10)
		apic_bus_msi(&machine.bus, (s->how & 1 ? 0xfee00000 : 0) | (uint64_t)s->at << 4 | (s->wide & 0xff00000000), s->number);
	else
		ioapic_model_line(&machine.ioapic, s->at, s->number & 1);
}

/* A state of the input's bytes: refused, or taken. */
static void restore(struct lapic_model *m, const uint8_t *data, size_t size)
{
	struct lapic_state s;
	uint8_t *bytes = (uint8_t *)&s;

	lapic_model_get(m, &s);
	for (size_t i = 0; i < size; i++)
		bytes[i * 7 % sizeof(s)] ^= data[i];
	lapic_model_set(m, &s, NULL);
}

static void play(const struct step *s, const uint8_t *data, size_t left)
{
	struct lapic_model *m = &machine.cpu[s->cpu];

	switch (s->what) {
	case 0:
	case 1:
		page_access(m, s, !s->what);
		break;
	case 2:
	case 3:
		msr_access(m, s, s->what == 2);
		break;
	case 4:
		set_base(m, s);
		break;
	case 5:
		machine.tsc_offset = s->wide;
		lapic_model_tsc_changed(m);
		break;
	case 6:
		lapic_model_set_cr8(m, s->number & 31);
		lapic_model_cr8(m);
		break;
	case 7:
		lapic_model_local(m, s->at & 0x3f0);
		break;
	case 8:
		check_round_trip(s->cpu);
		break;
	case 9:
		pass(s);
		break;
	case 10:
		enter(m, s);
		break;
	case 11:
		message(s);
		break;
	case 13:
		restore(m, data, left);
		break;
	case 14:
		device(s);
		break;
	case 15:
		lapic_model_reset(m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	setup(data[0]);
	for (size_t i = 1; i + STEP <= size; i += STEP) {
		struct step s;

		decode(&s, data + i);
		play(&s, data + i, size - i);
		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			check(cpu);
	}
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		check_round_trip(cpu);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any accesses, lines, EOIs and states on two IOAPICs of any size; what holds for every IOAPIC must hold after each. */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "apic/lapic.h"
#include "userspace/apic_bus.h"
#include "userspace/ioapic_model.h"

enum { CHIPS = 2,
       STEP = 8 };

#define LEVEL_MESSAGE UINT32_C(0x8000)

static struct machine {
	struct apic_bus bus;
	struct ioapic_model chip[CHIPS];
	unsigned int messages;
	int accepted; /* what the next messages return */
} machine;

/* A message of an entry: nothing but what SDM 3A 11.11 defines. */
static int on_msi(void *ctx, uint64_t address, uint32_t data)
{
	const struct ioapic_model_config *config = &((struct ioapic_model *)ctx)->config;

	if (address >> 20 != 0xfee || address & 0x1b || data >> 16 || data & 0x3800)
		abort();
	if (!config->ext_dest_id && address & 0xfe0)
		abort();
	/* Those that are edges, whatever the entry says. */
	if (data & LEVEL_MESSAGE && (data >> 8 & 7) > LAPIC_LOWEST_PRIORITY)
		abort();
	machine.messages++;
	return machine.accepted;
}

static void setup(const uint8_t *data)
{
	memset(&machine, 0, sizeof(machine));
	machine.accepted = 1;
	apic_bus_init(&machine.bus, false);
	for (unsigned int i = 0; i < CHIPS; i++) {
		struct ioapic_model_config config = {
			.msi = on_msi,
			.ctx = &machine.chip[i],
			.base = 0xfec00000 + i * UINT64_C(0x1000),
			.version = data[0] >> i & 1 ? IOAPIC_VERSION_20 : IOAPIC_VERSION_11,
			.npins = data[1 + i],
			.id = (uint8_t)(data[0] >> 4),
			.ext_dest_id = data[0] & 4,
			.electrical = data[0] & 8,
		};

		if (ioapic_model_init(&machine.chip[i], &config) != (data[1 + i] && data[1 + i] <= IOAPIC_MODEL_PINS ? 0 : -EINVAL))
			abort();
		if (!machine.chip[i].config.npins)
			config.npins = 24;
		if (!machine.chip[i].config.npins && ioapic_model_init(&machine.chip[i], &config))
			abort();
		apic_bus_add_ioapic(&machine.bus, &machine.chip[i]);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct {
		uint8_t head[3], steps[11][STEP];
	} seed = { { 0x02, 24, 40 },
		   {
			   { 0x00, 0x04, 0x00, 0x00, 0x18 },                   /* IOREGSEL: entry 4 */
			   { 0x00, 0x04, 0x10, 0x00, 0x41, 0x80 },             /* level */
			   { 0x03, 0x00, 0x04, 0x00, 0x01 },                   /* its line */
			   { 0x04, 0x00, 0x41 },                               /* EOI */
			   { 0x03, 0x00, 0x04, 0x00, 0x00 },                   /* the line falls */
			   { 0x10, 0x04, 0x00, 0x00, 0x60 },                   /* entry 40 of the other */
			   { 0x10, 0x04, 0x10, 0x00, 0x42 },                   /* edge */
			   { 0x13, 0x00, 0x28, 0x00, 0x01 },                   /* its line */
			   { 0x10, 0x04, 0x40, 0x00, 0x42 },                   /* the EOI register */
			   { 0x09 },                                           /* save and restore */
			   { 0x08, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04 }, /* another state */
		   } };
	const char *folder = seed_folder(*argc, *argv);

	if (folder)
		seed_write(folder, "steps", &seed, sizeof(seed));
	return 0;
}

/* ---- what must hold ---- */

static void check_pin(const struct ioapic_model *m, unsigned int pin)
{
	uint64_t rte;
	bool irr;

	if (ioapic_model_pin(m, pin, &rte, &irr) != (pin < m->config.npins ? 0 : -EINVAL))
		abort();
	if (pin >= m->config.npins)
		return;
	/* An edge that can be sent has been. */
	if (rte & m->reserved || (irr && !(rte & IOAPIC_RTE_LEVEL) && !(rte & IOAPIC_RTE_MASKED)))
		abort();
}

static void check(const struct ioapic_model *m)
{
	for (unsigned int pin = 0; pin <= m->config.npins; pin++)
		check_pin(m, pin);
}

/* What was read out goes in again, and is the same. */
static void check_round_trip(struct ioapic_model *m)
{
	struct ioapic_state before, after;

	ioapic_model_get(m, &before);
	if (ioapic_model_set(m, &before, NULL))
		abort();
	ioapic_model_get(m, &after);
	if (memcmp(&before, &after, sizeof(before)))
		abort();
}

/* ---- steps ---- */

/* A state of the input's bytes: refused, or taken. */
static void restore(struct ioapic_model *m, const uint8_t *data, size_t size)
{
	struct ioapic_state s;
	uint8_t *bytes = (uint8_t *)&s;

	ioapic_model_get(m, &s);
	for (size_t i = 0; i < size; i++)
		bytes[i * 5 % sizeof(s)] ^= data[i];
	ioapic_model_set(m, &s, NULL);
	ioapic_model_resume(m);
}

static void set_pin(struct ioapic_model *m, unsigned int pin, uint32_t low, bool irr)
{
	ioapic_model_set_pin(m, pin, (uint64_t)low << 32 | low, irr);
	ioapic_model_resume(m);
}

static void play(const uint8_t *data, size_t left)
{
	struct ioapic_model *m = &machine.chip[data[0] >> 4 & 1];
	unsigned int len = data[1] & 15, at = data[2] | (data[3] & 1U) << 8;
	uint8_t bytes[16];
	uint32_t number;

	memcpy(&number, data + 4, 4);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = data[4 + i % 4];
	switch (data[0] & 15) {
	case 0:
	case 1:
		ioapic_model_write(m, at, bytes, len);
		break;
	case 2:
		ioapic_model_read(m, at, bytes, len);
		break;
	case 3:
		ioapic_model_line(m, at, number & 1);
		break;
	case 4:
		apic_bus_eoi(&machine.bus, data[2]);
		break;
	case 5:
		ioapic_model_hold(m, at, number & 1);
		ioapic_model_resume(m);
		break;
	case 6:
		set_pin(m, at, number, data[1] & 1);
		break;
	case 7:
		machine.accepted = (int)(int8_t)data[2];
		break;
	case 8:
		restore(m, data + 4, left - 4);
		break;
	case 9:
		check_round_trip(m);
		ioapic_model_resume(m);
		break;
	case 10:
		ioapic_model_reset(m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	setup(data);
	for (size_t i = 3; i + STEP <= size; i += STEP) {
		machine.messages = 0;
		play(data + i, size - i);
		/* One per pin and call. */
		if (machine.messages > IOAPIC_MODEL_PINS * CHIPS)
			abort();
		check_pin(&machine.chip[data[i] >> 4 & 1], data[i + 2]);
	}
	for (unsigned int c = 0; c < CHIPS; c++)
		check(&machine.chip[c]);
	return 0;
}

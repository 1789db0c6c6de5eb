/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any accesses, gates, times and states on the 8254; what holds for every timer must hold after each. */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "userspace/pit_model.h"

static int64_t now, armed;

static int64_t on_now(void *opaque)
{
	(void)opaque;
	return now;
}

static void on_arm(void *opaque, int64_t at_ns)
{
	(void)opaque;
	armed = at_ns;
}

static void on_tick(void *opaque)
{
	(void)opaque;
}

static const struct pit_model_ops ops = { .now_ns = on_now, .arm = on_arm, .tick = on_tick };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t setup[] = {
		0,
		0,
		0x43,
		0x34,
		0,
		0x40,
		0x10,
		0,
		0x40,
		0x01,
		2,
		0x10,
		0x27,
		0,
		0x43,
		0xc2,
		1,
		0x40,
		0,
		1,
		0x40,
		0,
		0,
		0x61,
		0x03,
		3,
		0,
		0,
		6,
		1,
		1,
	};
	const char *folder = seed_folder(*argc, *argv);

	if (folder)
		seed_write(folder, "setup", setup, sizeof(setup));
	return 0;
}

static void check(const struct pit_model *m)
{
	struct pit_state pit;

	pit_model_save(m, &pit, NULL);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		const struct pit_channel *c = &pit.channels[i];

		if (c->count < 1 || c->count > 0x10000 || c->rw_mode > 3 || c->read_state > 4 || c->write_state > 4 ||
		    (c->mode > 5 && c->mode != 0xff))
			abort();
	}
}

/* A state of the input's bytes: refused, or taken. */
static void restore(struct pit_model *m, const uint8_t *data, size_t size, bool whole)
{
	struct pit_model_extra extra;
	struct pit_state pit;
	uint8_t *bytes = (uint8_t *)&pit;

	pit_model_save(m, &pit, &extra);
	for (size_t i = 0; i < size && i < sizeof(pit); i++)
		bytes[i] ^= data[i];
	for (size_t i = 0; whole && i < PIT_CHANNELS && size > 32; i++) {
		memcpy(&extra.counters[i].load_ns, data + size - 8, 8);
		memcpy(&extra.counters[i].frozen_ns, data + size - 16, 8);
		memcpy(&extra.counters[i].switch_tick, data + size - 24, 8);
		memcpy(&extra.counters[i].edges, data + size - 32, 8);
		extra.counters[i].halted = size & 1;
		extra.counters[i].loaded = size & 2;
	}
	pit_model_restore(m, &pit, whole ? &extra : NULL);
}

/* Time goes on by anything from a nanosecond to a century. */
static void pass(uint8_t a, uint8_t b)
{
	uint64_t by = (uint64_t)(1 + a) << b % 54;

	now = by > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)by;
}

/* Three bytes are one step. */
static void step(struct pit_model *m, const uint8_t *data, size_t left)
{
	unsigned int size = 1 + (data[0] >> 4 & 3);

	switch (data[0] & 7) {
	case 0:
		pit_model_write(m, data[1], 1, data[2]);
		break;
	case 1:
		pit_model_read(m, data[1], size);
		break;
	case 2:
		pass(data[1], data[2]);
		if (armed == PIT_NEVER || now < armed)
			break;
		armed = PIT_NEVER;
		pit_model_expired(m);
		if (armed != PIT_NEVER && armed <= now && now != INT64_MAX)
			abort();
		break;
	case 3:
		pit_model_acked(m);
		break;
	case 4:
		pit_model_write(m, data[1], size, data[2] * 0x01010101U);
		break;
	case 5:
		restore(m, data + 1, left - 1, data[0] & 8);
		break;
	case 6:
		pit_model_set_gate(m, data[1], data[2] & 1);
		pit_model_out(m, data[1]);
		break;
	default:
		pit_model_set_hpet_legacy(m, data[1] & 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pit_model m;

	if (!size)
		return 0;
	now = 0;
	armed = PIT_NEVER;
	pit_model_init(&m, &ops, NULL, data[0] & 0x80 ? PIT_REINJECT : PIT_COALESCE, data[0]);
	for (size_t i = 1; i + 3 <= size; i += 3) {
		step(&m, data + i, size - i);
		check(&m);
	}
	return 0;
}

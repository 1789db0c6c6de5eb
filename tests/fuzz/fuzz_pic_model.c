/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any accesses, lines, acknowledges and states on the 8259A pair; what holds for every pair must hold after each. */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "userspace/pic_model.h"

static bool intr;

static void on_intr(void *opaque, bool level)
{
	(void)opaque;
	if (level == intr)
		abort();
	intr = level;
}

static void on_eoi(void *opaque, unsigned int irq)
{
	(void)opaque;
	if (irq > 15)
		abort();
}

static const struct pic_model_ops ops = { .intr = on_intr, .eoi = on_eoi };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t setup[] = {
		0,
		0,
		0x20,
		0x11,
		0,
		0x21,
		0x30,
		0,
		0x21,
		0x04,
		0,
		0x21,
		0x01,
		0,
		0xa0,
		0x11,
		0,
		0xa1,
		0x38,
		0,
		0xa1,
		0x02,
		0,
		0xa1,
		0x01,
		2,
		9,
		1,
		3,
		0,
		0,
		2,
		3,
		1,
		1,
		0x20,
		0,
		4,
		0,
		0,
	};
	const char *folder = seed_folder(*argc, *argv);

	if (folder)
		seed_write(folder, "setup", setup, sizeof(setup));
	return 0;
}

static void check(const struct pic_model *m)
{
	struct pic_state pics[2];

	if (pic_model_intr(m) != intr)
		abort();
	pic_model_save(m, pics);
	for (unsigned int i = 0; i < 2; i++)
		if (pics[i].init_state > 3 || pics[i].priority_add > 7 || pics[i].elcr & (i ? 0x21 : 0x07))
			abort();
}

/* A state of the input's bytes: refused, or taken. */
static void restore(struct pic_model *m, const uint8_t *data, size_t size)
{
	struct pic_state pics[2];
	uint8_t *bytes = (uint8_t *)pics;

	pic_model_save(m, pics);
	for (size_t i = 0; i < size && i < sizeof(pics); i++)
		bytes[i] ^= data[i];
	for (unsigned int i = 0; i < 2; i++)
		pics[i].elcr_mask = i ? 0xde : 0xf8;
	pic_model_restore(m, pics);
}

/* Three bytes are one step. */
static void step(struct pic_model *m, const uint8_t *data, size_t left)
{
	uint16_t port = (uint16_t)(data[1] | (data[1] >= 0xd0 ? 0x400 : 0));
	unsigned int size = 1 + (data[0] >> 4 & 3);

	switch (data[0] & 7) {
	case 0:
		pic_model_write(m, port, 1, data[2]);
		break;
	case 1:
		pic_model_read(m, port, size);
		break;
	case 2:
		pic_model_set_line(m, data[1], data[2] & 1);
		break;
	case 3:
		pic_model_ack(m);
		break;
	case 4:
		pic_model_write(m, port, size, data[2] * 0x01010101U);
		break;
	case 5:
		restore(m, data + 1, left - 1);
		break;
	default:
		pic_model_write(m, data[0] & 1 ? 0xa0 : 0x20, 1, data[2]);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pic_model m;

	if (!size)
		return 0;
	intr = false;
	pic_model_init(&m, &ops, NULL, data[0]);
	for (size_t i = 1; i + 3 <= size; i += 3) {
		step(&m, data + i, size - i);
		check(&m);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of the example VMM under any accesses at any times: ports at random and those that are somebody's, all
 * widths, and the window in memory. What they ask of the machine stays within what a machine has.
 */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "base/endian.h"
#include "tests/vmm/board.h"

#define STEP 8U /* bytes of the input for an access: what, how long since, port or address, value */
#define LINES 24

struct machine {
	int64_t now;
	bool lines[LINES];
};

static const uint16_t known[] = { 0x60, 0x64, 0x70, 0x71, 0x80, 0x92, 0xd1, 0xe0, 0xe4, 0xe8, 0xe9, 0xf1, 0xf4, 0x3f8, 0x3f9, 0x3fa,
				  0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x510, 0x511, 0x600, 0x604, 0x608, 0xcf8, 0xcf9, 0xcfc, 0x2000, 0x2004, 0x2008 };

#define NKNOWN (sizeof(known) / sizeof(known[0]))

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int64_t now_ns(void *ctx)
{
	const struct machine *m = ctx;

	return m->now;
}

static void line(void *ctx, unsigned int gsi, bool level)
{
	struct machine *m = ctx;

	check(gsi < LINES);
	m->lines[gsi] = level;
}

static void quit(void *ctx, int status)
{
	(void)ctx;
	check(status == 0 || (status > 0 && status < 256 && status % 2));
}

static void put(void *ctx, uint8_t byte)
{
	(void)ctx;
	(void)byte;
}

static void flush_page(void *ctx, uint32_t address)
{
	(void)ctx;
	(void)address;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	uint8_t all[NKNOWN * 2 * STEP];

	if (!folder)
		return 0;
	for (size_t i = 0; i < NKNOWN * 2; i++) {
		const uint8_t step[STEP] = { (uint8_t)(i >= NKNOWN), 1, (uint8_t)i, 0, (uint8_t)i, 0, 0, 0 };

		memcpy(all + i * STEP, step, STEP);
	}
	seed_write(folder, "all", all, sizeof(all));
	return 0;
}

/* From microseconds to hours. */
static int64_t span(uint8_t byte)
{
	return (int64_t)(byte & 15) << ((byte >> 4) * 2);
}

static void step(struct board *b, struct machine *m, const uint8_t *p)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	unsigned int what = p[0], size = sizes[what >> 1 & 3];
	uint16_t at = (uint16_t)get_le(p + 2, 2);
	uint8_t data[8];

	m->now += span(p[1]) * 1000;
	memcpy(data, p + 4, 4);
	memcpy(data + 4, p, 4);
	if (what & 0x20)
		board_mmio(b, TEST_WINDOW - 16 + at, what & 1, data, size);
	else
		board_pio(b, 0, what & 0x10 ? at : known[at % NKNOWN], what & 1, data, size == 8 ? 4 : size);
	if (what & 0x40)
		rtc_expired(&b->rtc);
	check(rtc_deadline(&b->rtc) > b->rtc.start_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board b;
	struct machine m = { 0 };
	const struct host host = {
		.now_ns = now_ns,
		.line = line,
		.quit = quit,
		.put = put,
		.flush_page = flush_page,
		.ctx = &m,
	};

	board_init(&b, &host, 1 << 20, 1, 0);
	for (; size >= STEP; data += STEP, size -= STEP)
		step(&b, &m, data);
	board_deinit(&b);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/vmm_bed.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/endian.h"

#define TIME 981173106 /* 2001-02-03 04:05:06 UTC */

static int64_t now_ns(void *ctx)
{
	const struct vmm_bed *b = ctx;

	return b->now;
}

static void line(void *ctx, unsigned int gsi, bool level)
{
	struct vmm_bed *b = ctx;

	cr_assert(gsi < BED_LINES);
	b->rises[gsi] += level && !b->lines[gsi];
	b->lines[gsi] = level;
}

static void quit(void *ctx, int status)
{
	struct vmm_bed *b = ctx;

	b->status = status;
}

static void put(void *ctx, uint8_t byte)
{
	struct vmm_bed *b = ctx;

	cr_assert(b->nprinted < sizeof(b->printed) - 1);
	b->printed[b->nprinted++] = (char)byte;
}

static void flush_page(void *ctx, uint32_t address)
{
	struct vmm_bed *b = ctx;

	b->flushed = address;
}

void vmm_bed_init(struct vmm_bed *b)
{
	const struct host host = {
		.now_ns = now_ns,
		.line = line,
		.quit = quit,
		.put = put,
		.flush_page = flush_page,
		.ctx = b,
	};

	memset(b, 0, sizeof(*b));
	b->status = -1;
	board_init(&b->board, &host, UINT64_C(64) << 20, 3, TIME);
}

void vmm_bed_deinit(struct vmm_bed *b)
{
	board_deinit(&b->board);
}

void vmm_bed_out(struct vmm_bed *b, uint16_t port, unsigned int size, uint32_t value)
{
	uint8_t data[4];

	put_le(data, size, value);
	cr_assert(board_pio(&b->board, 0, port, true, data, size), "port 0x%x", port);
}

uint32_t vmm_bed_in(struct vmm_bed *b, uint16_t port, unsigned int size)
{
	uint8_t data[4] = { 0x5a, 0x5a, 0x5a, 0x5a };

	cr_assert(board_pio(&b->board, 0, port, false, data, size), "port 0x%x", port);
	return (uint32_t)get_le(data, size);
}

void vmm_bed_run(struct vmm_bed *b, int64_t to_ns)
{
	for (;;) {
		int64_t at = rtc_deadline(&b->board.rtc);

		if (at > to_ns)
			break;
		b->now = at > b->now ? at : b->now;
		rtc_expired(&b->board.rtc);
		cr_assert(rtc_deadline(&b->board.rtc) > at, "a deadline that does not go by");
	}
	b->now = to_ns;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/pitbox.h"

#include <string.h>

static int64_t on_now(void *opaque)
{
	return ((struct pitbox *)opaque)->now;
}

static void on_arm(void *opaque, int64_t at_ns)
{
	((struct pitbox *)opaque)->armed = at_ns;
}

static void on_tick(void *opaque)
{
	((struct pitbox *)opaque)->ticks++;
}

static const struct pit_model_ops ops = { .now_ns = on_now, .arm = on_arm, .tick = on_tick };

void pitbox_init(struct pitbox *p, int64_t now, enum pit_catch_up catch_up, uint32_t quirks)
{
	memset(p, 0, sizeof(*p));
	p->now = now;
	p->armed = PIT_NEVER;
	pit_model_init(&p->m, &ops, p, catch_up, quirks);
}

void pitbox_at(struct pitbox *p, int64_t now)
{
	p->now = now;
}

void pitbox_run(struct pitbox *p, int64_t now)
{
	while (p->armed != PIT_NEVER && p->armed <= now) {
		p->now = p->armed;
		p->armed = PIT_NEVER;
		pit_model_expired(&p->m);
	}
	p->now = now;
}

void pitbox_out(struct pitbox *p, uint16_t port, uint8_t value)
{
	pit_model_write(&p->m, port, 1, value);
}

uint8_t pitbox_in(struct pitbox *p, uint16_t port)
{
	return (uint8_t)pit_model_read(&p->m, port, 1);
}

void pitbox_count(struct pitbox *p, unsigned int channel, uint16_t count)
{
	pitbox_out(p, (uint16_t)(0x40 + channel), (uint8_t)count);
	pitbox_out(p, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

void pitbox_program(struct pitbox *p, unsigned int channel, unsigned int mode, bool bcd, uint16_t count)
{
	pitbox_out(p, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1 | bcd));
	pitbox_count(p, channel, count);
}

uint16_t pitbox_latched(struct pitbox *p, unsigned int channel)
{
	uint8_t low;

	pitbox_out(p, 0x43, (uint8_t)(channel << 6));
	low = pitbox_in(p, (uint16_t)(0x40 + channel));
	return (uint16_t)(low | pitbox_in(p, (uint16_t)(0x40 + channel)) << 8);
}

uint8_t pitbox_status(struct pitbox *p, unsigned int channel)
{
	pitbox_out(p, 0x43, (uint8_t)(0xe0 | 2 << channel));
	return pitbox_in(p, (uint16_t)(0x40 + channel));
}

int64_t tick_ns(uint64_t tick)
{
	struct pit_channel c = { .count_load_time = 0 };

	return pit_tick_time(&c, tick);
}

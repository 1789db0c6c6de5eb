/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/pic_pair.h"

#include <string.h>

static void on_intr(void *opaque, bool level)
{
	struct pic_pair *p = opaque;

	p->intr = level;
	p->changes++;
}

static void on_eoi(void *opaque, unsigned int irq)
{
	struct pic_pair *p = opaque;

	p->ended |= 1U << irq;
}

static const struct pic_model_ops ops = { .intr = on_intr, .eoi = on_eoi };

void pair_init(struct pic_pair *p, uint32_t quirks)
{
	memset(p, 0, sizeof(*p));
	pic_model_init(&p->m, &ops, p, quirks);
}

void pair_chip(struct pic_pair *p, uint16_t port, uint8_t icw1, uint8_t icw2, uint8_t icw4)
{
	pair_out(p, port, icw1);
	pair_out(p, port + 1, icw2);
	if (!(icw1 & 0x02))
		pair_out(p, port + 1, port == M0 ? 0x04 : 0x02);
	if (icw1 & 0x01)
		pair_out(p, port + 1, icw4);
}

void pair_setup(struct pic_pair *p, uint8_t icw4)
{
	pair_init(p, 0);
	pair_chip(p, M0, 0x11, 0x30, icw4);
	pair_chip(p, S0, 0x11, 0x38, icw4);
}

void pair_out(struct pic_pair *p, uint16_t port, uint8_t value)
{
	pic_model_write(&p->m, port, 1, value);
}

uint8_t pair_in(struct pic_pair *p, uint16_t port)
{
	return (uint8_t)pic_model_read(&p->m, port, 1);
}

uint8_t pair_irr(struct pic_pair *p, uint16_t port)
{
	pair_out(p, port, 0x0a);
	return pair_in(p, port);
}

uint8_t pair_isr(struct pic_pair *p, uint16_t port)
{
	pair_out(p, port, 0x0b);
	return pair_in(p, port);
}

void pair_pulse(struct pic_pair *p, unsigned int irq)
{
	pic_model_set_line(&p->m, irq, true);
	pic_model_set_line(&p->m, irq, false);
}

int pair_take(struct pic_pair *p)
{
	if (p->intr != pic_model_intr(&p->m))
		return -2; /* the callback and the output disagree */
	return p->intr ? pic_model_ack(&p->m) : -1;
}

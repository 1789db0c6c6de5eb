/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pair of PICs as the tests of the model use it: programmed like a PC, its callbacks written down. */
#ifndef TESTS_UNIT_PIC_PAIR_H
#define TESTS_UNIT_PIC_PAIR_H

#include "userspace/pic_model.h"

enum { M0 = 0x20,
       M1 = 0x21,
       S0 = 0xa0,
       S1 = 0xa1,
       ELCR0 = 0x4d0,
       ELCR1 = 0x4d1 };

struct pic_pair {
	struct pic_model m;
	bool intr;
	unsigned int changes; /* of INTR */
	uint32_t ended;       /* IRQs of which the end was told */
};

/* pair_init - the pair after power-on. */
void pair_init(struct pic_pair *p, uint32_t quirks);

/* pair_setup - ICW1 to ICW4 as a PC's firmware writes them: vectors 0x30 and 0x38. @icw4: both chips' ICW4. */
void pair_setup(struct pic_pair *p, uint8_t icw4);

/* pair_chip - ICW1 to ICW4 of one chip. */
void pair_chip(struct pic_pair *p, uint16_t port, uint8_t icw1, uint8_t icw2, uint8_t icw4);

/* pair_out/pair_in - one byte. */
void pair_out(struct pic_pair *p, uint16_t port, uint8_t value);
uint8_t pair_in(struct pic_pair *p, uint16_t port);

/* pair_irr/pair_isr - read through OCW3. */
uint8_t pair_irr(struct pic_pair *p, uint16_t port);
uint8_t pair_isr(struct pic_pair *p, uint16_t port);

/* pair_pulse - a line up and down. */
void pair_pulse(struct pic_pair *p, unsigned int irq);

/* pair_take - what a CPU with IF=1 takes: the vector, or -1 when INTR is low. */
int pair_take(struct pic_pair *p);

#endif

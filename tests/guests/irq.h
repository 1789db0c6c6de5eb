/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which vector belongs to which source, and who handles it. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "idt.h"

/* Each source has a priority class (vector >> 4) of its own. The PIC pair takes 0x20 to 0x2f. */
enum vector {
	VEC_PIC_MASTER = 0x20,
	VEC_PIC_SLAVE = 0x28,
	VEC_PIT = 0x40,
	VEC_LAPIC = 0x50,
	VEC_ONESHOT = 0x60,
	VEC_LEVEL = 0x70,
	VEC_RTC = 0x80,
	VEC_PING = 0x90,
	VEC_PONG = 0xa0,
	VEC_APIC_ERROR = 0xf0,
	VEC_SPURIOUS = 0xff,
};

/* irq_set - Call @handler for @vector, on any processor; one without is reported as unexpected. */
void irq_set(u32 vector, void (*handler)(void));

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IDT of the guest: which vector belongs to which source, and who handles it. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "cpu.h"

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

/* What irq_entry.S leaves on the stack, lowest address first; an exception with an error code has it in place of eip. */
struct irq_frame {
	u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
	u32 vector, eip, cs, eflags;
};

/* irq_set - Call @handler for @vector, on any processor. */
void irq_set(u32 vector, void (*handler)(void));

/* irq_load_idt - Give this processor the IDT. irq_init() must have filled it. */
void irq_load_idt(void);

/* irq_init - Fill the IDT: every vector is reported as unexpected until irq_set(). */
void irq_init(void);

/* irq_dispatch - Called by irq_entry.S only. */
void irq_dispatch(struct irq_frame *frame);

#endif

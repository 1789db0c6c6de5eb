/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IDT of a guest: every vector leads to its irq_dispatch(). */
#ifndef GUEST_IDT_H
#define GUEST_IDT_H

#include "cpu.h"

/* What irq_entry.S leaves on the stack, lowest address first; an exception with an error code has it in place of eip. */
struct irq_frame {
	u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
	u32 vector, eip, cs, eflags;
};

/* idt_fill - Fill the IDT, before any processor has it. */
void idt_fill(void);

/* idt_load - Give this processor the IDT. */
void idt_load(void);

/* irq_dispatch - The guest's own; called by irq_entry.S only. */
void irq_dispatch(struct irq_frame *frame);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IDT (SDM vol. 3, 6.10). */
#include "idt.h"

#define GATE_INTERRUPT_32 0x8e00
#define ENTRY_BYTES 16

extern const char irq_entries[];

static struct {
	u16 offset_low, selector, type, offset_high;
} idt[256];

void idt_fill(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 entry = (u32)irq_entries + ENTRY_BYTES * i;

		idt[i].offset_low = (u16)entry;
		idt[i].selector = SEL_CODE;
		idt[i].type = GATE_INTERRUPT_32;
		idt[i].offset_high = (u16)(entry >> 16);
	}
}

void idt_load(void)
{
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (u32)idt };

	__asm__ volatile("lidt %0"
			 :
			 : "m"(pointer));
}

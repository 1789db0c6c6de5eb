/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IDT (SDM vol. 3, 6.10) and the way from a vector to its handler. */
#include "irq.h"

#include "console.h"
#include "layout.h"
#include "source.h"

#define GATE_INTERRUPT_32 0x8e00
#define ENTRY_BYTES 16

extern const char irq_entries[];

static struct {
	u16 offset_low, selector, type, offset_high;
} idt[256];

static void (*handlers[256])(void);

void irq_set(u32 vector, void (*handler)(void))
{
	handlers[vector] = handler;
}

void irq_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 entry = (u32)irq_entries + ENTRY_BYTES * i;

		idt[i].offset_low = (u16)entry;
		idt[i].selector = SEL_CODE;
		idt[i].type = GATE_INTERRUPT_32;
		idt[i].offset_high = (u16)(entry >> 16);
	}
}

void irq_load_idt(void)
{
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (u32)idt };

	__asm__ volatile("lidt %0"
			 :
			 : "m"(pointer));
}

static void report_and_halt(const struct irq_frame *frame)
{
	con_text("panic vector=");
	con_number(frame->vector);
	con_text(" eip_or_error=");
	con_number(frame->eip);
	con_text(" next=");
	con_number(frame->cs);
	con_text("\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

void irq_dispatch(struct irq_frame *frame)
{
	if (handlers[frame->vector])
		handlers[frame->vector]();
	else if (frame->vector < 32)
		report_and_halt(frame);
	else
		error_count("unexpected_vector");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way from a vector to its handler. */
#include "irq.h"

#include "console.h"
#include "source.h"

static void (*handlers[256])(void);

void irq_set(u32 vector, void (*handler)(void))
{
	handlers[vector] = handler;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LAPIC, in xAPIC or x2APIC mode, and IOAPIC. */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "cpu.h"

enum timer_mode { TIMER_ONESHOT = 0 << 17,
		  TIMER_PERIODIC = 1 << 17,
		  TIMER_TSC_DEADLINE = 2 << 17 };

#define LVT_MASKED 0x10000
#define ICR_INIT 0x4500
#define ICR_SIPI 0x4600
#define RTE_LEVEL 0x8000

/* lapic_init - Enable this processor's LAPIC, LVTs masked; @x2apic switches it to x2APIC mode. */
void lapic_init(bool x2apic);

/* lapic_extint - LINT0 becomes the PIC's line (delivery mode ExtINT). */
void lapic_extint(void);

void lapic_eoi(void);

/* lapic_in_service - Is @vector's ISR bit set? */
bool lapic_in_service(u32 vector);

/* lapic_ipi - Write the ICR: @low is vector and delivery mode, @dest a physical APIC id. */
void lapic_ipi(u32 dest, u32 low);

/* lapic_timer_set - Mode and vector of the timer; it runs with lapic_timer_start(), or lapic_timer_deadline(). */
void lapic_timer_set(enum timer_mode mode, u32 vector);
void lapic_timer_start(u32 initial_count);
void lapic_timer_deadline(u64 tsc);
u32 lapic_timer_count(void);

/* ioapic_mask_all - Mask all 24 pins. */
void ioapic_mask_all(void);

/* ioapic_route - Unmask @pin: fixed, physical, active high; @flags is 0 (edge) or RTE_LEVEL. */
void ioapic_route(u32 pin, u32 vector, u32 dest, u32 flags);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PC's old chips: PIC pair, PIT channel 0, RTC. */
#ifndef GUEST_LEGACY_H
#define GUEST_LEGACY_H

#include "cpu.h"

#define PIT_HZ 1193182

enum { IRQ_PIT = 0,
       IRQ_CASCADE = 2,
       IRQ_COM1 = 4,
       IRQ_RTC = 8 };

/* pic_init - Both chips at VEC_PIC_MASTER / VEC_PIC_SLAVE, all lines edge and masked but the cascade. */
void pic_init(void);
void pic_unmask(u32 irq);

/* pic_level - Make @irq level triggered (ELCR). */
void pic_level(u32 irq);

/* pic_eoi - Non-specific EOI, to the slave too when @irq is behind it. */
void pic_eoi(u32 irq);

/* pic_in_service - Is @irq's ISR bit set? It is not after a spurious acknowledge. */
bool pic_in_service(u32 irq);

/* pit_start - Channel 0 as a rate generator (mode 2), lobyte/hibyte, binary. */
void pit_start(u16 count);

/* rtc_start - Periodic interrupt at 32768 >> (@rate - 1) Hz. */
void rtc_start(u32 rate);

/* rtc_flags - Read, and so clear, register C. */
u8 rtc_flags(void);

#endif

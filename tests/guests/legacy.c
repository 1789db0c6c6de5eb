/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIC pair (Intel 8259A), PIT (Intel 8254) and RTC (Motorola MC146818A). */
#include "legacy.h"

#include "irq.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define ELCR 0x4d0
#define ICW1_INIT_ICW4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_ISR 0x0b

#define PIT_CHANNEL_0 0x40
#define PIT_CONTROL 0x43
#define PIT_LOBYTE_HIBYTE 0x30
#define PIT_RATE_GENERATOR 0x04

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_A_32768_HZ 0x20
#define RTC_B_24H 0x02
#define RTC_B_PIE 0x40

static u16 pic_imr = 0xffff;

static void pic_write_imr(void)
{
	out8(PIC_MASTER + 1, (u8)pic_imr);
	out8(PIC_SLAVE + 1, (u8)(pic_imr >> 8));
}

static void pic_init_one(u16 port, u8 irq_base, u8 icw3)
{
	out8(port, ICW1_INIT_ICW4);
	out8(port + 1, irq_base);
	out8(port + 1, icw3);
	out8(port + 1, ICW4_8086);
}

void pic_init(void)
{
	pic_init_one(PIC_MASTER, VEC_PIC_MASTER, 1 << IRQ_CASCADE);
	pic_init_one(PIC_SLAVE, VEC_PIC_SLAVE, IRQ_CASCADE);
	out8(ELCR, 0);
	out8(ELCR + 1, 0);
	pic_imr = 0xffff;
	pic_unmask(IRQ_CASCADE);
}

void pic_unmask(u32 irq)
{
	pic_imr &= (u16) ~(1u << irq);
	pic_write_imr();
}

void pic_level(u32 irq)
{
	u16 port = (u16)(ELCR + irq / 8);

	out8(port, (u8)(in8(port) | 1u << irq % 8));
}

void pic_eoi(u32 irq)
{
	if (irq >= 8)
		out8(PIC_SLAVE, OCW2_EOI);
	out8(PIC_MASTER, OCW2_EOI);
}

bool pic_in_service(u32 irq)
{
	u16 port = irq >= 8 ? PIC_SLAVE : PIC_MASTER;

	out8(port, OCW3_READ_ISR);
	return in8(port) >> irq % 8 & 1;
}

void pit_start(u16 count)
{
	out8(PIT_CONTROL, PIT_LOBYTE_HIBYTE | PIT_RATE_GENERATOR);
	out8(PIT_CHANNEL_0, (u8)count);
	out8(PIT_CHANNEL_0, (u8)(count >> 8));
}

static void rtc_write(u8 reg, u8 value)
{
	out8(RTC_INDEX, reg);
	out8(RTC_DATA, value);
}

u8 rtc_flags(void)
{
	out8(RTC_INDEX, 0x0c);
	return in8(RTC_DATA);
}

void rtc_start(u32 rate)
{
	rtc_write(0x0a, (u8)(RTC_A_32768_HZ | rate));
	rtc_write(0x0b, RTC_B_24H | RTC_B_PIE);
	rtc_flags();
}

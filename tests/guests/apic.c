/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LAPIC (SDM vol. 3, chapter 11) and IOAPIC (82093AA). */
#include "apic.h"

#include "irq.h"

#define LAPIC_BASE 0xfee00000u
#define IOAPIC_BASE 0xfec00000u

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD 0x400
#define MSR_X2APIC 0x800
#define MSR_TSC_DEADLINE 0x6e0

enum lapic_reg {
	TPR = 0x080,
	EOI = 0x0b0,
	LDR = 0x0d0,
	DFR = 0x0e0,
	SPIV = 0x0f0,
	ISR = 0x100,
	ESR = 0x280,
	ICR = 0x300,
	ICR2 = 0x310,
	LVT_TIMER = 0x320,
	LVT_LINT0 = 0x350,
	LVT_LINT1 = 0x360,
	LVT_ERROR = 0x370,
	TMICT = 0x380,
	TMCCT = 0x390,
	TDCR = 0x3e0,
};

#define SPIV_ENABLE 0x100
#define LVT_EXTINT 0x700
#define TDCR_DIVIDE_BY_1 0x0b
#define ICR_BUSY 0x1000

static bool x2apic_mode;

static void lapic_write(enum lapic_reg reg, u32 value)
{
	if (x2apic_mode)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		*(volatile u32 *)(LAPIC_BASE + reg) = value;
}

static u32 lapic_read(enum lapic_reg reg)
{
	if (x2apic_mode)
		return (u32)rdmsr(MSR_X2APIC + reg / 16);
	return *(volatile u32 *)(LAPIC_BASE + reg);
}

void lapic_init(bool x2apic)
{
	if (x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	x2apic_mode = x2apic;
	lapic_write(TPR, 0);
	lapic_write(SPIV, SPIV_ENABLE | VEC_SPURIOUS);
	lapic_write(LVT_TIMER, LVT_MASKED);
	lapic_write(LVT_LINT0, LVT_MASKED);
	lapic_write(LVT_LINT1, LVT_MASKED);
	lapic_write(LVT_ERROR, VEC_APIC_ERROR);
	lapic_write(TDCR, TDCR_DIVIDE_BY_1);
	lapic_write(ESR, 0);
}

void lapic_extint(void)
{
	lapic_write(LVT_LINT0, LVT_EXTINT);
}

void lapic_eoi(void)
{
	lapic_write(EOI, 0);
}

bool lapic_in_service(u32 vector)
{
	return lapic_read((enum lapic_reg)(ISR + vector / 32 * 0x10)) >> vector % 32 & 1;
}

void lapic_ipi(u32 dest, u32 low)
{
	if (x2apic_mode) {
		wrmsr(MSR_X2APIC + ICR / 16, (u64)dest << 32 | low);
		return;
	}
	while (lapic_read(ICR) & ICR_BUSY)
		;
	lapic_write(ICR2, dest << 24);
	lapic_write(ICR, low);
}

void lapic_timer_set(enum timer_mode mode, u32 vector)
{
	lapic_write(LVT_TIMER, mode | vector);
}

void lapic_timer_start(u32 initial_count)
{
	lapic_write(TMICT, initial_count);
}

void lapic_timer_deadline(u64 tsc)
{
	wrmsr(MSR_TSC_DEADLINE, tsc);
}

u32 lapic_timer_count(void)
{
	return lapic_read(TMCCT);
}

static void ioapic_write(u32 reg, u32 value)
{
	*(volatile u32 *)IOAPIC_BASE = reg;
	*(volatile u32 *)(IOAPIC_BASE + 0x10) = value;
}

void ioapic_mask_all(void)
{
	for (u32 pin = 0; pin < 24; pin++)
		ioapic_write(0x10 + 2 * pin, LVT_MASKED);
}

void ioapic_route(u32 pin, u32 vector, u32 dest, u32 flags)
{
	ioapic_write(0x10 + 2 * pin, LVT_MASKED);
	ioapic_write(0x11 + 2 * pin, dest << 24);
	ioapic_write(0x10 + 2 * pin, vector | flags);
}

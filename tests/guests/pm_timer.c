/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PM timer (ACPI 4.8.3.3, 24 bits) of PIIX4 (function 3) and ICH9 (LPC bridge), whose PCI registers place it. */
#include "pm_timer.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_ENABLE 0x80000000u
#define PCI_DEVFN(device, function) ((device) << 11 | (function) << 8)

#define ID_Q35 0x29c08086u
#define PIIX4_PM PCI_DEVFN(1, 3)
#define PIIX4_PMREGMISC 0x80
#define ICH9_LPC PCI_DEVFN(31, 0)
#define ICH9_ACPI_CNTL 0x44
#define PMBASE 0x40

#define PM_PORTS 0x600
#define PM_TMR (PM_PORTS + 8)
#define TMR_BITS 24
#define COARSE_SHIFT 20

static u64 start;

/* Ticks >> COARSE_SHIFT as the boot processor saw them last: one word, so that every processor can read it whole. */
static volatile u32 coarse;

static u32 pci_read(u32 devfn, u32 reg)
{
	out32(PCI_ADDRESS, PCI_ENABLE | devfn | reg);
	return in32(PCI_DATA);
}

static void pci_write(u32 devfn, u32 reg, u32 value)
{
	out32(PCI_ADDRESS, PCI_ENABLE | devfn | reg);
	out32(PCI_DATA, value);
}

/* @seen is read before the timer: a timer value that looks older has gone round once. */
static u64 ticks(void)
{
	u32 seen = coarse;
	u32 now = in32(PM_TMR) & ((1u << TMR_BITS) - 1);
	u64 full = (u64)(seen >> (TMR_BITS - COARSE_SHIFT)) << TMR_BITS | now;

	if (full >> COARSE_SHIFT < seen)
		full += 1u << TMR_BITS;
	if (cpu_index() == 0)
		coarse = (u32)(full >> COARSE_SHIFT);
	return full;
}

void pm_timer_init(void)
{
	if (pci_read(PCI_DEVFN(0, 0), 0) == ID_Q35) {
		pci_write(ICH9_LPC, PMBASE, PM_PORTS | 1);
		pci_write(ICH9_LPC, ICH9_ACPI_CNTL, pci_read(ICH9_LPC, ICH9_ACPI_CNTL) | 0x80);
	} else {
		pci_write(PIIX4_PM, PMBASE, PM_PORTS | 1);
		pci_write(PIIX4_PM, PIIX4_PMREGMISC, pci_read(PIIX4_PM, PIIX4_PMREGMISC) | 1);
	}
	start = ticks();
}

u64 pm_timer_ticks(void)
{
	return ticks() - start;
}

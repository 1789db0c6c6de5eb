/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ACPI PM timer: QEMU runs it on the virtual clock, under every kind of irqchip, and carries it over a move. */
#ifndef GUEST_PM_TIMER_H
#define GUEST_PM_TIMER_H

#include "cpu.h"

#define PM_TIMER_HZ 3579545

/* pm_timer_init - Give the power management function of PIIX4 or ICH9 its ports. */
void pm_timer_init(void);

/* pm_timer_ticks - Ticks since pm_timer_init(). The boot processor must call it at least once in 4 seconds. */
u64 pm_timer_ticks(void);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's own clock, and the rates of TSC and LAPIC timer. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include "cpu.h"

extern u32 clock_tsc_khz;
extern u32 clock_lapic_khz;

/*
 * clock_init - Calibrate TSC and LAPIC timer against the PM timer; uses this LAPIC's timer, 25 ms.
 * @by_tsc: the clock is the TSC, else the PM timer
 */
void clock_init(bool by_tsc);

/* clock_us - Microseconds since clock_init(). */
u64 clock_us(void);

/* clock_tsc_us - The same by this processor's TSC, whatever the clock is. */
u64 clock_tsc_us(void);

/* clock_tsc_follows_vm - Did the TSC start with the machine? Some hosts show every guest their own. */
bool clock_tsc_follows_vm(void);

/* clock_tsc_after - What the TSC will be in @us. */
u64 clock_tsc_after(u64 us);

#endif

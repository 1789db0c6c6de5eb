/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting the other processors. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "cpu.h"

/* How many times a processor came out of the trampoline (boot.S counts). */
extern volatile u32 ap_starts;

/* smp_cpus - How many processors the machine has (QEMU's fw_cfg), at most MAX_CPUS. */
u32 smp_cpus(void);

/* smp_prepare - Copy the trampoline. */
void smp_prepare(void);

/* smp_init_ipi - INIT: the processor waits for a SIPI from then on. */
void smp_init_ipi(u32 cpu);

/* smp_startup - SIPI to @cpu; 0 when it ran within a second, else -1. */
int smp_startup(u32 cpu);

#endif

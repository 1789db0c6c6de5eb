/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest of the live moves and its harness share: a page of the guest's memory, vectors, lines, ports. */
#ifndef GUEST_LIVE_H
#define GUEST_LIVE_H

#include <stdint.h>

#define LIVE_SHARED 0x10000 /* struct live_shared */
#define LIVE_MAX_CPUS 8

/* Lines. The PIC's are masked at the IOAPIC, and the other way round. */
#define LIVE_LINE_PIC 3
#define LIVE_LINE_EDGE 5
#define LIVE_LINE_LEVEL 10

/* Ports of the harness: the level device's line, read and lowered; one that nobody owns, to leave the guest. */
#define LIVE_PORT_LEVEL 0x2100
#define LIVE_PORT_IDLE 0x80
#define LIVE_PORT_TIMER 0x2102 /* written when a timer is armed (1) and when it has interrupted (0) */

#define LIVE_VEC_PIT 0x20
#define LIVE_VEC_PIC 0x23
#define LIVE_VEC_EDGE 0x51
#define LIVE_VEC_LEVEL 0x52
#define LIVE_VEC_IPI 0x53
#define LIVE_VEC_MSI 0x54
#define LIVE_VEC_TIMER 0x60

/* Where a SIPI starts a CPU. */
#define LIVE_AP_PAGE 8

enum live_timer { LIVE_NO_TIMER,
		  LIVE_ONE_SHOT,
		  LIVE_PERIODIC,
		  LIVE_DEADLINE };

/* A place where a handler waits, when the harness asks for it. */
enum live_hold { LIVE_HOLD_NOWHERE,
		 LIVE_HOLD_LEVEL,
		 LIVE_HOLD_PIC };

struct live_cpu {
	/* written by the CPU */
	uint32_t starts; /* by SIPI, or as the boot processor */
	uint32_t edge, level, level_idle, pic, pit, msi, nmi, ipi;
	uint32_t armed, fired; /* of its timer; a periodic one is armed once */
	uint32_t fired_unarmed;
	uint32_t spurious, unexpected, last_unexpected;
	uint32_t rounds; /* of its idle loop */
	uint32_t armed_tsc_low, armed_tsc_high;
	/* written by whoever sends to it */
	uint32_t ipi_sent;
	/* written by the harness */
	uint32_t timer;     /* enum live_timer */
	uint32_t period_ns; /* of the timer */
	uint32_t period_tsc;
	uint32_t spins; /* does not halt */
};

struct live_shared {
	uint32_t cpus, x2apic, edge_cpu, level_cpu, ipis, pit_count; /* by the harness, before the start */
	uint32_t hold;                                               /* enum live_hold, by the harness */
	uint32_t held;                                               /* by the guest: the one where it waits */
	uint32_t ready;                                              /* all CPUs are up */
	uint32_t tells;                                              /* by the harness: timers are told by LIVE_PORT_TIMER */
	uint32_t stop;                                               /* by the harness: start nothing new */
	struct live_cpu cpu[LIVE_MAX_CPUS];
};

#endif

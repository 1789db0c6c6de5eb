/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that does nothing but take its timer's interrupts: 32-bit, flat, sleeping in HLT. A one-shot or a deadline is
 * armed anew by each interrupt, once.
 */
#ifndef TESTS_KVM_TIMER_GUEST_H
#define TESTS_KVM_TIMER_GUEST_H

#include "vm.h"

#define TIMER_LOG 8192
#define TIMER_VECTOR 0x41

/* As in LVTT, and one that is no LAPIC's. */
enum timer_kind {
	TIMER_ONE_SHOT,
	TIMER_PERIODIC,
	TIMER_TSC_DEADLINE,
	TIMER_PIT, /* channel 0 in mode 2, by pin 0 of the IOAPIC */
};

/* At a fixed place in the guest's memory. */
struct timer_shared {
	uint32_t mode;   /* enum timer_kind */
	uint32_t ticks;  /* TMICT */
	uint32_t cycles; /* the period in TSC cycles */
	uint32_t count;  /* interrupts so far */
	uint64_t armed;  /* TSC when the timer was armed; the deadline itself */
	struct {
		uint64_t taken, armed;
	} log[TIMER_LOG];
};

/* timer_guest_load - put the guest into the memory and the first vCPU of @vm, ready to run. */
struct timer_shared *timer_guest_load(struct vm *vm, enum timer_kind kind, uint32_t period_ns, uint32_t tsc_khz);

/* timer_guest_uncounted - whether the guest, at @rip, is in its handler ahead of where it counts. */
bool timer_guest_uncounted(uint64_t rip);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a guest whose timer ran on over many stops got each interrupt once, and when. What a busy host does to it,
 * delays and ticks that become one, is no loss: what is judged cannot come from it.
 *
 * A one-shot or a deadline is armed by the interrupt before: one that is lost ends all, one that comes twice comes early.
 * Of a periodic timer, between two stops: the ticks, and what waited at the first stop, are what was taken and what waits
 * at the second; some of several may have become one.
 */
#ifndef TESTS_KVM_TIMER_JUDGE_H
#define TESTS_KVM_TIMER_JUDGE_H

#include "timer_guest.h"

/* One stop of the guest; times are of its TSC. */
struct timer_stop {
	uint64_t began, resumed; /* out of KVM_RUN, and back */
	uint64_t read, written;  /* when the timer was; the same when it went on by itself */
	uint64_t remaining;      /* of a LAPIC's count at the read, in cycles */
	uint32_t count;          /* interrupts that the guest had counted */
	unsigned int waiting;    /* and those it had not: requested, injected, or in the handler ahead of the counting */
	bool blurred;            /* the host kept us waiting between the TSC and the timer: not judged */
};

struct timer_outcome {
	unsigned int interrupts, twice, lost; /* interrupts: the first after a stop, of which the errors are */
	unsigned int blurred;
	double median_us, worst_us; /* how late they came */
};

struct timer_outcome timer_judge(const struct timer_shared *shared, const struct timer_stop *stops, unsigned int nstops,
				 uint32_t tsc_khz);

#endif

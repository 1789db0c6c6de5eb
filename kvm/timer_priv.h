/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What two reads of a LAPIC say together about its timer. */
#ifndef IRQSHIFT_KVM_TIMER_PRIV_H
#define IRQSHIFT_KVM_TIMER_PRIV_H

#include "apic/lapic.h"

/*
 * kvm_timer_may_be_late - the count is over, and no request is to be seen: it interrupted long ago, or the host's timer
 * interrupt is still on its way, for KVM computes the count from the time.
 */
bool kvm_timer_may_be_late(const struct lapic_state *s);

/* What the first read said, at @ns of CLOCK_MONOTONIC. */
struct kvm_timer_before {
	int64_t ns;
	uint32_t count;
	bool in_service; /* the timer's vector */
};

struct kvm_timer_before kvm_timer_before(const struct lapic_state *s, int64_t ns);

/*
 * kvm_timer_merge_count - a timer that ran out between the first read and this one, at @ns, must not be lost: when its
 * vector did not come since, it may wait inside KVM, so it is requested. A periodic count is never 0 for longer than
 * the host's interrupt is on its way: 0 before is a tick of this time.
 */
void kvm_timer_merge_count(struct lapic_state *s, const struct kvm_timer_before *before, int64_t ns, uint32_t bus_cycle_ns);

/*
 * kvm_timer_merge_deadline - the deadline, read as @before ahead of the LAPIC and as @after behind it: one that was
 * cleared in between without its vector being requested stands, in the past, and is due.
 */
void kvm_timer_merge_deadline(struct lapic_state *s, uint64_t before, uint64_t after);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What two reads of a LAPIC say together about its timer. */
#ifndef IRQSHIFT_KVM_TIMER_PRIV_H
#define IRQSHIFT_KVM_TIMER_PRIV_H

#include "apic/lapic.h"

/* kvm_timer_seen - whether the timer's vector is requested, in service, or injected. */
bool kvm_timer_seen(const struct lapic_state *s);

/*
 * kvm_timer_merge_count - a timer that ran out between a read with @before left, @cycles of the bus ago, and this one
 * must not be lost: without its vector's bit it may wait inside KVM, so the vector is requested.
 */
void kvm_timer_merge_count(struct lapic_state *s, uint32_t before, uint64_t cycles);

/*
 * kvm_timer_merge_deadline - the deadline, read as @before ahead of the LAPIC and as @after behind it: one that was
 * cleared in between without its vector being seen stands, in the past, and is due.
 */
void kvm_timer_merge_deadline(struct lapic_state *s, uint64_t before, uint64_t after);

#endif

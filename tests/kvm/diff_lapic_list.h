/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests/kvm/test_diff_lapic.c does to LAPICs. */
#ifndef TESTS_KVM_DIFF_LAPIC_LIST_H
#define TESTS_KVM_DIFF_LAPIC_LIST_H

#include "tests/kvm/diff_vm.h"

/* diff_lapic_state - four LAPICs at random, and an IOAPIC that sends to the first one. */
void diff_lapic_state(struct diff_state *ret, bool x2apic);

/* diff_lapic_list - accesses, IPIs, messages, time steps and interrupts that are taken. */
void diff_lapic_list(struct diff_list *ret, bool x2apic);

#endif

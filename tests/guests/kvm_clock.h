/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM's clock: a page in the guest's memory, and the TSC. */
#ifndef GUEST_KVM_CLOCK_H
#define GUEST_KVM_CLOCK_H

#include "cpu.h"

/* kvm_clock_init - Switch it on. Return: whether there is one. */
bool kvm_clock_init(void);

/* kvm_clock_us - What it says now, also where nobody writes the page any more. */
u64 kvm_clock_us(void);

#endif

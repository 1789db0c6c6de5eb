/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_KVM_FIND_PRIV_H
#define IRQSHIFT_KVM_FIND_PRIV_H

#include "kvm/find.h"

/* find_descriptors - as kvm_find(), without the threads: for who looks into every process. */
int find_descriptors(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr);

#endif

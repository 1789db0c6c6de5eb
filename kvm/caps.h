/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The capabilities of this host's KVM, asked at /dev/kvm. */
#ifndef IRQSHIFT_KVM_CAPS_H
#define IRQSHIFT_KVM_CAPS_H

#include "base/error.h"
#include "vmstate/caps.h"

/**
 * kvm_caps_probe - ask this host
 * @device: "/dev/kvm", or NULL for that
 * @ret: receives what the kernel and the CPU can; release with caps_deinit()
 *
 * Every bit is asked for by KVM_CHECK_EXTENSION or KVM_GET_SUPPORTED_CPUID, none follows from the kernel's
 * version: an irqchip can be compiled out. Without a KVM the answer is a side that can nothing of it. The rate of the TSC
 * is that of a vCPU that is made and asked (KVM_GET_TSC_KHZ), else it is measured.
 *
 * Return: 0, also when there is no such device; -EACCES and other -errno when it cannot be asked.
 */
int kvm_caps_probe(const char *device, struct caps *ret, struct irqs_error *reterr);

#endif

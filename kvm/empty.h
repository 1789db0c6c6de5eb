/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM of this process without a guest: its interrupt controllers and vCPUs are there, to see what the KVM of this host
 * keeps of a state. It never runs.
 */
#ifndef IRQSHIFT_KVM_EMPTY_H
#define IRQSHIFT_KVM_EMPTY_H

#include "apic/irqchip.h"
#include "kvm/own.h"

struct kvm_empty {
	struct kvm_own own; /* own.port is what probe, gather and restore take */
	/* private: */
	int vm;
	int *vcpus;
	uint32_t *ids;
	void *memory;
	size_t memory_size;
};

/**
 * kvm_empty_open - make a VM that a state fits into
 * @e: the VM; ends with kvm_empty_close()
 * @s: its mode, the ids of its CPUs, whether there is a PIT, and where the guest has the pages of its paravirtual
 *     registers are what the VM is made by
 * @reterr: IRQS_REFUSED when this host's KVM has no such irqchip or not so many vCPUs
 *
 * The vCPUs get all of CPUID that the host supports, x2APIC mode and the TSC deadline with it.
 *
 * Return: 0; -EOPNOTSUPP; -EINVAL for a state without a CPU; -errno.
 */
int kvm_empty_open(struct kvm_empty *e, const struct irqchip_state *s, struct irqs_error *reterr);
void kvm_empty_close(struct kvm_empty *e);

#endif

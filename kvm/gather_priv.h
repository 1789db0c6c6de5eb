/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A gather on its way: what reads the vCPUs and what reads the chips of the VM have in common. */
#ifndef IRQSHIFT_KVM_GATHER_PRIV_H
#define IRQSHIFT_KVM_GATHER_PRIV_H

#include <linux/kvm.h>

#include "apic/abi.h"
#include "kvm/gather.h"

#define MSRS_MAX 16

/* vCPUs in one list: enough that what a list costs is little beside its ioctls, and their answers stay in the cache. */
#define GATHER_VCPUS 128

struct msr_list {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MSRS_MAX];
};

/* What one vCPU is asked in one list, and its answers. */
struct gather_vcpu {
	struct kvm_port_call *calls; /* its first in the list */
	bool page_asked;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct msr_list msrs;
	struct kvm_lapic_state page;
};

#define GATHER_CALLS_MAX 5 /* of one vCPU in one list */

struct gather {
	struct kvm_port *port;
	const struct kvm_probe *probe;
	struct kvm_gather_options options;
	struct irqchip_state *state;
	struct irqs_error *err;
	struct abi_plan lapic, regs, sregs, events, mp_state;
	const struct reg_row *msrs[MSRS_MAX];
	unsigned int nmsrs;
	struct gather_vcpu *vcpus;   /* GATHER_VCPUS, or fewer where the VM has fewer */
	struct kvm_port_call *calls; /* GATHER_CALLS_MAX for each */
};

/* gather_failed/gather_failed_vm - what a failed ioctl makes of the gather: 0 where less is enough, else -errno. */
int gather_failed(const struct gather *g, int rc, const char *what, unsigned int vcpu);
int gather_failed_vm(const struct gather *g, int rc, const char *what);

/* gather_bus_cycle - of the APIC timer, in ns. */
uint32_t gather_bus_cycle(const struct gather *g);

/* gather_page - the LAPIC of one vCPU, by itself. */
int gather_page(const struct gather *g, unsigned int vcpu);

/* gather_mp_states, gather_vcpus, gather_events - the steps of all vCPUs. */
int gather_mp_states(const struct gather *g);
int gather_vcpus(const struct gather *g);
int gather_events(const struct gather *g);

/* gather_chips - the PICs, the IOAPIC and the PIT, as far as they are in the kernel. */
int gather_chips(const struct gather *g);

/* gather_clock - KVM's clock, and the time of this host. */
int gather_clock(const struct gather *g);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A gather on its way: what reads the vCPUs and what reads the chips of the VM have in common. */
#ifndef IRQSHIFT_KVM_GATHER_PRIV_H
#define IRQSHIFT_KVM_GATHER_PRIV_H

#include "apic/abi.h"
#include "kvm/gather.h"

#define MSRS_MAX 16

struct gather {
	struct kvm_port *port;
	const struct kvm_probe *probe;
	struct kvm_gather_options options;
	struct irqchip_state *state;
	struct irqs_error *err;
	struct abi_plan lapic, regs, sregs, events, mp_state;
	const struct reg_row *msrs[MSRS_MAX];
	unsigned int nmsrs;
};

/* gather_failed_vm - what a failed ioctl of the VM makes of the gather: 0 where less is enough, else -errno. */
int gather_failed_vm(const struct gather *g, int rc, const char *what);

/* gather_now_ns - CLOCK_MONOTONIC. */
int64_t gather_now_ns(void);

/* gather_chips - the PICs, the IOAPIC and the PIT, as far as they are in the kernel. */
int gather_chips(const struct gather *g);

/* gather_clock - KVM's clock, and the time of this host. */
int gather_clock(const struct gather *g);

#endif

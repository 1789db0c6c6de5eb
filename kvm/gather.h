/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All interrupt state of a VM out of KVM, through any port.
 *
 * The caller stops the VM first, and keeps it so until the gather is over:
 * - its devices raise and lower no line and send no MSI (the in-kernel PIT goes on; the order below allows for it);
 * - every vCPU is out of KVM_RUN: an ioctl on one that is in it waits for it;
 * - I/O that user space owed a vCPU is completed by a KVM_RUN, with immediate_exit or with a signal pending;
 * - better: by kvm_own_settle() or its like (see settle), or a timer that has run out may be in no register.
 *
 * Order, each step for all vCPUs: settle; mp_state, which takes pending INIT and start-up IPIs in; PICs, IOAPIC and
 * PIT, before the LAPICs: a tick of the PIT that comes in between is then in the LAPIC, and not lost between the two;
 * per vCPU registers, the MSRs, the LAPIC, the TSC deadline again; the clock; the events last.
 * Each step is a list (kvm_list()), for 64 vCPUs at a time, whose answers lie in memory that a gather takes: 2 KiB for each
 * vCPU up to 64, so 130 KiB at most. A list is made to its end, also when something in it fails: what is reported is the first
 * in it.
 */
#ifndef IRQSHIFT_KVM_GATHER_H
#define IRQSHIFT_KVM_GATHER_H

#include "kvm/probe.h"

struct kvm_run;

struct kvm_gather_options {
	uint32_t bus_cycle_ns; /* of the APIC timer, as the VMM set it; 0: the 1 ns that KVM starts with */
	/*
	 * kvm_own_settle(), or NULL: then whether a one-shot whose count is 0 has interrupted cannot be told, and it is
	 * taken to be due (a second interrupt is harmless, a lost one is not); a tick of a periodic timer that was not
	 * injected yet is lost. Called for each vCPU, and once more, 0.2 ms later, for each whose count is over without
	 * a request: KVM computes it from the time, and the interrupt of the host's timer may still be on its way.
	 */
	int (*settle)(struct kvm_port *port, unsigned int vcpu);
	/*
	 * By vCPU, the mapping of its descriptor, or NULL. Where there is one it is checked: a vCPU whose last exit
	 * waits for user space is refused, unless immediate_exit is set, as it is after a KVM_RUN that completed it.
	 */
	const struct kvm_run *const *runs;
	bool no_mp_state; /* leave mp_state unknown: reading it takes a pending INIT or start-up IPI in */
	/* An ioctl that fails leaves its registers unknown, instead of failing the gather; but not -ESRCH: the VM is gone. */
	bool partial;
};

/**
 * kvm_gather - read all there is
 * @port: a stopped VM
 * @probe: what kvm_probe_vm() said of it, or NULL to ask now
 * @options: or NULL for none
 * @state: its lapics must be an array of port->nvcpus; mode, nlapics, lapics, chips and clock are filled; routes and
 *         lines are what the caller declares, and stay
 * @reterr: which ioctl of which vCPU failed
 *
 * A register is known when the kernel said what it is. In full mode VER of the IOAPIC is known to be 0x11. Derived:
 * timer_remaining (0: due now; unknown: none will come), irq_disabled, initial_id, kvmclock_reliable, ID in x2APIC mode
 * (always shifted to bits 24 to 31; the whole of it is initial_id), cpu_clock_offset: the host's CLOCK_MONOTONIC, on
 * which the load times of PIT channels 1 and 2 are. The kernel does not keep that of channel 0.
 *
 * Return: 0; -EBUSY when a vCPU waits for user space; -errno of an ioctl.
 */
int kvm_gather(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_gather_options *options,
	       struct irqchip_state *state, struct irqs_error *reterr);

/**
 * kvm_gather_timer - set timer_remaining of a LAPIC from its registers
 * @s: LVTT, TMICT, TMCCT, TDCR, or the TSC, its frequency and the deadline
 * @bus_cycle_ns: of the APIC timer, not 0
 * @settled: a one-shot whose count is 0 has interrupted; false: it is due unless its vector is seen to be there
 */
void kvm_gather_timer(struct lapic_state *s, uint32_t bus_cycle_ns, bool settled);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupt state into the KVM of a stopped VM, through any port: one ordered plan, checked before anything changes,
 * read back afterwards.
 *
 * Before: the VM is made as it shall be (irqchip, PIT, capabilities, vCPUs, memory), general registers, segments and
 * control registers are set (KVM_SET_REGS would clear a pending exception), no vCPU is in KVM_RUN. The order of the
 * plan is the only one in which nothing is lost (arch/x86/kvm):
 *
 *   cpuid          says whether LVTT can be in TSC-deadline mode, and how many LVT entries there are
 *   sregs          the APIC base: the mode decides the form of the ID
 *   tsc khz, tsc   a deadline is compared with the TSC when it is written
 *   lapic          the mode of LVTT, without which a deadline is dropped in silence; TMICT is cleared by a change of it
 *   tsc deadline, other MSRs, mp_state
 *   events         last of the vCPU: also overrides what sregs said of an injected interrupt
 *   pics, ioapic   deliver pending pins at once: into LAPICs that nobody writes any more
 *   pit, routes, lines (again, by those who hold them), clock, kvmclock ctrl
 *
 * A step of the vCPUs is two lists (kvm_list()) for 64 of them at a time: what is read, then what is written, up to the first
 * that fails. Its memory is 2.5 KiB for each of the 64 at most.
 *
 * What KVM cannot take: the phase of PIT channel 0 (a restore starts a whole period; a one-shot of it that has ended
 * starts again), the storm counters of the IOAPIC, lost PIT ticks.
 */
#ifndef IRQSHIFT_KVM_RESTORE_H
#define IRQSHIFT_KVM_RESTORE_H

#include "kvm/gather.h"

struct kvm_cpuid2;

/* Parts of the plan, one bit each; a part of which the state knows nothing is skipped. */
enum kvm_part {
	KVM_PART_CPUID = 1 << 0,
	KVM_PART_SREGS = 1 << 1,
	KVM_PART_TSC = 1 << 2, /* with its frequency */
	KVM_PART_LAPIC = 1 << 3,
	KVM_PART_TSC_DEADLINE = 1 << 4,
	KVM_PART_MSRS = 1 << 5,
	KVM_PART_MP_STATE = 1 << 6,
	KVM_PART_EVENTS = 1 << 7,
	KVM_PART_PICS = 1 << 8,
	KVM_PART_IOAPIC = 1 << 9,
	KVM_PART_PIT = 1 << 10,
	KVM_PART_ROUTES = 1 << 11,
	KVM_PART_LINES = 1 << 12,
	KVM_PART_CLOCK = 1 << 13, /* with KVM_KVMCLOCK_CTRL */
};

enum kvm_difference_kind {
	KVM_DIFFERENCE_DERIVED, /* follows from other state or from the host: why says from what */
	KVM_DIFFERENCE_MOVED,   /* went on since: a timer, a clock, a pending pin that was delivered */
	KVM_DIFFERENCE_WRONG,   /* was written, and is not what was written */
};

/* A register that reads back otherwise. */
struct kvm_difference {
	const char *chip;   /* "lapic", "pic", "ioapic", "pit", "clock" */
	unsigned int index; /* of the vCPU or the PIC */
	const struct reg_row *row;
	unsigned int element;
	uint64_t wanted, got;
	enum kvm_difference_kind kind;
	const char *why;
};

struct kvm_restore_options {
	uint32_t parts;                                             /* enum kvm_part; 0: all */
	const struct kvm_cpuid2 *const *cpuid;                      /* by vCPU; NULL: the caller sets it, before */
	uint32_t bus_cycle_ns;                                      /* of the APIC timer, as the VMM set it; 0: 1 */
	bool realtime;                                              /* kvmclock goes on by the real time since the gather; else from where it was */
	void (*differs)(void *arg, const struct kvm_difference *d); /* called for each, or NULL */
	void *arg;
};

/* What the steps of a plan share. */
struct kvm_restore {
	struct kvm_port *port;
	const struct kvm_probe *probe;
	const struct irqchip_state *state;
	struct kvm_restore_options options;
};

/* A step: the plan runs all checks, then all applies in order, then all read-backs. */
struct kvm_step {
	const char *name;
	enum kvm_part part;
	enum kvm_target target;                                                                  /* KVM_TARGET_VCPU: check and verify come once for each LAPIC of the state, with its index */
	int (*check)(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr); /* changes nothing */
	int (*apply)(const struct kvm_restore *r, struct irqs_error *reterr);                    /* all vCPUs, by lists, or the chip */
	int (*verify)(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
		      struct irqs_error *reterr);
};

extern const struct kvm_step kvm_restore_plan[];
extern const unsigned int kvm_restore_nsteps;

/**
 * kvm_restore - put a state into a VM
 * @port: a stopped VM
 * @probe: what kvm_probe_vm() said of it, or NULL to ask now
 * @options: or NULL for none
 * @state: lapics by the VM's vCPUs; of mode split and none only what is in the kernel there is looked at. What is not
 *         known keeps its value.
 * @reterr: what was refused, by vCPU or chip and register; or which ioctl failed
 *
 * Current counts go back by timer_remaining. A one-shot that has interrupted comes back with TMICT 0, which KVM would
 * else start again; a masked one runs out at once, unseen.
 *
 * Return: 0; -EOPNOTSUPP or -EINVAL for what is refused, and then nothing changed; -errno of an ioctl: the steps
 * before it were applied, the VM must not run (a LAPIC whose KVM_SET_LAPIC failed is put back as it was); -EIO when
 * something reads back wrong.
 */
int kvm_restore(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_restore_options *options,
		const struct irqchip_state *state, struct irqs_error *reterr);

/* kvm_restore_check - only the checks of kvm_restore(): nothing is changed. */
int kvm_restore_check(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_restore_options *options,
		      const struct irqchip_state *state, struct irqs_error *reterr);

/**
 * kvm_restore_run - as kvm_restore(), by another plan: to take one apart, or to show what an order is for
 * @steps: @nsteps of them
 */
int kvm_restore_run(const struct kvm_restore *r, const struct kvm_step *steps, unsigned int nsteps,
		    struct irqs_error *reterr);

#endif

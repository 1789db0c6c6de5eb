/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a vCPU's struct kvm_run shows to another process, without stopping anything: KVM refuses ioctls from there, but
 * not a mapping of the descriptor. It is what KVM wrote when it last left to user space, not what the guest does now.
 */
#ifndef IRQSHIFT_KVM_RUNMAP_H
#define IRQSHIFT_KVM_RUNMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/kvm.h>

#include "base/error.h"

struct kvm_runmap {
	/* private: */
	const volatile struct kvm_run *run;
};

/* Documentation/virt/kvm/api.rst, section 5. */
struct kvm_runmap_view {
	uint32_t exit_reason; /* KVM_EXIT_*; KVM_EXIT_UNKNOWN while in the guest, on newer kernels */
	bool interrupts_on;   /* if_flag */
	bool ready;           /* ready_for_interrupt_injection */
	uint64_t cr8;         /* as of the last exit; 0 where the VMM keeps the APIC and never set it */
	uint64_t apic_base;
	uint64_t synced;               /* KVM_SYNC_X86_* that the VMM asked for: which of the next are filled */
	struct kvm_regs regs;          /* KVM_SYNC_X86_REGS */
	struct kvm_sregs sregs;        /* KVM_SYNC_X86_SREGS */
	struct kvm_vcpu_events events; /* KVM_SYNC_X86_EVENTS */
};

/**
 * kvm_runmap_open - map the struct kvm_run of another process's vCPU, for reading
 * @pid: the process
 * @fd: a descriptor of the vCPU in it, from kvm_find()
 *
 * The mapping keeps the VM alive even when its process ends: close it soon. The right to ptrace is needed.
 *
 * Return: 0, or -errno.
 */
int kvm_runmap_open(pid_t pid, int fd, struct kvm_runmap *ret, struct irqs_error *reterr);

/* kvm_runmap_read - what it shows now; fields may be of different moments while the vCPU runs. */
void kvm_runmap_read(const struct kvm_runmap *map, struct kvm_runmap_view *ret);

/* kvm_runmap_close - take the mapping away; a zeroed struct is accepted. */
void kvm_runmap_close(struct kvm_runmap *map);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM that never runs, with something different in every register, and its state as the owner reads it, call by call. */
#ifndef IRQSHIFT_TESTS_MODULE_STILL_VM_H
#define IRQSHIFT_TESTS_MODULE_STILL_VM_H

#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kvm/module/uapi.h"

#define STILL_VCPUS 1024
#define STILL_CHILD_VCPUS 8
#define STILL_MSRS 4

enum still_irqchip {
	STILL_NONE,
	STILL_SPLIT,
	STILL_KERNEL, /* with a PIT */
};

struct still_vm {
	int fd, vcpus[STILL_VCPUS];
	unsigned int nvcpus;
};

/* still_vm_open - no test's assertions, so that it may be used in a child; 0 or -errno. */
int still_vm_open(struct still_vm *vm, unsigned int nvcpus, enum still_irqchip irqchip, bool x2apic);
void still_vm_close(struct still_vm *vm);

/* still_vm_fill - other values in LAPICs, registers and MSRs; for a VM with LAPICs in the kernel. 0 or -errno. */
int still_vm_fill(struct still_vm *vm, uint64_t *seed);

/* What is read of a vCPU, and what the ioctls returned, in the order of still_vcpu_entries(). */
#define STILL_ENTRIES 7
struct still_vcpu {
	struct kvm_lapic_state lapic;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct {
		__u32 nmsrs, pad;
		struct kvm_msr_entry entries[STILL_MSRS];
	} msrs;
	int results[STILL_ENTRIES];
};

/* still_vcpu_entries - @entries[STILL_ENTRIES] that read a vCPU into @state, which is made ready for that. */
void still_vcpu_entries(int fd, struct still_vcpu *state, struct irqshift_entry *entries);

/* The same of a VM with chips in the kernel. */
#define STILL_CHIPS 4
struct still_chips {
	struct kvm_irqchip chips[3];
	struct kvm_pit_state2 pit;
	int results[STILL_CHIPS];
};

void still_chips_entries(int fd, struct still_chips *state, struct irqshift_entry *entries);

/* still_read - by one ioctl after the other; results as a batch would have them. */
void still_read(const struct irqshift_entry *entries, unsigned int n, int *results);

/* A child process that has such a VM, and what it read of it; in memory that both share. */
struct still_child {
	pid_t pid;
	_Atomic int ready; /* 1, or -errno */
	struct still_vm vm;
	struct still_vcpu vcpus[STILL_CHILD_VCPUS];
	struct still_chips chips;
};

/* still_child_start - NULL without one. still_child_end - kills it. */
struct still_child *still_child_start(unsigned int nvcpus, enum still_irqchip irqchip);
void still_child_end(struct still_child *child);

/* still_child_get - a descriptor of the child in this process: pidfd_getfd(2). still_mem - /proc/PID/mem, opened with @flags. -errno. */
int still_child_get(const struct still_child *child, int fd);
int still_mem(pid_t pid, int flags);

#endif

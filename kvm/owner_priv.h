/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which vCPU belongs to which VM, where a process has several: its descriptors do not tell. Two things of a live kernel
 * do, both for root only:
 * - vCPUs of one VM share one page for coalesced MMIO, mapped at the third page of each: /proc/self/pagemap tells pages
 *   apart (CAP_SYS_ADMIN).
 * - debugfs has a folder kvm/PID-FD per VM, named after the descriptor that KVM_CREATE_VM gave, and in it vcpuN/pid, the
 *   thread that ran a vCPU last.
 */
#ifndef IRQSHIFT_KVM_OWNER_PRIV_H
#define IRQSHIFT_KVM_OWNER_PRIV_H

#include "kvm/find.h"

/* A thread that was stopped in KVM_RUN. */
struct owner_run {
	pid_t tid;
	unsigned int vcpu; /* index in kvm_found.vcpus */
};

/**
 * owner_resolve - fill kvm_found_vcpu.vm where it is -1
 * @debugfs: where debugfs is mounted; NULL: /sys/kernel/debug
 *
 * What cannot be told stays -1: nothing is guessed.
 */
void owner_resolve(struct kvm_found *found, const struct owner_run *runs, unsigned int nruns, const char *debugfs);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The KVM descriptors of a process, and its threads, from /proc: nothing is stopped, nothing is asked of KVM. */
#ifndef IRQSHIFT_KVM_FIND_H
#define IRQSHIFT_KVM_FIND_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum kvm_fd_kind {
	KVM_FD_SYSTEM, /* /dev/kvm */
	KVM_FD_VM,
	KVM_FD_VCPU,
};

/* One descriptor. Those that dup(2) made lead to the same object. */
struct kvm_found_fd {
	int fd;
	enum kvm_fd_kind kind;
	unsigned int index; /* in vms or vcpus; 0 for /dev/kvm */
};

struct kvm_found_vm {
	int fd; /* the lowest of its descriptors */
};

struct kvm_found_vcpu {
	int fd;      /* the lowest of its descriptors */
	uint32_t id; /* as given to KVM_CREATE_VCPU */
	int vm;      /* index in vms; -1: the process has several, and /proc does not tell: see kvm_attach() */
};

struct kvm_found_thread {
	pid_t tid;
	char comm[32];
	int seccomp; /* 0 none, 1 strict, 2 filters (prctl(2), PR_GET_SECCOMP) */
};

struct kvm_found {
	pid_t pid;
	struct kvm_found_fd *fds; /* in ascending order */
	unsigned int nfds;
	struct kvm_found_vm *vms; /* by descriptor */
	unsigned int nvms;
	struct kvm_found_vcpu *vcpus; /* by identifier, then by descriptor */
	unsigned int nvcpus;
	struct kvm_found_thread *threads; /* that run user code: no workers of the kernel */
	unsigned int nthreads;
};

/**
 * kvm_find - look for KVM descriptors in a process
 * @ret: filled on success; release with kvm_found_deinit()
 *
 * A process without any is found as well, with nothing in the lists. Descriptors of one object are told from others by
 * kcmp(2).
 *
 * Return: 0; -EACCES or -EPERM without the right to look; -ESRCH when there is no such process; other -errno.
 */
int kvm_find(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr);

/* kvm_found_deinit - release the lists; a zeroed struct is accepted. */
void kvm_found_deinit(struct kvm_found *found);

#endif

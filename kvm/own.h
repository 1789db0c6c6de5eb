/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port over descriptors of this process, for a VMM that embeds the library. With a batch (kvm/batch.h) its lists are
 * one system call each, where the kernel module is there; without, nothing but ioctls is made.
 */
#ifndef IRQSHIFT_KVM_OWN_H
#define IRQSHIFT_KVM_OWN_H

#include "kvm/port.h"

struct kvm_batch;

struct kvm_own {
	struct kvm_port port; /* first: what probe, gather and restore take */
	int vm;
	const int *vcpus;
	struct kvm_batch *batch; /* or NULL */
};

/**
 * kvm_own_init - a port over the caller's descriptors
 * @vm: from KVM_CREATE_VM
 * @vcpus: from KVM_CREATE_VCPU, @nvcpus of them
 * @ids: what each was created with
 *
 * The arrays and the descriptors stay the caller's and must outlive the port.
 */
void kvm_own_init(struct kvm_own *own, int vm, const int *vcpus, const uint32_t *ids, unsigned int nvcpus);

/* kvm_own_use - make lists by a batch, which stays the caller's and must outlive the port; NULL: not any more. */
void kvm_own_use(struct kvm_own *own, struct kvm_batch *batch);

/**
 * kvm_own_settle - let a vCPU take note of timers that have run out, without running the guest
 * @port: of a struct kvm_own
 * @vcpu: index; its thread must not be in KVM_RUN
 *
 * A timer that has run out waits inside KVM, where no ioctl shows it, until KVM_RUN moves it into IRR. This is a
 * KVM_RUN with a signal pending: it does that, and returns before the guest executes. (KVM_RUN with immediate_exit
 * returns too early.) I/O that user space owes the guest must be completed before, else it is completed now. May
 * be called from any thread; SIGURG is blocked meanwhile. The mask of KVM_SET_SIGNAL_MASK is gone afterwards: a
 * VMM that uses one sets it again.
 *
 * Return: 0 or -errno; -EALREADY when the guest did run into an exit, which is in the vCPU's struct kvm_run.
 */
int kvm_own_settle(struct kvm_port *port, unsigned int vcpu);

#endif

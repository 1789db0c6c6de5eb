/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many ioctls of KVM in one system call: by io_uring and /dev/irqshift of the kernel module. What it is for: the lists of
 * gather and restore, on the caller's own descriptors (kvm_own_use()).
 *
 * Without the module, without io_uring or without the right to one of them, the same lists are loops of ioctls, and so is
 * a list in which there is an ioctl that the module does not know. Results are the same.
 *
 * In a long list of reads, workers of the kernel help: each takes what nobody has taken yet. As many as the caller may run on
 * other CPUs when it opens the batch, 7 at most, one for every 64 ioctls beyond the first 64; how long lists take with
 * and without them decides which way is taken.
 *
 * Opened by the caller and not behind its back: a VMM with seccomp filters dies by a system call that they do not expect.
 * This one makes io_uring_setup(2), io_uring_enter(2) and mmap(2), and opens a device. After a fork(2), the child's lists
 * are loops. A batch is for one thread at a time.
 */
#ifndef IRQSHIFT_KVM_BATCH_H
#define IRQSHIFT_KVM_BATCH_H

#include "base/error.h"
#include "kvm/port.h"

struct kvm_batch;

/**
 * kvm_batch_open - look for the module
 * @ret: receives the batch, or NULL, which all that take one accept: lists are loops then
 * @reterr: why there is none
 *
 * The module is taken for what it is said to be when it answers one request as kvm/module/uapi.h says.
 *
 * Return: 0; -ENOENT or -ENXIO without the module; -EACCES or -EPERM without the right to the device or to io_uring; -ENOSYS
 * without io_uring, or one without commands of drivers (Linux 5.19); -EPROTO when it answers otherwise; other -errno.
 */
int kvm_batch_open(struct kvm_batch **ret, struct irqs_error *reterr);

/* kvm_batch_close - NULL is accepted. */
void kvm_batch_close(struct kvm_batch *batch);

/**
 * kvm_batch_list - what batch() of a port over own descriptors does
 * @port: whose call() is there for what the module does not do
 * @vm, @vcpus: the descriptors behind its targets
 *
 * No vCPU may be in KVM_RUN, or what is asked of it waits until it is out, as an ioctl does.
 */
void kvm_batch_list(struct kvm_batch *batch, struct kvm_port *port, int vm, const int *vcpus, struct kvm_port_call *calls,
		    size_t n, enum kvm_list_mode mode);

#endif

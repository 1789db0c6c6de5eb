/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls of a VM in another process, which has not to be changed or prepared for it: its threads are stopped by
 * ptrace(2), and one of them is made to call.
 *
 * From kvm_attach() to kvm_attach_end() all threads of the process stand still, so what is read is one picture; only what
 * lives in the kernel goes on: timers, irqfds, vhost. Then registers, stacks, signal masks and pending signals are as
 * they were, and system calls that the stop interrupted go on as after a signal that is ignored; KVM_RUN is one of
 * them, so the VMM does not see an EINTR. epoll_wait(2), rt_sigtimedwait(2) and semtimedop(2) with a timeout return
 * EINTR, as they do after every stop (signal(7)).
 *
 * A call is made only in a thread whose seccomp filters are known to allow it. That is a thread without filters, or,
 * when the caller has CAP_SYS_ADMIN and can read them, one whose filters say so. Arguments are put below the thread's
 * stack and what was there is put back. No code is written: the call is made at a SYSCALL instruction that is there.
 *
 * Where the kernel module is there and answers, it reads the state instead, after the same stop: no thread is made to call
 * then, no stack is borrowed, and filters do not matter; but the module maps pages into the process, for the time of an answer.
 * KVM_CHECK_EXTENSION is asked of this host's /dev/kvm then, where the caller may open that. What the module does not read, a
 * thread is made to call for as ever.
 *
 * The calling thread and the one that makes the calls are bound to one CPU meanwhile, and the former has real-time priority
 * where it may: both shorten the stop, on an idle machine to a fifth.
 *
 * When the caller dies in between, the kernel lets all threads go: harmless for all but the thread that calls, which then
 * goes on with the registers of its call and most likely crashes. Signals to the calling thread are blocked meanwhile,
 * so what is left of this is SIGKILL. Hence: attach, read, end, and think afterwards.
 *
 * All functions, and the port, are for the one thread that attached. x86-64 only.
 */
#ifndef IRQSHIFT_KVM_ATTACH_H
#define IRQSHIFT_KVM_ATTACH_H

#include <sys/types.h>

#include "base/error.h"
#include "kvm/port.h"

/* What the stop met a vCPU in. */
struct kvm_attach_vcpu {
	pid_t tid; /* the thread that was in KVM_RUN with it; 0: none, its VMM is handling an exit or keeps it */
	/*
	 * KVM_EXIT_* that the VMM may not have answered yet: with tid 0, an exit of a kind whose result goes back into the
	 * guest, such as KVM_EXIT_IO. The vCPU's registers then are of the middle of an instruction. 0: none.
	 */
	uint32_t unfinished;
};

struct kvm_attach {
	struct kvm_port port; /* first: what probe and gather take; arguments must not hold pointers */
	pid_t pid;
	const struct kvm_attach_vcpu *vcpus; /* port.nvcpus of them, by identifier */
};

struct kvm_attach_result {
	uint64_t stop_ns;     /* from the first request to stop until the last thread was let go */
	unsigned int threads; /* stopped */
	unsigned int calls;   /* made in the process */
	unsigned int answers; /* of the kernel module, in place of as many calls */
};

/**
 * kvm_attach - stop a process and open a port to one of its VMs
 * @pid: the process; not the caller's
 * @vm: index among its VMs, as kvm_find() lists them
 * @ret: receives the attachment; kvm_attach_end() is due soon
 *
 * With several VMs in the process, their vCPUs are told apart by what the kernel says of them to root: the frames of pages
 * that they share, and debugfs. One vCPU of each VM must be met in KVM_RUN: up to eleven stops are made until that is so.
 *
 * The port's call() returns, besides what the ioctl does: -EACCES when the seccomp filters of all threads forbid it or
 * cannot be read; -EFAULT without room below any stack; -ESRCH when the process has ended.
 *
 * Return: 0; -EPERM or -EACCES without the right to ptrace, or when another debugger is there; -ESRCH when the process is
 * not there or ends; -EINVAL when it has no such VM; -EOPNOTSUPP when it cannot be told which vCPUs are the VM's, or on
 * another architecture; other -errno. The process then goes on as if nothing had been.
 */
int kvm_attach(pid_t pid, unsigned int vm, struct kvm_attach **ret, struct irqs_error *reterr);

enum kvm_attach_way {
	KVM_ATTACH_ANY_WAY, /* by the kernel module where it can be, as kvm_attach() */
	KVM_ATTACH_CALLS,   /* only by calls in the process */
};

/* kvm_attach_by - as kvm_attach(), with a choice of how state is read. */
int kvm_attach_by(pid_t pid, unsigned int vm, enum kvm_attach_way way, struct kvm_attach **ret, struct irqs_error *reterr);

/* kvm_attach_end - let the process go on, and release. @ret may be NULL; NULL is accepted. */
void kvm_attach_end(struct kvm_attach *attach, struct kvm_attach_result *ret);

#endif

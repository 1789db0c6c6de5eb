/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the state of a stopped process's VM by the kernel module, in place of calls in one of its threads. */
#ifndef IRQSHIFT_KVM_ATTACH_STATE_PRIV_H
#define IRQSHIFT_KVM_ATTACH_STATE_PRIV_H

#include <sys/types.h>

#include "kvm/netlink.h"

struct attach_state {
	struct kvm_netlink *nl; /* NULL: not this way */
	int mem, pidfd;
	int system;            /* /dev/kvm of this process, or -1 */
	int vm_fd;             /* in the process */
	const int *vcpu_fds;   /* there, by index */
	int *ours;             /* descriptors of this process for them: the VM's first; -1: not yet */
	unsigned int nours;    /* 1 + vCPUs */
	unsigned int answered; /* ioctls */
};

/* attach_state_open - before the process is stopped: what can be had of the module. Return: 0, or -errno: not this way. */
int attach_state_open(struct attach_state *s, pid_t pid);

/*
 * attach_state_begin - the process stands still: does the module answer?
 * @vm_fd, @vcpu_fds: in the process, @nvcpus of them; must outlive it
 *
 * Return: 0, or -errno: not this way, and it is closed.
 */
int attach_state_begin(struct attach_state *s, int vm_fd, const int *vcpu_fds, unsigned int nvcpus);

/* attach_state_list - make what is in the list. Return: 0 or -errno: nothing was made. */
int attach_state_list(struct attach_state *s, struct kvm_port_call *calls, size_t n);

/* attach_state_reads - whether the module has that ioctl. */
bool attach_state_reads(const struct kvm_port_call *call);

/* attach_state_other_way - a result of the module that says nothing of the ioctl: to be made alone, or by a call. */
bool attach_state_other_way(int result);

/* attach_state_extension - KVM_CHECK_EXTENSION, which is the host's to answer. Return: it, or -errno. */
int attach_state_extension(const struct attach_state *s, unsigned long cap);

/* attach_state_close - a struct that was never opened must have -1 for descriptors. */
void attach_state_close(struct attach_state *s);

#endif

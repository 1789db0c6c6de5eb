/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VMs on this host that the caller may know of, whatever VMM has them: as the kernel module tells them, or as the
 * descriptors in /proc do. Nothing is stopped and no VM is asked anything. Processes are looked at one after the other: the
 * list is no picture of one instant, and a process that ends meanwhile is not in it.
 */
#ifndef IRQSHIFT_KVM_VMS_H
#define IRQSHIFT_KVM_VMS_H

#include <stdbool.h>
#include <sys/types.h>

#include "apic/irqchip.h"
#include "base/error.h"
#include "kvm/netlink.h"

struct kvm_vms_vm {
	pid_t pid;     /* the owner, in the caller's pid namespace */
	char comm[32]; /* its name, which it may have made of any bytes; "" when it is not told */
	int fd;        /* the lowest of its descriptors there; -1: it has closed them, but not those of vCPUs */
	int index;     /* among those of the owner that have a descriptor: what kvm_attach() takes; -1 without one */
	bool mode_known;
	enum irqchip_mode mode;
	bool vcpus_known;               /* false: the owner has vCPUs, and it is not told of which VM each is */
	struct kvm_netlink_vcpu *vcpus; /* by identifier */
	unsigned int nvcpus;
};

struct kvm_vms {
	const char *source;     /* "module", "proc" */
	const char *less;       /* what it does not tell, for a person; NULL: nothing */
	struct kvm_vms_vm *vms; /* by owner, then by descriptor, -1 last */
	unsigned int nvms;
	unsigned int denied; /* processes that the caller may not look at: there may be VMs in them */
};

/**
 * kvm_vms_module - as the kernel module tells them, each with its irqchip's mode
 * @pid: only those of this process; 0: all
 * @ret: filled on success; release with kvm_vms_deinit()
 *
 * With CAP_SYS_PTRACE the module is asked once for all of them; without, once for each process in /proc that the caller may
 * ptrace. Of one that it may look at but not ptrace (Yama), what kvm_vms_proc() says is said.
 *
 * Return: 0; -ENOENT when the module is not loaded; with @pid as kvm_vms_proc(); other -errno.
 */
int kvm_vms_module(pid_t pid, struct kvm_vms *ret, struct irqs_error *reterr);

/**
 * kvm_vms_proc - as /proc tells them: whoever has descriptors is taken for their owner, no mode is known
 * @pid, @ret: likewise
 *
 * Which vCPU is of which VM of several in a process is told by debugfs and by pages that they share, for root only. Where
 * a process has one, all its vCPUs are taken to be that one's.
 *
 * Return: 0; with @pid -EACCES or -EPERM without the right to look, -ESRCH when there is no such process; other -errno.
 */
int kvm_vms_proc(pid_t pid, struct kvm_vms *ret, struct irqs_error *reterr);

/* kvm_vms_deinit - a zeroed struct is accepted. */
void kvm_vms_deinit(struct kvm_vms *vms);

#endif

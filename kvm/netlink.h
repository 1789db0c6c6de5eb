/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generic netlink family "irqshift" of the kernel module, for programs: what there is, the VMs of the machine, the state
 * of another process's VM, events of interrupt controllers as they happen. What it says: kvm/module/uapi.h.
 *
 * A struct kvm_netlink is one socket, for one thread. It has at most one subscription; requests may be made on the same
 * socket, events that come meanwhile are kept for kvm_netlink_receive().
 *
 * Errors of requests are the kernel's, with its own words where it has some. Messages that are not what uapi.h says are
 * -EBADMSG; attributes that this library does not know are passed over.
 */
#ifndef IRQSHIFT_KVM_NETLINK_H
#define IRQSHIFT_KVM_NETLINK_H

#include <sys/types.h>

#include "apic/irqchip.h"
#include "base/error.h"
#include "kvm/module/uapi.h"
#include "kvm/port.h"

struct kvm_netlink;

/**
 * kvm_netlink_open - a socket to the module
 * @reterr: why there is none
 *
 * Return: 0; -ENOENT when the module is not loaded; other -errno.
 */
int kvm_netlink_open(struct kvm_netlink **ret, struct irqs_error *reterr);

/* kvm_netlink_close - ends its subscription; NULL is accepted. */
void kvm_netlink_close(struct kvm_netlink *nl);

/* kvm_netlink_fd - to wait with, by poll(2): readable means kvm_netlink_receive(). */
int kvm_netlink_fd(const struct kvm_netlink *nl);

/* What the module is. */
struct kvm_netlink_info {
	uint32_t abi;
	uint32_t features; /* IRQSHIFT_FEATURE_* */
	uint64_t events;   /* bit n: event n of enum irqshift_event_type can be had */
};

/* kvm_netlink_info - for everybody. Return: 0 or -errno. */
int kvm_netlink_info(struct kvm_netlink *nl, struct kvm_netlink_info *ret, struct irqs_error *reterr);

struct kvm_netlink_vcpu {
	uint32_t id; /* as given to KVM_CREATE_VCPU */
	int fd;      /* the lowest of its descriptors in the owner */
};

struct kvm_netlink_vm {
	pid_t pid; /* the owner, in the caller's pid namespace */
	int fd;    /* the lowest of its descriptors there; -1: it has closed them, but not those of vCPUs */
	enum irqchip_mode mode;
	struct kvm_netlink_vcpu *vcpus;
	unsigned int nvcpus;
};

struct kvm_netlink_vms {
	struct kvm_netlink_vm *vms;
	unsigned int nvms;
};

/**
 * kvm_netlink_list_vms - the VMs that the caller may know of
 * @mem_fd: /proc/PID/mem of a process, opened for reading and writing: also that one's; -1: none
 * @ret: filled on success; release with kvm_netlink_vms_deinit()
 *
 * CAP_SYS_PTRACE sees all, others their own.
 *
 * Return: 0 or -errno.
 */
int kvm_netlink_list_vms(struct kvm_netlink *nl, int mem_fd, struct kvm_netlink_vms *ret, struct irqs_error *reterr);

/* kvm_netlink_vms_deinit - a zeroed struct is accepted. */
void kvm_netlink_vms_deinit(struct kvm_netlink_vms *vms);

/**
 * kvm_netlink_state - reading ioctls on another process's VM
 * @mem_fd: /proc/PID/mem of its owner, opened for reading and writing
 * @fds: by call, the caller's own descriptor of the VM or vCPU, from pidfd_getfd(2)
 * @calls: @n of them, whose results and structures are filled: as the ioctls of the owner, and -EBUSY for a vCPU in KVM_RUN
 *
 * Return: 0; -errno when nothing was asked: -EACCES when @mem_fd does not prove the right, -EPERM when there is a command in
 * it that is not listed.
 */
int kvm_netlink_state(struct kvm_netlink *nl, int mem_fd, const int *fds, struct kvm_port_call *calls, size_t n,
		      struct irqs_error *reterr);

struct kvm_netlink_subscription {
	int mem_fd;      /* only events of this process; -1: of all */
	uint64_t events; /* bit n: event n; 0: all */
	uint32_t buffer; /* events that the module holds back for this socket; 0: 4096 */
	bool group;      /* to the members of the multicast group, instead of to this socket */
};

/* kvm_netlink_subscribe - Return: 0; -EPERM without the right; -EEXIST with a subscription; other -errno. */
int kvm_netlink_subscribe(struct kvm_netlink *nl, const struct kvm_netlink_subscription *what, struct irqs_error *reterr);

/* kvm_netlink_unsubscribe - what came before is still to be received. Return: 0 or -errno. */
int kvm_netlink_unsubscribe(struct kvm_netlink *nl, struct irqs_error *reterr);

/*
 * kvm_netlink_join - become a member of the multicast group: hear the subscriptions of others to it. Return: 0, -EPERM
 * without the right, other -errno.
 */
int kvm_netlink_join(struct kvm_netlink *nl, struct irqs_error *reterr);

/* What was received at once, up to where events are missing: what is behind that comes with the next call. */
struct kvm_netlink_events {
	const struct irqshift_event *events; /* until the next call with this socket; only types that uapi.h has */
	size_t n;
	bool ended; /* this socket's subscription has: by kvm_netlink_unsubscribe(), or because the module was unloaded */
	/* Since the socket was opened; of subscriptions of others, since the first event of theirs: */
	uint64_t received; /* with those of unknown types */
	uint64_t missed;   /* before these, by their numbers: those @dropped, and those that this socket had no room for */
	uint64_t dropped;  /* as the module counts them */
	uint64_t overruns; /* how often the kernel said that the socket had no room (ENOBUFS) */
};

/**
 * kvm_netlink_receive - what is there, or comes in time
 * @timeout_ms: how long to wait for the first event; 0: not at all; below 0: for ever, or until a signal
 * @ret: filled on success
 *
 * Return: 0, also with no event; -EINTR; -EBADMSG; other -errno.
 */
int kvm_netlink_receive(struct kvm_netlink *nl, int timeout_ms, struct kvm_netlink_events *ret, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A way to the ioctls of one VM. KVM answers only to the process that owns the VM, so there are two: own
 * descriptors (kvm/own.h), and those of another process that is made to call for us (kvm/attach.h). Probe,
 * gather and restore know only this.
 *
 * Many ioctls are a list: kvm_list(). Who can make many at once has a batch() for it, and nobody above sees a difference
 * but in time.
 */
#ifndef IRQSHIFT_KVM_PORT_H
#define IRQSHIFT_KVM_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kvm_target {
	KVM_TARGET_VM,
	KVM_TARGET_VCPU,
};

/* One ioctl of a list. @target, @vcpu, @request, @arg, @size: as of kvm_port.call(). */
struct kvm_port_call {
	enum kvm_target target;
	unsigned int vcpu;
	unsigned long request;
	void *arg;
	size_t size;
	int result; /* what the ioctl returned, or -errno */
};

enum kvm_list_mode {
	KVM_LIST_ALL,          /* every one is made, whatever becomes of the others */
	KVM_LIST_UNTIL_FAILED, /* none behind the first that failed: their result is -ECANCELED */
};

struct kvm_port {
	/*
	 * One ioctl. @vcpu: index below nvcpus, for KVM_TARGET_VCPU. @arg, @size: the structure that is read
	 * and written, with what follows it; @size 0: @arg is the value itself.
	 * Return: what the ioctl returned, or -errno.
	 */
	int (*call)(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
		    void *arg, size_t size);
	const uint32_t *vcpu_ids; /* as given to KVM_CREATE_VCPU, by index */
	unsigned int nvcpus;
	/*
	 * A list, or NULL: then call() makes one after the other. Those on one vCPU or on the VM are made in their order; in
	 * KVM_LIST_UNTIL_FAILED all are.
	 */
	void (*batch)(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode);
};

/* kvm_vm/kvm_vcpu - one ioctl with a structure: kvm_vm(port, KVM_GET_PIT2, &pit, sizeof(pit)). */
static inline int kvm_vm(struct kvm_port *port, unsigned long request, void *arg, size_t size)
{
	return port->call(port, KVM_TARGET_VM, 0, request, arg, size);
}

static inline int kvm_vcpu(struct kvm_port *port, unsigned int vcpu, unsigned long request, void *arg, size_t size)
{
	return port->call(port, KVM_TARGET_VCPU, vcpu, request, arg, size);
}

/* kvm_list - make @n ioctls; each has its result then. */
void kvm_list(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode);

/* kvm_list_loop - the same by call(), whatever the port has. */
void kvm_list_loop(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode);

/* kvm_port_call_failed - its result is an error, or, for KVM_SET_MSRS, fewer registers than it was given. */
bool kvm_port_call_failed(const struct kvm_port_call *call);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A way to the ioctls of one VM. KVM answers only to the process that owns the VM, so there are two: own
 * descriptors (kvm/own.h), and those of another process that is made to call for us (kvm/attach.h). Probe,
 * gather and restore know only this.
 */
#ifndef IRQSHIFT_KVM_PORT_H
#define IRQSHIFT_KVM_PORT_H

#include <stddef.h>
#include <stdint.h>

enum kvm_target {
	KVM_TARGET_VM,
	KVM_TARGET_VCPU,
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

#endif

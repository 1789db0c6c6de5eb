/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM that answers every reading ioctl with bytes that follow from the ioctl and the vCPU, one by one or by list. */
#ifndef TESTS_UNIT_FAKE_KVM_H
#define TESTS_UNIT_FAKE_KVM_H

#include "kvm/probe.h"

#define FAKE_VCPUS_MAX 300
#define FAKE_VM UINT32_MAX /* in place of a vCPU: the VM */

struct fake_call {
	unsigned long request;
	uint32_t vcpu;      /* FAKE_VM */
	unsigned int list;  /* number of the list, from 1; 0: alone */
	unsigned int count; /* registers of KVM_GET_MSRS */
};

/* Ioctls that fail by @rc; 0: none. KVM_GET_MSRS of @count registers; 0: of any number. */
struct fake_failure {
	unsigned long request;
	uint32_t vcpu; /* or FAKE_VM */
	unsigned int count;
	int rc;
};

struct fake_kvm {
	struct kvm_port port; /* first */
	uint32_t ids[FAKE_VCPUS_MAX];
	uint64_t seed;
	struct fake_failure failures[2];
	uint32_t no_msr;     /* vCPU odd: not there */
	uint32_t lvtt;       /* of all, when not 0 */
	unsigned int nlists; /* so far */
	struct fake_call *calls;
	size_t ncalls, room;
};

/* fake_open - with @batch, lists come as lists. */
void fake_open(struct fake_kvm *f, unsigned int nvcpus, bool batch);
void fake_close(struct fake_kvm *f);

/* fake_forget - the calls so far. */
void fake_forget(struct fake_kvm *f);

/* fake_probe - a VM with everything in the kernel. */
struct kvm_probe fake_probe(unsigned int nvcpus);

/* fake_call - one ioctl, outside any list. */
int fake_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
	      size_t size);

#endif

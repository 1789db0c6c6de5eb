/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ioctls of KVM that read, write or move interrupt state, by name and number, and what they are given. */
#ifndef IRQSHIFT_KVM_IOCTLS_H
#define IRQSHIFT_KVM_IOCTLS_H

#include <stdint.h>

#include "apic/abi.h"
#include "kvm/port.h"

/* What the third argument is. The direction bits of the number do not say it: KVM_SET_IRQCHIP has "read". */
enum kvm_arg {
	KVM_ARG_NONE,  /* ignored */
	KVM_ARG_VALUE, /* the value itself */
	KVM_ARG_IN,    /* address of a structure that KVM reads */
	KVM_ARG_OUT,   /* ... that KVM writes */
	KVM_ARG_INOUT, /* ... that KVM reads and then writes */
};

struct kvm_ioctl {
	const char *name;
	uint32_t request;
	enum kvm_target target;
	enum kvm_arg arg;
	uint16_t size;               /* bytes of the structure, of its fixed part when entries follow; 8 for a value; 0: none */
	uint16_t entry;              /* bytes of each entry that follows; their number is the first 32-bit word. 0: none follow */
	const struct reg_chip *chip; /* whose rows it carries: abi_get(); NULL: none, or its chip_id says which */
	enum reg_abi abi;            /* as which structure; a shorter older one is a part of it from the start */
};

/* By rising number of the ioctl, NULL name last. */
extern const struct kvm_ioctl kvm_ioctls[];

/* kvm_ioctl_find/kvm_ioctl_find_name - the ioctl with that number or name ("KVM_GET_LAPIC"), or NULL. */
const struct kvm_ioctl *kvm_ioctl_find(uint32_t request);
const struct kvm_ioctl *kvm_ioctl_find_name(const char *name);

/* kvm_arg_name - "none", "value", "in", "out", "inout". */
const char *kvm_arg_name(enum kvm_arg arg);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The argument of an ioctl of KVM in words, for tools that see the bytes go by: tracers, debuggers. No ioctl is
 * made here; nothing but the bytes is looked at.
 */
#ifndef IRQSHIFT_KVM_DECODE_H
#define IRQSHIFT_KVM_DECODE_H

#include "apic/print.h"
#include "kvm/ioctls.h"

struct kvm_call {
	uint32_t request;
	const void *arg; /* the structure with its entries; of KVM_ARG_VALUE the value, 8 bytes; of KVM_ARG_NONE unused */
	size_t len;      /* bytes there */
	bool returned;   /* these are the bytes after the call, which returned ... */
	int result;      /* ... this: KVM_GET_MSRS has filled so many entries */
};

/**
 * kvm_decode - print an argument, the chips register by register
 * @call: an ioctl that kvm_ioctls[] has
 * @out: receives lines; only what the structure carries by its own flags
 * @reterr: what was wrong
 *
 * Return: 0; -EINVAL when kvm_ioctls[] has no such ioctl; -EBADMSG when @call->len is not what the structure
 * takes, or its chip_id is none. Nothing was printed then.
 */
int kvm_decode(const struct kvm_call *call, const struct reg_out *out, struct irqs_error *reterr);

/**
 * kvm_decode_diff - print what of a structure differs from an earlier one
 * @before: such as the last KVM_GET_LAPIC of a vCPU
 * @now: such as its KVM_SET_LAPIC; what it does not carry has not changed
 * @ret_lines: receives how many lines were printed
 *
 * Return: as kvm_decode(); -EINVAL also when the two are not of one structure and chip, or when it has no rows.
 */
int kvm_decode_diff(const struct kvm_call *before, const struct kvm_call *now, const struct reg_out *out,
		    unsigned int *ret_lines, struct irqs_error *reterr);

#endif

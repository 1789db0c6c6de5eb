/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sources of the list of VMs share. */
#ifndef IRQSHIFT_KVM_VMS_PRIV_H
#define IRQSHIFT_KVM_VMS_PRIV_H

#include "kvm/find.h"
#include "kvm/vms.h"

/* kvm_vms_add - one more, with its vCPUs, which are released when there is no memory for it. Return: 0 or -ENOMEM. */
int kvm_vms_add(struct kvm_vms *vms, const struct kvm_vms_vm *vm);

/* kvm_vms_add_found - those of one process, as they were found. Return: 0 or -ENOMEM. */
int kvm_vms_add_found(struct kvm_vms *vms, const struct kvm_found *found);

/* kvm_vms_find - what a process has, and whose its vCPUs are where that is told. Return: as kvm_find(), without threads. */
int kvm_vms_find(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr);

/* What kvm_vms_walk() calls for a process that has VMs or vCPUs. Return: 0 or -errno. */
typedef int kvm_vms_take_fn(struct kvm_vms *vms, const struct kvm_found *found, void *arg, struct irqs_error *reterr);

/* kvm_vms_walk - every process that the caller may look at; others are counted. Return: 0 or -errno. */
int kvm_vms_walk(struct kvm_vms *vms, kvm_vms_take_fn *take, void *arg, struct irqs_error *reterr);

/* kvm_vms_proc_is_ours - whether the numbers in /proc are those that the caller knows processes by. */
bool kvm_vms_proc_is_ours(void);

/* kvm_vms_need_proc - the same as an error. Return: 0 or -errno. */
int kvm_vms_need_proc(struct irqs_error *reterr);

/* kvm_vms_finish - in order, with names and indices. */
void kvm_vms_finish(struct kvm_vms *vms);

#endif

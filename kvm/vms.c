/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/procfs_priv.h"
#include "kvm/vms_priv.h"

int kvm_vms_add(struct kvm_vms *vms, const struct kvm_vms_vm *vm)
{
	struct kvm_vms_vm *more = realloc(vms->vms, (vms->nvms + 1) * sizeof(*more));

	if (!more) {
		free(vm->vcpus);
		return -ENOMEM;
	}
	more[vms->nvms++] = *vm;
	vms->vms = more;
	return 0;
}

/* ---- as found ---- */

/* Sorted by identifier, of which a VM has each once. */
static bool vcpus_told(const struct kvm_found *found)
{
	for (unsigned int i = 0; i < found->nvcpus; i++) {
		const struct kvm_found_vcpu *v = &found->vcpus[i];

		if (v->vm < 0 && found->nvms)
			return false;
		for (unsigned int j = i + 1; j < found->nvcpus && found->vcpus[j].id == v->id; j++)
			if (found->vcpus[j].vm == v->vm)
				return false;
	}
	return true;
}

/* @vm: -1 for vCPUs in a process that has no VM's descriptor. */
static int take_vcpus(const struct kvm_found *found, int vm, struct kvm_vms_vm *ret)
{
	ret->vcpus = calloc(found->nvcpus + 1, sizeof(*ret->vcpus));
	if (!ret->vcpus)
		return -ENOMEM;
	for (unsigned int i = 0; i < found->nvcpus; i++)
		if (found->vcpus[i].vm == vm)
			ret->vcpus[ret->nvcpus++] = (struct kvm_netlink_vcpu){ found->vcpus[i].id, found->vcpus[i].fd };
	return 0;
}

static int add_one(struct kvm_vms *vms, const struct kvm_found *found, int vm, bool told)
{
	struct kvm_vms_vm one = { .pid = found->pid, .fd = vm < 0 ? -1 : found->vms[vm].fd, .vcpus_known = told };
	int rc = told ? take_vcpus(found, vm, &one) : 0;

	return rc ? rc : kvm_vms_add(vms, &one);
}

int kvm_vms_add_found(struct kvm_vms *vms, const struct kvm_found *found)
{
	bool told = vcpus_told(found);
	int rc = 0;

	if (!found->nvms && found->nvcpus)
		return add_one(vms, found, -1, told);
	for (unsigned int i = 0; i < found->nvms && !rc; i++)
		rc = add_one(vms, found, (int)i, told);
	return rc;
}

/* ---- finished ---- */

/* As unsigned numbers, so that -1 is last. */
static int by_owner(const void *a, const void *b)
{
	const struct kvm_vms_vm *x = a, *y = b;
	unsigned int x_fd = (unsigned int)x->fd, y_fd = (unsigned int)y->fd;

	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : (x_fd > y_fd) - (x_fd < y_fd);
}

void kvm_vms_finish(struct kvm_vms *vms)
{
	bool names = kvm_vms_proc_is_ours();

	if (vms->nvms)
		qsort(vms->vms, vms->nvms, sizeof(*vms->vms), by_owner);
	for (unsigned int i = 0; i < vms->nvms; i++) {
		struct kvm_vms_vm *vm = &vms->vms[i];
		bool next = i && vm[-1].pid == vm->pid;

		vm->index = vm->fd < 0 ? -1 : next ? vm[-1].index + 1
						   : 0;
		if (names)
			procfs_comm(vm->pid, vm->pid, vm->comm, sizeof(vm->comm));
	}
}

void kvm_vms_deinit(struct kvm_vms *vms)
{
	for (unsigned int i = 0; i < vms->nvms; i++)
		free(vms->vms[i].vcpus);
	free(vms->vms);
	memset(vms, 0, sizeof(*vms));
}

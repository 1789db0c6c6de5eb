/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMs by the kernel module. */
#include <errno.h>
#include <unistd.h>

#include "kvm/procfs_priv.h"
#include "kvm/vms_priv.h"

/* The arrays of vCPUs go over; of what is @told the rest is released. */
static int add_told(struct kvm_vms *vms, struct kvm_netlink_vms *told, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int i = 0; i < told->nvms && !rc; i++) {
		struct kvm_netlink_vm *vm = &told->vms[i];
		struct kvm_vms_vm one = {
			.pid = vm->pid,
			.fd = vm->fd,
			.mode_known = true,
			.mode = vm->mode,
			.vcpus_known = true,
			.vcpus = vm->vcpus,
			.nvcpus = vm->nvcpus,
		};

		vm->vcpus = NULL;
		rc = kvm_vms_add(vms, &one) ? irqs_fail_nomem(reterr) : 0;
	}
	kvm_netlink_vms_deinit(told);
	return rc;
}

static int ask(struct kvm_netlink *nl, int mem_fd, struct kvm_vms *vms, struct irqs_error *reterr)
{
	struct kvm_netlink_vms told = { 0 };
	int rc = kvm_netlink_list_vms(nl, mem_fd, &told, reterr);

	return rc ? rc : add_told(vms, &told, reterr);
}

static int ask_of(struct kvm_netlink *nl, pid_t pid, struct kvm_vms *vms, struct irqs_error *reterr)
{
	int mem_fd, rc = kvm_vms_need_proc(reterr);

	if (rc)
		return rc;
	mem_fd = procfs_memory(pid);
	if (mem_fd < 0)
		return irqs_fail_errno(reterr, -mem_fd, "process %d", (int)pid);
	rc = ask(nl, mem_fd, vms, reterr);
	close(mem_fd);
	return rc;
}

/* For kvm_vms_walk(): the caller's own VMs are told already. */
static int take_found(struct kvm_vms *vms, const struct kvm_found *found, void *arg, struct irqs_error *reterr)
{
	int rc = found->pid == getpid() ? 0 : ask_of(arg, found->pid, vms, reterr);

	if (rc == -EACCES || rc == -EPERM) {
		vms->less = "of processes that the caller may not ptrace, what /proc says";
		return kvm_vms_add_found(vms, found) ? irqs_fail_nomem(reterr) : 0;
	}
	return rc == -ESRCH ? 0 : rc;
}

/* Who is told of no other process may have no right to be told of all. */
static bool only_own(const struct kvm_vms *vms)
{
	for (unsigned int i = 0; i < vms->nvms; i++)
		if (vms->vms[i].pid != getpid())
			return false;
	return true;
}

static int ask_of_all(struct kvm_netlink *nl, struct kvm_vms *vms, struct irqs_error *reterr)
{
	int rc = ask(nl, -1, vms, reterr);

	return rc || !only_own(vms) ? rc : kvm_vms_walk(vms, take_found, nl, reterr);
}

int kvm_vms_module(pid_t pid, struct kvm_vms *ret, struct irqs_error *reterr)
{
	struct kvm_vms vms = { .source = "module" };
	struct kvm_netlink *nl;
	int rc = kvm_netlink_open(&nl, reterr);

	if (rc)
		return rc;
	rc = pid ? ask_of(nl, pid, &vms, reterr) : ask_of_all(nl, &vms, reterr);
	kvm_netlink_close(nl);
	if (rc) {
		kvm_vms_deinit(&vms);
		return rc;
	}
	kvm_vms_finish(&vms);
	*ret = vms;
	return 0;
}

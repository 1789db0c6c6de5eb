/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMs by the descriptors of processes. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kvm/find_priv.h"
#include "kvm/owner_priv.h"
#include "kvm/procfs_priv.h"
#include "kvm/vms_priv.h"

#define TRIES 3 /* a descriptor may be closed between two looks at it */

bool kvm_vms_proc_is_ours(void)
{
	char link[16];
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	if (n < 0)
		return false;
	link[n] = '\0';
	return strtol(link, NULL, 10) == getpid();
}

int kvm_vms_need_proc(struct irqs_error *reterr)
{
	if (kvm_vms_proc_is_ours())
		return 0;
	return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "/proc is not mounted, or is that of another pid namespace");
}

int kvm_vms_find(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr)
{
	int rc = -EBADF;

	for (unsigned int i = 0; i < TRIES && rc == -EBADF; i++)
		rc = find_descriptors(pid, ret, reterr);
	if (!rc)
		owner_resolve(ret, NULL, 0, NULL);
	return rc;
}

/* The links of a process that has just ended are denied. */
static bool is_there(pid_t pid)
{
	return procfs_runs_user_code(pid, pid);
}

static int look_into(struct kvm_vms *vms, pid_t pid, kvm_vms_take_fn *take, void *arg, struct irqs_error *reterr)
{
	struct kvm_found found;
	int rc;

	if (!is_there(pid))
		return 0;
	rc = kvm_vms_find(pid, &found, reterr);
	if (rc == -EACCES || rc == -EPERM) {
		vms->denied += is_there(pid);
		return 0;
	}
	if (rc)
		return rc == -ESRCH ? 0 : rc;
	if (found.nvms || found.nvcpus)
		rc = take(vms, &found, arg, reterr);
	kvm_found_deinit(&found);
	return rc;
}

int kvm_vms_walk(struct kvm_vms *vms, kvm_vms_take_fn *take, void *arg, struct irqs_error *reterr)
{
	int rc = kvm_vms_need_proc(reterr), *pids, n;

	if (rc)
		return rc;
	n = procfs_numbers("/proc", &pids);
	if (n < 0)
		return irqs_fail_errno(reterr, -n, "/proc");
	for (int i = 0; i < n && !rc; i++)
		rc = look_into(vms, pids[i], take, arg, reterr);
	free(pids);
	return rc;
}

static int take_found(struct kvm_vms *vms, const struct kvm_found *found, void *arg, struct irqs_error *reterr)
{
	(void)arg;
	return kvm_vms_add_found(vms, found) ? irqs_fail_nomem(reterr) : 0;
}

static int of_process(struct kvm_vms *vms, pid_t pid, struct irqs_error *reterr)
{
	struct kvm_found found;
	int rc = kvm_vms_need_proc(reterr);

	if (!rc)
		rc = kvm_vms_find(pid, &found, reterr);
	if (rc)
		return rc;
	rc = take_found(vms, &found, NULL, reterr);
	kvm_found_deinit(&found);
	return rc;
}

int kvm_vms_proc(pid_t pid, struct kvm_vms *ret, struct irqs_error *reterr)
{
	struct kvm_vms vms = { .source = "proc", .less = "whoever has descriptors is listed; where interrupt controllers are, only the kernel module tells" };
	int rc = pid ? of_process(&vms, pid, reterr) : kvm_vms_walk(&vms, take_found, NULL, reterr);

	if (rc) {
		kvm_vms_deinit(&vms);
		return rc;
	}
	kvm_vms_finish(&vms);
	*ret = vms;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/attach.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kvm/attach_state_priv.h"
#include "kvm/find.h"
#include "kvm/owner_priv.h"
#include "kvm/procfs_priv.h"
#include "kvm/runmap.h"
#include "kvm/standstill_priv.h"
#include "kvm/text_priv.h"
#include "kvm/tracee_priv.h"

#ifdef __x86_64__

#define RETRIES 10
#define RETRY_NS 2000000

struct attach {
	struct kvm_attach public; /* first: what the caller holds */
	struct kvm_found found;
	struct standstill still;
	struct kvm_attach_vcpu *vcpus;
	uint32_t *ids;
	int *fds; /* of the vCPUs of the port */
	int vm_fd;
	uint64_t text;
	unsigned int calls;
	struct attach_state state; /* the kernel module, where it is there and may be used */
};

static int denied(const struct attach *a, int err, struct irqs_error *reterr)
{
	long tracer = procfs_status(a->found.pid, a->found.pid, "TracerPid");

	if (err == EPERM && tracer > 0)
		return irqs_fail_errno(reterr, err, "process %d: process %ld debugs it", (int)a->found.pid, tracer);
	if (err == EPERM || err == EACCES)
		return irqs_fail_errno(reterr, err, "process %d: stopping it takes its user and kernel.yama.ptrace_scope 0, or CAP_SYS_PTRACE",
				       (int)a->found.pid);
	return irqs_fail_errno(reterr, err, "process %d", (int)a->found.pid);
}

/* ---- call ---- */

static int call_somewhere(struct attach *a, int fd, unsigned long request, void *arg, size_t size)
{
	struct tracee_call call = {
		.text = a->text,
		.nr = SYS_ioctl,
		.args = { (uint64_t)fd, request, (uint64_t)(uintptr_t)arg },
		.buf = arg,
		.size = size,
	};
	int rc = -ESRCH;

	for (unsigned int wanted = 0; wanted < TRACEE_RANKS; wanted++) {
		for (unsigned int i = 0; i < a->still.ntracees; i++) {
			struct tracee *t = &a->still.tracees[i];
			long result;
			int tried;

			if (t->state != TRACEE_STOPPED || t->rank != wanted)
				continue;
			tried = tracee_call(t, &call, &result);
			a->calls += !tried;
			if (!tried)
				return (int)result;
			/* Dead, or dying with all others. */
			if (tried == -ESRCH)
				return tried;
			/* That filters forbid it says more than that there was no room. */
			if (rc != -EACCES)
				rc = tried;
		}
	}
	return rc;
}

/* All threads are killed at once: one that is there says that all are. */
static bool alive(struct attach *a)
{
	for (unsigned int i = 0; i < a->still.ntracees; i++)
		if (a->still.tracees[i].state == TRACEE_STOPPED)
			return tracee_alive(&a->still.tracees[i]);
	return false;
}

/*
 * The module is done without once it refuses. Our descriptors keep the VM of a process that dies: what is said of that one
 * does not count. Return: whether the calls are made.
 */
static bool made_by_module(struct attach *a, struct kvm_port_call *calls, size_t n)
{
	if (!a->state.nl)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!attach_state_reads(&calls[i]))
			return false;
	if (attach_state_list(&a->state, calls, n)) {
		attach_state_close(&a->state);
		return false;
	}
	if (!alive(a))
		for (size_t i = 0; i < n; i++)
			calls[i].result = -ESRCH;
	return true;
}

static int attach_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
		       void *arg, size_t size)
{
	struct attach *a = (struct attach *)port;
	struct kvm_port_call c = { target, vcpu, request, arg, size, 0 };

	if (a->state.system >= 0 && request == KVM_CHECK_EXTENSION)
		return attach_state_extension(&a->state, (unsigned long)arg);
	if (made_by_module(a, &c, 1) && !attach_state_other_way(c.result))
		return c.result;
	return call_somewhere(a, target == KVM_TARGET_VM ? a->vm_fd : a->fds[vcpu], request, arg, size);
}

static void attach_batch(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	struct attach *a = (struct attach *)port;

	if (mode != KVM_LIST_ALL || !made_by_module(a, calls, n)) {
		kvm_list_loop(port, calls, n, mode);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (attach_state_other_way(calls[i].result))
			calls[i].result = attach_call(port, calls[i].target, calls[i].vcpu, calls[i].request, calls[i].arg, calls[i].size);
}

/* ---- which vCPUs ---- */

/* Index of a vCPU by any of its descriptors, or -1. */
static int vcpu_of_fd(const struct kvm_found *found, int fd)
{
	for (unsigned int i = 0; i < found->nfds; i++)
		if (found->fds[i].kind == KVM_FD_VCPU && found->fds[i].fd == fd)
			return (int)found->fds[i].index;
	return -1;
}

static unsigned int list_runs(const struct attach *a, struct owner_run *runs)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < a->still.ntracees; i++) {
		const struct tracee *t = &a->still.tracees[i];
		int fd = t->state == TRACEE_STOPPED ? tracee_in_kvm_run(t) : -1;
		int vcpu = fd < 0 ? -1 : vcpu_of_fd(&a->found, fd);

		if (vcpu >= 0)
			runs[n++] = (struct owner_run){ t->tid, (unsigned int)vcpu };
	}
	return n;
}

static bool wants_answer(uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
	case KVM_EXIT_HYPERCALL:
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
	case KVM_EXIT_XEN:
	case KVM_EXIT_HYPERV:
		return true;
	default:
		return false;
	}
}

static void describe_vcpu(struct attach *a, unsigned int index, unsigned int found, const struct owner_run *runs, unsigned int nruns)
{
	struct kvm_attach_vcpu *vcpu = &a->vcpus[index];
	struct kvm_runmap map = { 0 };
	struct kvm_runmap_view view;

	a->fds[index] = a->found.vcpus[found].fd;
	a->ids[index] = a->found.vcpus[found].id;
	for (unsigned int i = 0; i < nruns; i++)
		if (runs[i].vcpu == found)
			vcpu->tid = runs[i].tid;
	if (vcpu->tid || kvm_runmap_open(a->found.pid, a->fds[index], &map, NULL))
		return;
	kvm_runmap_read(&map, &view);
	kvm_runmap_close(&map);
	vcpu->unfinished = wants_answer(view.exit_reason) ? view.exit_reason : 0;
}

static int choose_vcpus(struct attach *a, unsigned int vm, struct irqs_error *reterr)
{
	struct owner_run *runs = calloc(a->still.ntracees, sizeof(*runs));
	unsigned int nruns, n = a->found.nvcpus;
	int rc = 0;

	a->vcpus = calloc(n + 1, sizeof(*a->vcpus));
	a->ids = calloc(n + 1, sizeof(*a->ids));
	a->fds = calloc(n + 1, sizeof(*a->fds));
	if (!runs || !a->vcpus || !a->ids || !a->fds) {
		free(runs);
		return irqs_fail_nomem(reterr);
	}
	nruns = list_runs(a, runs);
	if (a->found.nvms > 1)
		owner_resolve(&a->found, runs, nruns, NULL);
	for (unsigned int i = 0; i < n && !rc; i++) {
		if (a->found.vcpus[i].vm < 0)
			rc = irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				       "process %d has %u VMs: which one vCPU %u (descriptor %d) belongs to is known only with CAP_SYS_ADMIN and debugfs at /sys/kernel/debug",
				       (int)a->found.pid, a->found.nvms, a->found.vcpus[i].id, a->found.vcpus[i].fd);
		else if (a->found.vcpus[i].vm == (int)vm)
			describe_vcpu(a, a->public.port.nvcpus++, i, runs, nruns);
	}
	free(runs);
	return rc;
}

/* A process that got its descriptors from another one holds them, and KVM answers it as little as us. */
static int check_answers(struct attach *a, struct irqs_error *reterr)
{
	int rc;

	if (a->state.nl && !attach_state_begin(&a->state, a->vm_fd, a->fds, a->public.port.nvcpus))
		return 0;
	rc = call_somewhere(a, a->vm_fd, KVM_CHECK_EXTENSION, (void *)KVM_CAP_USER_MEMORY, 0);
	if (rc >= 0 || rc == -EACCES)
		return 0;
	if (rc == -EIO)
		return irqs_fail_errno(reterr, EIO, "process %d holds a VM that another process made", (int)a->found.pid);
	if (rc == -EOPNOTSUPP)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "process %d has no thread in 64-bit mode",
				 (int)a->found.pid);
	return irqs_fail_errno(reterr, -rc, "process %d: a call in it", (int)a->found.pid);
}

/* ---- begin and end ---- */

static int prepare(struct attach *a, pid_t pid, unsigned int vm, struct irqs_error *reterr)
{
	int rc;

	if (pid == getpid())
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "process %d is this one", (int)pid);
	rc = kvm_find(pid, &a->found, reterr);
	if (rc)
		return rc;
	if (vm >= a->found.nvms)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "process %d has %u VMs, and none with index %u", (int)pid,
				 a->found.nvms, vm);
	a->vm_fd = a->found.vms[vm].fd;
	rc = text_find_syscall(pid, &a->text);
	if (rc == -ENOENT)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "process %d has no SYSCALL instruction that can be read",
				 (int)pid);
	return rc ? denied(a, -rc, reterr) : 0;
}

/* Return: 0, or -errno; -EAGAIN when another stop may tell which vCPUs are the VM's. */
static int attach_once(pid_t pid, unsigned int vm, enum kvm_attach_way way, struct kvm_attach **ret, struct irqs_error *reterr)
{
	struct attach *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return irqs_fail_nomem(reterr);
	a->state = (struct attach_state){ .mem = -1, .pidfd = -1, .system = -1 };
	rc = prepare(a, pid, vm, reterr);
	/* One that is just ending has nothing left to find. */
	if (rc && pid != getpid() && !procfs_runs_user_code(pid, pid))
		rc = irqs_fail_errno(reterr, ESRCH, "process %d", (int)pid);
	if (!rc && way == KVM_ATTACH_ANY_WAY)
		attach_state_open(&a->state, pid);
	if (!rc) {
		rc = standstill_begin(&a->still, &a->found);
		if (rc)
			denied(a, -rc, reterr);
	}
	if (!rc) {
		rc = choose_vcpus(a, vm, reterr);
		rc = rc == -EOPNOTSUPP ? -EAGAIN : rc;
	}
	if (!rc)
		rc = check_answers(a, reterr);
	a->public.port.call = attach_call;
	a->public.port.batch = attach_batch;
	a->public.port.vcpu_ids = a->ids;
	a->public.pid = pid;
	a->public.vcpus = a->vcpus;
	if (rc)
		kvm_attach_end(&a->public, NULL);
	else
		*ret = &a->public;
	return rc;
}

int kvm_attach_by(pid_t pid, unsigned int vm, enum kvm_attach_way way, struct kvm_attach **ret, struct irqs_error *reterr)
{
	const struct timespec a_moment = { 0, RETRY_NS };
	int rc = attach_once(pid, vm, way, ret, reterr);

	/* No vCPU of the VM was in KVM_RUN; a guest that leaves often may be there next time. */
	for (unsigned int i = 0; i < RETRIES && rc == -EAGAIN; i++) {
		nanosleep(&a_moment, NULL);
		rc = attach_once(pid, vm, way, ret, reterr);
	}
	return rc == -EAGAIN ? -EOPNOTSUPP : rc;
}

void kvm_attach_end(struct kvm_attach *attach, struct kvm_attach_result *ret)
{
	struct attach *a = (struct attach *)attach;

	if (!a)
		return;
	if (ret)
		*ret = (struct kvm_attach_result){ 0, a->still.ntracees, a->calls, a->state.answered };
	standstill_end(&a->still, ret ? &ret->stop_ns : NULL);
	attach_state_close(&a->state);
	kvm_found_deinit(&a->found);
	free(a->vcpus);
	free(a->ids);
	free(a->fds);
	free(a);
}

#else

int kvm_attach_by(pid_t pid, unsigned int vm, enum kvm_attach_way way, struct kvm_attach **ret, struct irqs_error *reterr)
{
	(void)vm;
	(void)way;
	(void)ret;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "process %d: only on x86-64", (int)pid);
}

void kvm_attach_end(struct kvm_attach *attach, struct kvm_attach_result *ret)
{
	(void)attach;
	(void)ret;
}

#endif

int kvm_attach(pid_t pid, unsigned int vm, struct kvm_attach **ret, struct irqs_error *reterr)
{
	return kvm_attach_by(pid, vm, KVM_ATTACH_ANY_WAY, ret, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/attach.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kvm/find.h"
#include "kvm/owner_priv.h"
#include "kvm/procfs_priv.h"
#include "kvm/runmap.h"
#include "kvm/text_priv.h"
#include "kvm/tracee_priv.h"

#ifdef __x86_64__

#define PATIENCE_NS 20000000 /* one that waits for a disk, when it has read: nobody waits for that */
#define STEP_NS 20000

struct attach {
	struct kvm_attach public; /* first: what the caller holds */
	struct kvm_found found;
	struct tracee *tracees;
	unsigned int ntracees;
	struct kvm_attach_vcpu *vcpus;
	uint32_t *ids;
	int *fds; /* of the vCPUs of the port */
	int vm_fd;
	uint64_t text, begin_ns;
	unsigned int calls;
	sigset_t signals; /* the caller's mask */
	bool masked, hurried;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- stop ---- */

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

static struct tracee *find_tracee(struct attach *a, pid_t tid)
{
	for (unsigned int i = 0; i < a->ntracees; i++)
		if (a->tracees[i].tid == tid)
			return &a->tracees[i];
	return NULL;
}

/* Seize what is new among the threads. Return: how many, or -errno. */
static int seize_new(struct attach *a, const int *tids, int n)
{
	struct tracee *more = realloc(a->tracees, (a->ntracees + (unsigned int)n) * sizeof(*more));
	int added = 0;

	if (!more)
		return -ENOMEM;
	a->tracees = more;
	for (int i = 0; i < n; i++) {
		int rc;

		if (find_tracee(a, tids[i]) || !procfs_runs_user_code(a->found.pid, tids[i]))
			continue;
		rc = tracee_seize(&a->tracees[a->ntracees], a->found.pid, tids[i]);
		/* It may have ended just now. */
		if (rc == -ESRCH || (rc && !procfs_runs_user_code(a->found.pid, tids[i])))
			continue;
		if (rc)
			return rc;
		a->ntracees++;
		added++;
	}
	return added;
}

static int seize_all(struct attach *a)
{
	char folder[64];
	int *tids, n, added;

	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)a->found.pid);
	n = procfs_numbers(folder, &tids);
	if (n <= 0)
		return n && n != -ENOENT ? n : -ESRCH;
	added = seize_new(a, tids, n);
	free(tids);
	return added;
}

/* All ended: as a process that is not there. */
static bool all_gone(const struct attach *a)
{
	for (unsigned int i = 0; i < a->ntracees; i++)
		if (a->tracees[i].state != TRACEE_GONE)
			return false;
	return true;
}

/*
 * Wait until the threads from @first on have stopped. One that is deep in the kernel and does not come is no harm: before
 * it runs an instruction it stops. Only one that keeps a vCPU busy would be.
 */
static int wait_all(struct attach *a, unsigned int first)
{
	const struct timespec step = { 0, STEP_NS };
	uint64_t begin = now_ns();

	for (unsigned int i = first; i < a->ntracees; i++) {
		struct tracee *t = &a->tracees[i];

		for (tracee_look(t, false); t->state == TRACEE_RUNNING; tracee_look(t, false)) {
			uint64_t waited = now_ns() - begin;

			nanosleep(&step, NULL);
			if (waited > PATIENCE_NS && procfs_in_ioctl(t->pid, t->tid) != KVM_RUN)
				break;
		}
	}
	return all_gone(a) ? -ESRCH : 0;
}

/* Threads that still run can make new ones: until there are none. */
static int stop_all(struct attach *a, struct irqs_error *reterr)
{
	unsigned int done = 0;
	int rc = seize_all(a);

	a->begin_ns = now_ns();
	while (rc > 0) {
		for (unsigned int i = done; i < a->ntracees; i++)
			tracee_interrupt(&a->tracees[i]);
		rc = wait_all(a, done);
		done = a->ntracees;
		if (!rc)
			rc = seize_all(a);
	}
	if (!rc && !a->ntracees)
		rc = -ESRCH;
	return rc ? denied(a, -rc, reterr) : 0;
}

/* ---- call ---- */

/* First threads that need nobody's leave, and that were in a system call; any other last. */
enum { FREE_IN_SYSCALL,
       FREE,
       FILTERED_IN_SYSCALL,
       FILTERED,
       RANKS };

static void rank_all(struct attach *a)
{
	for (unsigned int i = 0; i < a->ntracees; i++) {
		struct tracee *t = &a->tracees[i];

		t->rank = FILTERED;
		for (unsigned int j = 0; j < a->found.nthreads; j++)
			if (a->found.threads[j].tid == t->tid && !a->found.threads[j].seccomp)
				t->rank = FREE;
		t->rank -= tracee_in_syscall(t);
	}
}

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

	for (unsigned int wanted = 0; wanted < RANKS; wanted++) {
		for (unsigned int i = 0; i < a->ntracees; i++) {
			struct tracee *t = &a->tracees[i];
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

static int attach_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
		       void *arg, size_t size)
{
	struct attach *a = (struct attach *)port;

	return call_somewhere(a, target == KVM_TARGET_VM ? a->vm_fd : a->fds[vcpu], request, arg, size);
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

	for (unsigned int i = 0; i < a->ntracees; i++) {
		const struct tracee *t = &a->tracees[i];
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
	struct owner_run *runs = calloc(a->ntracees, sizeof(*runs));
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
	int rc = call_somewhere(a, a->vm_fd, KVM_CHECK_EXTENSION, (void *)KVM_CAP_USER_MEMORY, 0);

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

/*
 * Guests that spin on more vCPUs than there are CPUs would take turns with this thread, each for milliseconds, while the
 * others still stand. No more than a wish: it takes CAP_SYS_NICE.
 */
static void hurry(struct attach *a)
{
	const struct sched_param lowest = { 1 };

	a->hurried = sched_getscheduler(0) == SCHED_OTHER && !sched_setscheduler(0, SCHED_FIFO, &lowest);
}

static void unhurry(struct attach *a)
{
	const struct sched_param none = { 0 };

	if (a->hurried)
		sched_setscheduler(0, SCHED_OTHER, &none);
}

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

int kvm_attach(pid_t pid, unsigned int vm, struct kvm_attach **ret, struct irqs_error *reterr)
{
	struct attach *a = calloc(1, sizeof(*a));
	sigset_t all;
	int rc;

	if (!a)
		return irqs_fail_nomem(reterr);
	rc = prepare(a, pid, vm, reterr);
	if (!rc) {
		sigfillset(&all);
		a->masked = !pthread_sigmask(SIG_SETMASK, &all, &a->signals);
		hurry(a);
		rc = stop_all(a, reterr);
	}
	rank_all(a);
	if (!rc)
		rc = choose_vcpus(a, vm, reterr);
	if (!rc)
		rc = check_answers(a, reterr);
	a->public.port.call = attach_call;
	a->public.port.vcpu_ids = a->ids;
	a->public.pid = pid;
	a->public.vcpus = a->vcpus;
	if (rc)
		kvm_attach_end(&a->public, NULL);
	else
		*ret = &a->public;
	return rc;
}

void kvm_attach_end(struct kvm_attach *attach, struct kvm_attach_result *ret)
{
	struct attach *a = (struct attach *)attach;

	if (!a)
		return;
	/* First what takes waiting, while no vCPU is in the way. Then those that have not stopped yet are waited for last. */
	for (unsigned int i = 0; i < a->ntracees; i++)
		tracee_give_back(&a->tracees[i]);
	for (unsigned int late = 0; late < 2; late++) {
		for (unsigned int i = 0; i < a->ntracees; i++)
			if (a->tracees[i].state == TRACEE_STOPPED || (late && a->tracees[i].state != TRACEE_RELEASED))
				tracee_release(&a->tracees[i]);
		if (!late && ret)
			*ret = (struct kvm_attach_result){ now_ns() - a->begin_ns, a->ntracees, a->calls };
	}
	unhurry(a);
	if (a->masked)
		pthread_sigmask(SIG_SETMASK, &a->signals, NULL);
	kvm_found_deinit(&a->found);
	free(a->tracees);
	free(a->vcpus);
	free(a->ids);
	free(a->fds);
	free(a);
}

#else

int kvm_attach(pid_t pid, unsigned int vm, struct kvm_attach **ret, struct irqs_error *reterr)
{
	(void)vm;
	(void)ret;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "process %d: only on x86-64", (int)pid);
}

void kvm_attach_end(struct kvm_attach *attach, struct kvm_attach_result *ret)
{
	(void)attach;
	(void)ret;
}

#endif

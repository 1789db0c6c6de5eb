/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/tracee_priv.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kvm/procfs_priv.h"

#ifdef __x86_64__

#define NT_PRSTATUS 1
#define EVENT_STOP 128 /* PTRACE_EVENT_STOP of <linux/ptrace.h>, which does not go with <sys/ptrace.h> */
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define RED_ZONE 128
#define SCRATCH_ALIGN 64
#define REAP_TRIES 200
#define REAP_NS 500000

/* include/linux/errno.h: to user mode it never gets. With a handler to run it becomes EINTR, else the call starts again. */
#define ERESTARTNOHAND 514

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};
/* <linux/rseq.h>: struct rseq, member rseq_cs */
#define RSEQ_CS_OFFSET 8

int tracee_seize(struct tracee *ret, pid_t pid, pid_t tid)
{
	*ret = (struct tracee){ .pid = pid, .tid = tid };
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD))
		return -errno;
	return 0;
}

void tracee_interrupt(struct tracee *tracee)
{
	if (tracee->state == TRACEE_RUNNING && ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL))
		tracee->state = TRACEE_GONE;
}

static bool put_regs(struct tracee *tracee, const struct user_regs_struct *regs)
{
	if (!ptrace(PTRACE_SETREGS, tracee->tid, NULL, regs))
		return true;
	tracee->state = TRACEE_GONE;
	return false;
}

/*
 * These return EINTR for a stop that no signal handler sees, where others start again by themselves (signal(7)). With
 * ERESTARTNOHAND the kernel does for them what it does for the others. Not where that would begin a timeout anew.
 */
static bool starts_again(const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_ioctl:
		return r->rsi == KVM_RUN;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)r->r10 < 0;
	case SYS_epoll_pwait2:
	case SYS_semtimedop:
		return !r->r10;
	case SYS_rt_sigtimedwait:
		return !r->rdx;
	case SYS_semop:
		return true;
	default:
		return false;
	}
}

static void stopped(struct tracee *tracee)
{
	struct iovec iov = { &tracee->regs, sizeof(tracee->regs) };

	tracee->state = TRACEE_STOPPED;
	if (ptrace(PTRACE_GETREGSET, tracee->tid, (void *)NT_PRSTATUS, &iov)) {
		tracee->state = TRACEE_GONE;
		return;
	}
	/* A shorter set is that of a 32-bit thread. */
	tracee->foreign = iov.iov_len != sizeof(tracee->regs);
	if (tracee->foreign || !tracee_in_syscall(tracee) || (long)tracee->regs.rax != -EINTR || !starts_again(&tracee->regs))
		return;
	tracee->regs.rax = (unsigned long long)-ERESTARTNOHAND;
	put_regs(tracee, &tracee->regs);
}

/* Wait for a stop, or look for one. Return: signal | event << 8, 0 when there is none; -ESRCH when it died. */
static int wait_stop(struct tracee *tracee, int flags)
{
	siginfo_t info;
	int rc;

	do {
		info.si_pid = 0;
		rc = waitid(P_PID, (id_t)tracee->tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL | flags);
	} while (rc && errno == EINTR);
	if (!rc && !info.si_pid)
		return 0;
	if (!rc && (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED))
		return info.si_status;
	tracee->state = TRACEE_GONE;
	return -ESRCH;
}

/* Go on until @wanted comes. A group-stop is taken part in and passed by: it is in force again after the detach. */
static int run_until(struct tracee *tracee, int how, int wanted)
{
	long signal = 0;

	for (;;) {
		int status;

		if (ptrace(how, tracee->tid, NULL, (void *)signal)) {
			tracee->state = TRACEE_GONE;
			return -ESRCH;
		}
		status = wait_stop(tracee, 0);
		if (status < 0)
			return status;
		if (status == wanted || (wanted >> 8 && status >> 8 == wanted >> 8))
			return 0;
		/* All others are blocked. SIGSYS would be the answer to a call that a filter was not asked about. */
		signal = status == SIGSTOP ? SIGSTOP : 0;
	}
}

void tracee_look(struct tracee *tracee, bool wait)
{
	long signal;
	int status;

	while (tracee->state == TRACEE_RUNNING) {
		status = wait_stop(tracee, wait ? 0 : WNOHANG);
		if (status <= 0)
			return;
		if (status >> 8 == EVENT_STOP) {
			stopped(tracee);
			return;
		}
		/* A signal that was on its way: it is delivered as if nobody looked, and the stop comes after it. */
		signal = status;
		if (ptrace(PTRACE_CONT, tracee->tid, NULL, (void *)signal))
			tracee->state = TRACEE_GONE;
	}
}

bool tracee_in_syscall(const struct tracee *tracee)
{
	return (long)tracee->regs.orig_rax >= 0;
}

int tracee_in_kvm_run(const struct tracee *tracee)
{
	const struct user_regs_struct *r = &tracee->regs;

	return r->orig_rax == SYS_ioctl && r->rsi == KVM_RUN && (long)r->rax < 0 ? (int)r->rdi : -1;
}

static bool copy_out(const struct tracee *tracee, uint64_t at, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)at, size };

	return process_vm_readv(tracee->tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool copy_in(const struct tracee *tracee, uint64_t at, void *from, size_t size)
{
	struct iovec local = { from, size }, remote = { (void *)(uintptr_t)at, size };

	return process_vm_writev(tracee->tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* The memory of a process that dies goes before its threads do. */
static int fault(struct tracee *tracee)
{
	struct user_regs_struct regs;

	if (!ptrace(PTRACE_GETREGS, tracee->tid, NULL, &regs))
		return -EFAULT;
	tracee->state = TRACEE_GONE;
	return -ESRCH;
}

/*
 * A thread stopped in a restartable sequence is sent to its abort handler when it goes on. The kernel forgets the
 * sequence when it sees the thread elsewhere in between, so the word that names it is put back as well.
 */
static void remember_rseq(struct tracee *tracee)
{
	struct rseq_configuration rseq = { 0 };

	if (tracee_in_syscall(tracee) ||
	    ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tracee->tid, (void *)sizeof(rseq), &rseq) <= 0 || !rseq.pointer)
		return;
	if (copy_out(tracee, rseq.pointer + RSEQ_CS_OFFSET, &tracee->rseq_cs, sizeof(tracee->rseq_cs)) && tracee->rseq_cs)
		tracee->rseq_cs_at = rseq.pointer + RSEQ_CS_OFFSET;
}

/* Signals stay pending while it runs for us. */
static int borrow(struct tracee *tracee)
{
	uint64_t all = ~(UINT64_C(1) << (SIGSYS - 1));

	if (tracee->borrowed)
		return 0;
	remember_rseq(tracee);
	if (ptrace(PTRACE_GETSIGMASK, tracee->tid, (void *)sizeof(all), &tracee->signals) ||
	    ptrace(PTRACE_SETSIGMASK, tracee->tid, (void *)sizeof(all), &all)) {
		tracee->state = TRACEE_GONE;
		return -ESRCH;
	}
	tracee->scratch_at = tracee->scratch_end = (tracee->regs.rsp - RED_ZONE) & ~(uint64_t)(SCRATCH_ALIGN - 1);
	tracee->borrowed = true;
	return 0;
}

/* Room for @size bytes below the stack, whose contents are remembered. Return: 0, -EFAULT, -ENOMEM. */
static int make_room(struct tracee *tracee, size_t size, uint64_t *ret_at)
{
	uint64_t at = (tracee->scratch_end - size) & ~(uint64_t)(SCRATCH_ALIGN - 1);
	unsigned char *more;

	*ret_at = at;
	if (!size || at >= tracee->scratch_at)
		return 0;
	if (size > tracee->scratch_end)
		return -EFAULT;
	more = malloc(tracee->scratch_end - at);
	if (!more)
		return -ENOMEM;
	if (!copy_out(tracee, at, more, tracee->scratch_at - at)) {
		free(more);
		return fault(tracee);
	}
	if (tracee->scratch)
		memcpy(more + (tracee->scratch_at - at), tracee->scratch, tracee->scratch_end - tracee->scratch_at);
	free(tracee->scratch);
	tracee->scratch = more;
	tracee->scratch_at = at;
	return 0;
}

static bool allowed(struct tracee *tracee, const struct tracee_call *call, const uint64_t args[3])
{
	struct seccomp_data data = {
		.nr = (int)call->nr,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = call->text + 2,
		.args = { args[0], args[1], args[2] },
	};

	/* It is stopped: what is true now stays true. */
	if (!tracee->filters_asked) {
		tracee->filters_asked = true;
		tracee->seccomp = (int)procfs_status(tracee->pid, tracee->tid, "Seccomp");
		tracee->filters_known = tracee->seccomp == SECCOMP_MODE_FILTER && !seccomp_read(tracee->tid, &tracee->filters);
	}
	if (tracee->seccomp == SECCOMP_MODE_DISABLED)
		return true;
	return tracee->filters_known && seccomp_allows(&tracee->filters, &data);
}

int tracee_call(struct tracee *tracee, const struct tracee_call *call, long *ret)
{
	struct user_regs_struct regs = tracee->regs;
	uint64_t args[3], at = 0;
	int rc;

	if (tracee->state != TRACEE_STOPPED)
		return -ESRCH;
	if (tracee->foreign)
		return -EOPNOTSUPP;
	memcpy(args, call->args, sizeof(args));
	rc = borrow(tracee);
	if (!rc)
		rc = make_room(tracee, call->size, &at);
	if (rc)
		return rc;
	if (call->size)
		args[2] = at;
	if (!allowed(tracee, call, args))
		return -EACCES;
	if (call->size && !copy_in(tracee, at, call->buf, call->size))
		return fault(tracee);
	regs.rip = call->text;
	regs.rax = (unsigned long long)call->nr;
	regs.orig_rax = (unsigned long long)-1; /* nothing to start again */
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	if (!put_regs(tracee, &regs))
		return -ESRCH;
	rc = run_until(tracee, PTRACE_SYSCALL, SYSCALL_STOP);
	if (!rc)
		rc = run_until(tracee, PTRACE_SYSCALL, SYSCALL_STOP);
	if (rc)
		return rc;
	if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &regs) ||
	    (call->size && !copy_out(tracee, at, call->buf, call->size))) {
		tracee->state = TRACEE_GONE;
		return -ESRCH;
	}
	*ret = (long)regs.rax;
	return 0;
}

/*
 * The stop must be one from which the kernel starts an interrupted call again: it does so for orig_rax and the -ERESTART
 * code in rax on its way out of the signal code, where PTRACE_INTERRUPT stops it, and not after the stop at the end of a call.
 */
void tracee_give_back(struct tracee *tracee)
{
	if (tracee->state != TRACEE_STOPPED || !tracee->borrowed)
		return;
	tracee->borrowed = false;
	if (ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL) ||
	    run_until(tracee, PTRACE_CONT, EVENT_STOP << 8 | SIGTRAP) || !put_regs(tracee, &tracee->regs)) {
		tracee->state = TRACEE_GONE;
		return;
	}
	if (tracee->scratch)
		copy_in(tracee, tracee->scratch_at, tracee->scratch, tracee->scratch_end - tracee->scratch_at);
	if (tracee->rseq_cs_at)
		copy_in(tracee, tracee->rseq_cs_at, &tracee->rseq_cs, sizeof(tracee->rseq_cs));
	ptrace(PTRACE_SETSIGMASK, tracee->tid, (void *)sizeof(tracee->signals), &tracee->signals);
}

/* The parent of a process that ends under ptrace hears of it when the tracer has reaped it. */
static void reap(struct tracee *tracee)
{
	const struct timespec a_moment = { 0, REAP_NS };

	if (tracee->tid == tracee->pid && procfs_status(tracee->pid, tracee->pid, "PPid") == getpid())
		return;
	for (int i = 0; i < REAP_TRIES; i++) {
		pid_t got = waitpid(tracee->tid, NULL, WNOHANG | __WALL);

		if (got == tracee->tid || (got < 0 && errno == ECHILD))
			return;
		nanosleep(&a_moment, NULL);
	}
}

void tracee_release(struct tracee *tracee)
{
	tracee_look(tracee, true);
	tracee_give_back(tracee);
	if (tracee->state == TRACEE_STOPPED && ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL))
		tracee->state = TRACEE_GONE;
	if (tracee->state == TRACEE_GONE)
		reap(tracee);
	free(tracee->scratch);
	tracee->scratch = NULL;
	seccomp_deinit(&tracee->filters);
	tracee->state = TRACEE_RELEASED;
}

#endif

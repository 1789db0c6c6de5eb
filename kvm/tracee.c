/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/tracee_priv.h"

#include <errno.h>
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
#define REAP_TRIES 200
#define REAP_NS 500000

/* How long to wait at once for the first thread of a process: until the kernel says by SIGCHLD that it stopped, or else. */
#define FIRST_NS 1000000

/* include/linux/errno.h: to user mode it never gets. With a handler to run it becomes EINTR, else the call starts again. */
#define ERESTARTNOHAND 514

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

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

bool tracee_put_regs(struct tracee *tracee, const struct user_regs_struct *regs)
{
	if (!ptrace(PTRACE_SETREGS, tracee->tid, NULL, regs))
		return true;
	tracee->state = TRACEE_GONE;
	return false;
}

bool tracee_alive(struct tracee *tracee)
{
	struct user_regs_struct regs;

	if (!ptrace(PTRACE_GETREGS, tracee->tid, NULL, &regs))
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
	tracee_put_regs(tracee, &tracee->regs);
}

/*
 * That the first thread of a process has ended is only reported when all others are reaped, some of which this thread
 * traces: who waits for it waits for ever.
 */
static bool ended_unheard(const struct tracee *tracee)
{
	return tracee->tid == tracee->pid && !procfs_runs_user_code(tracee->pid, tracee->tid);
}

/* The signal may be about a child of the caller: standstill_end() sends it again. */
static void wait_for_first(struct tracee *tracee)
{
	const struct timespec moment = { 0, FIRST_NS };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigtimedwait(&child, NULL, &moment) == SIGCHLD)
		tracee->took_sigchld = true;
	else if (ended_unheard(tracee))
		tracee->state = TRACEE_GONE;
}

/* Wait for a stop, or look for one. Return: signal | event << 8, 0 when there is none; -ESRCH when it died. */
static int wait_stop(struct tracee *tracee, bool wait)
{
	bool first = tracee->tid == tracee->pid;
	siginfo_t info;
	int rc;

	for (;;) {
		info.si_pid = 0;
		rc = waitid(P_PID, (id_t)tracee->tid, &info,
			    WSTOPPED | WEXITED | WNOWAIT | __WALL | (first || !wait ? WNOHANG : 0));
		if (rc && errno == EINTR)
			continue;
		if (rc || info.si_pid)
			break;
		if (!wait)
			return 0;
		wait_for_first(tracee);
		if (tracee->state == TRACEE_GONE)
			return -ESRCH;
	}
	if (!rc && (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED))
		return info.si_status;
	tracee->state = TRACEE_GONE;
	return -ESRCH;
}

int tracee_run_until(struct tracee *tracee, int how, int wanted)
{
	long signal = 0;

	for (;;) {
		int status;

		if (ptrace(how, tracee->tid, NULL, (void *)signal)) {
			tracee->state = TRACEE_GONE;
			return -ESRCH;
		}
		status = wait_stop(tracee, true);
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
		status = wait_stop(tracee, wait);
		if (status <= 0)
			return;
		if (status >> 8 == TRACEE_EVENT_STOP) {
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
	tracee_interrupt(tracee);
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

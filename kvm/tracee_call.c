/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls in a stopped thread. */
#include "kvm/tracee_priv.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "kvm/procfs_priv.h"

#ifdef __x86_64__

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define RED_ZONE 128                  /* System V ABI, AMD64, 3.2.2 */
#define SCRATCH_ALIGN 64

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};
/* <linux/rseq.h>: struct rseq, member rseq_cs */
#define RSEQ_CS_OFFSET 8

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
	if (!tracee_put_regs(tracee, &regs))
		return -ESRCH;
	rc = tracee_run_until(tracee, PTRACE_SYSCALL, SYSCALL_STOP);
	if (!rc)
		rc = tracee_run_until(tracee, PTRACE_SYSCALL, SYSCALL_STOP);
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
	    tracee_run_until(tracee, PTRACE_CONT, TRACEE_EVENT_STOP << 8 | SIGTRAP) || !tracee_put_regs(tracee, &tracee->regs)) {
		tracee->state = TRACEE_GONE;
		return;
	}
	if (tracee->scratch)
		copy_in(tracee, tracee->scratch_at, tracee->scratch, tracee->scratch_end - tracee->scratch_at);
	if (tracee->rseq_cs_at)
		copy_in(tracee, tracee->rseq_cs_at, &tracee->rseq_cs, sizeof(tracee->rseq_cs));
	ptrace(PTRACE_SETSIGMASK, tracee->tid, (void *)sizeof(tracee->signals), &tracee->signals);
}

#endif

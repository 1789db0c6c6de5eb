/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread of another process under ptrace(2): stopped, made to run system calls, put back as it was.
 *
 * Only the thread that seized may use it. x86-64 only, tracer and tracee.
 */
#ifndef IRQSHIFT_KVM_TRACEE_PRIV_H
#define IRQSHIFT_KVM_TRACEE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "kvm/seccomp_priv.h"

enum tracee_state {
	TRACEE_RUNNING, /* seized; stops, or will when it leaves the kernel */
	TRACEE_STOPPED,
	TRACEE_GONE,
	TRACEE_RELEASED,
};

struct tracee {
	pid_t pid, tid;
	unsigned int rank; /* the user's: which to call in first */
	enum tracee_state state;
	bool took_sigchld;            /* of this process, which may have been about somebody else */
	bool foreign;                 /* not in 64-bit mode: no call can be made in it */
	struct user_regs_struct regs; /* what it goes on with */
	bool filters_asked, filters_known;
	int seccomp; /* as in /proc/PID/status, once asked */
	struct seccomp_filters filters;
	/* From the first call on: */
	bool borrowed;
	uint64_t signals;             /* its signal mask */
	uint64_t rseq_cs, rseq_cs_at; /* the word of its critical section (rseq(2)), and where that is; 0: none */
	uint64_t scratch_at, scratch_end;
	unsigned char *scratch; /* what was below its stack, from scratch_at to scratch_end */
};

/* One system call with up to three arguments. With @size, @buf is copied in, its address is the last argument, and copied out. */
struct tracee_call {
	uint64_t text; /* address of a SYSCALL instruction in the process */
	long nr;
	uint64_t args[3];
	void *buf;
	size_t size;
};

/* tracee_seize - without stopping it. Return: 0 with *@ret filled, or -errno. */
int tracee_seize(struct tracee *ret, pid_t pid, pid_t tid);

/* tracee_interrupt - ask it to stop. */
void tracee_interrupt(struct tracee *tracee);

/* tracee_look - has it stopped? Its state says; with @wait it is waited for. */
void tracee_look(struct tracee *tracee, bool wait);

/* tracee_alive - a stopped one is not dying. */
bool tracee_alive(struct tracee *tracee);

/* tracee_in_kvm_run - the descriptor of the KVM_RUN that it was in when it stopped, or -1. */
int tracee_in_kvm_run(const struct tracee *tracee);

/* tracee_in_syscall - it was stopped in a system call, so that none of its own instructions is half done. */
bool tracee_in_syscall(const struct tracee *tracee);

/**
 * tracee_call - make a stopped thread run a system call
 * @ret: what it returned, -errno included
 *
 * Return: 0; -EACCES when its seccomp filters do not let it through, or are not known; -EFAULT when there is no room
 * below its stack; -EOPNOTSUPP for a thread that is not in 64-bit mode; -ESRCH when it died.
 */
int tracee_call(struct tracee *tracee, const struct tracee_call *call, long *ret);

/* PTRACE_EVENT_STOP of <linux/ptrace.h>, which does not go with <sys/ptrace.h> */
#define TRACEE_EVENT_STOP 128

/* tracee_put_regs - Return: whether it is still there. */
bool tracee_put_regs(struct tracee *tracee, const struct user_regs_struct *regs);

/*
 * tracee_run_until - let it go on by @how, a PTRACE_* request, until the stop @wanted: signal | event << 8
 *
 * A group-stop is taken part in and passed by: it is in force again after the detach. Return: 0, or -ESRCH when it died.
 */
int tracee_run_until(struct tracee *tracee, int how, int wanted);

/* tracee_give_back - put back what calls changed; it stays stopped, but no further calls can be made. */
void tracee_give_back(struct tracee *tracee);

/*
 * tracee_release - put back what calls changed, and let it go on; waits for it when it has not stopped yet. One that
 * died is reaped, unless it is the leader of a process of ours, which stays for its parent.
 */
void tracee_release(struct tracee *tracee);

#endif

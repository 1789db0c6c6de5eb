/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All threads of a process stopped by ptrace, for a short time in which the calling thread is in a hurry. */
#ifndef IRQSHIFT_KVM_STANDSTILL_PRIV_H
#define IRQSHIFT_KVM_STANDSTILL_PRIV_H

#include <sched.h>
#include <signal.h>

#include "kvm/find.h"
#include "kvm/tracee_priv.h"

/* tracee.rank: first threads that need nobody's leave, and that were in a system call; any other last. */
enum {
	TRACEE_FREE_IN_SYSCALL,
	TRACEE_FREE,
	TRACEE_FILTERED_IN_SYSCALL,
	TRACEE_FILTERED,
	TRACEE_RANKS,
};

struct standstill {
	const struct kvm_found *found;
	struct tracee *tracees; /* not all need be stopped: see tracee.state */
	unsigned int ntracees;
	uint64_t begin_ns;
	/* The calling thread's, to be put back: */
	sigset_t signals;
	cpu_set_t cpus;
	pid_t caller; /* bound to one CPU, else on these; 0: none */
	cpu_set_t caller_cpus;
	bool masked, hurried, moved;
};

/**
 * standstill_begin - stop all threads of a process that run user code
 * @still: zeroed
 * @found: the process; must live until the end
 *
 * Signals to the calling thread are blocked until the end, it is bound to the CPU of the thread to call in first, and has
 * real-time priority where it may. A thread that cannot stop for now is not waited for: before it runs user code, it does.
 *
 * Return: 0, or -errno: -ESRCH, -EPERM and others; standstill_end() is due in either case.
 */
int standstill_begin(struct standstill *still, const struct kvm_found *found);

/* standstill_end - let them go. @ret_ns: how long it was, until the last one that had stopped went on; may be NULL. */
void standstill_end(struct standstill *still, uint64_t *ret_ns);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/standstill_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/monotonic.h"
#include "kvm/procfs_priv.h"

#ifdef __x86_64__

#define PATIENCE_NS 5000000 /* for a thread that waits for a disk or so, before its state is asked */
#define STEP_NS 20000

static struct tracee *find_tracee(struct standstill *s, pid_t tid)
{
	for (unsigned int i = 0; i < s->ntracees; i++)
		if (s->tracees[i].tid == tid)
			return &s->tracees[i];
	return NULL;
}

/* Seize what is new among the threads. Return: how many, or -errno. */
static int seize_new(struct standstill *s, const int *tids, int n)
{
	struct tracee *more = realloc(s->tracees, (s->ntracees + (unsigned int)n) * sizeof(*more));
	int added = 0;

	if (!more)
		return -ENOMEM;
	s->tracees = more;
	for (int i = 0; i < n; i++) {
		int rc;

		if (find_tracee(s, tids[i]) || !procfs_runs_user_code(s->found->pid, tids[i]))
			continue;
		rc = tracee_seize(&s->tracees[s->ntracees], s->found->pid, tids[i]);
		/* It may have ended just now. */
		if (rc == -ESRCH || (rc && !procfs_runs_user_code(s->found->pid, tids[i])))
			continue;
		if (rc)
			return rc;
		s->ntracees++;
		added++;
	}
	return added;
}

static int seize_all(struct standstill *s)
{
	char folder[64];
	int *tids, n, added;

	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)s->found->pid);
	n = procfs_numbers(folder, &tids);
	if (n <= 0)
		return n && n != -ENOENT ? n : -ESRCH;
	added = seize_new(s, tids, n);
	free(tids);
	return added;
}

/* All ended: as a process that is not there. */
static bool all_gone(const struct standstill *s)
{
	for (unsigned int i = 0; i < s->ntracees; i++)
		if (s->tracees[i].state != TRACEE_GONE)
			return false;
	return true;
}

/* That the first thread of a process has ended is not reported while others of it are there, which wait to be reaped. */
static bool give_up(struct tracee *t)
{
	if (!procfs_runs_user_code(t->pid, t->tid))
		t->state = TRACEE_GONE;
	return t->state == TRACEE_GONE || procfs_cannot_stop(t->pid, t->tid);
}

/*
 * Wait until the threads from @first on have stopped. One that is deep in the kernel and does not come is no harm: before
 * it runs an instruction it stops. (In KVM_RUN, none is that deep.)
 */
static int wait_all(struct standstill *s, unsigned int first)
{
	const struct timespec step = { 0, STEP_NS };
	uint64_t begin = (uint64_t)monotonic_ns();

	for (unsigned int i = first; i < s->ntracees; i++) {
		struct tracee *t = &s->tracees[i];

		for (tracee_look(t, false); t->state == TRACEE_RUNNING; tracee_look(t, false)) {
			if ((uint64_t)monotonic_ns() - begin > PATIENCE_NS && give_up(t))
				break;
			nanosleep(&step, NULL);
		}
	}
	return all_gone(s) ? -ESRCH : 0;
}

/*
 * The first thread of the process comes last, to be called in and to be let go. When the process dies, that one is reported
 * to have ended only when all others are reaped: who waits for it before waits for ever.
 */
static void put_first_thread_last(struct standstill *s)
{
	struct tracee *first = find_tracee(s, s->found->pid), *last = s->tracees + s->ntracees - 1, t;

	if (!first)
		return;
	t = *first;
	*first = *last;
	*last = t;
}

/* Threads that still run can make new ones: until there are none. */
static int stop_all(struct standstill *s)
{
	unsigned int done = 0;
	int rc = seize_all(s);

	s->begin_ns = (uint64_t)monotonic_ns();
	while (rc > 0) {
		for (unsigned int i = done; i < s->ntracees; i++)
			tracee_interrupt(&s->tracees[i]);
		rc = wait_all(s, done);
		done = s->ntracees;
		if (!rc)
			rc = seize_all(s);
	}
	if (!rc && !s->ntracees)
		rc = -ESRCH;
	return rc;
}

static void rank_all(struct standstill *s)
{
	for (unsigned int i = 0; i < s->ntracees; i++) {
		struct tracee *t = &s->tracees[i];

		t->rank = TRACEE_FILTERED;
		for (unsigned int j = 0; j < s->found->nthreads; j++)
			if (s->found->threads[j].tid == t->tid && !s->found->threads[j].seccomp)
				t->rank = TRACEE_FREE;
		t->rank -= tracee_in_syscall(t);
	}
}

/*
 * Guests that spin on more vCPUs than there are CPUs would take turns with this thread, each for milliseconds, while the
 * others still stand. No more than a wish: it takes CAP_SYS_NICE.
 */
static void hurry(struct standstill *s)
{
	const struct sched_param lowest = { 1 };
	sigset_t all;

	sigfillset(&all);
	s->masked = !pthread_sigmask(SIG_SETMASK, &all, &s->signals);
	s->hurried = sched_getscheduler(0) == SCHED_OTHER && !sched_setscheduler(0, SCHED_FIFO, &lowest);
}

/* The one that the port will call in first, if its filters let it. */
static struct tracee *likely_caller(const struct standstill *s)
{
	for (unsigned int wanted = 0; wanted < TRACEE_RANKS; wanted++)
		for (unsigned int i = 0; i < s->ntracees; i++)
			if (s->tracees[i].state == TRACEE_STOPPED && s->tracees[i].rank == wanted)
				return &s->tracees[i];
	return NULL;
}

/*
 * This thread and the one that calls take turns, four times a call. On one CPU that is a switch, on two it wakes a CPU
 * each time, which takes several times as long. An idle CPU would draw that thread over, so it is bound as well.
 */
static void move_near(struct standstill *s)
{
	struct tracee *caller = likely_caller(s);
	int cpu = caller ? procfs_cpu(s->found->pid, caller->tid) : -1;
	cpu_set_t near;

	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(s->cpus), &s->cpus))
		return;
	CPU_ZERO(&near);
	CPU_SET(cpu, &near);
	s->moved = !sched_setaffinity(0, sizeof(near), &near);
	if (!s->moved || sched_getaffinity(caller->tid, sizeof(s->caller_cpus), &s->caller_cpus) ||
	    !CPU_ISSET(cpu, &s->caller_cpus) || sched_setaffinity(caller->tid, sizeof(near), &near))
		return;
	s->caller = caller->tid;
}

/* One that was let on all CPUs is so again, also on those that come later. */
static void free_caller(struct standstill *s)
{
	if (!s->caller)
		return;
	if (CPU_COUNT(&s->caller_cpus) >= sysconf(_SC_NPROCESSORS_ONLN))
		memset(&s->caller_cpus, 0xff, sizeof(s->caller_cpus));
	sched_setaffinity(s->caller, sizeof(s->caller_cpus), &s->caller_cpus);
	s->caller = 0;
}

static void back_to_normal(struct standstill *s)
{
	const struct sched_param none = { 0 };

	if (s->moved)
		sched_setaffinity(0, sizeof(s->cpus), &s->cpus);
	if (s->hurried)
		sched_setscheduler(0, SCHED_OTHER, &none);
	for (unsigned int i = 0; i < s->ntracees; i++)
		if (s->tracees[i].took_sigchld) {
			kill(getpid(), SIGCHLD);
			break;
		}
	if (s->masked)
		pthread_sigmask(SIG_SETMASK, &s->signals, NULL);
}

int standstill_begin(struct standstill *s, const struct kvm_found *found)
{
	int rc;

	s->found = found;
	hurry(s);
	rc = stop_all(s);
	put_first_thread_last(s);
	rank_all(s);
	move_near(s);
	return rc;
}

void standstill_end(struct standstill *s, uint64_t *ret_ns)
{
	free_caller(s);
	/* First what takes waiting, while no vCPU is in the way. */
	for (unsigned int i = 0; i < s->ntracees; i++)
		tracee_give_back(&s->tracees[i]);
	for (unsigned int i = 0; i < s->ntracees; i++)
		if (s->tracees[i].state == TRACEE_STOPPED || s->tracees[i].state == TRACEE_GONE)
			tracee_release(&s->tracees[i]);
	if (ret_ns)
		*ret_ns = (uint64_t)monotonic_ns() - s->begin_ns;
	/* Who ends this thread from now on does no harm: there is but waiting left, for those that have not stopped yet. */
	back_to_normal(s);
	for (unsigned int i = 0; i < s->ntracees; i++)
		if (s->tracees[i].state != TRACEE_RELEASED)
			tracee_release(&s->tracees[i]);
	free(s->tracees);
	*s = (struct standstill){ 0 };
}

#endif

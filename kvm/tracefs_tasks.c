/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kvm/event_threads.h"
#include "kvm/tracefs_priv.h"

static int by_tid(const void *a, const void *b)
{
	const struct trace_task *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static const struct trace_task *find(const struct trace_tasks *t, int tid)
{
	const struct trace_task key = { .tid = tid };

	return t->count ? bsearch(&key, t->tasks, t->count, sizeof(key), by_tid) : NULL;
}

uint32_t trace_tasks_pid(const struct trace_tasks *t, uint32_t tid)
{
	const struct trace_task *task = find(t, (int)tid);

	return !task ? 0 : task->of_process ? (uint32_t)t->pid
					    : tid;
}

int trace_tasks_add(struct trace_tasks *t, const struct trace_instance *i, int tid, bool of_process,
		    struct irqs_error *reterr)
{
	struct trace_task *more;
	char text[16];
	int rc;

	if (find(t, tid))
		return 0;
	more = realloc(t->tasks, (t->count + 1) * sizeof(*more));
	if (!more)
		return irqs_fail_nomem(reterr);
	t->tasks = more;
	snprintf(text, sizeof(text), "%d", tid);
	rc = trace_write(i, "set_event_pid", text, true, reterr);
	if (rc)
		return rc;
	t->tasks[t->count++] = (struct trace_task){ tid, of_process };
	qsort(t->tasks, t->count, sizeof(*more), by_tid);
	return 0;
}

int trace_tasks_update(struct trace_tasks *t, const struct trace_instance *i, struct irqs_error *reterr)
{
	struct recording_thread *threads = NULL;
	size_t of_process;
	ssize_t n = event_threads(t->pid, &threads, &of_process);
	int rc = 0;

	if (n < 0)
		return irqs_fail_errno(reterr, (int)-n, "process %d", (int)t->pid);
	for (ssize_t k = 0; k < n && !rc; k++)
		rc = trace_tasks_add(t, i, (int)threads[k].tid, (size_t)k < of_process, reterr);
	free(threads);
	return rc;
}

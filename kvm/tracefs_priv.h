/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tracing instance, its files, and the tasks that it follows. */
#ifndef IRQSHIFT_KVM_TRACEFS_PRIV_H
#define IRQSHIFT_KVM_TRACEFS_PRIV_H

#include <sys/types.h>

#include "base/error.h"
#include "kvm/event_source.h"
#include "kvm/trace_priv.h"

struct trace_instance {
	int tracefs, dir; /* descriptors of folders; -1 */
	char name[32];    /* below tracefs */
};

/* trace_instance_make - one of our own. trace_instance_remove() ends it. Return: 0 or -errno. */
int trace_instance_make(struct trace_instance *i, struct irqs_error *reterr);
void trace_instance_remove(struct trace_instance *i);

/* trace_write - a text into a file of the instance, or behind what is there (@append). Return: 0 or -errno. */
int trace_write(const struct trace_instance *i, const char *file, const char *text, bool append, struct irqs_error *reterr);

/* trace_read - a file of the instance, terminated. Return: bytes, or -errno. */
ssize_t trace_read(const struct trace_instance *i, const char *file, char *buf, size_t size);

/* trace_table_read - what the events look like; those that are missing stay so. Return: 0 or -errno. */
int trace_table_read(const struct trace_instance *i, struct trace_table *ret, struct irqs_error *reterr);

struct trace_task {
	int tid;
	bool of_process;
};

struct trace_tasks {
	pid_t pid;
	struct trace_task *tasks; /* that are followed, in ascending order */
	unsigned int count;
};

/* trace_tasks_update - have the instance follow what is new of a process and its kernel threads. Return: 0, -ESRCH, -errno. */
int trace_tasks_update(struct trace_tasks *t, const struct trace_instance *i, struct irqs_error *reterr);

/* trace_tasks_add - one more. Return: 0 or -errno. */
int trace_tasks_add(struct trace_tasks *t, const struct trace_instance *i, int tid, bool of_process,
		    struct irqs_error *reterr);

/* Events that are missing before the one of that time. */
struct trace_hole {
	uint64_t time, n;
};

struct trace_queue {
	struct irqshift_event *events; /* read; the first @given of them were given out */
	size_t n, room, given;
	struct trace_hole *holes; /* in ascending order */
	size_t nholes, holes_room;
};

/* trace_queue_put, trace_queue_hole - one more, anywhere; then trace_queue_sort(). Return: 0 or -ENOMEM. */
int trace_queue_put(struct trace_queue *q, const struct irqshift_event *e);
int trace_queue_hole(struct trace_queue *q, uint64_t time, uint64_t n);
int trace_queue_sort(struct trace_queue *q);

/* trace_queue_give - what is older than @until, up to the first hole in it; until trace_queue_forget_given(). */
void trace_queue_give(struct trace_queue *q, uint64_t until, struct event_batch *ret);
void trace_queue_forget_given(struct trace_queue *q);
void trace_queue_deinit(struct trace_queue *q);

/* trace_tasks_pid - the process of a task: the one that is followed, a kernel thread's own number, 0: not known. */
uint32_t trace_tasks_pid(const struct trace_tasks *t, uint32_t tid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of `irqshift monitor` share. */
#ifndef IRQSHIFT_CLI_MONITOR_H
#define IRQSHIFT_CLI_MONITOR_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "kvm/event_source.h"
#include "kvm/monitor.h"
#include "kvm/perfetto.h"
#include "kvm/recording.h"

struct watch_options {
	pid_t pid;
	const char *replay, *record, *perfetto; /* files; NULL: none */
	const char *source;                     /* "auto", "module", "tracefs" */
	struct event_scope scope;
	struct monitor_options monitor;
	uint64_t interval_ns, duration_ns; /* 0: not asked for */
	unsigned long count;               /* tables; 0: no limit */
	bool json, events, linux_names;
	bool quiet; /* standard output is taken */
};

struct watch {
	const struct watch_options *o;
	char who[32]; /* what errors and headings call the input */
	struct event_source *source;
	int input_fd;
	struct recording *recording; /* the same, when it is one */
	struct monitor *monitor;
	/* Threads by name, of the process or of the recording. */
	struct recording_thread *threads;
	size_t nthreads;
	uint64_t threads_blocks; /* of the recording, that were taken */
	struct recording_writer writer;
	int record_fd;  /* -1 */
	FILE *timeline; /* NULL */
	struct perfetto *perfetto;
	uint64_t began, tables; /* time of the beginning, ns; printed */
};

/* A heap of what has been seen: an interval's, or all of it. */
struct watch_table {
	uint64_t now;
	double seconds; /* since the beginning */
	bool final;
};

/* watch_open, watch_close - the input, the outputs, the tables. Return: 0, or the exit status after the error was printed. */
int watch_open(struct watch *w, const struct watch_options *o);
int watch_close(struct watch *w, int status);

/* watch_catch_signals - from now on SIGINT, SIGTERM and SIGHUP end watch_run(): before something is made that outlives a process. */
void watch_catch_signals(void);

/* watch_run - until the end, a signal, or what the options say. Return: the exit status. */
int watch_run(struct watch *w);

/* watch_take - what one reading of the source gave. Return: 0, or the exit status after the error was printed. */
int watch_take(struct watch *w, const struct event_batch *batch);

/* watch_threads - look at the names of the threads again. */
int watch_threads(struct watch *w, struct irqs_error *reterr);

/* watch_comm - the name of a thread, or "". */
const char *watch_comm(const struct watch *w, uint32_t tid);

/* One table, one line for an event: for a person, for a program. */
void watch_print_table(const struct watch *w, const struct watch_table *t);
void watch_print_event(const struct watch *w, const struct irqshift_event *e);
int watch_print_table_json(const struct watch *w, const struct watch_table *t);
int watch_print_event_json(const struct watch *w, const struct irqshift_event *e);

#endif

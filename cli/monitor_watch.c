/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events from a source to the tables, the recording and the timeline. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "cli/cli.h"
#include "cli/monitor.h"
#include "kvm/event_threads.h"

/* Signals and the end of the process are looked at as often. */
#define LOOK_MS 50
#define SECOND UINT64_C(1000000000)

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void watch_catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* ---- threads ---- */

const char *watch_comm(const struct watch *w, uint32_t tid)
{
	for (size_t i = 0; i < w->nthreads; i++)
		if (w->threads[i].tid == tid)
			return w->threads[i].comm;
	return "";
}

static void name_vcpus(struct watch *w)
{
	for (size_t i = 0; i < w->nthreads; i++)
		if (w->threads[i].vcpu >= 0)
			monitor_name_thread(w->monitor, w->threads[i].tid, (uint32_t)w->threads[i].vcpu);
}

static bool same_threads(const struct watch *w, const struct recording_thread *threads, size_t n)
{
	return n == w->nthreads && !memcmp(threads, w->threads, n * sizeof(*threads));
}

int watch_threads(struct watch *w, struct irqs_error *reterr)
{
	struct recording_thread *threads;
	size_t of_process;
	ssize_t n = event_threads(w->o->pid, &threads, &of_process);

	if (n < 0)
		return n == -ESRCH ? 0 : (int)n;
	if (same_threads(w, threads, (size_t)n)) {
		free(threads);
		return 0;
	}
	free(w->threads);
	w->threads = threads;
	w->nthreads = (size_t)n;
	name_vcpus(w);
	return w->record_fd >= 0 ? recording_threads(&w->writer, w->threads, w->nthreads, reterr) : 0;
}

/* Those that a recording tells, which keeps them. */
static int recorded_threads(struct watch *w, struct irqs_error *reterr)
{
	if (!w->recording || w->recording->threads_blocks == w->threads_blocks)
		return 0;
	w->threads_blocks = w->recording->threads_blocks;
	free(w->threads);
	w->nthreads = w->recording->nthreads;
	w->threads = calloc(w->nthreads + 1, sizeof(*w->threads));
	if (!w->threads)
		return irqs_fail_nomem(reterr);
	memcpy(w->threads, w->recording->threads, w->nthreads * sizeof(*w->threads));
	name_vcpus(w);
	return w->record_fd >= 0 ? recording_threads(&w->writer, w->threads, w->nthreads, reterr) : 0;
}

/* ---- events ---- */

static void take_event(struct watch *w, const struct irqshift_event *e)
{
	monitor_event(w->monitor, e);
	if (w->perfetto)
		perfetto_event(w->perfetto, e);
	if (!w->o->events || w->o->quiet)
		return;
	if (w->o->json)
		watch_print_event_json(w, e);
	else
		watch_print_event(w, e);
}

static void print_table(struct watch *w, uint64_t now, bool final)
{
	const struct watch_table t = { .now = now, .seconds = now > w->began ? (double)(now - w->began) / 1e9 : 0, .final = final };

	if (w->o->quiet)
		return;
	if (w->o->json)
		watch_print_table_json(w, &t);
	else
		watch_print_table(w, &t);
	w->tables++;
}

/* A recording's tables come by its own time, each before the first event that is behind it. */
static void replay_tables(struct watch *w, uint64_t time)
{
	uint64_t next = w->began + (w->tables + 1) * w->o->interval_ns;

	if (!w->recording || !w->o->interval_ns || w->o->events)
		return;
	/* A pause is one table, not thousands. */
	if (time < next || (w->o->count && w->tables >= w->o->count))
		return;
	monitor_interval(w->monitor, time);
	print_table(w, time, false);
	w->tables = (time - w->began) / w->o->interval_ns;
}

int watch_take(struct watch *w, const struct event_batch *batch)
{
	struct irqs_error err = { 0 };
	int rc = recorded_threads(w, &err);

	if (!rc && w->record_fd >= 0 && (batch->count || batch->lost))
		rc = recording_events(&w->writer, batch, &err);
	if (rc)
		return cli_fail(&err, w->o->record ? w->o->record : w->who);
	monitor_lost(w->monitor, batch->lost);
	if (batch->lost && w->perfetto)
		perfetto_lost(w->perfetto, batch->count ? batch->events[0].time : 0, batch->lost);
	if (batch->lost && w->o->events && !w->o->json && !w->o->quiet)
		printf("%" PRIu64 " events lost\n", batch->lost);
	for (size_t i = 0; i < batch->count; i++) {
		if (!w->began) {
			w->began = batch->events[i].time;
			monitor_interval(w->monitor, w->began);
		}
		replay_tables(w, batch->events[i].time);
		take_event(w, &batch->events[i]);
	}
	if (w->o->events && batch->count)
		fflush(stdout);
	return 0;
}

/* ---- running ---- */

/* The rest of a source, and its end. Return: the exit status. */
static int drain(struct watch *w, struct irqs_error *err)
{
	struct event_batch batch;
	int rc, status = IRQS_DONE;

	while (!(rc = event_source_read(w->source, 0, &batch, err)) && !status)
		status = watch_take(w, &batch);
	if (rc && rc != -ENODATA && !status)
		status = cli_fail(err, w->o->replay ? w->o->replay : w->who);
	return status;
}

static void last_table(struct watch *w)
{
	const struct monitor_totals *s = monitor_totals(w->monitor);
	uint64_t now = w->recording ? s->last : (uint64_t)monotonic_ns();

	monitor_interval(w->monitor, now);
	w->tables += w->o->events && s->events && !w->o->json;
	print_table(w, now, true);
}

static int replay(struct watch *w)
{
	struct irqs_error err = { 0 };
	struct event_batch batch;
	int status = IRQS_DONE, rc = 0;

	while (!status && !interrupted && !(rc = event_source_read(w->source, 0, &batch, &err)))
		status = watch_take(w, &batch);
	if (!status)
		last_table(w);
	if (rc && rc != -ENODATA)
		status = cli_fail(&err, w->o->replay);
	return status;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Whether the options have had enough by now. */
static bool enough(const struct watch *w, uint64_t now)
{
	return (w->o->duration_ns && now - w->began >= w->o->duration_ns) || (w->o->count && w->tables >= w->o->count);
}

static int live(struct watch *w, int pidfd)
{
	uint64_t interval = w->o->interval_ns ? w->o->interval_ns : SECOND, next, now;
	struct irqs_error err = { 0 };
	struct event_batch batch;
	int status = IRQS_DONE, rc = 0;

	w->began = (uint64_t)monotonic_ns();
	next = w->began + interval;
	monitor_interval(w->monitor, w->began);
	while (!status && !rc && !interrupted && !has_ended(pidfd)) {
		rc = event_source_read(w->source, LOOK_MS, &batch, &err);
		if (!rc)
			status = watch_take(w, &batch);
		now = (uint64_t)monotonic_ns();
		if (!status && !rc && now >= next) {
			rc = watch_threads(w, &err);
			monitor_interval(w->monitor, now);
			if (!w->o->events)
				print_table(w, now, false);
			next += (now - next) / interval * interval + interval;
		}
		if (enough(w, now))
			break;
	}
	if (!rc)
		rc = event_source_stop(w->source, &err);
	if (!rc && !status)
		status = drain(w, &err);
	last_table(w);
	if (rc == -ENODATA)
		irqs_fail(&err, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "the source has ended: was the module unloaded?");
	return rc && !status ? cli_fail(&err, w->who) : status;
}

int watch_run(struct watch *w)
{
	int pidfd, status;

	watch_catch_signals();
	if (w->recording)
		return replay(w);
	pidfd = (int)syscall(SYS_pidfd_open, w->o->pid, 0);
	if (pidfd < 0) {
		struct irqs_error err = { 0 };

		irqs_fail_errno(&err, errno, "cannot be watched");
		return cli_fail(&err, w->who);
	}
	status = live(w, pidfd);
	close(pidfd);
	return status;
}

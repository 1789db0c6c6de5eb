/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of a small VMM in another process, by tracefs: as many as it raised, none of anybody else, and every lost one counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/event_threads.h"
#include "kvm/monitor.h"
#include "kvm/tracefs.h"
#include "tests/kvm/child_vmm.h"
#include "tests/unit/cli_run.h"

#define TIMES 1000u
#define MANY 20000u
#define EACH 8u /* events of a line that goes up and down, three for each, and of a message, two */
#define GSI 5u
#define VECTOR 0x55u

TestSuite(monitor, .timeout = 60);

/* ---- the child: lines and messages, as many as it is told ---- */

static void raise_times(struct child_vmm *child, unsigned int times)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VECTOR };
	struct kvm_irq_level line = { .irq = GSI };

	child->acting = true;
	while (!child->go)
		usleep(100);
	for (unsigned int i = 0; i < times; i++) {
		line.level = 1;
		child->failures += ioctl(child->vms[0], KVM_IRQ_LINE, &line) < 0;
		line.level = 0;
		child->failures += ioctl(child->vms[0], KVM_IRQ_LINE, &line) < 0;
		child->failures += ioctl(child->vms[0], KVM_SIGNAL_MSI, &msi) < 0;
	}
	child->done = true;
}

static void raise_some(struct child_vmm *child)
{
	raise_times(child, TIMES);
}

static void raise_many(struct child_vmm *child)
{
	raise_times(child, MANY);
}

static struct child_vmm *told;

static void on_told(int signal)
{
	(void)signal;
	told->go = true;
}

/* For a shell: it raises at SIGUSR1, and has ended when it has raised all. */
static void raise_some_and_end(struct child_vmm *child)
{
	told = child;
	signal(SIGUSR1, on_told);
	raise_times(child, TIMES);
	_exit(0);
}

static void let_raise(struct child_vmm *child)
{
	child->go = true;
	cr_assert(child_wait(&child->done, 30000));
	cr_expect_eq(child->failures, 0);
}

/* @act: NULL for one that sleeps. Without KVM the test is skipped. */
static struct child_vmm *start(void (*act)(struct child_vmm *))
{
	struct child_vmm *child;

	if (child_skip())
		return NULL;
	child = child_new();
	child->act = act;
	child_start(child);
	return child;
}

/* ---- the watcher ---- */

/* Return: a source, or -ESRCH. Where this host cannot, the test is skipped with the reason. */
static int open_source(pid_t pid, unsigned int buffer, struct event_source **ret)
{
	const struct event_scope scope = { .pid = pid, .buffer = buffer };
	struct irqs_error err = { .text = "" };
	int rc = tracefs_open(&scope, ret, &err);

	if (rc == -EPERM || rc == -EACCES || rc == -ENODEV || rc == -EOPNOTSUPP)
		cr_skip_test("%s", err.text);
	cr_assert(!rc || rc == -ESRCH, "%d: %s", rc, err.text);
	return rc;
}

struct seen {
	uint64_t events, lost, foreign, disorder, last;
	struct monitor *monitor;
};

static void see(struct seen *seen, const struct event_batch *b, const struct child_vmm *child)
{
	seen->events += b->count;
	seen->lost += b->lost;
	monitor_lost(seen->monitor, b->lost);
	for (size_t i = 0; i < b->count; i++) {
		seen->foreign += b->events[i].pid != (uint32_t)child->pid;
		seen->disorder += b->events[i].time < seen->last;
		seen->last = b->events[i].time;
		monitor_event(seen->monitor, &b->events[i]);
	}
}

/* What is seen of @child while @loud raises. */
static struct seen watch(const struct child_vmm *child, unsigned int buffer, struct child_vmm *loud)
{
	struct irqs_error err = { .text = "" };
	struct event_source *s = NULL;
	struct seen seen = { 0 };
	struct event_batch b;
	int rc;

	cr_assert_eq(open_source(child->pid, buffer, &s), 0);
	cr_assert_eq(monitor_create(NULL, &seen.monitor), 0);
	let_raise(loud);
	cr_assert_eq(event_source_stop(s, &err), 0, "%s", err.text);
	while (!(rc = event_source_read(s, 100, &b, &err)))
		see(&seen, &b, child);
	cr_expect_eq(rc, -ENODATA, "%s", err.text);
	cr_expect_eq(seen.disorder, 0);
	cr_expect_eq(seen.foreign, 0);
	event_source_close(s);
	return seen;
}

Test(monitor, tracefs_shows_each_line_and_message_once)
{
	struct child_vmm *child = start(raise_some);
	struct seen seen = watch(child, 65536, child);
	const struct monitor_row *row = monitor_next_row(seen.monitor, NULL);

	cr_expect_eq(seen.lost, 0);
	cr_expect_eq(monitor_totals(seen.monitor)->by_type[IRQSHIFT_EVENT_SET_IRQ], 2 * TIMES);
	cr_expect_eq(monitor_totals(seen.monitor)->by_type[IRQSHIFT_EVENT_MSI_SET_IRQ], TIMES);
	cr_expect_eq(monitor_ioapic_pin(seen.monitor, GSI)->raised, TIMES);
	cr_expect_eq(monitor_pic_irq(seen.monitor, GSI)->raised, TIMES);
	cr_assert(row);
	cr_expect_eq(row->vector, VECTOR);
	cr_expect_eq(row->accepted, TIMES);
	cr_expect_eq(row->origins[MONITOR_MSI], TIMES);
	cr_expect_eq(row->coalesced, TIMES - 1, "nobody takes them");
	monitor_destroy(seen.monitor);
	child_end(child);
}

/* What was not read in time is missing, and told. */
Test(monitor, what_a_slow_reader_misses_is_counted_one_by_one)
{
	struct child_vmm *child = start(raise_many);
	struct seen seen = watch(child, 64, child);

	fprintf(stderr, "%u events: %lu read, %lu lost\n", EACH * MANY, (unsigned long)seen.events, (unsigned long)seen.lost);
	cr_expect_gt(seen.lost, 0);
	cr_expect_eq(seen.events + seen.lost, EACH * MANY);
	cr_expect_eq(monitor_totals(seen.monitor)->lost, seen.lost);
	monitor_destroy(seen.monitor);
	child_end(child);
}

Test(monitor, a_process_without_events_is_silent_beside_one_that_has_many)
{
	struct child_vmm *loud = start(raise_some), *quiet = start(NULL);
	struct seen seen = watch(quiet, 0, loud);

	cr_expect_eq(seen.events + seen.lost, 0);
	monitor_destroy(seen.monitor);
	child_end(loud);
	child_end(quiet);
}

Test(monitor, a_process_that_is_not_there_is_not_watched)
{
	struct event_source *s = NULL;

	cr_expect_eq(open_source(INT32_MAX, 0, &s), -ESRCH);
}

Test(monitor, threads_of_a_process_are_listed_by_name)
{
	struct recording_thread *threads;
	size_t of_process;
	ssize_t n = event_threads(getpid(), &threads, &of_process);

	cr_assert_geq(n, 1);
	cr_expect_eq(of_process, (size_t)n);
	cr_expect_eq(threads[0].tid, (uint32_t)getpid());
	free(threads);
	cr_expect_eq(event_threads(INT32_MAX, &threads, &of_process), -ESRCH);
}

/* ---- the command ---- */

/* `monitor OPTION...` watches $pid, and its pid is in $m; `left` prints how many instances of it tracefs has. */
#define SHELL                                                                                                          \
	"monitor() { : >log; \"$irqshift\" monitor --pid $pid --source tracefs \"$@\" >out 2>log & m=$!; "             \
	"until grep -q 'by tracefs' log; do kill -0 $m || return; sleep 0.02; done; }; "                               \
	"left() { unshare -m sh -c 'mount -t tracefs none /sys/kernel/tracing && ls /sys/kernel/tracing/instances' | " \
	"grep -c irqshift-$m; }; "

/* A child for a shell, in $pid. Without tracefs the test is skipped. */
static struct child_vmm *start_for_shell(void (*act)(struct child_vmm *))
{
	struct child_vmm *child = start(act);
	struct event_source *s = NULL;
	char number[16];

	cr_assert_eq(open_source(child->pid, 0, &s), 0);
	event_source_close(s);
	snprintf(number, sizeof(number), "%d", (int)child->pid);
	setenv("pid", number, 1);
	cli_folder();
	return child;
}

static void end_for_shell(struct child_vmm *child)
{
	cli_folder_remove();
	child_end(child);
}

Test(monitor, the_command_ends_with_a_signal_and_with_the_process)
{
	struct child_vmm *child = start_for_shell(NULL);

	cli_expect_line(SHELL "monitor; kill -INT $m; wait $m; s=$?; cat out; exit $s", 0, ", all: 0 events");
	cli_expect_line(SHELL "monitor --duration 20 --interval 0.2; kill -KILL $pid; wait $m; s=$?; cat out; exit $s", 0, ", all: ");
	cr_expect_not(strstr(cli_text, "20."), "%s", cli_text);
	cli_expect("monitor --pid 2147483647", 1, "No such process");
	end_for_shell(child);
}

Test(monitor, the_command_records_what_it_shows)
{
	struct child_vmm *child = start_for_shell(raise_some_and_end);
	json_t *shown, *recorded;

	cr_expect_eq(cli_shell(SHELL "monitor --buffer 65536 --duration 20 --record f --json; kill -USR1 $pid; wait $m && tail -n 1 out"), 0, "%s", cli_text);
	shown = json_loads(cli_text, 0, NULL);
	cr_assert(shown, "%s", cli_text);
	cr_expect_eq(json_integer_value(json_object_get(shown, "events")), EACH * TIMES, "%s", cli_text);
	cr_expect_eq(cli_shell("\"$irqshift\" monitor --replay f --json 2>log"), 0);
	recorded = json_loads(cli_text, 0, NULL);
	cr_assert(recorded, "%s", cli_text);
	cr_expect_str_eq(json_string_value(json_object_get(recorded, "source")), "recording");
	cr_expect(json_equal(json_object_get(recorded, "by_event"), json_object_get(shown, "by_event")), "%s", cli_text);
	cr_expect_eq(json_integer_value(json_object_get(recorded, "events")), EACH * TIMES, "%s", cli_text);
	json_decref(shown);
	json_decref(recorded);
	end_for_shell(child);
}

Test(monitor, nothing_is_left_in_tracefs_but_by_sigkill_and_that_until_the_next_one)
{
	struct child_vmm *child = start_for_shell(NULL);

	cr_expect_eq(cli_shell(SHELL "monitor; kill -KILL $m; wait $m 2>/dev/null; left; k=$m; monitor --duration 0.1; wait $m; m=$k; left; "
				     "monitor; kill -TERM $m; wait $m && left"),
		     1, "grep has counted none");
	cr_expect_str_eq(cli_text, "1\n0\n0\n");
	end_for_shell(child);
}

Test(monitor, nothing_is_left_by_a_signal_that_comes_early)
{
	struct child_vmm *child = start_for_shell(NULL);

	cr_expect_eq(cli_shell(SHELL "for i in {0..11}; do \"$irqshift\" monitor --pid $pid --source tracefs >/dev/null 2>&1 & m=$!; "
				     "sleep 0.00$((i % 8)); kill -TERM $m; wait $m; left; done | sort -u"),
		     0);
	cr_expect_str_eq(cli_text, "0\n");
	end_for_shell(child);
}

/* An ordinary user has no right to it, and is told so. */
Test(monitor, without_the_right_it_is_refused_in_one_line)
{
	struct child_vmm *child;

	if (getuid())
		cr_skip_test("not root: it cannot become another user");
	child = start_for_shell(NULL);
	cli_expect_line("cp \"$irqshift\" program && chmod 755 . program && "
			"setpriv --reuid 65534 --regid 65534 --clear-groups ./program monitor --source tracefs --pid $pid",
			1, "irqshift: ");
	cr_expect(!strncmp(cli_text, "irqshift: ", 10) && strchr(cli_text, '\n') == cli_text + strlen(cli_text) - 1, "%s", cli_text);
	end_for_shell(child);
}

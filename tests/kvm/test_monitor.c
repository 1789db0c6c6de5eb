/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of a small VMM in another process, by tracefs: as many as it raised, none of anybody else, and every lost one counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm/event_threads.h"
#include "kvm/monitor.h"
#include "kvm/tracefs.h"
#include "tests/kvm/child_vmm.h"

#define NOBODY 65534
#define TIMES 1000u
#define MANY 20000u
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
	for (;;)
		pause();
}

static void raise_some(struct child_vmm *child)
{
	raise_times(child, TIMES);
}

static void raise_many(struct child_vmm *child)
{
	raise_times(child, MANY);
}

static struct child_vmm *start(void (*act)(struct child_vmm *))
{
	struct child_vmm *child = child_new();

	child->act = act;
	child_start(child);
	return child;
}

/* ---- the watcher ---- */

/* NULL where this host cannot: the test is skipped with the reason. */
static struct event_source *watch(const struct child_vmm *child, unsigned int buffer)
{
	const struct event_scope scope = { .pid = child->pid, .buffer = buffer };
	struct irqs_error err = { .text = "" };
	struct event_source *s = NULL;
	int rc = tracefs_open(&scope, &s, &err);

	if (rc == -EPERM || rc == -EACCES || rc == -ENODEV || rc == -EOPNOTSUPP)
		cr_skip("%s", err.text);
	else
		cr_assert_eq(rc, 0, "%s", err.text);
	return s;
}

struct seen {
	uint64_t events, lost, foreign, disorder, last;
};

static void read_rest(struct event_source *s, const struct child_vmm *child, struct monitor *m, struct seen *seen)
{
	struct irqs_error err = { .text = "" };
	struct event_batch b;
	int rc;

	cr_assert_eq(event_source_stop(s, &err), 0, "%s", err.text);
	while (!(rc = event_source_read(s, 100, &b, &err))) {
		seen->lost += b.lost;
		monitor_lost(m, b.lost);
		for (size_t i = 0; i < b.count; i++) {
			seen->foreign += b.events[i].pid != (uint32_t)child->pid;
			seen->disorder += b.events[i].time < seen->last;
			seen->last = b.events[i].time;
			monitor_event(m, &b.events[i]);
		}
		seen->events += b.count;
	}
	cr_expect_eq(rc, -ENODATA, "%s", err.text);
}

static void let_raise(struct child_vmm *child)
{
	child->go = true;
	cr_assert(child_wait(&child->done, 30000));
	cr_expect_eq(child->failures, 0);
}

Test(monitor, tracefs_shows_each_line_and_message_once)
{
	struct child_vmm *child;
	struct event_source *s;
	struct seen seen = { 0 };
	struct monitor *m;

	if (child_skip())
		return;
	child = start(raise_some);
	s = watch(child, 65536);
	if (s) {
		cr_assert_eq(monitor_create(NULL, &m), 0);
		let_raise(child);
		read_rest(s, child, m, &seen);
		cr_expect_eq(seen.lost, 0);
		cr_expect_eq(seen.disorder, 0);
		cr_expect_eq(seen.foreign, 0);
		cr_expect_eq(monitor_totals(m)->by_type[IRQSHIFT_EVENT_SET_IRQ], 2 * TIMES);
		cr_expect_eq(monitor_totals(m)->by_type[IRQSHIFT_EVENT_MSI_SET_IRQ], TIMES);
		cr_expect_eq(monitor_ioapic_pin(m, GSI)->raised, TIMES);
		cr_expect_eq(monitor_pic_irq(m, GSI)->raised, TIMES);
		cr_assert(monitor_next_row(m, NULL));
		cr_expect_eq(monitor_next_row(m, NULL)->vector, VECTOR);
		cr_expect_eq(monitor_next_row(m, NULL)->accepted, TIMES);
		cr_expect_eq(monitor_next_row(m, NULL)->origins[MONITOR_MSI], TIMES);
		cr_expect_eq(monitor_next_row(m, NULL)->coalesced, TIMES - 1, "nobody takes them");
		monitor_destroy(m);
	}
	event_source_close(s);
	child_end(child);
}

/* Each line is three events and each message two: what was not read in time is missing, and told. */
Test(monitor, what_a_slow_reader_misses_is_counted_one_by_one)
{
	struct child_vmm *child;
	struct event_source *s;
	struct seen seen = { 0 };
	struct monitor *m;

	if (child_skip())
		return;
	child = start(raise_many);
	s = watch(child, 64);
	if (s) {
		cr_assert_eq(monitor_create(NULL, &m), 0);
		let_raise(child);
		read_rest(s, child, m, &seen);
		fprintf(stderr, "%u events: %lu read, %lu lost\n", 8 * MANY, (unsigned long)seen.events, (unsigned long)seen.lost);
		cr_expect_gt(seen.lost, 0);
		cr_expect_eq(seen.events + seen.lost, 8 * MANY);
		cr_expect_eq(monitor_totals(m)->lost, seen.lost);
		monitor_destroy(m);
	}
	event_source_close(s);
	child_end(child);
}

static void idle(struct child_vmm *child)
{
	child->acting = true;
	for (;;)
		pause();
}

Test(monitor, a_process_without_events_is_silent_beside_one_that_has_many)
{
	struct child_vmm *loud, *quiet;
	struct event_source *s;
	struct seen seen = { 0 };
	struct monitor *m;

	if (child_skip())
		return;
	loud = start(raise_some);
	quiet = start(idle);
	s = watch(quiet, 0);
	if (s) {
		cr_assert_eq(monitor_create(NULL, &m), 0);
		let_raise(loud);
		read_rest(s, quiet, m, &seen);
		cr_expect_eq(seen.events, 0);
		monitor_destroy(m);
	}
	event_source_close(s);
	child_end(loud);
	child_end(quiet);
}

Test(monitor, a_process_that_is_not_there_is_not_watched)
{
	const struct event_scope scope = { .pid = INT32_MAX };
	struct irqs_error err = { .text = "" };
	struct event_source *s = NULL;
	int rc = tracefs_open(&scope, &s, &err);

	if (rc == -EPERM || rc == -EACCES || rc == -ENODEV || rc == -EOPNOTSUPP)
		cr_skip("%s", err.text);
	else
		cr_expect_eq(rc, -ESRCH, "%d: %s", rc, err.text);
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

static char text[1 << 18];

/* Runs a command in which %1$s is the program and %2$d the child. Return: its exit status; what it printed is in text. */
__attribute__((format(printf, 1, 0))) static int run(const char *fmt, pid_t pid)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[1024];
	size_t used;
	FILE *f;

	snprintf(cmd, sizeof(cmd), fmt, program ? program : "build/irqshift", (int)pid);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

/* Whether this host lets a monitor watch; else the test is skipped with the reason. */
static bool can_watch(const struct child_vmm *child)
{
	struct event_source *s = watch(child, 0);

	event_source_close(s);
	return s != NULL;
}

Test(monitor, the_command_ends_with_the_process_and_with_a_signal)
{
	struct child_vmm *child;

	if (child_skip())
		return;
	child = start(raise_some);
	if (can_watch(child)) {
		cr_expect_eq(run("timeout -s INT 1 '%1$s' monitor --pid %2$d 2>&1", child->pid), 124, "%s", text);
		cr_expect(strstr(text, ", all: 0 events"), "%s", text);
		cr_expect_eq(run("'%1$s' monitor --pid %2$d --duration 20 --interval 0.2 2>&1 & sleep 1; kill -KILL %2$d; wait $!", child->pid),
			     0, "%s", text);
		cr_expect(strstr(text, ", all: "), "%s", text);
		cr_expect_eq(run("'%1$s' monitor --pid 2147483647 2>&1", 0), 1, "%s", text);
		cr_expect(strstr(text, "No such process"), "%s", text);
	}
	child_end(child);
}

Test(monitor, the_command_records_what_it_shows)
{
	struct child_vmm *child;
	json_t *top;

	if (child_skip())
		return;
	child = start(raise_some);
	if (can_watch(child)) {
		child->go = true;
		cr_expect_eq(run("f=$(mktemp); '%1$s' monitor --pid %2$d --duration 1.5 --record $f --json >/dev/null 2>&1 && "
				 "'%1$s' monitor --replay $f --json 2>/dev/null; rm $f",
				 child->pid),
			     0);
		top = json_loads(text, 0, NULL);
		cr_assert(top, "%s", text);
		cr_expect_str_eq(json_string_value(json_object_get(top, "source")), "recording");
		json_decref(top);
	}
	child_end(child);
}

#define INSTANCES "unshare -m sh -c 'mount -t tracefs none /sys/kernel/tracing && ls /sys/kernel/tracing/instances' | grep -c irqshift-$m"

Test(monitor, nothing_is_left_in_tracefs_but_by_sigkill_and_that_until_the_next_one)
{
	struct child_vmm *child;

	if (child_skip())
		return;
	child = start(idle);
	if (can_watch(child)) {
		run("'%1$s' monitor --pid %2$d >/dev/null 2>&1 & m=$!; sleep 0.5; kill -KILL $m; wait $m 2>/dev/null; " INSTANCES
		    "; '%1$s' monitor --pid %2$d --duration 0.1 >/dev/null 2>&1; " INSTANCES
		    "; '%1$s' monitor --pid %2$d >/dev/null 2>&1 & m=$!; sleep 0.5; kill -TERM $m; wait $m; " INSTANCES,
		    child->pid);
		cr_expect_str_eq(text, "1\n0\n0\n");
	}
	child_end(child);
}

/* An ordinary user has no right to it, and is told so. */
Test(monitor, without_the_right_it_is_refused_in_one_line)
{
	struct child_vmm *child;

	if (child_skip())
		return;
	if (getuid()) {
		cr_skip("not root: it cannot become another user");
		return;
	}
	child = start(idle);
	cr_assert_eq(setgroups(0, NULL), 0);
	cr_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	cr_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	cr_expect_eq(run("exe=$(mktemp) && cp '%1$s' $exe && chmod 755 $exe && $exe monitor --source tracefs --pid %2$d 2>&1; s=$?; rm $exe; exit $s", child->pid), 1,
		     "%s", text);
	cr_expect(!strncmp(text, "irqshift: ", 10) && strchr(text, '\n') == text + strlen(text) - 1, "%s", text);
}

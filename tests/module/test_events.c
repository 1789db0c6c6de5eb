/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events are those of the tracepoints, of the VM that was asked for, and what is missing is counted. Roles: root. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "busy_vm.h"
#include "compare.h"
#include "genl.h"
#include "lab.h"
#include "subscriber.h"
#include "trace_raw.h"

static struct busy_vm vm;
static struct busy_child *child;

static void make_bed(void)
{
	lab_have_module();
	child = busy_child_new();
}

static void end_all(void)
{
	if (child)
		lab_kill(child->pid);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

Test(events, the_rows_are_what_the_kernel_says_its_tracepoints_are, .init = make_bed)
{
	uint64_t expected = 0;

	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++) {
		struct trace_format format;
		int rc = trace_format_read(trace_rows[i].name, &format);

		cr_expect_eq(rc, 0, "%s: %s", trace_rows[i].name, strerror(-rc));
		if (rc)
			continue;
		cr_expect(trace_format_fits(&format, &trace_rows[i]), "%s has other fields than its row", trace_rows[i].name);
		cr_expect_leq(format.nfields, IRQSHIFT_EVENT_ARGS);
		expected |= 1ull << i;
	}
	cr_expect_eq(genl_events_there(), expected, "GET_INFO has 0x%llx", (unsigned long long)genl_events_there());
}

/* Until @one of them has heard of so many events. */
static void run_busy_vm(struct subscriber *const subscribers[], unsigned int n, const struct subscriber *one, size_t events)
{
	int rc = busy_vm_open(&vm, 2);

	cr_assert_eq(rc, 0, "no VM: %s", strerror(-rc));
	cr_assert_eq(busy_vm_run(&vm), 0);
	subscribers_await(subscribers, n, one, events);
	busy_vm_halt(&vm);
	busy_vm_close(&vm); /* its PIT as well */
}

Test(events, they_are_the_same_as_the_kernels_own_records, .init = make_bed, .timeout = 60)
{
	struct subscriber s, *all[] = { &s };

	lab_root_only();
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	trace_start();
	run_busy_vm(all, 1, &s, lab_count(20000, 1000));
	compare_with_tracefs(&s);
	subscriber_close(&s);
}

Test(events, they_come_in_order_with_the_time_and_the_process, .init = make_bed, .timeout = 60)
{
	struct subscriber s, *all[] = { &s };
	uint64_t begin, end, last[64] = { 0 };

	lab_root_only();
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	begin = now_ns();
	run_busy_vm(all, 1, &s, 500);
	end = now_ns();
	subscribers_catch_up(all, 1);
	for (size_t i = 0; i < s.n; i++) {
		const struct irqshift_event *e = &s.records[i];

		cr_assert(e->time >= begin && e->time <= end);
		cr_assert_lt(e->cpu, 64);
		cr_assert_geq(e->time, last[e->cpu], "time went back on a CPU");
		last[e->cpu] = e->time;
		cr_assert_eq(e->reserved, 0);
		if (e->type == IRQSHIFT_EVENT_EOI) {
			cr_assert_eq(e->pid, (uint32_t)getpid());
			cr_assert_lt(e->arg[0], 2, "the EOI of vCPU %llu", (unsigned long long)e->arg[0]);
		}
	}
	subscriber_close(&s);
}

/* The number of the kernel's thread for the child's PIT; 0: not found. */
static uint32_t pit_thread(pid_t owner)
{
	char path[64], name[32], wanted[32];
	uint32_t found = 0;

	snprintf(wanted, sizeof(wanted), "kvm-pit/%d\n", owner);
	for (uint32_t pid = 1; !found && pid < 32768; pid++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%u/comm", pid);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && strcmp(name, wanted) == 0)
			found = pid;
		fclose(f);
	}
	return found;
}

/* Those between @begin and @end of the process and its PIT, in place; how many. */
static size_t only_of(struct irqshift_event *events, size_t n, uint32_t pid, uint32_t pit, uint64_t begin, uint64_t end)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (events[i].time >= begin && events[i].time < end && (events[i].pid == pid || events[i].tid == pit))
			events[kept++] = events[i];
	return kept;
}

Test(events, of_two_vms_one_is_heard_if_so_asked, .init = make_bed, .fini = end_all, .timeout = 60)
{
	struct subscriber every, one, *all[] = { &every, &one };
	uint64_t begin, end;
	size_t n, strangers = 0, of_pit = 0;
	uint32_t pit;
	int mem;

	lab_root_only();
	cr_assert_eq(busy_child_start(child, 2), 0);
	mem = busy_child_mem(child);
	cr_assert_geq(mem, 0, "the VM's memory: %s", strerror(-mem));
	pit = pit_thread(child->pid);
	cr_assert_gt(pit, 0, "no thread for its PIT");
	subscriber_start(&every, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	subscriber_start(&one, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .mem_fd = mem });
	close(mem);
	begin = now_ns();
	run_busy_vm(all, 2, &one, lab_count(10000, 500));
	end = now_ns();
	subscribers_listen(all, 2, 50);
	lab_kill(child->pid);
	subscribers_catch_up(all, 2);
	cr_expect_eq(every.dropped + one.dropped, 0);
	for (size_t i = 0; i < one.n; i++) {
		of_pit += one.records[i].tid == pit;
		strangers += one.records[i].pid != (uint32_t)child->pid && one.records[i].tid != pit;
	}
	cr_expect_eq(strangers, 0, "%zu of %zu events are of others", strangers, one.n);
	cr_expect_gt(of_pit, 0);
	printf("seen %zu events of two VMs, %zu of one, %zu of its PIT\n", every.n, one.n, of_pit);
	n = only_of(one.records, one.n, (uint32_t)child->pid, pit, begin, end);
	cr_expect_gt(n, 0);
	cr_expect_lt(n, every.n);
	cr_assert_eq(only_of(every.records, every.n, (uint32_t)child->pid, pit, begin, end), n, "some of the VM's own are missing");
	qsort(one.records, n, sizeof(*one.records), compare_events);
	qsort(every.records, n, sizeof(*every.records), compare_events);
	cr_expect_eq(memcmp(one.records, every.records, n * sizeof(*one.records)), 0);
	child->pid = 0;
	subscriber_close(&every);
	subscriber_close(&one);
}

Test(events, only_those_come_that_were_asked_for, .init = make_bed, .timeout = 60)
{
	struct subscriber s, *all[] = { &s };
	const uint64_t wanted = 1ull << IRQSHIFT_EVENT_EOI | 1ull << IRQSHIFT_EVENT_MSI_SET_IRQ;

	lab_root_only();
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .events = wanted });
	run_busy_vm(all, 1, &s, 200);
	subscribers_catch_up(all, 1);
	cr_expect_gt(subscriber_count(&s, IRQSHIFT_EVENT_EOI), 0);
	cr_expect_eq(subscriber_count(&s, IRQSHIFT_EVENT_EOI) + subscriber_count(&s, IRQSHIFT_EVENT_MSI_SET_IRQ), s.n);
	subscriber_close(&s);
}

/* How many of the sorted @part are in the sorted @whole, each once. */
static size_t matched(const struct irqshift_event *part, size_t n, const struct irqshift_event *whole, size_t of)
{
	size_t found = 0;

	for (size_t i = 0, j = 0; i < n && j < of; j++)
		if (compare_events(&part[i], &whole[j]) == 0) {
			found++;
			i++;
		}
	return found;
}

Test(events, a_slow_reader_is_told_how_many_it_has_missed, .init = make_bed, .timeout = 60)
{
	struct subscriber fast, slow, *readers[] = { &fast }, *all[] = { &fast, &slow };

	lab_root_only();
	subscriber_start(&fast, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	subscriber_start(&slow, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MIN, .rcvbuf = 8192 });
	cr_assert_eq(busy_vm_open(&vm, 2), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	subscribers_await(readers, 1, &fast, 500);
	subscribers_await(all, 2, &slow, IRQSHIFT_BUFFER_MIN + 1);
	subscribers_await(readers, 1, &fast, fast.n + 500);
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	subscribers_catch_up(readers, 1);
	cr_expect_eq(subscriber_stop(&slow), 0);
	cr_expect_eq(subscriber_stop(&fast), 0);
	printf("seen %zu events of %llu, %llu dropped\n", slow.n, (unsigned long long)slow.total, (unsigned long long)slow.dropped);
	cr_expect(fast.ended && slow.ended);
	cr_expect_eq(fast.wrong + slow.wrong, 0);
	cr_expect_eq(fast.dropped, 0);
	cr_expect_gt(slow.dropped, 0);
	cr_expect_eq(fast.total, slow.total);
	cr_expect_eq(fast.n, fast.total);
	cr_assert_eq(slow.n + slow.dropped, fast.n);
	qsort(fast.records, fast.n, sizeof(*fast.records), compare_events);
	qsort(slow.records, slow.n, sizeof(*slow.records), compare_events);
	cr_expect_eq(matched(slow.records, slow.n, fast.records, fast.n), slow.n);
	subscriber_close(&fast);
	subscriber_close(&slow);
}

Test(events, the_group_hears_what_is_sent_there, .init = make_bed, .timeout = 60)
{
	struct subscriber owner, member, *all[] = { &owner, &member };

	lab_root_only();
	subscriber_start(&owner, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .group = true });
	cr_assert_eq(subscriber_open(&member, &(struct subscriber_options){ 0 }), 0);
	cr_assert_eq(genl_join(&member.genl), 0);
	run_busy_vm(all, 2, &member, 200);
	subscribers_catch_up(all, 2);
	cr_expect_eq(subscriber_stop(&owner), 0);
	subscribers_catch_up(all, 2);
	cr_expect_eq(owner.n, 0);
	cr_expect_not(owner.ended);
	cr_expect_eq(member.wrong, 0);
	cr_expect(member.ended && member.total == member.n);
	subscriber_close(&owner);
	subscriber_close(&member);
}

/* The socket of who subscribed is gone, but the members are still there. */
Test(events, the_group_hears_the_end_when_the_subscriber_dies, .init = make_bed, .timeout = 60)
{
	struct subscriber owner, member, *reader[] = { &member };

	lab_root_only();
	subscriber_start(&owner, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .group = true });
	cr_assert_eq(subscriber_open(&member, &(struct subscriber_options){ 0 }), 0);
	cr_assert_eq(genl_join(&member.genl), 0);
	run_busy_vm(reader, 1, &member, 200);
	subscriber_close(&owner);
	subscribers_catch_up(reader, 1);
	cr_expect(member.ended);
	cr_expect_eq(member.total, member.n);
	cr_expect_eq(member.wrong, 0);
	subscriber_close(&member);
}

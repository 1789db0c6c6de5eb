/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an event costs KVM: less than tracefs's own record of it. Roles: root full. */
#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "busy_vm.h"
#include "lab.h"
#include "subscriber.h"
#include "trace_raw.h"

#define CALLS 500 /* with those of all rounds a subscription's buffer is not full */
#define ROUNDS 40

static struct busy_vm vm;

static void make_bed(void)
{
	lab_have_module();
	lab_root_only();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
}

static void end_all(void)
{
	busy_vm_close(&vm);
}

/* The masked pin of an IOAPIC, up and down: KVM_IRQ_LINE and its tracepoints, and nothing else. */
static double one_round(void)
{
	struct kvm_irq_level line = { .irq = 20 };
	double begin = lab_now();

	for (unsigned int i = 0; i < CALLS; i++) {
		line.level = !line.level;
		ioctl(vm.fd, KVM_IRQ_LINE, &line);
	}
	return (lab_now() - begin) / CALLS * 1e9;
}

/* Nanoseconds of a call: the best round, because the machine has other things to do. */
static double measure(void)
{
	double best = one_round();

	for (unsigned int i = 1; i < ROUNDS; i++) {
		double ns = one_round();

		best = ns < best ? ns : best;
	}
	return best;
}

/* Nothing is sent meanwhile but what fits into the small buffer of a socket that is not read. */
static double measure_subscribed(struct subscriber_options options, double *events)
{
	struct subscriber s;
	double ns;

	options.buffer = IRQSHIFT_BUFFER_MAX;
	options.rcvbuf = 4096;
	subscriber_start(&s, &options);
	ns = measure();
	cr_expect_eq(subscriber_stop(&s), 0);
	cr_expect_lt(s.total, IRQSHIFT_BUFFER_MAX, "the buffer was full");
	*events = (double)s.total / (ROUNDS * CALLS);
	subscriber_close(&s);
	return ns;
}

/* The memory of another process: the events are looked at, and left alone. */
static int memory_of_another(struct busy_child *child)
{
	cr_assert_eq(busy_child_start(child, 1), 0);
	return busy_child_mem(child);
}

/* The least of what was measured so far, of each way to run it. */
struct cost {
	double bare, noted, traced, passed;
	double events; /* per call */
};

static void lower(double *least, double ns)
{
	*least = *least == 0 || ns < *least ? ns : *least;
}

static double traced(void)
{
	double ns;

	trace_start();
	ns = measure();
	trace_stop();
	trace_end();
	return ns;
}

#define TRIES 5

Test(events_cost, an_event_costs_no_more_than_in_tracefs, .init = make_bed, .fini = end_all, .timeout = 120)
{
	struct cost c = { 0 };

	for (unsigned int i = 0; i < TRIES && (!i || c.noted - c.bare > c.traced - c.bare); i++) {
		lower(&c.bare, measure());
		lower(&c.noted, measure_subscribed((struct subscriber_options){ 0 }, &c.events));
		lower(&c.traced, traced());
	}
	printf("seen KVM_IRQ_LINE take %.0f ns, with its %.2f events noted %.0f ns, with them in tracefs %.0f ns: %.0f and %.0f ns each\n",
	       c.bare, c.events, c.noted, c.traced, (c.noted - c.bare) / c.events, (c.traced - c.bare) / c.events);
	cr_expect(c.events >= 1.99 && c.events < 4, "%.3f events per call", c.events);
	cr_expect_leq(c.noted, c.traced);
}

Test(events_cost, an_event_of_another_vm_costs_less_than_one_that_is_noted, .init = make_bed, .fini = end_all, .timeout = 120)
{
	struct busy_child *child = busy_child_new();
	struct cost c = { 0 };
	double none = 1;
	int mem = memory_of_another(child);

	cr_assert_geq(mem, 0);
	kill(child->pid, SIGSTOP);
	for (unsigned int i = 0; i < TRIES && (!i || c.passed >= c.noted); i++) {
		lower(&c.bare, measure());
		lower(&c.noted, measure_subscribed((struct subscriber_options){ 0 }, &c.events));
		lower(&c.passed, measure_subscribed((struct subscriber_options){ .mem_fd = mem }, &none));
	}
	lab_kill(child->pid);
	printf("seen KVM_IRQ_LINE take %.0f ns, with its events noted %.0f ns, with those of another VM wanted %.0f ns\n", c.bare, c.noted,
	       c.passed);
	cr_expect_lt(none, 0.5);
	cr_expect_lt(c.passed, c.noted);
	busy_child_free(child);
}

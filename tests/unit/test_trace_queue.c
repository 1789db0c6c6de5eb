/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of several CPUs: given out in the order of time, each batch up to where some are missing. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kvm/tracefs_priv.h"

static struct trace_queue q;

static void set_up(void)
{
	q = (struct trace_queue){ 0 };
}

static void tear_down(void)
{
	trace_queue_deinit(&q);
}

TestSuite(trace_queue, .init = set_up, .fini = tear_down);

static void put(uint64_t time, uint16_t cpu)
{
	const struct irqshift_event e = { .time = time, .cpu = cpu };

	cr_assert_eq(trace_queue_put(&q, &e), 0);
}

static void hole(uint64_t time, uint64_t n)
{
	cr_assert_eq(trace_queue_hole(&q, time, n), 0);
}

/* The next batch: @n events, the first of which has that time. */
static void expect_batch(uint64_t until, uint64_t lost, size_t n, uint64_t first)
{
	struct event_batch b = { .lost = 0 };

	trace_queue_forget_given(&q);
	cr_assert_eq(trace_queue_sort(&q), 0);
	trace_queue_give(&q, until, &b);
	cr_expect_eq(b.lost, lost, "%lu lost", (unsigned long)b.lost);
	cr_assert_eq(b.count, n, "%zu events", b.count);
	if (n)
		cr_expect_eq(b.events[0].time, first);
	for (size_t i = 1; i < n; i++)
		cr_expect_leq(b.events[i - 1].time, b.events[i].time);
}

Test(trace_queue, a_batch_ends_where_events_are_missing)
{
	for (uint64_t i = 0; i < 10; i++)
		put(100 + i, 0);
	put(200, 0);
	hole(200, 7);
	for (uint64_t i = 0; i < 15; i++)
		put(50 + 10 * i, 1);
	put(300, 1);
	hole(300, 2);
	expect_batch(1000, 0, 10 + 15, 50);
	expect_batch(1000, 7, 1, 200);
	expect_batch(1000, 2, 1, 300);
	expect_batch(1000, 0, 0, 0);
}

Test(trace_queue, holes_come_in_the_order_of_time_and_those_of_one_time_together)
{
	put(100, 0);
	put(300, 0);
	hole(300, 1);
	put(200, 1);
	hole(200, 2);
	put(300, 1);
	hole(300, 4);
	expect_batch(1000, 0, 1, 100);
	expect_batch(1000, 2, 1, 200);
	expect_batch(1000, 5, 2, 300);
}

Test(trace_queue, what_is_too_young_waits_and_so_does_its_hole)
{
	put(100, 0);
	put(200, 0);
	hole(200, 3);
	expect_batch(200, 0, 1, 100);
	expect_batch(200, 0, 0, 0);
	put(150, 1);
	expect_batch(250, 0, 1, 150);
	expect_batch(250, 3, 1, 200);
}

Test(trace_queue, what_is_missing_before_the_first_is_told_with_it)
{
	put(100, 0);
	hole(100, 9);
	expect_batch(1000, 9, 1, 100);
}

Test(trace_queue, nothing_is_given_twice_or_forgotten)
{
	uint64_t lost = 0, told = 0, last = 0;
	size_t put_in = 0, given = 0;

	srand(11);
	for (uint64_t round = 0; round <= 200; round++) {
		for (unsigned int i = 0; i < 100; i++) {
			uint64_t time = 1000 * round + (uint64_t)(rand() % 2000);

			put(time, (uint16_t)(rand() % 4));
			put_in++;
			if (rand() % 20)
				continue;
			hole(time, 1 + i);
			lost += 1 + i;
		}
		for (bool more = true; more;) {
			struct event_batch b = { .lost = 0 };

			trace_queue_forget_given(&q);
			cr_assert_eq(trace_queue_sort(&q), 0);
			trace_queue_give(&q, round == 200 ? UINT64_MAX : 1000 * round, &b);
			for (size_t i = 0; i < b.count; i++) {
				cr_assert_geq(b.events[i].time, last);
				last = b.events[i].time;
			}
			given += b.count;
			told += b.lost;
			more = b.count != 0;
		}
	}
	cr_expect_eq(given, put_in);
	cr_expect_eq(told, lost);
	cr_expect_eq(q.n, 0);
	cr_expect_eq(q.nholes, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compare.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_raw.h"

int compare_events(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct irqshift_event));
}

/* The records without what tracefs does not have, in an order that depends on their content alone. */
static void make_comparable(struct irqshift_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		events[i].time = 0;
		events[i].pid = 0;
	}
	qsort(events, n, sizeof(*events), compare_events);
}

static const char *words_of(const struct irqshift_event *e)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s cpu %u tid %u 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", trace_rows[e->type].name, e->cpu, e->tid,
		 (unsigned long long)e->arg[0], (unsigned long long)e->arg[1], (unsigned long long)e->arg[2],
		 (unsigned long long)e->arg[3], (unsigned long long)e->arg[4]);
	return text;
}

static void print_kinds(const struct subscriber *s)
{
	printf("seen %zu events:", s->n);
	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		if (subscriber_count(s, i))
			printf(" %s %zu", trace_rows[i].name, subscriber_count(s, i));
	printf("\n");
}

static void expect_same(struct irqshift_event *events, struct irqshift_event *traced, size_t n)
{
	make_comparable(events, n);
	make_comparable(traced, n);
	for (size_t i = 0; i < n; i++) {
		if (compare_events(&events[i], &traced[i]) == 0)
			continue;
		fprintf(stderr, "event:   %s\n", words_of(&events[i]));
		fprintf(stderr, "tracefs: %s\n", words_of(&traced[i]));
		cr_assert_fail("event %zu of %zu", i, n);
	}
}

void compare_with_tracefs(struct subscriber *s)
{
	struct irqshift_event *traced;
	unsigned long lost;
	size_t n;

	trace_stop();
	subscribers_catch_up(&s, 1);
	cr_expect_eq(subscriber_stop(s), 0);
	traced = trace_read(&n, &lost);
	trace_end();
	print_kinds(s);
	cr_assert_eq(lost, 0);
	cr_expect_eq(s->dropped, 0);
	cr_expect_eq(s->wrong, 0);
	cr_expect(s->ended && s->total == s->n);
	cr_assert_eq(s->n, n, "%zu events, %zu of tracefs", s->n, n);
	expect_same(s->records, traced, n);
	free(traced);
}

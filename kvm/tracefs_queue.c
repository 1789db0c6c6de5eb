/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of all CPUs in the order of time, and where some are missing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/tracefs_priv.h"

/* Return: the array with room for one more, or NULL. */
static void *room_for_one(void *array, size_t n, size_t *room, size_t size, size_t first)
{
	size_t more = *room ? 2 * *room : first;
	void *ret;

	if (n < *room)
		return array;
	ret = realloc(array, more * size);
	if (ret)
		*room = more;
	return ret;
}

int trace_queue_put(struct trace_queue *q, const struct irqshift_event *e)
{
	struct irqshift_event *events = room_for_one(q->events, q->n, &q->room, sizeof(*e), 4096);

	if (!events)
		return -ENOMEM;
	q->events = events;
	q->events[q->n++] = *e;
	return 0;
}

int trace_queue_hole(struct trace_queue *q, uint64_t time, uint64_t n)
{
	struct trace_hole *holes = room_for_one(q->holes, q->nholes, &q->holes_room, sizeof(*holes), 64);
	size_t i;

	if (!holes)
		return -ENOMEM;
	q->holes = holes;
	for (i = q->nholes++; i && holes[i - 1].time > time; i--)
		holes[i] = holes[i - 1];
	holes[i] = (struct trace_hole){ time, n };
	return 0;
}

/* By merging: the order of one CPU's events stays when their times are equal. */
static void merge(struct irqshift_event *e, size_t n, struct irqshift_event *spare)
{
	size_t half = n / 2, i = 0, k = half, out = 0;

	if (n < 2)
		return;
	merge(e, half, spare);
	merge(e + half, n - half, spare);
	if (e[half - 1].time <= e[half].time)
		return;
	while (i < half || k < n)
		spare[out++] = k == n || (i < half && e[i].time <= e[k].time) ? e[i++] : e[k++];
	memcpy(e, spare, n * sizeof(*e));
}

int trace_queue_sort(struct trace_queue *q)
{
	struct irqshift_event *spare = q->n ? malloc(q->n * sizeof(*spare)) : NULL;

	if (q->n && !spare)
		return -ENOMEM;
	merge(q->events, q->n, spare);
	free(spare);
	return 0;
}

void trace_queue_give(struct trace_queue *q, uint64_t until, struct event_batch *ret)
{
	size_t passed = 0;

	if (q->n && q->events[0].time < until)
		for (; passed < q->nholes && q->holes[passed].time <= q->events[0].time; passed++)
			ret->lost += q->holes[passed].n;
	q->nholes -= passed;
	if (passed)
		memmove(q->holes, q->holes + passed, q->nholes * sizeof(*q->holes));
	if (q->nholes && q->holes[0].time < until)
		until = q->holes[0].time;
	while (q->given < q->n && q->events[q->given].time < until)
		q->given++;
	ret->events = q->events;
	ret->count = q->given;
}

void trace_queue_forget_given(struct trace_queue *q)
{
	if (!q->given)
		return;
	q->n -= q->given;
	memmove(q->events, q->events + q->given, q->n * sizeof(*q->events));
	q->given = 0;
}

void trace_queue_deinit(struct trace_queue *q)
{
	free(q->events);
	free(q->holes);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events on their way from the tracepoints to the one that sends them. Any number of producers on any CPU and in any
 * context, also in a hard interrupt that came in the middle of another producer; one consumer. No locks: a producer takes
 * the next slot, fills it and marks it as filled; the consumer stops at the first that is not.
 */
#ifndef IRQSHIFT_RING_H
#define IRQSHIFT_RING_H

#include <linux/atomic.h>
#include <linux/cache.h>

#include "uapi.h"

/*
 * @turn: number of the slot's event plus one, cut to 32 bits, once it is filled
 * @lost: events lost before it, cut to 32 bits
 */
struct ring_slot {
	struct irqshift_event event;
	u32 turn;
	u32 lost;
};

/*
 * @head: number of the next event; taken by the producers
 * @lost: events that found no room
 * @tail: number of the first event that the consumer still needs
 * @dropped: what of the lost ones came before it; the consumer's
 * @limit: events that there is room for; @mask + 1 slots, a power of two, hold them
 */
struct ring {
	atomic_long_t head;
	atomic_long_t lost;
	unsigned long tail ____cacheline_aligned_in_smp;
	u64 dropped;
	struct ring_slot *slots ____cacheline_aligned_in_smp;
	unsigned long mask;
	unsigned long limit;
};

int ring_init(struct ring *ring, unsigned int limit);
void ring_deinit(struct ring *ring);

/*
 * ring_put - by a producer
 *
 * Return: how many events are in the ring with this one; 0: there was no room, and the event is counted as lost.
 */
unsigned long ring_put(struct ring *ring, const struct irqshift_event *event);

/*
 * ring_ready - by the consumer: how many events, at most @max, lie ready that nothing was lost between
 *
 * They are numbers ring->tail + ring->dropped and following of all that came up.
 */
unsigned int ring_ready(struct ring *ring, unsigned int max);

/* ring_copy - by the consumer: the first @n that are ready, which stay in the ring. ring_done: it is done with them. */
void ring_copy(const struct ring *ring, struct irqshift_event *to, unsigned int n);
void ring_done(struct ring *ring, unsigned int n);

/*
 * ring_give_up - once there are no more producers: what is still there counts as dropped, as all that was lost
 *
 * From then on ring->tail + ring->dropped is how many events came up at all.
 */
void ring_give_up(struct ring *ring);

#endif

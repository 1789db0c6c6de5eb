// SPDX-License-Identifier: GPL-2.0-only
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "ring.h"

int ring_init(struct ring *ring, unsigned int limit)
{
	unsigned long slots = roundup_pow_of_two(limit);

	ring->limit = limit;
	ring->mask = slots - 1;
	ring->slots = kvcalloc(slots, sizeof(*ring->slots), GFP_KERNEL_ACCOUNT);
	return ring->slots ? 0 : -ENOMEM;
}

void ring_deinit(struct ring *ring)
{
	kvfree(ring->slots);
}

unsigned long ring_put(struct ring *ring, const struct irqshift_event *event)
{
	long head = atomic_long_read(&ring->head);
	struct ring_slot *slot;
	long used;
	u32 lost;

	do {
		lost = atomic_long_read(&ring->lost);
		/* Negative when head is old news: then the exchange fails. Acquire: the slot is not written before it is free. */
		used = head - (long)smp_load_acquire(&ring->tail);
		if (used >= (long)ring->limit) {
			atomic_long_inc(&ring->lost);
			return 0;
		}
	} while (!atomic_long_try_cmpxchg_relaxed(&ring->head, &head, head + 1));
	slot = &ring->slots[head & ring->mask];
	slot->event = *event;
	slot->lost = lost;
	smp_store_release(&slot->turn, (u32)head + 1); /* with all that was written above */
	return used + 1;
}

static const struct ring_slot *slot_if_ready(const struct ring *ring, unsigned long number)
{
	const struct ring_slot *slot = &ring->slots[number & ring->mask];

	/* Acquire: the event is read after the mark that it is there. */
	return smp_load_acquire(&slot->turn) == (u32)number + 1 ? slot : NULL;
}

/* Two producers may note the count in another order than that of their slots: then it is the greater for both. */
static s32 lost_since(const struct ring *ring, const struct ring_slot *slot)
{
	return (s32)(slot->lost - (u32)ring->dropped);
}

unsigned int ring_ready(struct ring *ring, unsigned int max)
{
	const struct ring_slot *slot = slot_if_ready(ring, ring->tail);
	unsigned int n;

	if (!slot)
		return 0;
	if (lost_since(ring, slot) > 0)
		ring->dropped += lost_since(ring, slot);
	for (n = 1; n < max; n++) {
		slot = slot_if_ready(ring, ring->tail + n);
		if (!slot || lost_since(ring, slot) > 0)
			break;
	}
	return n;
}

void ring_copy(const struct ring *ring, struct irqshift_event *to, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		to[i] = ring->slots[(ring->tail + i) & ring->mask].event;
}

void ring_done(struct ring *ring, unsigned int n)
{
	smp_store_release(&ring->tail, ring->tail + n); /* after the events have been read */
}

void ring_give_up(struct ring *ring)
{
	unsigned long left = atomic_long_read(&ring->head) - ring->tail;

	ring->dropped = (u64)atomic_long_read(&ring->lost) + left;
}

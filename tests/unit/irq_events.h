/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made-up events of KVM's interrupt controllers, with a time that goes on by itself. */
#ifndef TESTS_UNIT_IRQ_EVENTS_H
#define TESTS_UNIT_IRQ_EVENTS_H

#include "kvm/event.h"

#define EVENT_US UINT64_C(1000)
#define EVENT_MS UINT64_C(1000000)
#define EVENT_S UINT64_C(1000000000)

/* Who raises the next event, and when: each event takes 1 us of it. */
struct event_maker {
	uint64_t time;
	uint32_t tid;
	uint16_t cpu;
};

struct irqshift_event event_line(struct event_maker *m, unsigned int gsi, int level);
struct irqshift_event event_pic(struct event_maker *m, unsigned int irq, bool coalesced);
struct irqshift_event event_ioapic(struct event_maker *m, unsigned int pin, uint8_t vector, bool level, bool coalesced);
struct irqshift_event event_held(struct event_maker *m, uint8_t vector);
struct irqshift_event event_msi(struct event_maker *m, uint8_t vector);
struct irqshift_event event_ipi(struct event_maker *m, uint8_t vector);
struct irqshift_event event_accept(struct event_maker *m, uint32_t vcpu, uint8_t vector);
struct irqshift_event event_accept_mode(struct event_maker *m, uint32_t vcpu, unsigned int mode);
struct irqshift_event event_posted(struct event_maker *m, uint32_t vcpu, uint8_t vector);
struct irqshift_event event_inject(struct event_maker *m, uint8_t vector, bool again);
struct irqshift_event event_eoi(struct event_maker *m, uint32_t vcpu, int vector);
struct irqshift_event event_pv_eoi(struct event_maker *m, uint32_t vcpu, int vector);
struct irqshift_event event_ack(struct event_maker *m, unsigned int chip, unsigned int pin);

#endif

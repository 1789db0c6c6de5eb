/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "irq_events.h"

#include <string.h>

#define PID 100u

static struct irqshift_event make(struct event_maker *m, unsigned int type, const __u64 *args, size_t n)
{
	struct irqshift_event e = { .time = m->time, .pid = m->tid ? PID : 0, .tid = m->tid, .type = (uint16_t)type, .cpu = m->cpu };

	m->time += EVENT_US;
	memcpy(e.arg, args, n * sizeof(*args));
	return e;
}

#define MAKE(m, NAME, ...) make(m, IRQSHIFT_EVENT_##NAME, (const __u64 *)&(struct irq_event_##NAME){ __VA_ARGS__ }, sizeof(struct irq_event_##NAME) / sizeof(__u64))

struct irqshift_event event_line(struct event_maker *m, unsigned int gsi, int level)
{
	return MAKE(m, SET_IRQ, .gsi = gsi, .level = (__u64)level);
}

struct irqshift_event event_pic(struct event_maker *m, unsigned int irq, bool coalesced)
{
	return MAKE(m, PIC_SET_IRQ, .chip = irq / 8, .pin = irq % 8, .coalesced = coalesced);
}

struct irqshift_event event_ioapic(struct event_maker *m, unsigned int pin, uint8_t vector, bool level, bool coalesced)
{
	return MAKE(m, IOAPIC_SET_IRQ, .e = (__u64)level << 15 | vector, .pin = pin, .coalesced = coalesced);
}

struct irqshift_event event_held(struct event_maker *m, uint8_t vector)
{
	return MAKE(m, IOAPIC_DELAYED_EOI, .e = 1u << 15 | vector);
}

struct irqshift_event event_msi(struct event_maker *m, uint8_t vector)
{
	return MAKE(m, MSI_SET_IRQ, .address = 0xfee01000, .data = 0x4000u | vector);
}

struct irqshift_event event_ipi(struct event_maker *m, uint8_t vector)
{
	return MAKE(m, APIC_IPI, .icr_low = 0x4000u | vector, .dest_id = 1);
}

struct irqshift_event event_accept(struct event_maker *m, uint32_t vcpu, uint8_t vector)
{
	return MAKE(m, APIC_ACCEPT_IRQ, .apicid = vcpu, .vec = vector);
}

struct irqshift_event event_accept_mode(struct event_maker *m, uint32_t vcpu, unsigned int mode)
{
	return MAKE(m, APIC_ACCEPT_IRQ, .apicid = vcpu, .dm = (__u64)mode << 8);
}

struct irqshift_event event_posted(struct event_maker *m, uint32_t vcpu, uint8_t vector)
{
	return MAKE(m, APICV_ACCEPT_IRQ, .apicid = vcpu, .vec = vector);
}

struct irqshift_event event_inject(struct event_maker *m, uint8_t vector, bool again)
{
	return MAKE(m, INJ_VIRQ, .vector = vector, .reinjected = again);
}

struct irqshift_event event_eoi(struct event_maker *m, uint32_t vcpu, int vector)
{
	return MAKE(m, EOI, .apicid = vcpu, .vector = (__u64)(int64_t)vector);
}

struct irqshift_event event_pv_eoi(struct event_maker *m, uint32_t vcpu, int vector)
{
	return MAKE(m, PV_EOI, .apicid = vcpu, .vector = (__u64)(int64_t)vector);
}

struct irqshift_event event_ack(struct event_maker *m, unsigned int chip, unsigned int pin)
{
	return MAKE(m, ACK_IRQ, .irqchip = chip, .pin = pin);
}

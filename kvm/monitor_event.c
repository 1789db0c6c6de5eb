/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One event after the other: whose it is, and what it means for lines, pins and LAPICs. */
#include <limits.h>

#include "kvm/monitor_priv.h"

/* ---- threads ---- */

/* Events in an interrupt have no thread: there is one interrupt at a time on a CPU. */
static uint32_t key_of(const struct irqshift_event *e)
{
	return e->tid ? e->tid : UINT32_C(1) << 31 | e->cpu;
}

static struct thread *thread_set(const struct monitor *m, uint32_t key)
{
	return (struct thread *)m->threads[(key ^ key >> 8 ^ key >> 16) % THREAD_SETS];
}

static struct thread *thread_find(const struct monitor *m, uint32_t key)
{
	struct thread *set = thread_set(m, key);

	for (unsigned int i = 0; i < THREAD_WAYS; i++)
		if (set[i].used && set[i].key == key)
			return &set[i];
	return NULL;
}

static struct thread *thread_of(struct monitor *m, uint32_t key)
{
	struct thread *t = thread_find(m, key), *set = thread_set(m, key);

	if (!t) {
		t = set;
		for (unsigned int i = 1; i < THREAD_WAYS; i++)
			t = set[i].used < t->used ? &set[i] : t;
		*t = (struct thread){ .key = key, .vcpu = -1 };
	}
	t->used = m->totals.events + 1;
	return t;
}

void monitor_name_thread(struct monitor *m, uint32_t tid, uint32_t vcpu)
{
	struct vcpu *v = tid ? monitor_vcpu(m, vcpu) : NULL;

	if (!v)
		return;
	thread_of(m, tid)->vcpu = (int)vcpu;
	v->pub.tid = (int)tid;
}

int monitor_vcpu_of(const struct monitor *m, const struct irqshift_event *e)
{
	const struct thread *t = thread_find(m, key_of(e));

	return t ? t->vcpu : -1;
}

/* ---- events ---- */

static void on_line(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	uint64_t gsi = irq_event_args(e, SET_IRQ)->gsi;

	t->cause = CAUSE_LINE;
	t->since = m->totals.last;
	t->gsi = gsi <= INT_MAX ? (int)gsi : -1;
	t->raiser = -1;
	t->raised = irq_event_args(e, SET_IRQ)->level != 0;
	t->served = t->wired = false;
	t->accepted = false;
}

static void on_message(struct monitor *m, struct thread *t, enum cause cause, uint64_t vector)
{
	/* A GSI whose route is a message: it began with the GSI. */
	if (cause != CAUSE_MSI || t->cause != CAUSE_LINE || !t->raised || t->wired) {
		t->since = m->totals.last;
		t->gsi = -1;
		t->raiser = t->vcpu;
	}
	t->cause = cause;
	t->vector = (uint8_t)vector;
	t->accepted = false;
}

static void on_pic(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_PIC_SET_IRQ *a = irq_event_args(e, PIC_SET_IRQ);
	struct monitor_pin *pin = &m->pic[(a->pin & 7) + (a->chip ? 8 : 0)];

	pin->raised += t->cause != CAUSE_LINE || t->raised;
	pin->coalesced += a->coalesced != 0;
	t->wired = true;
}

/* Comes behind the acceptances that it led to. */
static void on_ioapic(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_IOAPIC_SET_IRQ *a = irq_event_args(e, IOAPIC_SET_IRQ);
	bool raised = t->cause != CAUSE_LINE || t->raised, level = a->e >> 15 & 1, masked = a->e >> 16 & 1;
	struct vcpu *v = t->accepted ? monitor_vcpu(m, t->accepted_vcpu) : NULL;
	struct row *r = v ? v->rows[t->accepted_vector] : NULL;

	if (a->pin >= MONITOR_GSIS)
		return;
	m->ioapic[a->pin].raised += raised;
	m->ioapic[a->pin].coalesced += a->coalesced != 0;
	if (r && r->pub.vector == (uint8_t)a->e)
		r->pub.pin = (int)a->pin;
	if (!raised)
		m->pin_waits[a->pin] = 0;
	else if (level && !masked && !t->accepted && t->cause == CAUSE_LINE && !m->pin_waits[a->pin]) {
		m->pin_waits[a->pin] = t->since;
		m->pin_gsis[a->pin] = t->gsi;
	}
	t->served = t->wired = true;
}

static void on_held(struct monitor *m, const struct thread *t, const struct irqshift_event *e)
{
	uint8_t vector = (uint8_t)irq_event_args(e, IOAPIC_DELAYED_EOI)->e;
	struct vcpu *v = t->cause == CAUSE_REDELIVERY && t->vector == vector ? monitor_vcpu(m, t->eoi_vcpu) : NULL;
	struct row *r = v ? monitor_row(m, v, vector) : NULL;

	if (!r)
		return;
	if (r->pub.pin >= 0)
		m->ioapic[r->pub.pin].held++;
	judge_storm(m, r);
}

/* The IOAPIC looks at its line next: an acceptance that follows at once is of a line that is still high. */
static void on_ack(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_ACK_IRQ *a = irq_event_args(e, ACK_IRQ);

	if (a->irqchip == KVM_IRQCHIP_IOAPIC && t->cause == CAUSE_EOI)
		t->cause = CAUSE_REDELIVERY;
	if (a->irqchip == KVM_IRQCHIP_IOAPIC && a->pin < MONITOR_GSIS)
		m->ioapic[a->pin].acked++;
	else if (a->irqchip <= KVM_IRQCHIP_PIC_SLAVE && a->pin < 8)
		m->pic[a->pin + (a->irqchip == KVM_IRQCHIP_PIC_SLAVE ? 8 : 0)].acked++;
}

static void dispatch(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	switch (e->type) {
	case IRQSHIFT_EVENT_SET_IRQ:
		on_line(m, t, e);
		break;
	case IRQSHIFT_EVENT_MSI_SET_IRQ:
		on_message(m, t, CAUSE_MSI, irq_event_args(e, MSI_SET_IRQ)->data);
		break;
	case IRQSHIFT_EVENT_APIC_IPI:
		on_message(m, t, CAUSE_IPI, irq_event_args(e, APIC_IPI)->icr_low);
		break;
	case IRQSHIFT_EVENT_PIC_SET_IRQ:
		on_pic(m, t, e);
		break;
	case IRQSHIFT_EVENT_IOAPIC_SET_IRQ:
		on_ioapic(m, t, e);
		break;
	case IRQSHIFT_EVENT_IOAPIC_DELAYED_EOI:
		on_held(m, t, e);
		break;
	case IRQSHIFT_EVENT_ACK_IRQ:
		on_ack(m, t, e);
		break;
	case IRQSHIFT_EVENT_APIC_ACCEPT_IRQ:
	case IRQSHIFT_EVENT_APICV_ACCEPT_IRQ:
		step_accept(m, t, e);
		break;
	case IRQSHIFT_EVENT_INJ_VIRQ:
		step_inject(m, t, e);
		break;
	case IRQSHIFT_EVENT_EOI:
	case IRQSHIFT_EVENT_PV_EOI:
		step_eoi(m, t, e);
		break;
	default:
		break;
	}
}

static void pass_time(struct monitor *m, uint64_t time)
{
	struct monitor_totals *s = &m->totals;

	s->last = time > s->last ? time : s->last ? s->last
						  : 1;
	if (!s->first)
		s->first = s->last;
	if (s->last < m->next_look)
		return;
	judge_look(m);
	m->next_look = s->last < UINT64_MAX - MONITOR_LOOK_NS ? s->last + MONITOR_LOOK_NS : UINT64_MAX;
}

void monitor_event(struct monitor *m, const struct irqshift_event *e)
{
	struct thread *t;

	m->totals.events++;
	if (e->type >= IRQSHIFT_EVENT_TYPES) {
		m->totals.untabled++;
		return;
	}
	m->totals.by_type[e->type]++;
	pass_time(m, e->time);
	t = thread_of(m, key_of(e));
	if (t->vcpu >= 0 && m->vcpus[t->vcpu])
		m->vcpus[t->vcpu]->heard = m->totals.last;
	dispatch(m, t, e);
	if (e->type != IRQSHIFT_EVENT_APIC_ACCEPT_IRQ)
		t->accepted_unposted = false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An interrupt through a LAPIC: accepted, injected, ended. The order of KVM's events is that of 6.1 to 6.18. */
#include <string.h>

#include "kvm/monitor_priv.h"

#define MODE_INIT 5u

int vector_highest(const uint64_t set[4])
{
	for (int i = 3; i >= 0; i--)
		if (set[i])
			return i * 64 + 63 - __builtin_clzll(set[i]);
	return -1;
}

void step_forget(struct vcpu *v)
{
	for (unsigned int i = 0; i < MONITOR_VECTORS; i++) {
		if (!v->rows[i])
			continue;
		v->rows[i]->waiting = v->rows[i]->service = (struct instance){ 0 };
		v->rows[i]->maybe_queued = false;
	}
	memset(v->waiting, 0, sizeof(v->waiting));
	memset(v->service, 0, sizeof(v->service));
}

/* ---- accepted ---- */

/* A level line that rose while its entry was in service began when it rose; one that stayed high, now. */
static void delivered_again(struct monitor *m, const struct row *r, struct instance *i)
{
	uint64_t *since = r->pub.pin >= 0 ? &m->pin_waits[r->pub.pin] : NULL;

	i->origin = MONITOR_LINE;
	i->source = m->totals.last;
	if (!since || !*since)
		return;
	i->source = *since;
	i->gsi = m->pin_gsis[r->pub.pin];
	*since = 0;
}

static void raised_by(struct instance *i, const struct thread *t, enum monitor_origin origin)
{
	i->origin = origin;
	i->source = t->since;
	i->gsi = t->gsi;
	i->raiser = t->raiser;
}

/* Where it comes from, and since when; what its thread did before says it when the vector is the same. */
static struct instance instance_of(struct monitor *m, const struct thread *t, const struct row *r)
{
	struct instance i = { .accept = m->totals.last, .origin = MONITOR_UNKNOWN, .gsi = -1, .raiser = -1 };
	bool same = t->vector == r->pub.vector;

	if (t->cause == CAUSE_LINE && t->raised && !t->served)
		raised_by(&i, t, MONITOR_LINE);
	else if (t->cause == CAUSE_MSI && same)
		raised_by(&i, t, MONITOR_MSI);
	else if (t->cause == CAUSE_IPI && same)
		raised_by(&i, t, MONITOR_IPI);
	else if (t->cause == CAUSE_REDELIVERY && same)
		delivered_again(m, r, &i);
	else if (t->vcpu >= 0 && (uint32_t)t->vcpu == r->pub.vcpu)
		i.origin = MONITOR_LOCAL;
	return i;
}

static void take(struct monitor *m, struct vcpu *v, struct row *r, const struct instance *i)
{
	r->pub.accepted++;
	r->pub.origins[i->origin]++;
	if (r->waiting.accept) {
		r->pub.coalesced++;
		r->maybe_queued = !m->injections;
		return;
	}
	r->waiting = *i;
	vector_set(v->waiting, r->pub.vector);
}

/* Fixed and lowest priority go through IRR; the others have no vector of their own. */
static void take_other(struct vcpu *v, unsigned int mode)
{
	if (mode == MODE_INIT)
		step_forget(v);
}

void step_accept(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_APIC_ACCEPT_IRQ *a = irq_event_args(e, APIC_ACCEPT_IRQ);
	bool posted = e->type == IRQSHIFT_EVENT_APICV_ACCEPT_IRQ, again;
	struct vcpu *v = monitor_vcpu(m, a->apicid);
	struct row *r = v && irq_event_delivered(a->dm) ? monitor_row(m, v, (uint8_t)a->vec) : NULL;
	struct instance i;

	/* KVM says both, first that the LAPIC accepts, then that the processor gets it. */
	if (posted && t->accepted_unposted && t->accepted_vcpu == a->apicid && t->accepted_vector == (uint8_t)a->vec) {
		t->accepted_unposted = false;
		if (r)
			r->pub.posted++;
		return;
	}
	t->accepted = true;
	t->accepted_unposted = !posted;
	t->accepted_vcpu = (uint32_t)a->apicid;
	t->accepted_vector = (uint8_t)a->vec;
	if (!v)
		return;
	v->pub.accepts[a->dm >> 8 & 7]++;
	if (!r) {
		take_other(v, a->dm >> 8 & 7);
		return;
	}
	again = t->cause == CAUSE_REDELIVERY && t->vector == r->pub.vector;
	i = instance_of(m, t, r);
	take(m, v, r, &i);
	r->pub.posted += posted;
	r->pub.redelivered += again;
	judge_accept(m, r, again);
}

/* ---- injected ---- */

/* What is in service and does not let @vector through has been ended, or it could not have been injected. */
static void end_unseen(struct vcpu *v, uint8_t vector)
{
	int top;

	while ((top = vector_highest(v->service)) >= 0 && top >> 4 >= vector >> 4) {
		struct row *r = v->rows[top];

		r->pub.unseen++;
		r->pub.lost -= r->service.judged_lost;
		r->service = (struct instance){ 0 };
		vector_clear(v->service, (uint8_t)top);
	}
}

void step_inject(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_INJ_VIRQ *a = irq_event_args(e, INJ_VIRQ);
	struct vcpu *v = t->vcpu >= 0 ? monitor_vcpu(m, (uint64_t)t->vcpu) : NULL;
	struct row *r;

	if (a->soft)
		return;
	m->injections = true;
	r = v ? monitor_row(m, v, (uint8_t)a->vector) : NULL;
	if (!r) {
		m->totals.unassigned += !v;
		return;
	}
	if (a->reinjected) {
		r->pub.reinjected++;
		return;
	}
	r->pub.injected++;
	/* Without an acceptance it is the PIC's, which passes the LAPIC by, or it was accepted before all this began. */
	if (!r->waiting.accept)
		return;
	end_unseen(v, r->pub.vector);
	r->service = r->waiting;
	r->service.inject = m->totals.last;
	r->waiting = (struct instance){ 0 };
	vector_clear(v->waiting, r->pub.vector);
	vector_set(v->service, r->pub.vector);
}

/* ---- ended ---- */

static void measure(struct row *r, const struct instance *i, uint64_t now)
{
	latency_add(&r->pub.from_accept, now - i->accept);
	if (i->source)
		latency_add(&r->pub.from_source, now - i->source);
}

static void end(struct monitor *m, struct vcpu *v, struct row *r)
{
	bool served = r->service.accept != 0;
	struct instance *i = served ? &r->service : &r->waiting;

	r->pub.eois++;
	if (!i->accept) {
		/* One that was taken for coalesced had waited behind the one in service. */
		if (r->maybe_queued)
			r->pub.coalesced--;
		r->maybe_queued = false;
		return;
	}
	measure(r, i, m->totals.last);
	r->pub.lost -= i->judged_lost;
	r->pub.late += i->judged_lost;
	if (m->hook)
		monitor_tell(r, i, m->totals.last, m->hook, m->hook_ctx);
	vector_clear(served ? v->service : v->waiting, r->pub.vector);
	*i = (struct instance){ 0 };
}

void step_eoi(struct monitor *m, struct thread *t, const struct irqshift_event *e)
{
	const struct irq_event_EOI *a = irq_event_args(e, EOI);
	bool pv = e->type == IRQSHIFT_EVENT_PV_EOI, idle = (int64_t)a->vector < 0;
	/* The module does not know every LAPIC's vCPU; an EOI is the doing of its own thread. */
	uint64_t id = a->apicid >= MONITOR_VCPUS_MAX && t->vcpu >= 0 ? (uint64_t)t->vcpu : a->apicid;
	struct vcpu *v = monitor_vcpu(m, id);
	struct row *r = v && !idle ? monitor_row(m, v, (uint8_t)a->vector) : NULL;
	bool told = pv && (t->cause == CAUSE_EOI || t->cause == CAUSE_REDELIVERY) && t->eoi_vcpu == id && (idle || t->vector == (uint8_t)a->vector);

	if (!v)
		return;
	if (t->key == e->tid && e->tid)
		t->vcpu = (int)v->pub.id, v->pub.tid = (int)e->tid;
	/* An EOI that was left in memory comes as both, first kvm_eoi. */
	if (told && r)
		r->pub.pv_eois++;
	if (told)
		return;
	t->cause = CAUSE_EOI;
	t->since = m->totals.last;
	t->vector = idle ? MONITOR_VECTORS : (uint8_t)a->vector;
	t->eoi_vcpu = (uint32_t)id;
	if (idle)
		v->pub.idle_eois++;
	else if (r)
		end(m, v, r);
}

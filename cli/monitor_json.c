/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For programs: one object on a line, for an event or for a table. */
#include <jansson.h>

#include "cli/monitor.h"

static int print(json_t *object)
{
	int rc = object ? json_dumpf(object, stdout, JSON_COMPACT) : -1;

	json_decref(object);
	putchar('\n');
	return rc;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *latency(const struct latency *l)
{
	if (!l->count)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(l->count), "min", number(l->min), "median",
			 number(latency_quantile(l, 500)), "p99", number(latency_quantile(l, 990)), "max", number(l->max), "mean",
			 number(l->sum / l->count));
}

static json_t *origins(const struct monitor_row *r)
{
	static const char *const keys[MONITOR_ORIGINS] = { "line", "message", "ipi", "local", "unknown" };
	json_t *o = json_object();

	for (unsigned int i = 0; i < MONITOR_ORIGINS; i++)
		if (r->origins[i])
			json_object_set_new(o, keys[i], number(r->origins[i]));
	return o;
}

static json_t *row(const struct monitor_row *r, const struct watch_table *t)
{
	double rate = !t->final ? r->rate : t->seconds > 0 ? (double)r->accepted / t->seconds
							   : 0;
	const char *name = irq_linux_vector(r->vector);
	json_t *o = json_pack("{s:i, s:i, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "vcpu", (int)r->vcpu, "vector", (int)r->vector,
			      "from", origins(r), "rate", rate, "accepted", number(r->accepted), "coalesced", number(r->coalesced),
			      "redelivered", number(r->redelivered), "posted", number(r->posted), "injected", number(r->injected),
			      "reinjected", number(r->reinjected));

	json_object_set_new(o, "linux", name ? json_string(name) : json_null());
	json_object_set_new(o, "pin", r->pin >= 0 ? json_integer(r->pin) : json_null());
	json_object_set_new(o, "eois", number(r->eois));
	json_object_set_new(o, "pv_eois", number(r->pv_eois));
	json_object_set_new(o, "lost", monitor_judged(r) ? number(r->lost) : json_null());
	json_object_set_new(o, "late", number(r->late));
	json_object_set_new(o, "unseen", number(r->unseen));
	json_object_set_new(o, "storms", number(r->storms));
	json_object_set_new(o, "storming", json_boolean(r->storming));
	json_object_set_new(o, "accept_to_eoi_ns", latency(&r->from_accept));
	json_object_set_new(o, "source_to_eoi_ns", latency(&r->from_source));
	return o;
}

static void add_pin(json_t *list, unsigned int n, const struct monitor_pin *p)
{
	if (p->raised || p->acked || p->coalesced)
		json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o, s:o}", "pin", (int)n, "raised", number(p->raised),
						      "coalesced", number(p->coalesced), "acknowledged", number(p->acked), "held",
						      number(p->held)));
}

static json_t *vcpu(const struct monitor_vcpu *v)
{
	json_t *o = json_pack("{s:i, s:i, s:o}", "vcpu", (int)v->id, "tid", v->tid, "idle_eois", number(v->idle_eois));
	json_t *modes = json_object();

	for (unsigned int mode = 0; mode < 8; mode++)
		if (v->accepts[mode])
			json_object_set_new(modes, irq_delivery_name(mode), number(v->accepts[mode]));
	json_object_set_new(o, "accepted", modes);
	return o;
}

static json_t *counts(const struct monitor_totals *s)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		json_object_set_new(o, irq_event_rows[i].tracepoint, number(s->by_type[i]));
	return o;
}

int watch_print_table_json(const struct watch *w, const struct watch_table *t)
{
	const struct monitor_totals *s = monitor_totals(w->monitor);
	json_t *rows = json_array(), *ioapic = json_array(), *pic = json_array(), *vcpus = json_array(), *top;

	for (const struct monitor_row *r = NULL; (r = monitor_next_row(w->monitor, r));)
		json_array_append_new(rows, row(r, t));
	for (unsigned int i = 0; i < MONITOR_GSIS; i++)
		add_pin(ioapic, i, monitor_ioapic_pin(w->monitor, i));
	for (unsigned int i = 0; i < 16; i++)
		add_pin(pic, i, monitor_pic_irq(w->monitor, i));
	for (const struct monitor_vcpu *v = NULL; (v = monitor_next_vcpu(w->monitor, v));)
		json_array_append_new(vcpus, vcpu(v));
	top = json_pack("{s:s, s:o, s:f, s:b, s:o, s:o, s:o, s:o, s:o}", "source", w->source->name, "time_ns", number(t->now), "seconds",
			t->seconds, "final", t->final, "events", number(s->events), "lost", number(s->lost), "untabled",
			number(s->untabled), "unassigned", number(s->unassigned), "by_event", counts(s));
	json_object_set_new(top, "rows", rows);
	json_object_set_new(top, "ioapic", ioapic);
	json_object_set_new(top, "pic", pic);
	json_object_set_new(top, "vcpus", vcpus);
	return print(top) | fflush(stdout);
}

int watch_print_event_json(const struct watch *w, const struct irqshift_event *e)
{
	const struct irq_event_row *r = &irq_event_rows[e->type];
	char text[160];
	json_t *o;

	irq_event_text(e, text, sizeof(text));
	o = json_pack("{s:s, s:o, s:I, s:I, s:i, s:s, s:s}", "event", r->tracepoint, "time_ns", number(e->time), "pid",
		      (json_int_t)e->pid, "tid", (json_int_t)e->tid, "cpu", (int)e->cpu, "thread", watch_comm(w, e->tid), "text", text);
	for (unsigned int i = 0; o && i < r->nfields; i++)
		json_object_set_new(o, r->fields[i], number(e->arg[i]));
	return print(o);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source of the format: "Trace Event Format" (Chromium), as Perfetto's JSON importer takes it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kvm/perfetto_priv.h"

void perfetto_say(const struct perfetto *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->emit(p->ctx, text);
}

void perfetto_next(struct perfetto *p)
{
	p->emit(p->ctx, p->first ? "\n" : ",\n");
	p->first = false;
}

#define US "%" PRIu64 ".%03u"
#define us_of(ns) (ns) / 1000, (unsigned int)((ns) % 1000)

/* ---- slices ---- */

static void say_span(const struct perfetto *p, const char *name, uint64_t from, uint64_t to)
{
	if (from && to >= from)
		perfetto_say(p, ",\"%s_us\":" US, name, us_of(to - from));
}

/* In spans: a viewer shows times from the first event, and arguments as they are. */
static void say_interrupt(const struct perfetto *p, const struct monitor_interrupt *i, uint64_t begin)
{
	perfetto_say(p, ",\"args\":{\"origin\":\"%s\"", monitor_origin_name(i->origin));
	say_span(p, "source_to_accept", i->source, i->accept);
	say_span(p, "accept_to_inject", i->accept, i->inject);
	say_span(p, "inject_to_eoi", i->inject, i->eoi);
	say_span(p, "source_to_eoi", i->source, i->eoi);
	if (begin > i->accept)
		say_span(p, "behind_another", i->accept, begin);
	perfetto_say(p, ",\"ended\":%s}}", i->eoi ? "true" : "false");
}

/* Where its source was drawn. Return: false where that is not known. */
static bool track_of_source(struct perfetto *p, const struct monitor_interrupt *i, struct track *ret)
{
	if (!i->source || (i->origin == MONITOR_LINE && i->gsi < 0))
		return false;
	if (i->gsi >= 0)
		*ret = track_of_place(p, PLACE_GSI, (uint64_t)i->gsi);
	else if (i->raiser < 0 || !track_of_vcpu(p, (uint64_t)i->raiser, VCPU_THREAD, ret))
		*ret = track_of_place(p, PLACE_OTHERS, 0);
	return true;
}

static void say_arrow(struct perfetto *p, const char *phase, struct track t, uint64_t time)
{
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"%s\",\"cat\":\"interrupt\",\"name\":\"raises\",\"id\":\"0x%" PRIx64 "\",\"pid\":%u,\"tid\":%u,\"ts\":" US, phase,
		     p->arrows, t.group, t.id, us_of(time));
	p->emit(p->ctx, *phase == 'f' ? ",\"bp\":\"e\"}" : "}");
}

/* A slice that is written later begins at the same time, and would not be there yet for a viewer that takes them in order. */
static bool not_drawn_yet(const struct perfetto *p, const struct monitor_interrupt *i)
{
	const struct drawn_line *line = i->gsi >= 0 && i->gsi < (int)PLACE_TRACKS_MAX ? &p->lines[i->gsi] : NULL;

	return line && line->sources && line->since == i->source;
}

/* It ends within the slice: at its very beginning the one before it could be meant. */
static void arrow(struct perfetto *p, const struct monitor_interrupt *i, struct track to, uint64_t begin, uint64_t end)
{
	struct track from;

	if (!track_of_source(p, i, &from))
		return;
	p->arrows++;
	say_arrow(p, "s", from, i->source + not_drawn_yet(p, i));
	say_arrow(p, "f", to, begin + (end > begin));
}

/* Slices of a track follow one another: one that was accepted while another was served begins where that one ends. */
static void slice(void *ctx, const struct monitor_interrupt *i)
{
	struct perfetto *p = ctx;
	uint64_t end = i->eoi ? i->eoi : monitor_totals(p->m)->last, begin = i->accept, *last;
	struct track t;

	if (!track_of_vcpu(p, i->vcpu, VCPU_VECTORS + i->vector, &t))
		return;
	last = &p->vcpus[i->vcpu]->ends[i->vector];
	begin = begin < *last ? *last : begin;
	end = end < begin ? begin : end;
	*last = end;
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"X\",\"cat\":\"interrupt\",\"name\":\"vector %u\",\"pid\":%u,\"tid\":%u,\"ts\":" US ",\"dur\":" US,
		     i->vector, t.group, t.id, us_of(begin), us_of(end - begin));
	say_interrupt(p, i, begin);
	arrow(p, i, t, begin, end);
}

/* ---- instants ---- */

static struct track thread_track(struct perfetto *p, const struct irqshift_event *e)
{
	int vcpu = monitor_vcpu_of(p->m, e);
	struct track t;

	if (vcpu >= 0 && track_of_vcpu(p, (uint64_t)vcpu, VCPU_THREAD, &t))
		return t;
	return track_of_place(p, PLACE_OTHERS, 0);
}

static struct track lapic_track(struct perfetto *p, uint64_t apicid)
{
	struct track t;

	if (track_of_vcpu(p, apicid, VCPU_LAPIC, &t))
		return t;
	return track_of_place(p, PLACE_OTHERS, 0);
}

static struct track track_of(struct perfetto *p, const struct irqshift_event *e)
{
	switch (e->type) {
	case IRQSHIFT_EVENT_SET_IRQ:
		return track_of_place(p, PLACE_GSI, irq_event_args(e, SET_IRQ)->gsi);
	case IRQSHIFT_EVENT_IOAPIC_SET_IRQ:
		return track_of_place(p, PLACE_IOAPIC, irq_event_args(e, IOAPIC_SET_IRQ)->pin);
	case IRQSHIFT_EVENT_PIC_SET_IRQ:
		return track_of_place(p, PLACE_PIC, (irq_event_args(e, PIC_SET_IRQ)->pin & 7) + (irq_event_args(e, PIC_SET_IRQ)->chip ? 8 : 0));
	case IRQSHIFT_EVENT_APIC_ACCEPT_IRQ:
	case IRQSHIFT_EVENT_APICV_ACCEPT_IRQ:
	case IRQSHIFT_EVENT_EOI:
	case IRQSHIFT_EVENT_PV_EOI:
		return lapic_track(p, e->arg[0]);
	default:
		return thread_track(p, e);
	}
}

static void say_args(const struct perfetto *p, const struct irqshift_event *e)
{
	const struct irq_event_row *row = &irq_event_rows[e->type];

	perfetto_say(p, ",\"args\":{\"tid\":%u,\"cpu\":%u", e->tid, e->cpu);
	/* Beyond 2^53 a number is not exact in every reader. */
	for (unsigned int i = 0; i < row->nfields; i++)
		perfetto_say(p, ",\"%s\":\"%" PRId64 "\"", row->fields[i], (int64_t)e->arg[i]);
	p->emit(p->ctx, "}}");
}

/* @low: what ended it, or NULL. With its beginning: some viewers find the end of a slice by its name and arguments. */
static void say_line(struct perfetto *p, uint64_t gsi, uint64_t end, const struct irqshift_event *low)
{
	const struct drawn_line *line = &p->lines[gsi];
	struct track t = track_of_place(p, PLACE_GSI, gsi);

	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"X\",\"cat\":\"set_irq\",\"name\":\"GSI %u high\",\"pid\":%u,\"tid\":%u,\"ts\":" US ",\"dur\":" US, (uint32_t)gsi,
		     t.group, t.id, us_of(line->since), us_of(end - line->since));
	perfetto_say(p, ",\"args\":{\"high_by_tid\":%u,\"high_on_cpu\":%u", line->tid, line->cpu);
	if (low)
		perfetto_say(p, ",\"low_by_tid\":%u,\"low_on_cpu\":%u", low->tid, low->cpu);
	p->emit(p->ctx, "}}");
}

/* Its level is what its sources make of it together. Return: whether the line has changed, which is drawn when it is low. */
static bool change_line(struct perfetto *p, const struct irqshift_event *e, uint64_t time)
{
	const struct irq_event_SET_IRQ *a = irq_event_args(e, SET_IRQ);
	uint64_t source = UINT64_C(1) << (a->irq_source_id & 63), was;
	struct drawn_line *line;

	if (a->gsi >= PLACE_TRACKS_MAX)
		return false;
	line = &p->lines[a->gsi];
	was = line->sources;
	line->sources = a->level ? was | source : was & ~source;
	if (!was == !line->sources)
		return false;
	if (was) {
		say_line(p, a->gsi, time, e);
	} else {
		line->since = time;
		line->tid = e->tid;
		line->cpu = e->cpu;
	}
	return true;
}

static void all_lines_end(struct perfetto *p, uint64_t time)
{
	for (uint64_t gsi = 0; gsi < PLACE_TRACKS_MAX; gsi++) {
		if (p->lines[gsi].sources)
			say_line(p, gsi, time, NULL);
		p->lines[gsi].sources = 0;
	}
}

void perfetto_event(struct perfetto *p, const struct irqshift_event *e)
{
	/* As the monitor takes it, which lets time not go back. */
	uint64_t time = monitor_totals(p->m)->last;
	struct track t;
	char text[160];

	if (e->type >= IRQSHIFT_EVENT_TYPES || (e->type == IRQSHIFT_EVENT_SET_IRQ && change_line(p, e, time)))
		return;
	t = track_of(p, e);
	irq_event_text(e, text, sizeof(text));
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":" US, irq_event_rows[e->type].name,
		     text, t.group, t.id, us_of(time));
	say_args(p, e);
}

/* The mark goes through all tracks, and the slice says since when. */
void perfetto_lost(struct perfetto *p, uint64_t time, uint64_t n)
{
	struct track t = track_of_place(p, PLACE_MISSING, 0);
	uint64_t last = monitor_totals(p->m)->last, begin;

	time = time < last ? last : time;
	begin = last ? last : time;
	/* Whether they are high still is not known. */
	all_lines_end(p, begin);
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"X\",\"cat\":\"lost\",\"name\":\"%" PRIu64 " events lost\",\"pid\":%u,\"tid\":%u,\"ts\":" US ",\"dur\":" US "}", n,
		     t.group, t.id, us_of(begin), us_of(time - begin));
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"i\",\"s\":\"g\",\"cat\":\"lost\",\"name\":\"events lost\",\"pid\":%u,\"tid\":%u,\"ts\":" US, t.group, t.id,
		     us_of(time));
	perfetto_say(p, ",\"args\":{\"events\":%" PRIu64 "}}", n);
}

/* ---- the document ---- */

void perfetto_name_vectors(struct perfetto *p, const char *(*name)(unsigned int vector))
{
	p->vector_name = name;
}

int perfetto_begin(void (*emit)(void *ctx, const char *text), void *ctx, struct monitor *m, struct perfetto **ret)
{
	struct perfetto *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct perfetto){ .emit = emit, .ctx = ctx, .m = m, .first = true };
	monitor_hook_interrupts(m, slice, p);
	/* No displayTimeUnit: Perfetto of before 2022 takes it for the unit of the times. */
	emit(ctx, "{\"traceEvents\":[");
	*ret = p;
	return 0;
}

void perfetto_end(struct perfetto *p)
{
	const struct monitor_totals *s;

	if (!p)
		return;
	s = monitor_totals(p->m);
	monitor_hook_interrupts(p->m, NULL, NULL);
	monitor_each_pending(p->m, slice, p);
	all_lines_end(p, s->last);
	perfetto_say(p, "\n],\"otherData\":{\"clock\":\"CLOCK_MONOTONIC\",\"events\":\"%" PRIu64 "\",\"lost\":\"%" PRIu64 "\"}}\n", s->events,
		     s->lost);
	for (unsigned int i = 0; i < MONITOR_VCPUS_MAX; i++)
		free(p->vcpus[i]);
	free(p);
}

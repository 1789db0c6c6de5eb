/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source of the format: "Trace Event Format" (Chromium), as Perfetto's JSON importer takes it. */
#include "kvm/perfetto.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A group is a process to the viewer, a track a thread, whose number is its own in the whole document. */
#define BOARD_GROUP 1u
#define VCPU_GROUP 16u     /* and the identifier */
#define BOARD_TRACKS 1u    /* and a kind of its own for each */
#define VCPU_TRACKS 65536u /* and 512 of each vCPU */
#define TRACKS_EACH 512u

enum vcpu_track {
	TRACK_THREAD,
	TRACK_LAPIC,
	TRACK_VECTORS = 16, /* and the vector */
};

enum board_track {
	TRACK_MESSAGES,
	TRACK_MISSING,
	TRACK_GSIS = 64,      /* and the GSI, up to 4095 */
	TRACK_IOAPIC = 8192,  /* and the pin */
	TRACK_PIC = 8192 + 64 /* and the IRQ */
};

#define GSIS 4096u

struct perfetto {
	void (*emit)(void *ctx, const char *text);
	void *ctx;
	struct monitor *m;
	bool first;
	uint8_t board[(VCPU_TRACKS + 7) / 8]; /* tracks that have their names */
	uint8_t *vcpus[MONITOR_VCPUS_MAX];    /* TRACKS_EACH bits */
	uint64_t *ends[MONITOR_VCPUS_MAX];    /* of the last slice, by vector */
};

static void say(const struct perfetto *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct perfetto *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->emit(p->ctx, text);
}

/* Between two events of the document. */
static void next(struct perfetto *p)
{
	p->emit(p->ctx, p->first ? "\n" : ",\n");
	p->first = false;
}

#define US "%" PRIu64 ".%03u"
#define us_of(ns) (ns) / 1000, (unsigned int)((ns) % 1000)

/* ---- tracks ---- */

struct track {
	uint32_t group, id;
};

static void name_group(struct perfetto *p, uint32_t group, const char *what, int number)
{
	char name[32];

	if (number >= 0)
		snprintf(name, sizeof(name), "%s %d", what, number);
	else
		snprintf(name, sizeof(name), "%s", what);
	next(p);
	say(p, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"tid\":0,\"args\":{\"name\":\"%s\"}}", group, name);
	next(p);
	say(p, "{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":%u,\"tid\":0,\"args\":{\"sort_index\":%u}}", group, group);
}

static void name_track(struct perfetto *p, struct track t, const char *what, int number)
{
	char name[32];

	if (number >= 0)
		snprintf(name, sizeof(name), "%s %d", what, number);
	else
		snprintf(name, sizeof(name), "%s", what);
	next(p);
	say(p, "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"%s\"}}", t.group, t.id, name);
	next(p);
	say(p, "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%u,\"tid\":%u,\"args\":{\"sort_index\":%u}}", t.group, t.id,
	    t.id);
}

/* Return: whether the bit was clear. */
static bool mark(uint8_t *bits, uint32_t n)
{
	bool was = bits[n / 8] >> n % 8 & 1;

	bits[n / 8] |= (uint8_t)(1u << n % 8);
	return !was;
}

static struct track board_track(struct perfetto *p, uint32_t kind, const char *what, int number)
{
	struct track t = { BOARD_GROUP, BOARD_TRACKS + kind };

	if (mark(p->board, kind))
		name_track(p, t, what, number);
	return t;
}

/* Return: whether there is room for this vCPU's tracks. */
static bool vcpu_room(struct perfetto *p, uint32_t vcpu)
{
	if (vcpu >= MONITOR_VCPUS_MAX)
		return false;
	if (p->vcpus[vcpu])
		return true;
	p->vcpus[vcpu] = calloc(1, TRACKS_EACH / 8);
	p->ends[vcpu] = calloc(MONITOR_VECTORS, sizeof(uint64_t));
	if (!p->vcpus[vcpu] || !p->ends[vcpu]) {
		free(p->vcpus[vcpu]);
		free(p->ends[vcpu]);
		p->vcpus[vcpu] = NULL;
		p->ends[vcpu] = NULL;
		return false;
	}
	name_group(p, VCPU_GROUP + vcpu, "vCPU", (int)vcpu);
	return true;
}

static bool vcpu_track(struct perfetto *p, uint32_t vcpu, uint32_t kind, const char *what, int number, struct track *ret)
{
	if (!vcpu_room(p, vcpu))
		return false;
	*ret = (struct track){ VCPU_GROUP + vcpu, VCPU_TRACKS + vcpu * TRACKS_EACH + kind };
	if (mark(p->vcpus[vcpu], kind))
		name_track(p, *ret, what, number);
	return true;
}

/* ---- slices ---- */

/* Slices of a track follow one another: one that was accepted while another was served begins where that one ends. */
static void slice(void *ctx, const struct monitor_interrupt *i)
{
	struct perfetto *p = ctx;
	uint64_t end = i->eoi ? i->eoi : monitor_totals(p->m)->last, begin = i->accept, *last;
	struct track t;

	if (!vcpu_track(p, i->vcpu, TRACK_VECTORS + i->vector, "vector", i->vector, &t))
		return;
	last = &p->ends[i->vcpu][i->vector];
	begin = begin < *last ? *last : begin;
	end = end < begin ? begin : end;
	*last = end;
	next(p);
	say(p, "{\"ph\":\"X\",\"cat\":\"interrupt\",\"name\":\"vector %u\",\"pid\":%u,\"tid\":%u,\"ts\":" US ",\"dur\":" US, i->vector,
	    t.group, t.id, us_of(begin), us_of(end - begin));
	say(p, ",\"args\":{\"origin\":\"%s\",\"accepted\":" US, monitor_origin_name(i->origin), us_of(i->accept));
	if (i->source)
		say(p, ",\"raised\":" US, us_of(i->source));
	if (i->inject)
		say(p, ",\"injected\":" US, us_of(i->inject));
	say(p, ",\"ended\":%s}}", i->eoi ? "true" : "false");
}

/* ---- instants ---- */

static struct track thread_track(struct perfetto *p, const struct irqshift_event *e)
{
	int vcpu = monitor_vcpu_of(p->m, e);
	struct track t;

	if (vcpu >= 0 && vcpu_track(p, (uint32_t)vcpu, TRACK_THREAD, "vCPU", vcpu, &t))
		return t;
	return board_track(p, TRACK_MESSAGES, "messages and others", -1);
}

static struct track lapic_track(struct perfetto *p, uint64_t apicid)
{
	struct track t;

	if (apicid < MONITOR_VCPUS_MAX && vcpu_track(p, (uint32_t)apicid, TRACK_LAPIC, "LAPIC", (int)apicid, &t))
		return t;
	return board_track(p, TRACK_MESSAGES, "messages and others", -1);
}

static struct track track_of(struct perfetto *p, const struct irqshift_event *e)
{
	uint64_t pin;

	switch (e->type) {
	case IRQSHIFT_EVENT_SET_IRQ:
		pin = irq_event_args(e, SET_IRQ)->gsi % GSIS;
		return board_track(p, TRACK_GSIS + (uint32_t)pin, "GSI", (int)pin);
	case IRQSHIFT_EVENT_IOAPIC_SET_IRQ:
		pin = irq_event_args(e, IOAPIC_SET_IRQ)->pin % 64;
		return board_track(p, TRACK_IOAPIC + (uint32_t)pin, "IOAPIC pin", (int)pin);
	case IRQSHIFT_EVENT_PIC_SET_IRQ:
		pin = (irq_event_args(e, PIC_SET_IRQ)->pin & 7) + (irq_event_args(e, PIC_SET_IRQ)->chip ? 8 : 0);
		return board_track(p, TRACK_PIC + (uint32_t)pin, "PIC IRQ", (int)pin);
	case IRQSHIFT_EVENT_APIC_ACCEPT_IRQ:
	case IRQSHIFT_EVENT_APICV_ACCEPT_IRQ:
	case IRQSHIFT_EVENT_EOI:
	case IRQSHIFT_EVENT_PV_EOI:
		return lapic_track(p, e->arg[0]);
	default:
		return thread_track(p, e);
	}
}

void perfetto_event(struct perfetto *p, const struct irqshift_event *e)
{
	const struct irq_event_row *row;
	struct track t;
	char text[160];

	if (e->type >= IRQSHIFT_EVENT_TYPES)
		return;
	row = &irq_event_rows[e->type];
	t = track_of(p, e);
	irq_event_text(e, text, sizeof(text));
	next(p);
	say(p, "{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":" US, row->name, text, t.group, t.id,
	    us_of((uint64_t)e->time));
	say(p, ",\"args\":{\"tid\":%u,\"cpu\":%u", e->tid, e->cpu);
	/* Beyond 2^53 a number is not exact in every reader. */
	for (unsigned int i = 0; i < row->nfields; i++)
		say(p, ",\"%s\":\"%" PRId64 "\"", row->fields[i], (int64_t)e->arg[i]);
	p->emit(p->ctx, "}}");
}

void perfetto_lost(struct perfetto *p, uint64_t time, uint64_t n)
{
	struct track t = board_track(p, TRACK_MISSING, "events missing", -1);

	next(p);
	say(p, "{\"ph\":\"i\",\"s\":\"g\",\"cat\":\"lost\",\"name\":\"%" PRIu64 " events lost\",\"pid\":%u,\"tid\":%u,\"ts\":" US "}", n,
	    t.group, t.id, us_of(time));
}

/* ---- the document ---- */

int perfetto_begin(void (*emit)(void *ctx, const char *text), void *ctx, struct monitor *m, struct perfetto **ret)
{
	struct perfetto *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct perfetto){ .emit = emit, .ctx = ctx, .m = m, .first = true };
	monitor_hook_interrupts(m, slice, p);
	emit(ctx, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	name_group(p, BOARD_GROUP, "lines and messages", -1);
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
	say(p, "\n],\"otherData\":{\"clock\":\"CLOCK_MONOTONIC\",\"events\":\"%" PRIu64 "\",\"lost\":\"%" PRIu64 "\"}}\n", s->events,
	    s->lost);
	for (unsigned int i = 0; i < MONITOR_VCPUS_MAX; i++) {
		free(p->vcpus[i]);
		free(p->ends[i]);
	}
	free(p);
}

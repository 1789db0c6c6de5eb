/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables for a person: redrawn on a terminal, the busiest first; one after the other elsewhere, by vCPU and vector. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/monitor.h"

#define LINES_AROUND 6u /* of a terminal, that are no rows */

static void ns_text(uint64_t ns, char *buf, size_t size)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = { { UINT64_C(1000000000), "s" }, { 1000000, "ms" }, { 1000, "us" } };

	for (size_t i = 0; i < 3; i++) {
		double v = (double)ns / (double)units[i].unit;

		if (v < 1)
			continue;
		snprintf(buf, size, v < 10 ? "%.2f %s" : v < 100 ? "%.1f %s"
								 : "%.0f %s",
			 v, units[i].name);
		return;
	}
	snprintf(buf, size, "%" PRIu64 " ns", ns);
}

/* What raised it, as far as is known: one cause, or the two with the most. */
static void origin_text(const struct watch *w, const struct monitor_row *r, char *buf, size_t size)
{
	const char *name = w->o->linux_names ? irq_linux_vector(r->vector) : NULL;
	unsigned int top = MONITOR_UNKNOWN;
	bool others = false;

	for (unsigned int i = 0; i < MONITOR_ORIGINS; i++)
		top = r->origins[i] > r->origins[top] ? i : top;
	for (unsigned int i = 0; i < MONITOR_ORIGINS; i++)
		others |= i != top && r->origins[i];
	if (name)
		snprintf(buf, size, "%s", name);
	else if (top == MONITOR_LINE && r->pin >= 0)
		snprintf(buf, size, "IOAPIC pin %d%s", r->pin, others ? ", ..." : "");
	else if (!r->accepted)
		snprintf(buf, size, "%s", r->injected ? "PIC" : "-");
	else
		snprintf(buf, size, "%s%s", monitor_origin_name(top), others ? ", ..." : "");
}

static void print_heading(void)
{
	printf("vCPU vector from                    /s     count merged      EOI   median      p99      max   lost storms\n");
}

static void print_row(const struct watch *w, const struct watch_table *t, const struct monitor_row *r)
{
	bool whole = r->from_source.count * 2 > r->from_accept.count;
	const struct latency *l = whole ? &r->from_source : &r->from_accept;
	double rate = !t->final ? r->rate : t->seconds > 0 ? (double)r->accepted / t->seconds
							   : 0;
	char from[32], lost[24], spans[3][16] = { "-", "-", "-" };

	origin_text(w, r, from, sizeof(from));
	if (l->count) {
		ns_text(latency_quantile(l, 500), spans[0], sizeof(spans[0]));
		ns_text(latency_quantile(l, 990), spans[1], sizeof(spans[1]));
		ns_text(l->max, spans[2], sizeof(spans[2]));
	}
	snprintf(lost, sizeof(lost), monitor_judged(r) ? "%" PRIu64 : "?", r->lost);
	printf("%4u %6u %-18.18s %8.1f %9" PRIu64 " %6" PRIu64 " %8" PRIu64 " %8s %8s %8s%s %5s %6" PRIu64 "%s\n", r->vcpu, r->vector,
	       from, rate, r->accepted, r->coalesced, r->eois, spans[0], spans[1], spans[2], whole || !l->count ? " " : "*", lost,
	       r->storms, r->storming ? " now" : "");
}

/* ---- what is below the rows ---- */

static void print_pin(const char *what, unsigned int n, const struct monitor_pin *p)
{
	if (!p->raised && !p->acked && !p->coalesced)
		return;
	printf("%s %u: raised %" PRIu64 ", merged %" PRIu64 ", acknowledged %" PRIu64, what, n, p->raised, p->coalesced, p->acked);
	if (p->held)
		printf(", held back %" PRIu64, p->held);
	putchar('\n');
}

static void print_vcpu(const struct monitor_vcpu *v)
{
	bool any = v->idle_eois != 0;

	for (unsigned int mode = 2; mode < 8; mode++)
		any |= v->accepts[mode] != 0;
	if (!any)
		return;
	printf("vCPU %u:", v->id);
	for (unsigned int mode = 2; mode < 8; mode++)
		if (v->accepts[mode])
			printf(" %s %" PRIu64, irq_delivery_name(mode), v->accepts[mode]);
	if (v->idle_eois)
		printf(" EOI with nothing in service %" PRIu64, v->idle_eois);
	putchar('\n');
}

static void print_sum(const struct watch *w)
{
	const struct monitor_totals *s = monitor_totals(w->monitor);
	uint64_t late = 0, unseen = 0, again = 0;

	for (unsigned int i = 0; i < MONITOR_GSIS; i++)
		print_pin("IOAPIC pin", i, monitor_ioapic_pin(w->monitor, i));
	for (unsigned int i = 0; i < 16; i++)
		print_pin("PIC IRQ", i, monitor_pic_irq(w->monitor, i));
	for (const struct monitor_vcpu *v = NULL; (v = monitor_next_vcpu(w->monitor, v));)
		print_vcpu(v);
	for (const struct monitor_row *r = NULL; (r = monitor_next_row(w->monitor, r));)
		late += r->late, unseen += r->unseen, again += r->redelivered;
	if (late || unseen || again)
		printf("EOI late %" PRIu64 ", not shown %" PRIu64 "; delivered again at the EOI %" PRIu64 "\n", late, unseen, again);
	printf("events:");
	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		if (s->by_type[i])
			printf(" %s %" PRIu64, irq_event_rows[i].name, s->by_type[i]);
	puts(s->events ? "" : " none");
	if (s->unassigned)
		printf("%" PRIu64 " injections in threads of which the vCPU is not known\n", s->unassigned);
	if (s->untabled)
		printf("%" PRIu64 " events beyond what is tabled\n", s->untabled);
}

static void print_notes(const struct watch *w, bool starred, bool unknown)
{
	uint64_t lost = monitor_totals(w->monitor)->lost;

	if (starred)
		puts("* from the acceptance to the EOI; the others from the line, message or IPI");
	if (unknown)
		puts("? no EOI is judged: the host does not show all injections and EOIs of it");
	if (lost)
		printf("%" PRIu64 " events were lost before they were read: the numbers are too low\n", lost);
}

/* ---- tables ---- */

struct listed {
	const struct monitor_row **rows;
	size_t count;
};

static struct listed list_rows(const struct watch *w)
{
	struct listed l = { NULL, 0 };
	size_t n = 0;

	for (const struct monitor_row *r = NULL; (r = monitor_next_row(w->monitor, r));)
		n++;
	l.rows = n ? calloc(n, sizeof(struct monitor_row *)) : NULL;
	for (const struct monitor_row *r = NULL; l.rows && (r = monitor_next_row(w->monitor, r));)
		l.rows[l.count++] = r;
	return l;
}

static int busiest_first(const void *a, const void *b)
{
	const struct monitor_row *x = *(const struct monitor_row *const *)a, *y = *(const struct monitor_row *const *)b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return (x->accepted < y->accepted) - (x->accepted > y->accepted);
}

/* How many rows a terminal has room for. */
static size_t room(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row <= LINES_AROUND)
		return 20;
	return size.ws_row - LINES_AROUND;
}

void watch_print_table(const struct watch *w, const struct watch_table *t)
{
	const struct monitor_totals *s = monitor_totals(w->monitor);
	bool redraw = isatty(STDOUT_FILENO) && !t->final && !w->o->replay, starred = false, unknown = false;
	struct listed l = list_rows(w);

	if (redraw) {
		qsort(l.rows, l.count, l.count ? sizeof(*l.rows) : 1, busiest_first);
		l.count = l.count < room() ? l.count : room();
		fputs("\033[H\033[J", stdout);
	} else if (w->tables) {
		putchar('\n');
	}
	printf("%s%s%s, %.1f s%s: %" PRIu64 " events, %" PRIu64 " lost\n", w->who, w->recording ? "" : ", ",
	       w->recording ? "" : w->source->name, t->seconds, t->final ? ", all" : "", s->events, s->lost);
	print_heading();
	for (size_t i = 0; i < l.count; i++) {
		print_row(w, t, l.rows[i]);
		starred |= l.rows[i]->from_accept.count && l.rows[i]->from_source.count * 2 <= l.rows[i]->from_accept.count;
		unknown |= !monitor_judged(l.rows[i]);
	}
	if (t->final)
		print_sum(w);
	print_notes(w, starred, unknown);
	fflush(stdout);
	free(l.rows);
}

void watch_print_event(const struct watch *w, const struct irqshift_event *e)
{
	double seconds = (double)(e->time - w->began) / 1e9;
	char text[160];

	irq_event_text(e, text, sizeof(text));
	if (e->time < w->began)
		seconds = -(double)(w->began - e->time) / 1e9;
	printf("%11.6f %-15s %7u %3u  %s\n", seconds, e->tid ? watch_comm(w, e->tid) : "(interrupt)", e->tid, e->cpu, text);
}

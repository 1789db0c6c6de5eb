/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/proxy_events.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream/address.h"

#define PAGE 4096u
#define MIB ((double)(1 << 20))
#define PROGRESS_MS 500

static const char no_return_path[] =
	"the source opened no return path: a refusal at its end comes too late for it to resume by itself "
	"(set the capability return-path on at the source; docs/proxy.md)";

/* ---- how things are said ---- */

static void event(json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;

	if (text)
		puts(text);
	fflush(stdout);
	free(text);
	json_decref(o);
}

__attribute__((format(printf, 2, 3))) static void say(struct proxy_events *e, const char *fmt, ...)
{
	va_list ap;

	if (e && e->on_line)
		fputc('\n', stderr);
	if (e)
		e->on_line = false;
	fprintf(stderr, "%s: ", CLI_NAME);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void proxy_events_listening(int fd, bool json)
{
	char address[256];

	address_format(fd, address, sizeof(address));
	if (json)
		event(json_pack("{s:s, s:s}", "event", "listening", "address", address));
	else
		say(NULL, "listening on %s", address);
}

void proxy_events_begin(struct proxy_events *e, bool json)
{
	*e = (struct proxy_events){ .json = json, .terminal = isatty(STDERR_FILENO) };
}

void proxy_events_connected(struct proxy_events *e)
{
	if (e->json)
		event(json_pack("{s:s}", "event", "connected"));
	else
		say(e, "source and destination are connected");
}

/* ---- progress ---- */

static uint64_t pages(const struct qemu_ram *r)
{
	return r->normal_pages + r->zero_pages + r->xbzrle_pages + r->compressed_pages;
}

/* Seconds that the first pass over the RAM will take still; negative: not known, pages come again by now. */
static double seconds_left(const struct proxy_events *e, const struct qemu_ram *r)
{
	uint64_t done = pages(r) * PAGE;

	if (done >= r->total_bytes || !done || !e->last.elapsed_ms)
		return -1;
	return (double)(r->total_bytes - done) / ((double)done * 1000 / (double)e->last.elapsed_ms);
}

static void note_rate(struct proxy_events *e, const struct proxy_status *s)
{
	int64_t ms = s->elapsed_ms - e->printed_ms;

	if (ms > 0)
		e->rate = (double)(s->relay.bytes - e->printed_bytes) * 1000 / (double)ms;
	e->printed_ms = s->elapsed_ms;
	e->printed_bytes = s->relay.bytes;
}

static void print_progress(struct proxy_events *e, const struct proxy_status *s)
{
	const struct qemu_ram *r = &s->relay.ram;
	double left;

	note_rate(e, s);
	left = seconds_left(e, r);
	if (e->json) {
		json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:f}", "event", "progress", "pages", (json_int_t)pages(r),
				      "bytes", (json_int_t)s->relay.bytes, "ram_bytes", (json_int_t)r->total_bytes,
				      "bytes_per_second", e->rate);

		if (o && left >= 0)
			json_object_set_new(o, "seconds_left", json_real(left));
		event(o);
		return;
	}
	if (!e->terminal)
		return;
	fprintf(stderr, "\r%" PRIu64 " pages, %.0f of %.0f MiB, %.0f MiB/s", pages(r), (double)s->relay.bytes / MIB,
		(double)r->total_bytes / MIB, e->rate / MIB);
	if (left >= 0)
		fprintf(stderr, ", %.0f s left", left);
	fprintf(stderr, "\033[K");
	e->on_line = true;
}

static void print_started(struct proxy_events *e, const struct proxy_status *s)
{
	e->started = true;
	if (e->json)
		event(json_pack("{s:s, s:b, s:I}", "event", "started", "return_path", s->relay.return_path, "ram_bytes",
				(json_int_t)s->relay.ram.total_bytes));
	if (s->relay.return_path)
		return;
	if (e->json)
		event(json_pack("{s:s, s:s}", "event", "warning", "text", no_return_path));
	else
		say(e, "%s", no_return_path);
}

void proxy_events_status(struct proxy_events *e, const struct proxy_status *s)
{
	e->last = *s;
	if (s->relay.ram_started && !e->started)
		print_started(e, s);
	if (s->elapsed_ms - e->printed_ms >= PROGRESS_MS && s->relay.phase == RELAY_RAM)
		print_progress(e, s);
	if (s->relay.phase >= RELAY_DEVICES && !e->devices) {
		e->devices = true;
		print_progress(e, s);
		if (e->json)
			event(json_pack("{s:s}", "event", "devices"));
	}
}

void proxy_events_converted(struct proxy_events *e, const struct cli_conversion *c)
{
	char from[64], to[64];

	profile_format(&c->from, from, sizeof(from));
	profile_format(&c->to, to, sizeof(to));
	if (!e->json)
		say(e, "%s -> %s: %s", from, to, c->rc ? "refused" : "converted");
	else
		event(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "event", "converted", "from", from, "to", to, "verdict",
				c->rc ? "refused" : "possible", "bytes", (json_int_t)e->last.relay.held, "held_us",
				(json_int_t)e->last.held_us));
}

static void print_failure(struct proxy_events *e, const struct irqs_error *err)
{
	static const char *const names[] = {
		[IRQS_SYSTEM] = "failed",
		[IRQS_USAGE] = "failed",
		[IRQS_REFUSED] = "refused",
		[IRQS_MALFORMED] = "malformed",
	};
	char line[640];

	irqs_error_format(err, NULL, line, sizeof(line));
	if (e->json)
		event(json_pack("{s:s, s:s, s:i, s:s}", "event", "end", "result", names[err->status], "status", err->status,
				"error", line));
	else
		say(e, "%s", line);
	if (e->started && !e->last.relay.return_path && e->last.relay.phase >= RELAY_DEVICES && !e->json)
		say(e, "the source may believe that it has migrated: 'cont' in its monitor has its guest run on");
}

void proxy_events_end(struct proxy_events *e, const struct irqs_error *err)
{
	const struct proxy_status *s = &e->last;

	if (err) {
		print_failure(e, err);
		return;
	}
	if (e->json)
		event(json_pack("{s:s, s:s, s:i, s:I, s:I, s:f, s:b, s:b}", "event", "end", "result", "done", "status", 0, "pages",
				(json_int_t)pages(&s->relay.ram), "bytes", (json_int_t)s->relay.bytes, "seconds",
				(double)s->elapsed_ms / 1000, "confirmed", s->shut, "switchover_ack", s->switchover_ack));
	else
		say(e, "done: %" PRIu64 " pages, %.0f MiB in %.1f s%s", pages(&s->relay.ram), (double)s->relay.bytes / MIB,
		    (double)s->elapsed_ms / 1000,
		    s->shut ? "; the destination has it" : "; without a return path nobody says whether it was loaded");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report of a conversion, in memory and as JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "filters/report.h"

void report_init(struct report *r)
{
	memset(r, 0, sizeof(*r));
}

static void entry_deinit(struct report_entry *e)
{
	free(e->path);
	free(e->old_value);
	free(e->new_value);
	free(e->why);
}

void report_deinit(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		entry_deinit(&r->entries[i]);
	free(r->entries);
	report_init(r);
}

static bool grow(struct report *r)
{
	size_t capacity = r->capacity ? 2 * r->capacity : 16;
	struct report_entry *e;

	if (r->count < r->capacity)
		return true;
	e = realloc(r->entries, capacity * sizeof(*e));
	if (!e)
		return false;
	r->entries = e;
	r->capacity = capacity;
	return true;
}

static char *format_text(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *fmt, va_list ap)
{
	va_list measured;
	char *s;
	int len;

	va_copy(measured, ap);
	len = vsnprintf(NULL, 0, fmt, measured);
	va_end(measured);
	s = len < 0 ? NULL : malloc((size_t)len + 1);
	if (s)
		vsnprintf(s, (size_t)len + 1, fmt, ap);
	return s;
}

void report_add(struct report *r, const char *filter, enum report_action action, enum report_cost cost,
		const char *path, const char *old_value, const char *new_value, const char *why, ...)
{
	struct report_entry e = { .filter = filter, .action = action, .cost = cost };
	va_list ap;

	va_start(ap, why);
	e.why = format_text(why, ap);
	va_end(ap);
	e.path = strdup(path);
	e.old_value = old_value ? strdup(old_value) : NULL;
	e.new_value = new_value ? strdup(new_value) : NULL;
	if (!e.why || !e.path || (old_value && !e.old_value) || (new_value && !e.new_value) || !grow(r)) {
		entry_deinit(&e);
		r->failed = true;
		return;
	}
	r->entries[r->count++] = e;
}

bool report_ok(const struct report *r)
{
	return !r->failed;
}

enum report_cost report_worst(const struct report *r)
{
	enum report_cost worst = COST_LOSSLESS;

	for (size_t i = 0; i < r->count; i++)
		if (r->entries[i].cost > worst)
			worst = r->entries[i].cost;
	return worst;
}

const char *report_action_name(enum report_action a)
{
	static const char *const names[] = {
		[REPORT_KEPT] = "kept",
		[REPORT_RENAMED] = "renamed",
		[REPORT_DERIVED] = "derived",
		[REPORT_SYNTHESISED] = "synthesised",
		[REPORT_DROPPED] = "dropped",
		[REPORT_REFUSED] = "refused",
	};

	return (size_t)a < sizeof(names) / sizeof(names[0]) ? names[a] : "?";
}

const char *report_cost_name(enum report_cost c)
{
	static const char *const names[] = {
		[COST_LOSSLESS] = "lossless",
		[COST_APPROXIMATE] = "approximate",
		[COST_LOSSY] = "lossy",
		[COST_FATAL] = "fatal",
	};

	return (size_t)c < sizeof(names) / sizeof(names[0]) ? names[c] : "?";
}

static json_t *entry_json(const struct report_entry *e)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s}", "path", e->path, "filter", e->filter,
			 "action", report_action_name(e->action), "cost", report_cost_name(e->cost), "old",
			 e->old_value, "new", e->new_value, "why", e->why);
}

char *report_json(const struct report *r, const char *from, const char *to, const char *verdict)
{
	json_t *entries = json_array(), *top = NULL;
	char *text = NULL;

	for (size_t i = 0; entries && i < r->count; i++) {
		if (json_array_append_new(entries, entry_json(&r->entries[i]))) {
			json_decref(entries);
			return NULL;
		}
	}
	if (entries)
		top = json_pack("{s:s?, s:s?, s:s?, s:s, s:o}", "from", from, "to", to, "verdict", verdict,
				"cost", report_cost_name(report_worst(r)), "entries", entries);
	if (top)
		text = json_dumps(top, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(top);
	return text;
}

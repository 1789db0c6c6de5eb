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
	free(e->path); /* the others are behind it */
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

/* A copy of @s at *@to, which moves behind it. */
static char *copy_text(char **to, const char *s, size_t size)
{
	char *copy = s ? memcpy(*to, s, size) : NULL;

	*to += size;
	return copy;
}

/* The texts of an entry are one allocation, which starts with the path. */
void report_add_text(struct report *r, const char *filter, enum report_action action, enum report_cost cost,
		     const char *path, const char *old_value, const char *new_value, const char *why)
{
	size_t path_size = strlen(path) + 1, why_size = strlen(why) + 1;
	size_t old_size = old_value ? strlen(old_value) + 1 : 0, new_size = new_value ? strlen(new_value) + 1 : 0;
	char *text = grow(r) ? malloc(path_size + why_size + old_size + new_size) : NULL;
	struct report_entry *e;

	if (!text) {
		r->failed = true;
		return;
	}
	e = &r->entries[r->count++];
	*e = (struct report_entry){ .filter = filter, .action = action, .cost = cost };
	e->path = copy_text(&text, path, path_size);
	e->why = copy_text(&text, why, why_size);
	e->old_value = copy_text(&text, old_value, old_size);
	e->new_value = copy_text(&text, new_value, new_size);
}

void report_add(struct report *r, const char *filter, enum report_action action, enum report_cost cost,
		const char *path, const char *old_value, const char *new_value, const char *why, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, why);
	len = vasprintf(&text, why, ap);
	va_end(ap);
	if (len < 0) {
		r->failed = true;
		return;
	}
	report_add_text(r, filter, action, cost, path, old_value, new_value, text);
	free(text);
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

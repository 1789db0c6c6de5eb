/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report: one entry per change that a conversion makes or would make. */
#ifndef IRQSHIFT_FILTERS_REPORT_H
#define IRQSHIFT_FILTERS_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum report_action {
	REPORT_KEPT,
	REPORT_RENAMED,
	REPORT_DERIVED,     /* a value was computed from other state */
	REPORT_SYNTHESISED, /* a section, subsection or field was added */
	REPORT_DROPPED,
	REPORT_REFUSED,
};

/* What it costs the guest, in rising order. */
enum report_cost {
	COST_LOSSLESS,
	COST_APPROXIMATE, /* the guest may see a difference that a stop and resume would also make */
	COST_LOSSY,       /* the guest loses something: needs --allow lossy */
	COST_FATAL,       /* the guest cannot go on: never done */
};

struct report_entry {
	char *path, *old_value, *new_value, *why; /* values may be NULL; one allocation, at path */
	const char *filter;                       /* name of the filter; lives as long as the filter does */
	enum report_action action;
	enum report_cost cost;
};

struct report {
	struct report_entry *entries;
	size_t count;
	/* private: */
	size_t capacity;
	bool failed; /* an entry was lost to lack of memory */
};

void report_init(struct report *r);
void report_deinit(struct report *r);

/* report_add - add an entry; strings are copied, values may be NULL. Lack of memory sticks: report_ok(). */
void report_add(struct report *r, const char *filter, enum report_action action, enum report_cost cost,
		const char *path, const char *old_value, const char *new_value, const char *why, ...)
	__attribute__((format(printf, 8, 9)));

/* report_add_text - as report_add(), with @why as it is. */
void report_add_text(struct report *r, const char *filter, enum report_action action, enum report_cost cost,
		     const char *path, const char *old_value, const char *new_value, const char *why);

/* report_ok - whether every entry was kept. */
bool report_ok(const struct report *r);

/* report_worst - the highest cost in the report; COST_LOSSLESS for an empty one. */
enum report_cost report_worst(const struct report *r);

const char *report_action_name(enum report_action a);
const char *report_cost_name(enum report_cost c);

/* report_json - the report as a JSON text, allocated with malloc(). Return: NULL when out of memory. */
char *report_json(const struct report *r, const char *from, const char *to, const char *verdict);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter engine: small named units that turn the tree of one kind of host into that of another.
 * Filters know nothing of bytes, files or ioctls.
 */
#ifndef IRQSHIFT_FILTERS_FILTER_H
#define IRQSHIFT_FILTERS_FILTER_H

#include "filters/profile.h"
#include "filters/report.h"
#include "vmstate/tree.h"

struct filter_run {
	struct vms_tree *tree;
	const struct profile *from, *to;
	struct report *report;
	const struct filter *self; /* the filter being run, for report entries */
	int64_t now_ns;            /* QEMU_CLOCK_VIRTUAL when the machine was saved (timer.cpu_clock_offset) */
};

struct filter {
	const char *name;
	const char *summary;      /* one line for `convert --list-filters` */
	const char *const *after; /* names of filters that must run before, NULL-terminated; or NULL */
	/* Whether this pair of hosts needs it. */
	bool (*wants)(const struct profile *from, const struct profile *to);
	/* Changes the tree and says so in the report. Return: 0, or -errno with @reterr for a tree that is broken
	 * (a refusal is a REPORT_REFUSED entry and not an error). */
	int (*run)(struct filter_run *run, struct irqs_error *reterr);
	/* Filters made at run time: what they are made of, and in place of @wants a question that gets it too. */
	const void *data;
	bool (*applies)(const struct filter *self, const struct profile *from, const struct profile *to);
};

struct filter_options {
	enum report_cost allow;  /* highest cost that may be done: COST_APPROXIMATE unless told otherwise */
	const char *const *only; /* names of built-in filters to run, NULL-terminated; NULL: all the pair wants */
	/* Filters to run besides, behind the built-in ones; NULL-terminated, or NULL. @only does not hold for them. */
	const struct filter *const *extra;
};

/* filter_builtin - the i-th built-in filter, NULL past the end. */
const struct filter *filter_builtin(size_t i);

/**
 * filter_order - the order in which filters run
 * @set: filters, in the order wanted where nothing else decides
 * @count: how many
 * @ret: receives @count filters
 * @reterr: IRQS_USAGE
 *
 * An @after that names a built-in filter outside @set is satisfied.
 *
 * Return: 0; -ELOOP for a cycle; -ENOENT when an @after names neither a filter of @set nor a built-in one.
 */
int filter_order(const struct filter *const *set, size_t count, const struct filter **ret,
		 struct irqs_error *reterr);

/**
 * filter_convert - run the filters for a pair of hosts over the whole tree
 * @t: tree; edited in place. After a refusal or an error its content is unspecified: do not write it
 * @from: host kind that saved it
 * @to: host kind that shall load it
 * @opt: options, or NULL for the defaults
 * @report: initialised report; receives one entry per change
 * @reterr: for a refusal: the first refused entry, as IRQS_REFUSED
 *
 * Filters run in an order that satisfies each one's @after (a cycle or an unknown name is -ELOOP/-ENOENT).
 * Complexity: linear in the number of nodes times the number of filters that walk the whole tree.
 *
 * Return: 0; -EOPNOTSUPP when refused (fatal entries, or costs above @opt->allow); another -errno.
 */
int filter_convert(struct vms_tree *t, const struct profile *from, const struct profile *to,
		   const struct filter_options *opt, struct report *report, struct irqs_error *reterr);

/**
 * filter_judge - whether what a report says may be done
 * @report: entries that are too dear become REPORT_REFUSED, so that it says what must not be written
 * @first: the first entry to look at
 * @allow: highest cost that may be done
 * @reterr: the first refused entry, as IRQS_REFUSED
 *
 * filter_convert() has done that for its own entries. Return: 0 or -EOPNOTSUPP.
 */
int filter_judge(struct report *report, size_t first, enum report_cost allow, struct irqs_error *reterr);

#endif

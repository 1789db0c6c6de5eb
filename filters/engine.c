/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine: which filters run, in which order, and whether what they report may be written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apic/clock.h"
#include "filters/builtin.h"

static const struct filter *const builtin[] = {
	&filter_host,
	&filter_types,
	&filter_x2apic,
	&filter_tsc_deadline,
	&filter_nested,
	&filter_cpu_state,
	&filter_icount,
	&filter_kvmclock,
	&filter_tsc,
	&filter_paravirt,
	&filter_subsections,
	&filter_newer,
	&filter_hflags,
	&filter_exceptions,
	&filter_unack,
	&filter_directed_eoi,
	&filter_remote_irr,
	&filter_ioapic,
	&filter_pic,
	&filter_lapic_timer,
	&filter_pit,
	&filter_mp_state,
	&filter_requests,
	&filter_visible,
};

#define NBUILTIN (sizeof(builtin) / sizeof(builtin[0]))

const struct filter *filter_builtin(size_t i)
{
	return i < NBUILTIN ? builtin[i] : NULL;
}

static const struct filter *find_builtin(const char *name)
{
	for (size_t i = 0; i < NBUILTIN; i++)
		if (!strcmp(builtin[i]->name, name))
			return builtin[i];
	return NULL;
}

static bool in_set(const struct filter *const *set, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(set[i]->name, name))
			return true;
	return false;
}

/* Whether all of what must run before @f is among the first @placed of @order, or not to be run at all. */
static bool ready(const struct filter *f, const struct filter *const *set, size_t count,
		  const struct filter *const *order, size_t placed)
{
	for (const char *const *a = f->after; a && *a; a++)
		if (in_set(set, count, *a) && !in_set(order, placed, *a))
			return false;
	return true;
}

int filter_order(const struct filter *const *set, size_t count, const struct filter **ret,
		 struct irqs_error *reterr)
{
	for (size_t i = 0; i < count; i++) {
		for (const char *const *a = set[i]->after; a && *a; a++) {
			if (in_set(set, count, *a) || find_builtin(*a))
				continue;
			irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
				  "filter %s: it is to run after %s: no such filter", set[i]->name, *a);
			return -ENOENT;
		}
	}
	for (size_t placed = 0; placed < count; placed++) {
		const struct filter *next = NULL;

		for (size_t i = 0; i < count && !next; i++)
			if (!in_set(ret, placed, set[i]->name) && ready(set[i], set, count, ret, placed))
				next = set[i];
		if (!next) {
			for (size_t i = 0; i < count && !next; i++)
				if (!in_set(ret, placed, set[i]->name))
					next = set[i];
			irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
				  "filter %s: its order is a circle: what it runs after runs after it",
				  next ? next->name : "?");
			return -ELOOP;
		}
		ret[placed] = next;
	}
	return 0;
}

static bool named(const char *const *only, const char *name)
{
	for (; only && *only; only++)
		if (!strcmp(*only, name))
			return true;
	return false;
}

static size_t count_extra(const struct filter_options *opt)
{
	size_t n = 0;

	while (opt->extra && opt->extra[n])
		n++;
	return n;
}

static int check_extra(const struct filter_options *opt, struct irqs_error *reterr)
{
	for (size_t i = 0; i < count_extra(opt); i++) {
		const char *name = opt->extra[i]->name;

		if (!find_builtin(name) && !in_set(opt->extra, i, name))
			continue;
		irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "two filters have the name %s", name);
		return -EEXIST;
	}
	return 0;
}

static int check_names(const struct filter_options *opt, struct irqs_error *reterr)
{
	for (const char *const *name = opt->only; name && *name; name++) {
		if (find_builtin(*name))
			continue;
		irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "no such filter: %s", *name);
		return -ENOENT;
	}
	return check_extra(opt, reterr);
}

static bool wants(const struct filter *f, const struct filter_run *run)
{
	return f->applies ? f->applies(f, run->from, run->to) : f->wants(run->from, run->to);
}

static int run_chosen(struct filter_run *run, const struct filter **chosen, size_t count, const struct filter **order,
		      struct irqs_error *reterr)
{
	int rc = filter_order(chosen, count, order, reterr);

	for (size_t i = 0; i < count && !rc; i++) {
		run->self = order[i];
		rc = order[i]->run(run, reterr);
	}
	return rc;
}

static int run_filters(struct filter_run *run, const struct filter_options *opt, struct irqs_error *reterr)
{
	const struct filter **chosen;
	size_t count = 0, nbuiltin, most = NBUILTIN + count_extra(opt);
	int rc = 0;

	chosen = calloc(2 * most, sizeof(const struct filter *));
	if (!chosen)
		return irqs_fail_nomem(reterr);
	for (size_t i = 0; i < NBUILTIN; i++)
		if (builtin[i]->wants(run->from, run->to) &&
		    (!opt->only || named(opt->only, builtin[i]->name)))
			chosen[count++] = builtin[i];
	nbuiltin = count;
	for (size_t i = 0; opt->extra && opt->extra[i]; i++)
		if (wants(opt->extra[i], run))
			chosen[count++] = opt->extra[i];
	/* The clock of all timers at the time of the save. A machine without it can only be left as it is. */
	run->now_ns = clock_now(run->tree->machine);
	if (nbuiltin && run->now_ns == REG_NO_TIME)
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "timer.cpu_clock_offset",
			       "no such field: it says when the machine was saved");
	else if (count)
		rc = run_chosen(run, chosen, count, chosen + most, reterr);
	free(chosen);
	return rc;
}

int filter_judge(struct report *report, size_t first, enum report_cost allow, struct irqs_error *reterr)
{
	const struct report_entry *refused = NULL;

	for (size_t i = first; i < report->count; i++) {
		struct report_entry *e = &report->entries[i];

		if (e->cost == COST_FATAL || e->cost > allow)
			e->action = REPORT_REFUSED;
		if (e->action == REPORT_REFUSED && !refused)
			refused = e;
	}
	if (!refused)
		return 0;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, refused->path, "refused (%s): %s",
			 report_cost_name(refused->cost), refused->why);
}

int filter_convert(struct vms_tree *t, const struct profile *from, const struct profile *to,
		   const struct filter_options *opt, struct report *report, struct irqs_error *reterr)
{
	static const struct filter_options defaults = { .allow = COST_APPROXIMATE };
	struct filter_run run = { .tree = t, .from = from, .to = to, .report = report };
	size_t first = report->count;
	int rc;

	if (!opt)
		opt = &defaults;
	rc = check_names(opt, reterr);
	if (rc)
		return rc;
	if (profile_name_sections(t, from))
		return irqs_fail_nomem(reterr);
	rc = run_filters(&run, opt, reterr);
	if (!rc && (!report_ok(report) || !vms_tree_ok(t)))
		rc = irqs_fail_nomem(reterr);
	return rc ? rc : filter_judge(report, first, opt->allow, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part that convert and check share: profiles, filters, the report. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/ram.h"
#include "cli/target.h"
#include "stream/output.h"

#define FILTER_DETECT "detect"
#define FILTER_HINTS "hints"

/* Hints say what saved the machine, unless the user does. */
static int read_hints(const struct vms_tree *tree, const struct cli_conversion_options *opt, struct cli_conversion *c,
		      bool *ret_known)
{
	struct target_hints hints;
	char name[64];
	int rc = opt->hints ? target_hints(opt->hints, tree->machine, &hints, &c->error) : 0;

	*ret_known = false;
	if (rc || !opt->hints)
		return rc;
	if (hints.ignored)
		report_add(&c->report, FILTER_HINTS, REPORT_KEPT, COST_LOSSLESS, hints.first_ignored, NULL, NULL,
			   "hints for devices that are not in the machine are ignored: %u of them, this the first",
			   hints.ignored);
	if (opt->from || !hints.has_kind)
		return 0;
	c->from = hints.from;
	*ret_known = true;
	report_add(&c->report, FILTER_HINTS, REPORT_KEPT, COST_LOSSLESS, "machine", NULL,
		   profile_format(&c->from, name, sizeof(name)), "the hints say what kind of host saved it");
	return 0;
}

static int find_profiles(struct vms_tree *tree, const struct cli_conversion_options *opt, struct cli_conversion *c)
{
	char evidence[256], name[64];
	bool known;
	int rc = target_parse(opt->to, &c->to, &c->error);

	if (!rc)
		rc = read_hints(tree, opt, c, &known);
	if (rc)
		return rc;
	if (opt->from) {
		rc = target_parse(opt->from, &c->from, &c->error);
	} else if (!known) {
		rc = profile_detect(tree->machine, &c->from, evidence, sizeof(evidence), &c->error);
		if (!rc)
			report_add(&c->report, FILTER_DETECT, REPORT_KEPT, COST_LOSSLESS, "machine", NULL,
				   profile_format(&c->from, name, sizeof(name)), "%s", evidence);
	}
	if (!rc && profile_name_sections(tree, &c->from))
		rc = irqs_fail_nomem(&c->error);
	return rc;
}

int cli_conversion_init(struct cli_conversion *c, const struct cli_conversion_options *opt)
{
	int status;

	*c = (struct cli_conversion){ 0 };
	status = cli_filters_load(&c->filters, (const char *const *)opt->filters);
	if (!status)
		report_init(&c->report);
	return status;
}

int cli_conversion_check(const struct cli_conversion_options *opt, bool *ret_ram)
{
	struct profile from = { .kind = PROFILE_KVM }, to;
	struct irqs_error err = { 0 };
	int rc = target_parse(opt->to, &to, &err);

	if (!rc && opt->from)
		rc = target_parse(opt->from, &from, &err);
	if (!rc && ret_ram)
		*ret_ram = cli_pvclock_wanted(opt, &from, &to);
	return rc ? cli_fail(&err, NULL) : IRQS_DONE;
}

int cli_conversion_run(struct cli_conversion *c, const struct cli_conversion_options *opt, struct vms_tree *tree)
{
	struct filter_options options = {
		.allow = opt->allow_lossy ? COST_LOSSY : COST_APPROXIMATE,
		.only = (const char *const *)c->filters.names,
		.extra = c->filters.extra,
	};

	c->rc = find_profiles(tree, opt, c);
	if (!c->rc)
		c->rc = cli_pvclock_plan(c, opt, tree);
	if (!c->rc)
		c->rc = filter_convert(tree, &c->from, &c->to, &options, &c->report, &c->error);
	return c->rc;
}

static int convert_image(struct cli_input *in, const struct cli_conversion_options *opt, struct cli_conversion *c)
{
	enum report_cost allow = opt->allow_lossy ? COST_LOSSY : COST_APPROXIMATE;
	struct irqs_error err = { 0 };
	int rc = cli_image_convert(in, &c->to, allow, &c->report, &err);

	/* The first refusal is the one that is told. */
	if (rc && (!c->rc || rc != -EOPNOTSUPP)) {
		c->rc = rc;
		c->error = err;
	}
	return c->rc;
}

int cli_convert(struct cli_input *in, const struct cli_conversion_options *opt, struct cli_conversion *ret)
{
	int status = cli_conversion_init(ret, opt), rc;

	if (status)
		return status;
	rc = cli_conversion_run(ret, opt, &in->stream.tree);
	if (!rc)
		rc = cli_pvclock_in_file(ret, in);
	/* Also after a refusal: the report is to be complete. */
	if (in->is_image && (!rc || rc == -EOPNOTSUPP))
		rc = convert_image(in, opt, ret);
	if (!rc)
		return IRQS_DONE;
	if (rc == -EOPNOTSUPP)
		return IRQS_REFUSED;
	cli_conversion_deinit(ret);
	return cli_fail(&ret->error, ret->error.status == IRQS_USAGE ? NULL : in->path);
}

void cli_conversion_deinit(struct cli_conversion *c)
{
	report_deinit(&c->report);
	pvclock_plan_deinit(&c->pvclock);
	cli_filters_unload(&c->filters);
}

void cli_print_report(const struct cli_conversion *c, FILE *out)
{
	char from[64], to[64];

	fprintf(out, "%s -> %s: %s\n", profile_format(&c->from, from, sizeof(from)),
		profile_format(&c->to, to, sizeof(to)), c->rc ? "refused" : "possible");
	cli_print_entries(&c->report, out);
}

void cli_print_entries(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct report_entry *e = &report->entries[i];

		fprintf(out, "  %-11s %-11s %s", report_action_name(e->action), report_cost_name(e->cost), e->path);
		if (e->old_value && e->new_value)
			fprintf(out, ": %s -> %s", e->old_value, e->new_value);
		else if (e->old_value || e->new_value)
			fprintf(out, ": %s", e->old_value ? e->old_value : e->new_value);
		fprintf(out, "\n%25s %s\n", "", e->why);
	}
}

int cli_print_report_json(const struct cli_conversion *c, FILE *out)
{
	char from[64], to[64];
	char *text = report_json(&c->report, profile_format(&c->from, from, sizeof(from)),
				 profile_format(&c->to, to, sizeof(to)), c->rc ? "refused" : "possible");
	int rc;

	if (!text)
		return -ENOMEM;
	rc = fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
	free(text);
	return rc;
}

static int write_report(const struct cli_conversion *c, const char *path)
{
	struct irqs_error err = { 0 };
	struct output out;
	FILE *f;
	int rc = output_open(&out, path, 0666, &err);

	if (rc)
		return cli_fail(&err, path);
	f = fdopen(dup(out.fd), "w");
	rc = f ? cli_print_report_json(c, f) : -errno;
	if (f && fclose(f) && !rc)
		rc = -errno;
	if (rc) {
		irqs_fail_errno(&err, -rc, "write");
		output_abort(&out);
	} else {
		rc = output_commit(&out, &err);
	}
	return rc ? cli_fail(&err, path) : 0;
}

int cli_tell_report(const struct cli_conversion *c, const struct cli_conversion_options *opt)
{
	if (opt->verbose)
		cli_print_report(c, stderr);
	return opt->report ? write_report(c, opt->report) : 0;
}

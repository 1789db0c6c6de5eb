/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The findings of the linter, as text or as JSON. */
#include <jansson.h>

#include "apic/lint.h"
#include "cli/cli.h"

struct print {
	const struct reg_out *out;
	json_t *list; /* NULL: text */
	bool failed;
};

static void print_finding(void *ctx, const struct lint_finding *f)
{
	static const enum reg_style styles[] = {
		[LINT_NOTE] = REG_NOTED,
		[LINT_SUSPICIOUS] = REG_SUSPICIOUS,
		[LINT_IMPOSSIBLE] = REG_IMPOSSIBLE,
	};
	struct print *p = ctx;
	json_t *o;

	if (!p->list) {
		reg_emit_styled(p->out, styles[f->check->severity], "%s", f->path);
		reg_emit(p->out, ": %s: %s (%s, %s)\n", f->text, f->check->guest,
			 lint_severity_name(f->check->severity), f->check->name);
		return;
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", f->path, "check", f->check->name, "severity",
		      lint_severity_name(f->check->severity), "what", f->text, "guest", f->check->guest);
	p->failed |= json_array_append_new(p->list, o) != 0;
}

/* A QEMU stream has a section for each device; a snapshot holds the irqchip alone. */
static enum lint_presence find_hpet(const struct cli_input *in)
{
	if (in->format != STREAM_QEMU || cli_is_snapshot(in))
		return LINT_UNKNOWN;
	return vms_next_section(in->stream.tree.machine, NULL, "hpet") ? LINT_PRESENT : LINT_ABSENT;
}

int cli_lint(struct cli_input *in, bool json, const struct reg_out *out)
{
	enum lint_severity worst = LINT_NOTE;
	struct print p = { .out = out, .list = json ? json_array() : NULL };
	struct irqchip_state s;
	struct lint_machine m = { .state = &s, .hpet = find_hpet(in) };
	int status = cli_irqchip(in, &s);

	if (!status) {
		lint_state(&m, print_finding, &p, &worst);
		status = worst == LINT_IMPOSSIBLE ? IRQS_REFUSED : IRQS_DONE;
		irqchip_deinit(&s);
		if (json && (p.failed || json_dumpf(p.list, stdout, JSON_INDENT(1)) || putchar('\n') == EOF))
			status = IRQS_SYSTEM;
	}
	json_decref(p.list);
	return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's clock pages: found, judged and repaired by filters/pvclock.h, whatever way the RAM is reached. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/ram.h"
#include "stream/qemu_pages.h"

/* ---- the rate of the target's TSC ---- */

/* @khz: what the target's TSC is taken to have; 0: nothing. */
__attribute__((format(printf, 4, 5))) static void tell_rate(struct cli_conversion *c, enum report_cost cost, uint64_t khz,
							    const char *fmt, ...)
{
	char value[32], why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	snprintf(value, sizeof(value), "%" PRIu64 " kHz", khz);
	report_add(&c->report, "pvclock", REPORT_KEPT, cost, "tsc_khz", NULL, khz ? value : NULL, "%s", why);
}

/* Return: the rate that the clock pages shall have, 0 when they need not be looked at. */
static uint64_t choose_rate(struct cli_conversion *c, uint64_t given)
{
	uint64_t source = c->pvclock.khz, stated = c->to.tsc_khz;

	if (given && stated)
		tell_rate(c, COST_LOSSLESS, given, "the rate of the target's TSC is taken from --tsc-khz; its capabilities say %" PRIu64 " kHz", stated);
	else if (given)
		tell_rate(c, COST_LOSSLESS, given, "the rate of the target's TSC is taken from --tsc-khz");
	else if (!source)
		tell_rate(c, COST_APPROXIMATE, 0,
			  "the target's TSC has %" PRIu64 " kHz by its capabilities, but the stream does not say what the source's has: the "
			  "guest's clock pages keep their scale (give --tsc-khz)",
			  stated);
	else if (pvclock_same_khz(source, stated))
		tell_rate(c, COST_LOSSLESS, stated,
			  "the rate of the target's TSC, by its capabilities, is that of the source's, %" PRIu64 " kHz by cpu/tsc_khz in the "
			  "stream: the guest's clock pages keep their scale",
			  source);
	else
		tell_rate(c, COST_LOSSLESS, stated,
			  "the rate of the target's TSC is taken from its capabilities; the source's is %" PRIu64 " kHz by cpu/tsc_khz in the "
			  "stream",
			  source);
	if (given)
		return given;
	return source && !pvclock_same_khz(source, stated) ? stated : 0;
}

bool cli_pvclock_wanted(const struct cli_conversion_options *opt, const struct profile *from, const struct profile *to)
{
	return (opt->tsc_khz || to->tsc_khz) && profile_is_kvm(from) && !profile_is_kvm(to);
}

int cli_pvclock_plan(struct cli_conversion *c, const struct cli_conversion_options *opt, const struct vms_tree *tree)
{
	int rc;

	if (opt->tsc_khz && profile_is_kvm(&c->to))
		report_add(&c->report, "pvclock", REPORT_KEPT, COST_LOSSLESS, "pvclock", NULL, NULL,
			   "KVM writes the guest's clock pages itself, with the scale of its TSC");
	if (!cli_pvclock_wanted(opt, &c->from, &c->to))
		return 0;
	rc = pvclock_plan(tree->machine, &c->from, &c->to, &c->pvclock, &c->error);
	if (!rc && c->pvclock.count)
		c->tsc_khz = choose_rate(c, opt->tsc_khz);
	return rc;
}

/* ---- the pages ---- */

static int refuse(const struct pvclock_cpu *cpu, struct irqs_error *reterr)
{
	char path[64];

	snprintf(path, sizeof(path), "cpu[%" PRIu32 "].pvclock", cpu->index);
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, path, "the guest's clock page cannot be told from others: %s",
			 cpu->absent);
}

/* The bytes of one CPU, and where they are; not found without an error when they are not what they should be. */
static int take(const struct cli_ram *ram, const struct pvclock_plan *p, struct pvclock_cpu *cpu, uint64_t *ret_at,
		struct irqs_error *reterr)
{
	uint64_t places[QEMU_PAGE_PLACES];
	size_t n = qemu_page_places(cpu->address, places);
	int rc = 0;

	if (cpu->address % QEMU_PAGE_SIZE + PVCLOCK_SIZE > QEMU_PAGE_SIZE)
		return 0;
	for (size_t i = 0; i < n && !cpu->found; i++) {
		*ret_at = places[i];
		rc = ram->read(ram->ctx, places[i], cpu->bytes, PVCLOCK_SIZE, &cpu->absent, reterr);
		if (rc < 0)
			return rc;
		cpu->found = rc && pvclock_is(p, cpu, cpu->bytes);
	}
	return !cpu->found && cpu->absent && ram->refuse ? refuse(cpu, reterr) : 0;
}

static int repair(struct cli_conversion *c, const struct cli_ram *ram, uint64_t *at)
{
	struct pvclock_plan *p = &c->pvclock;
	int rc = 0;

	for (size_t i = 0; i < p->count && !rc; i++)
		rc = take(ram, p, &p->cpus[i], &at[i], &c->error);
	if (!rc)
		pvclock_repair(p, c->tsc_khz, &c->report);
	for (size_t i = 0; i < p->count && !rc; i++)
		if (p->cpus[i].changed)
			rc = ram->write(ram->ctx, at[i], p->cpus[i].bytes, PVCLOCK_SIZE, &c->error);
	return rc;
}

int cli_pvclock_repair(struct cli_conversion *c, const struct cli_ram *ram)
{
	uint64_t *at;

	if (!c->tsc_khz)
		return 0;
	at = calloc(c->pvclock.count, sizeof(*at));
	c->rc = at ? repair(c, ram, at) : irqs_fail_nomem(&c->error);
	free(at);
	return c->rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's clock pages: found, judged and repaired by filters/pvclock.h, whatever way the RAM is reached. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/ram.h"
#include "stream/qemu_pages.h"

int cli_pvclock_plan(struct cli_conversion *c, const struct cli_conversion_options *opt, const struct vms_tree *tree)
{
	c->tsc_khz = opt->tsc_khz;
	if (!c->tsc_khz)
		return 0;
	if (profile_is_kvm(&c->to))
		report_add(&c->report, "pvclock", REPORT_KEPT, COST_LOSSLESS, "pvclock", NULL, NULL,
			   "KVM writes the guest's clock pages itself, with the scale of its TSC");
	return pvclock_plan(tree->machine, &c->from, &c->to, &c->pvclock, &c->error);
}

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

	if (!c->pvclock.count)
		return 0;
	at = calloc(c->pvclock.count, sizeof(*at));
	c->rc = at ? repair(c, ram, at) : irqs_fail_nomem(&c->error);
	free(at);
	return c->rc;
}

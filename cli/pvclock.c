/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's clock pages: looked up in the RAM of a stream, judged and repaired by filters/pvclock.h. */
#include <stdlib.h>

#include "cli/cli.h"
#include "stream/qemu_pages.h"

struct lookup {
	struct qemu_page *pages; /* each once, though many CPUs have their clocks in it */
	size_t n;
};

static const struct qemu_page *page_of(const struct lookup *l, uint64_t offset)
{
	uint64_t page = offset & ~(uint64_t)(QEMU_PAGE_SIZE - 1);

	for (size_t i = 0; i < l->n; i++)
		if (l->pages[i].offset == page)
			return &l->pages[i];
	return NULL;
}

static int look_up(struct cli_input *in, const struct pvclock_plan *p, struct lookup *l, struct irqs_error *reterr)
{
	uint64_t places[QEMU_PAGE_PLACES];

	*l = (struct lookup){ calloc(p->count * QEMU_PAGE_PLACES, sizeof(*l->pages)), 0 };
	if (!l->pages)
		return irqs_fail_nomem(reterr);
	for (size_t i = 0; i < p->count; i++) {
		size_t n = qemu_page_places(p->cpus[i].address, places);

		for (size_t k = 0; k < n; k++)
			if (!page_of(l, places[k]))
				l->pages[l->n++].offset = places[k] & ~(uint64_t)(QEMU_PAGE_SIZE - 1);
	}
	return qemu_pages_find(&in->stream, l->pages, l->n, reterr);
}

/* The bytes of one CPU, and where they are; not found without an error when they are not what they should be. */
static int take(struct cli_input *in, const struct pvclock_plan *p, const struct lookup *l, struct pvclock_cpu *cpu,
		uint64_t *ret_at, struct irqs_error *reterr)
{
	uint64_t places[QEMU_PAGE_PLACES], inside = cpu->address % QEMU_PAGE_SIZE;
	size_t n = qemu_page_places(cpu->address, places);
	int rc = 0;

	for (size_t k = 0; k < n && !cpu->found && !rc; k++) {
		const struct qemu_page *page = page_of(l, places[k]);

		if (page->kind == QEMU_PAGE_PACKED)
			cpu->absent = "its clock page came compressed or as a difference (XBZRLE): save it without, it keeps its scale";
		if (page->kind != QEMU_PAGE_PLAIN || inside + PVCLOCK_SIZE > QEMU_PAGE_SIZE)
			continue;
		*ret_at = page->at + inside;
		rc = source_read(&in->stream.source, *ret_at, cpu->bytes, PVCLOCK_SIZE, reterr);
		cpu->found = !rc && pvclock_is(p, cpu, cpu->bytes);
	}
	return rc;
}

static int repair(struct cli_input *in, struct cli_conversion *c, const struct lookup *l, uint64_t *at, uint64_t khz)
{
	struct pvclock_plan *p = &c->pvclock;
	int rc = 0;

	for (size_t i = 0; i < p->count && !rc; i++)
		rc = take(in, p, l, &p->cpus[i], &at[i], &c->error);
	if (!rc)
		pvclock_repair(p, khz, &c->report);
	for (size_t i = 0; i < p->count && !rc; i++)
		if (p->cpus[i].changed)
			rc = qemu_stream_replace(&in->stream, at[i], p->cpus[i].bytes, PVCLOCK_SIZE, &c->error);
	return rc;
}

int cli_pvclock(struct cli_input *in, struct cli_conversion *c, uint64_t khz)
{
	struct lookup l = { NULL, 0 };
	uint64_t *at = NULL;
	int rc;

	if (!c->pvclock.count)
		return 0;
	rc = look_up(in, &c->pvclock, &l, &c->error);
	if (!rc) {
		at = calloc(c->pvclock.count, sizeof(*at));
		rc = at ? repair(in, c, &l, at, khz) : irqs_fail_nomem(&c->error);
	}
	free(at);
	free(l.pages);
	return rc;
}

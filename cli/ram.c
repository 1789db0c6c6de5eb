/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/ram.h"

#include <stdlib.h>
#include <string.h>

#include "stream/qemu_pages.h"

static uint64_t page_at(uint64_t at)
{
	return at & ~(uint64_t)(QEMU_PAGE_SIZE - 1);
}

/* ---- in a file ---- */

struct in_file {
	struct qemu_stream *stream;
	struct qemu_page *pages; /* each once, though many CPUs have their clocks in it */
	size_t n;
};

static const struct qemu_page *page_of(const struct in_file *f, uint64_t at)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->pages[i].offset == page_at(at))
			return &f->pages[i];
	return NULL;
}

static int look_up(struct in_file *f, const struct pvclock_plan *p, struct irqs_error *reterr)
{
	uint64_t places[QEMU_PAGE_PLACES];

	f->pages = calloc(p->count * QEMU_PAGE_PLACES, sizeof(*f->pages));
	if (!f->pages)
		return irqs_fail_nomem(reterr);
	for (size_t i = 0; i < p->count; i++) {
		size_t n = qemu_page_places(p->cpus[i].address, places);

		for (size_t k = 0; k < n; k++)
			if (!page_of(f, places[k]))
				f->pages[f->n++].offset = page_at(places[k]);
	}
	return qemu_pages_find(f->stream, f->pages, f->n, reterr);
}

static int file_read(void *ctx, uint64_t at, void *bytes, size_t len, const char **ret_why, struct irqs_error *reterr)
{
	struct in_file *f = ctx;
	const struct qemu_page *page = page_of(f, at);
	int rc;

	if (page->kind == QEMU_PAGE_PACKED)
		*ret_why = "its clock page came compressed or as a difference (XBZRLE): save it without, it keeps its scale";
	if (page->kind != QEMU_PAGE_PLAIN)
		return 0;
	rc = source_read(&f->stream->source, page->at + (at - page->offset), bytes, len, reterr);
	return rc ? rc : 1;
}

static int file_write(void *ctx, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	struct in_file *f = ctx;
	const struct qemu_page *page = page_of(f, at);

	return qemu_stream_replace(f->stream, page->at + (at - page->offset), bytes, len, reterr);
}

int cli_pvclock_in_file(struct cli_conversion *c, struct cli_input *in)
{
	struct in_file f = { .stream = &in->stream };
	const struct cli_ram ram = { .ctx = &f, .read = file_read, .write = file_write };

	if (!c->tsc_khz)
		return 0;
	c->rc = look_up(&f, &c->pvclock, &c->error);
	if (!c->rc)
		cli_pvclock_repair(c, &ram);
	free(f.pages);
	return c->rc;
}

/* ---- as it goes by ---- */

static int relay_read(void *ctx, uint64_t at, void *bytes, size_t len, const char **ret_why, struct irqs_error *reterr)
{
	const uint8_t *page, *found = NULL;

	(void)reterr;
	if (at % PVCLOCK_ALIGN)
		*ret_why = "its address is no multiple of 32 (convert a saved stream)";
	else if (relay_page(ctx, page_at(at), &page, ret_why) == RELAY_PAGE_KEPT)
		found = page;
	if (found)
		memcpy(bytes, found + (at - page_at(at)), len);
	return found ? 1 : 0;
}

static int relay_write(void *ctx, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	return relay_change_page(ctx, at, bytes, len, reterr);
}

int cli_pvclock_in_relay(struct cli_conversion *c, struct relay *r)
{
	const struct cli_ram ram = { .ctx = r, .read = relay_read, .write = relay_write, .refuse = true };

	return cli_pvclock_repair(c, &ram);
}

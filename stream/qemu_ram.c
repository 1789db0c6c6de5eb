/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_ram.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"

#define PAGE_SIZE 4096u

/* Flags in the low bits of each address word. */
enum {
	RAM_ZERO = 0x02,
	RAM_MEM_SIZE = 0x04,
	RAM_PAGE = 0x08,
	RAM_EOS = 0x10,
	RAM_CONTINUE = 0x20,
	RAM_XBZRLE = 0x40,
	RAM_HOOK = 0x80,
	RAM_COMPRESS_PAGE = 0x100,
	RAM_MULTIFD_FLUSH = 0x200,
};

#define XBZRLE_ENCODING 0x01
#define MAPPED_RAM_HEADER 28u
#define MAPPED_RAM_VERSION 1u

struct walk {
	struct source *src;
	uint64_t pos;
	struct qemu_ram_mode *mode;
	struct qemu_ram *ram;
	struct irqs_error *reterr;
};

static int take(struct walk *w, size_t width, uint64_t *ret)
{
	const uint8_t *p;
	int rc = source_peek(w->src, w->pos, width, &p, w->reterr);

	if (rc)
		return rc;
	*ret = get_be(p, width);
	w->pos += width;
	return 0;
}

static int skip(struct walk *w, uint64_t len)
{
	if (w->pos > w->src->size || len > w->src->size - w->pos)
		return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)w->src->size, "ram",
				 "the input ends here: %" PRIu64 " bytes at %" PRIu64 " were expected", len, w->pos);
	w->pos += len;
	return 0;
}

static int fail(struct walk *w, uint64_t at, const char *what)
{
	return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)at, "ram", "%s", what);
}

/* The length-prefixed name of a block. */
static int take_block_name(struct walk *w)
{
	uint64_t len = 0, at = w->pos;
	int rc = take(w, 1, &len);

	if (rc)
		return rc;
	if (!len)
		return fail(w, at, "a block without a name");
	return skip(w, len);
}

/* The mapped-ram header, then the bitmap and the pages at the offsets that it names. */
static int take_mapped_block(struct walk *w, uint64_t used)
{
	uint64_t at = w->pos, version = 0, page_size = 0, bitmap = 0, pages = 0;
	int rc;

	if ((rc = take(w, 4, &version)) || (rc = take(w, 8, &page_size)) || (rc = take(w, 8, &bitmap)) ||
	    (rc = take(w, 8, &pages)))
		return rc;
	if (version != MAPPED_RAM_VERSION)
		return fail(w, at, "a mapped-ram header of unknown version");
	if (!bitmap && !pages && w->mode->ignore_shared)
		return 0; /* an ignored shared block has no space in the file */
	if (!page_size || bitmap < w->pos || pages < bitmap)
		return fail(w, at, "a mapped-ram header that points backwards");
	if (pages > w->src->size || used > w->src->size - pages)
		return fail(w, at, "a mapped-ram block beyond the end of the input");
	w->pos = pages + used;
	w->ram->mapped_bytes += used;
	return 0;
}

/*
 * An optional word behind a block's length: the page size with postcopy (only where it differs from the
 * host's), told from what else may follow by its value: a name starts with a length that is not 0, and the
 * flag words that may follow are smaller than any page.
 */
static void skip_page_size(struct walk *w)
{
	const uint8_t *p;
	uint64_t v;

	if (source_peek(w->src, w->pos, 8, &p, NULL))
		return;
	v = get_be(p, 8);
	if (v >= PAGE_SIZE && v <= UINT64_C(1) << 40 && !(v & (v - 1)))
		w->pos += 8;
}

static int take_block_list(struct walk *w, uint64_t total, uint64_t at)
{
	int rc = 0;

	w->ram->total_bytes = total;
	while (total && !rc) {
		uint64_t used = 0;

		if ((rc = take_block_name(w)) || (rc = take(w, 8, &used)))
			return rc;
		if (!used || used > total)
			return fail(w, at, "the blocks' lengths do not add up to the announced size");
		total -= used;
		w->ram->blocks++;
		if (w->mode->postcopy_advised)
			skip_page_size(w);
		if (w->mode->ignore_shared)
			rc = skip(w, 8);
		if (!rc && w->mode->mapped_ram)
			rc = take_mapped_block(w, used);
	}
	return rc;
}

static int take_xbzrle(struct walk *w)
{
	uint64_t encoding = 0, len = 0, at = w->pos;
	int rc;

	if ((rc = take(w, 1, &encoding)) || (rc = take(w, 2, &len)))
		return rc;
	if (encoding != XBZRLE_ENCODING || len > PAGE_SIZE)
		return fail(w, at, "an XBZRLE page with a bad header");
	w->ram->xbzrle_pages++;
	return skip(w, len);
}

static int take_compressed(struct walk *w)
{
	uint64_t len = 0, at = w->pos;
	int rc = take(w, 4, &len);

	if (rc)
		return rc;
	if (!len || len > 2 * PAGE_SIZE) /* zlib's bound for a page is a little above a page */
		return fail(w, at, "a compressed page with a bad length");
	w->ram->compressed_pages++;
	return skip(w, len);
}

static int take_page(struct walk *w, uint32_t flags, uint64_t at)
{
	uint32_t kind = flags & ~(uint32_t)RAM_CONTINUE;

	if (kind != RAM_ZERO && kind != RAM_PAGE && kind != RAM_XBZRLE && kind != RAM_COMPRESS_PAGE)
		return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)at, "ram",
				 "unknown flags 0x%" PRIx32 " in an address word", flags);
	if (!(flags & RAM_CONTINUE)) {
		int rc = take_block_name(w);

		if (rc)
			return rc;
		w->mode->block_named = true;
	} else if (!w->mode->block_named) {
		return fail(w, at, "a page that continues a block, but no block was named");
	}
	switch (kind) {
	case RAM_ZERO:
		w->ram->zero_pages++;
		return skip(w, 1);
	case RAM_PAGE:
		w->ram->normal_pages++;
		return skip(w, PAGE_SIZE);
	case RAM_XBZRLE:
		return take_xbzrle(w);
	default:
		return take_compressed(w);
	}
}

int qemu_ram_walk(struct source *src, uint64_t *offset, struct qemu_ram_mode *mode, struct qemu_ram *ram,
		  struct irqs_error *reterr)
{
	struct walk w = { .src = src, .pos = *offset, .mode = mode, .ram = ram, .reterr = reterr };

	ram->sections++;
	for (;;) {
		uint64_t word = 0, at = w.pos;
		uint32_t flags;
		int rc = take(&w, 8, &word);

		if (rc)
			return rc;
		flags = word & (PAGE_SIZE - 1);
		switch (flags) {
		case RAM_EOS:
			*offset = w.pos;
			return 0;
		case RAM_MULTIFD_FLUSH:
			break;
		case RAM_MEM_SIZE:
			rc = take_block_list(&w, word & ~(uint64_t)(PAGE_SIZE - 1), at);
			break;
		case RAM_HOOK:
			return irqs_fail(reterr, IRQS_REFUSED, (int64_t)at, "ram",
					 "an RDMA migration: its pages are not in the stream");
		default:
			rc = take_page(&w, flags, at);
		}
		if (rc)
			return rc;
	}
}

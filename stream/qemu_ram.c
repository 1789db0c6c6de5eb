/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The data of a "ram" section (migration/ram.c, section version 4), step by step. */
#include <inttypes.h>

#include "base/endian.h"
#include "stream/qemu_walk_priv.h"

#define PAGE_SIZE 4096u

/* Flags in the low bits of each address word. */
enum {
	RAM_ZERO = QEMU_RAM_ZERO,
	RAM_MEM_SIZE = 0x04,
	RAM_PAGE = QEMU_RAM_PAGE,
	RAM_EOS = QEMU_RAM_EOS,
	RAM_CONTINUE = 0x20,
	RAM_XBZRLE = QEMU_RAM_XBZRLE,
	RAM_HOOK = 0x80,
	RAM_COMPRESS_PAGE = 0x100,
	RAM_MULTIFD_FLUSH = 0x200,
};

#define WORD 8u
#define XBZRLE_ENCODING 0x01
#define XBZRLE_HEADER 3u
#define COMPRESS_HEADER 4u
#define MAPPED_RAM_HEADER 28u
#define MAPPED_RAM_VERSION 1u

static qemu_walk_fn on_word, on_block_name, on_used, on_page_size, on_mapped, on_page_name, on_xbzrle, on_compressed;

static int fail(struct qemu_walk *w, uint64_t at, const char *what)
{
	return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)at, "ram", "%s", what);
}

/* ---- the list of blocks ---- */

static void next_block(struct qemu_walk *w)
{
	if (w->blocks_left)
		qemu_walk_next(w, on_block_name, 1);
	else
		qemu_walk_next(w, on_word, WORD);
}

/* Behind its length, which is at the position. */
static void take_name(struct qemu_walk *w, uint8_t size)
{
	w->name_at = w->pos + 1;
	w->name_size = size;
}

static void tell_block(struct qemu_walk *w, uint64_t bitmap, uint64_t pages)
{
	if (w->watch && w->watch->block)
		w->watch->block(w->watch, w, bitmap, pages);
}

static int on_block_name(struct qemu_walk *w, const uint8_t *p)
{
	if (!*p)
		return fail(w, w->pos, "a block without a name");
	take_name(w, *p);
	qemu_walk_next(w, on_used, 8);
	w->skip = *p;
	return 0;
}

/* Behind a block's length and the page size that may follow. */
static void next_of_block(struct qemu_walk *w)
{
	if (w->mode.mapped_ram)
		qemu_walk_next(w, on_mapped, MAPPED_RAM_HEADER);
	else
		next_block(w);
	if (!w->mode.mapped_ram)
		tell_block(w, 0, 0);
	if (w->mode.ignore_shared)
		w->skip = 8; /* the block's address */
}

static int on_used(struct qemu_walk *w, const uint8_t *p)
{
	w->used = get_be(p, 8);
	if (!w->used || w->used > w->blocks_left)
		return fail(w, w->at, "the blocks' lengths do not add up to the announced size");
	w->blocks_left -= w->used;
	w->ram->blocks++;
	if (w->mode.postcopy_advised)
		qemu_walk_next(w, on_page_size, 8);
	else
		next_of_block(w);
	return 0;
}

/*
 * An optional word behind a block's length: the page size with postcopy (only where it differs from the
 * host's), told from what else may follow by its value: a name starts with a length that is not 0, and the
 * flag words that may follow are smaller than any page.
 */
static int on_page_size(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t v = get_be(p, 8);

	w->keep = v < PAGE_SIZE || v > UINT64_C(1) << 40 || (v & (v - 1));
	next_of_block(w);
	return 0;
}

/* The mapped-ram header, then the bitmap and the pages at the offsets that it names. */
static int on_mapped(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t version = get_be(p, 4), page_size = get_be(p + 4, 8), bitmap = get_be(p + 12, 8),
		 pages = get_be(p + 20, 8), end = w->pos + MAPPED_RAM_HEADER;

	if (version != MAPPED_RAM_VERSION)
		return fail(w, w->pos, "a mapped-ram header of unknown version");
	next_block(w);
	if (!bitmap && !pages && w->mode.ignore_shared)
		return 0; /* an ignored shared block has no space in the file */
	if (!page_size || bitmap < end || pages < bitmap)
		return fail(w, w->pos, "a mapped-ram header that points backwards");
	if (pages > w->size || w->used > w->size - pages)
		return fail(w, w->pos, "a mapped-ram block beyond the end of the input");
	w->skip = pages + w->used - end;
	w->ram->mapped_bytes += w->used;
	tell_block(w, bitmap, pages);
	return 0;
}

/* ---- pages ---- */

/* The page's data, behind @name bytes of its block's name, which follow what this step takes. */
static void next_page_data(struct qemu_walk *w, uint64_t name)
{
	if (w->watch && w->watch->page)
		w->watch->page(w->watch, w, w->pos + w->need + name);
	switch (w->kind) {
	case RAM_ZERO:
		w->ram->zero_pages++;
		qemu_walk_next(w, on_word, WORD);
		w->skip = name + 1;
		break;
	case RAM_PAGE:
		w->ram->normal_pages++;
		qemu_walk_next(w, on_word, WORD);
		w->skip = name + PAGE_SIZE;
		break;
	case RAM_XBZRLE:
		qemu_walk_next(w, on_xbzrle, XBZRLE_HEADER);
		w->skip = name;
		break;
	default:
		qemu_walk_next(w, on_compressed, COMPRESS_HEADER);
		w->skip = name;
	}
}

static int on_page_name(struct qemu_walk *w, const uint8_t *p)
{
	if (!*p)
		return fail(w, w->pos, "a block without a name");
	w->mode.block_named = true;
	take_name(w, *p);
	next_page_data(w, *p);
	return 0;
}

static int on_xbzrle(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t len = get_be(p + 1, 2);

	if (p[0] != XBZRLE_ENCODING || len > PAGE_SIZE)
		return fail(w, w->pos, "an XBZRLE page with a bad header");
	w->ram->xbzrle_pages++;
	qemu_walk_next(w, on_word, WORD);
	w->skip = len;
	return 0;
}

static int on_compressed(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t len = get_be(p, 4);

	if (!len || len > 2 * PAGE_SIZE) /* zlib's bound for a page is a little above a page */
		return fail(w, w->pos, "a compressed page with a bad length");
	w->ram->compressed_pages++;
	qemu_walk_next(w, on_word, WORD);
	w->skip = len;
	return 0;
}

static int begin_page(struct qemu_walk *w, uint32_t flags)
{
	w->kind = flags & ~(uint32_t)RAM_CONTINUE;
	if (w->kind != RAM_ZERO && w->kind != RAM_PAGE && w->kind != RAM_XBZRLE && w->kind != RAM_COMPRESS_PAGE)
		return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)w->at, "ram",
				 "unknown flags 0x%" PRIx32 " in an address word", flags);
	if (!(flags & RAM_CONTINUE))
		qemu_walk_next(w, on_page_name, 1);
	else if (w->mode.block_named)
		next_page_data(w, 0);
	else
		return fail(w, w->at, "a page that continues a block, but no block was named");
	return 0;
}

/* ---- words ---- */

static int on_word(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t word = get_be(p, WORD);
	uint32_t flags = word & (PAGE_SIZE - 1);

	w->at = w->pos;
	switch (flags) {
	case RAM_EOS:
		qemu_walk_footer(w, w->id);
		return 0;
	case RAM_MULTIFD_FLUSH:
		w->multifd = true;
		return 0;
	case RAM_MEM_SIZE:
		w->blocks_left = w->ram->total_bytes = word & ~(uint64_t)(PAGE_SIZE - 1);
		next_block(w);
		return 0;
	case RAM_HOOK:
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)w->at, "ram",
				 "an RDMA migration: its pages are not in the stream");
	default:
		w->address = word & ~(uint64_t)(PAGE_SIZE - 1);
		return begin_page(w, flags);
	}
}

void qemu_ram_begin(struct qemu_walk *w)
{
	w->ram->sections++;
	qemu_walk_next(w, on_word, WORD);
}

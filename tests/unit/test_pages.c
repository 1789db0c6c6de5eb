/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single pages of RAM in a stream: found where they came last, replaced without touching anything else. */
#include "stream/qemu_pages.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/stream_check.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

static void word(struct stream_builder *b, uint64_t word, const char *name)
{
	sb_be(b, 8, word);
	if (name)
		sb_name(b, name);
}

static void end(struct stream_builder *b)
{
	sb_ram_end(b);
	sb_ram_finish(b);
	sb_device(b, "thing", 0, "thing", 1);
	sb_int(b, "value", "uint8", 1, 7);
	sb_device_end(b);
	sb_eof(b);
	sb_vmdesc(b);
}

static void begin(struct stream_builder *b, uint64_t rom, uint64_t ram)
{
	sb_init(b);
	sb_header(b);
	sb_config(b, "pc");
	sb_ram_start(b);
	word(b, (rom + ram) | 4, rom ? "vga.vram" : NULL);
	if (rom)
		sb_be(b, 8, rom);
	sb_name(b, "pc.ram");
	sb_be(b, 8, ram);
	sb_ram_finish(b);
}

static void open_stream(struct opened *o, const struct stream_builder *b, bool skip)
{
	const struct qemu_read_options opt = { .skip_ram = skip };

	cr_assert_eq(sc_open(o, b, &opt), 0, "%s", o->err.text);
}

static uint8_t byte_at(struct opened *o, uint64_t at)
{
	uint8_t v;

	cr_assert_eq(source_read(&o->s.source, at, &v, 1, &o->err), 0);
	return v;
}

/* Page numbers: 1 zero, 2 sent twice, 3 continued, 4 plain then zero, 5 zero then plain, 6 XBZRLE, 7 not there. */
static void make_sent(struct stream_builder *b)
{
	begin(b, MIB, 64 * KIB);
	sb_ram_part(b);
	sb_ram_zero(b, 0x1000, "pc.ram");
	sb_ram_page(b, 0x2000, "pc.ram", 0x21);
	sb_ram_page(b, 0x3000, NULL, 0x31);
	sb_ram_page(b, 0x4000, NULL, 0x41);
	sb_ram_zero(b, 0x5000, NULL);
	sb_ram_page(b, 0x3000, "vga.vram", 0x99);
	sb_ram_page(b, 0x2000, NULL, 0x98);
	sb_ram_finish(b);
	sb_ram_part(b);
	sb_ram_page(b, 0x2000, "pc.ram", 0x22);
	sb_ram_zero(b, 0x4000, NULL);
	sb_ram_page(b, 0x5000, NULL, 0x51);
	word(b, 0x6000 | 0x60, NULL);
	sb_be(b, 1, 1);
	sb_be(b, 2, 3);
	sb_put(b, "abc", 3);
	sb_ram_page(b, 0x2000, "vga.vram", 0x97);
	sb_ram_finish(b);
	end(b);
}

Test(pages, a_page_is_where_it_came_last_in_the_main_block)
{
	for (unsigned int skip = 0; skip < 2; skip++) {
		struct qemu_page p[8] = { { 0 } };
		struct stream_builder b;
		struct opened o;

		make_sent(&b);
		open_stream(&o, &b, skip);
		for (size_t i = 0; i < 8; i++)
			p[i].offset = i * 0x1000;
		cr_assert_eq(qemu_pages_find(&o.s, p, 8, &o.err), 0, "%s", o.err.text);
		cr_expect_eq(p[0].kind, QEMU_PAGE_ABSENT);
		cr_expect_eq(p[1].kind, QEMU_PAGE_ZERO);
		cr_expect(p[2].kind == QEMU_PAGE_PLAIN && byte_at(&o, p[2].at) == 0x22 && byte_at(&o, p[2].at + 4095) == 0x22);
		cr_expect(p[3].kind == QEMU_PAGE_PLAIN && byte_at(&o, p[3].at) == 0x31);
		cr_expect_eq(p[4].kind, QEMU_PAGE_ZERO);
		cr_expect(p[5].kind == QEMU_PAGE_PLAIN && byte_at(&o, p[5].at) == 0x51);
		cr_expect_eq(p[6].kind, QEMU_PAGE_PACKED);
		cr_expect_eq(p[7].kind, QEMU_PAGE_ABSENT);
		sc_close(&o);
		sb_deinit(&b);
	}
}

Test(pages, without_pc_ram_the_largest_block_is_the_main_one)
{
	struct qemu_page p = { .offset = 0x1000 };
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_header(&b);
	sb_ram_start(&b);
	word(&b, (MIB + 64 * KIB) | 4, "small");
	sb_be(&b, 8, 64 * KIB);
	sb_name(&b, "ram-node0");
	sb_be(&b, 8, MIB);
	sb_ram_finish(&b);
	sb_ram_part(&b);
	sb_ram_page(&b, 0x1000, "ram-node0", 0x11);
	sb_ram_page(&b, 0x1000, "small", 0x12);
	sb_ram_finish(&b);
	end(&b);
	open_stream(&o, &b, true);
	cr_assert_eq(qemu_pages_find(&o.s, &p, 1, &o.err), 0, "%s", o.err.text);
	cr_expect(p.kind == QEMU_PAGE_PLAIN && byte_at(&o, p.at) == 0x11);
	sc_close(&o);
	sb_deinit(&b);
}

Test(pages, mapped_pages_are_found_by_their_bitmap)
{
	static const char *const caps[] = { "mapped-ram" };
	struct qemu_page p[3] = { { .offset = 0 }, { .offset = 0x9000 }, { .offset = 0x100000 } };
	struct stream_builder b;
	struct opened o;
	uint64_t bitmap;

	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "pc");
	sb_config_capabilities(&b, 1, caps);
	sb_ram_start(&b);
	sb_be(&b, 8, 64 * KIB | 4);
	sb_name(&b, "pc.ram");
	sb_be(&b, 8, 64 * KIB);
	sb_be(&b, 4, 1);
	sb_be(&b, 8, 4096);
	bitmap = sb_offset(&b) + 16;
	sb_be(&b, 8, bitmap);
	sb_be(&b, 8, MIB);
	sb_be(&b, 1, 0);
	sb_be(&b, 1, 2); /* page 9 */
	sb_pad(&b, MIB + 64 * KIB - sb_offset(&b));
	b.out.data[MIB + 0x9000] = 0x5a;
	sb_ram_finish(&b);
	end(&b);
	open_stream(&o, &b, true);
	cr_assert_eq(qemu_pages_find(&o.s, p, 3, &o.err), 0, "%s", o.err.text);
	cr_expect_eq(p[0].kind, QEMU_PAGE_ZERO);
	cr_expect(p[1].kind == QEMU_PAGE_PLAIN && p[1].at == MIB + 0x9000);
	cr_expect_eq(p[2].kind, QEMU_PAGE_ABSENT);
	cr_assert_eq(qemu_stream_replace(&o.s, p[1].at, "xyz", 3, &o.err), 0);
	{
		size_t len;
		uint8_t *again = sc_write(&o, &len);

		cr_assert(again, "%s", o.err.text);
		cr_expect_eq(len, b.out.size);
		cr_expect(!memcmp(again + MIB + 0x9000, "xyz", 3));
		memcpy(b.out.data + MIB + 0x9000, "xyz", 3);
		cr_expect(!memcmp(again, b.out.data, len));
		free(again);
	}
	sc_close(&o);
	sb_deinit(&b);
}

Test(pages, other_bytes_go_in_the_place_of_as_many_and_nothing_else_changes)
{
	struct qemu_page p[2] = { { .offset = 0x2000 }, { .offset = 0x3000 } };
	struct stream_builder b;
	struct opened o;
	uint8_t *again;
	size_t len;

	make_sent(&b);
	open_stream(&o, &b, true);
	cr_assert_eq(qemu_pages_find(&o.s, p, 2, &o.err), 0);
	cr_assert_eq(qemu_stream_replace(&o.s, p[0].at, "first", 5, &o.err), 0);
	cr_assert_eq(qemu_stream_replace(&o.s, p[1].at + 4090, "second", 6, &o.err), 0);
	cr_assert_eq(qemu_stream_replace(&o.s, p[0].at + 100, "third", 5, &o.err), 0);
	again = sc_write(&o, &len);
	cr_assert(again, "%s", o.err.text);
	memcpy(b.out.data + p[0].at, "first", 5);
	memcpy(b.out.data + p[1].at + 4090, "second", 6);
	memcpy(b.out.data + p[0].at + 100, "third", 5);
	cr_expect(len == b.out.size && !memcmp(again, b.out.data, len));
	free(again);
	cr_expect_eq(qemu_stream_replace(&o.s, b.out.size - 2, "too far", 7, &o.err), -ERANGE);
	cr_expect_eq(qemu_stream_replace(&o.s, p[0].at + 2, "x", 1, &o.err), -ERANGE, "bytes that were replaced already");
	sc_close(&o);
	sb_deinit(&b);
}

Test(pages, an_address_above_4_gib_is_in_one_of_few_places)
{
	uint64_t places[QEMU_PAGE_PLACES];

	cr_expect_eq(qemu_page_places(0x12345000, places), 1);
	cr_expect_eq(places[0], 0x12345000);
	cr_expect_eq(qemu_page_places(4 * GIB + 0x1000, places), 4);
	cr_expect_eq(places[0], 3 * GIB + 0x1000);
	cr_expect_eq(places[1], 2 * GIB + 0x1000);
}

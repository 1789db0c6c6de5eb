/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RAM sections: every encoding is walked over to its last byte and counted, broken ones are told by offset. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/stream_check.h"

#define KIB ((uint64_t)1024)
#define MIB (KIB << 10)

/* A stream that ends behind its RAM is read and comes out as it went in; its counters. */
static struct qemu_ram counted(struct stream_builder *b)
{
	struct qemu_ram ram = { 0 };
	struct opened o;

	sb_eof(b);
	sc_open(&o, b, NULL);
	cr_expect(!o.rc, "byte %" PRId64 " of %zu: %s", o.err.offset, b->out.size, o.err.text);
	if (!o.rc)
		ram = o.s.ram;
	sc_close(&o);
	sc_expect_identity(b->out.data, b->out.size, "RAM");
	sb_deinit(b);
	return ram;
}

static void begin(struct stream_builder *b, uint32_t ncaps, const char *const *caps)
{
	sb_init(b);
	sb_header(b);
	sb_config(b, "pc");
	if (ncaps)
		sb_config_capabilities(b, ncaps, caps);
}

static void word(struct stream_builder *b, uint64_t address, unsigned int flags, const char *block)
{
	sb_be(b, 8, address | flags);
	if (block)
		sb_name(b, block);
}

Test(ram, every_encoding_is_counted)
{
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	cr_expect(o.s.ram.total_bytes == 64 * KIB);
	cr_expect(o.s.ram.blocks == 1 && o.s.ram.sections == 3);
	cr_expect(o.s.ram.zero_pages == 1 && o.s.ram.normal_pages == 2);
	cr_expect(o.s.ram.xbzrle_pages == 1 && o.s.ram.compressed_pages == 1);
	cr_expect(!o.s.ram.mapped_bytes);
	sc_close(&o);
	sb_deinit(&b);
}

Test(ram, several_blocks_add_up)
{
	struct stream_builder b;
	struct qemu_ram ram;

	begin(&b, 0, NULL);
	sb_ram_start(&b);
	word(&b, 3 * MIB, 0x04, "pc.ram");
	sb_be(&b, 8, 2 * MIB);
	sb_name(&b, "/rom@etc/acpi/tables");
	sb_be(&b, 8, MIB);
	sb_ram_finish(&b);
	ram = counted(&b);
	cr_expect(ram.blocks == 2 && ram.total_bytes == 3 * MIB);
}

Test(ram, postcopy_advised_blocks_may_carry_a_page_size)
{
	for (unsigned int ignore_shared = 0; ignore_shared < 2; ignore_shared++) {
		static const char *const caps[] = { "x-ignore-shared" };
		struct stream_builder b;
		struct qemu_ram ram;

		begin(&b, ignore_shared, caps);
		sb_command(&b, 3, "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x10\0", 16);
		sb_ram_start(&b);
		word(&b, 4 * MIB, 0x04, "big");
		sb_be(&b, 8, 2 * MIB);
		sb_be(&b, 8, 2 * MIB); /* huge pages */
		if (ignore_shared)
			sb_be(&b, 8, 0xfffc0000);
		sb_name(&b, "small");
		sb_be(&b, 8, 2 * MIB);
		if (ignore_shared)
			sb_be(&b, 8, 0);
		sb_ram_finish(&b);
		ram = counted(&b);
		cr_expect(ram.blocks == 2 && ram.total_bytes == 4 * MIB);
	}
}

Test(ram, ignored_shared_blocks_carry_an_address)
{
	static const char *const caps[] = { "x-ignore-shared" };
	struct stream_builder b;

	begin(&b, 1, caps);
	sb_ram_start(&b);
	word(&b, 4 * MIB, 0x04, "shared");
	sb_be(&b, 8, 2 * MIB);
	sb_be(&b, 8, UINT64_C(0x100000000));
	sb_name(&b, "pc.bios");
	sb_be(&b, 8, 2 * MIB);
	sb_be(&b, 8, 0);
	sb_ram_finish(&b);
	cr_expect(counted(&b).blocks == 2);
}

/* One block at the next MiB of the file; @version and the offsets as they are given. */
static void mapped_block(struct stream_builder *b, const char *name, uint64_t size, uint32_t version, uint64_t pages)
{
	sb_name(b, name);
	sb_be(b, 8, size);
	sb_be(b, 4, version);
	sb_be(b, 8, 4096);
	sb_be(b, 8, sb_offset(b) + 16);
	sb_be(b, 8, pages);
}

static void begin_mapped(struct stream_builder *b, uint64_t total)
{
	static const char *const caps[] = { "mapped-ram" };

	begin(b, 1, caps);
	sb_ram_start(b);
	sb_be(b, 8, total | 0x04);
}

static void fill_mapped(struct stream_builder *b, uint64_t size, uint64_t pages)
{
	sb_pad(b, (size_t)(pages - sb_offset(b)));
	for (uint64_t i = 0; i < size; i += 8)
		sb_be(b, 8, i);
}

static void two_mapped_blocks(struct stream_builder *b)
{
	begin_mapped(b, 24 * KIB);
	mapped_block(b, "pc.ram", 16 * KIB, 1, MIB);
	fill_mapped(b, 16 * KIB, MIB);
	mapped_block(b, "pc.rom", 8 * KIB, 1, 2 * MIB);
	fill_mapped(b, 8 * KIB, 2 * MIB);
	sb_ram_finish(b);
	sb_ram_end(b);
	sb_ram_finish(b);
}

Test(ram, mapped_blocks_are_stepped_over)
{
	struct stream_builder b;
	struct qemu_ram ram;

	two_mapped_blocks(&b);
	ram = counted(&b);
	cr_expect(ram.mapped_bytes == 24 * KIB && ram.blocks == 2 && ram.sections == 2);
}

Test(ram, a_mapped_block_that_is_shared_and_ignored_has_no_space)
{
	static const char *const caps[] = { "mapped-ram", "x-ignore-shared" };
	struct stream_builder b;

	begin(&b, 2, caps);
	sb_ram_start(&b);
	sb_be(&b, 8, MIB | 0x04);
	sb_name(&b, "shared");
	sb_be(&b, 8, MIB);
	sb_be(&b, 8, 0);
	sb_be(&b, 4, 1);
	sb_be(&b, 8, 4096);
	sb_be(&b, 8, 0);
	sb_be(&b, 8, 0);
	sb_ram_finish(&b);
	cr_expect(counted(&b).mapped_bytes == 0);
}

Test(ram, mapped_pages_do_not_move_when_a_device_changes)
{
	struct stream_builder b;
	struct opened o, again;
	uint8_t *out;
	size_t len;

	two_mapped_blocks(&b);
	sb_device(&b, "apic", 0, "apic", 3);
	sb_int(&b, "id", "uint8", 1, 1);
	sb_device_end(&b);
	sb_device(&b, "cpu", 0, "cpu", 12);
	sb_int(&b, "tsc", "uint64", 8, 1);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	vms_remove(sc_section(&o, "apic", 0));
	out = sc_write(&o, &len);
	cr_assert(out, "%s", o.err.text);
	cr_expect(!memcmp(out, b.out.data, 2 * MIB + 8 * KIB));
	cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s", again.err.text);
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(ram, an_edit_that_would_move_mapped_pages_is_refused)
{
	struct stream_builder b;
	struct opened o;
	struct vms_node *early;
	size_t len;

	begin(&b, 1, (const char *const[]){ "mapped-ram" });
	sb_device(&b, "early", 0, "early", 1);
	sb_int(&b, "x", "uint32", 4, 1);
	sb_device_end(&b);
	sb_ram_start(&b);
	sb_be(&b, 8, 4 * KIB | 0x04);
	mapped_block(&b, "pc.ram", 4 * KIB, 1, MIB);
	fill_mapped(&b, 4 * KIB, MIB);
	sb_ram_finish(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	early = sc_section(&o, "early", 0);
	vms_remove(early);
	cr_expect(!sc_write(&o, &len));
	cr_expect(o.err.status == IRQS_REFUSED);
	cr_expect(strstr(o.err.text, "mapped RAM"));
	sc_close(&o);
	sb_deinit(&b);
}

/* -- broken -- */

/* What @fill writes behind the header of a part of the RAM is told at its byte @at, counted from there. */
static void expect_broken(void (*fill)(struct stream_builder *b), int rc, size_t at, const char *text)
{
	struct stream_builder b;
	size_t start;

	begin(&b, 0, NULL);
	sb_ram_setup(&b, 64 * KIB);
	sb_ram_part(&b);
	start = sb_offset(&b);
	fill(&b);
	sc_expect_fails(&b, rc, (int64_t)(start + at), text);
	sb_deinit(&b);
}

static void unknown_flags(struct stream_builder *b)
{
	word(b, 0, 0x01, "pc.ram");
	sb_pad(b, 5000);
}

static void two_flags(struct stream_builder *b)
{
	word(b, 4096, 0x0a, "pc.ram");
	sb_pad(b, 5000);
}

static void flags_above_the_known(struct stream_builder *b)
{
	word(b, 4096, 0x408, NULL);
	sb_pad(b, 5000);
}

static void zero_word(struct stream_builder *b)
{
	sb_pad(b, 5000);
}

static void rdma_hook(struct stream_builder *b)
{
	word(b, 0, 0x80, NULL);
	sb_pad(b, 100);
}

static void continue_nothing(struct stream_builder *b)
{
	word(b, 0, 0x22, NULL);
	sb_pad(b, 100);
}

static void nameless_block(struct stream_builder *b)
{
	word(b, 0, 0x02, "");
	sb_pad(b, 100);
}

static void xbzrle_encoding(struct stream_builder *b)
{
	word(b, 0, 0x40, "pc.ram");
	sb_be(b, 1, 2);
	sb_be(b, 2, 10);
	sb_pad(b, 100);
}

static void xbzrle_too_long(struct stream_builder *b)
{
	word(b, 0, 0x40, "pc.ram");
	sb_be(b, 1, 1);
	sb_be(b, 2, 4097);
	sb_pad(b, 5000);
}

static void compressed_too_long(struct stream_builder *b)
{
	word(b, 0, 0x100, "pc.ram");
	sb_be(b, 4, 0xffffffff);
	sb_pad(b, 100);
}

static void compressed_nothing(struct stream_builder *b)
{
	word(b, 0, 0x100, "pc.ram");
	sb_be(b, 4, 0);
	sb_pad(b, 100);
}

static void page_cut(struct stream_builder *b)
{
	word(b, 0, 0x08, "pc.ram");
	sb_pad(b, 4095);
}

static void blocks_too_long(struct stream_builder *b)
{
	word(b, 64 * KIB, 0x04, "pc.ram");
	sb_be(b, 8, 65 * KIB);
	sb_pad(b, 100);
}

static void block_of_nothing(struct stream_builder *b)
{
	word(b, 64 * KIB, 0x04, "pc.ram");
	sb_be(b, 8, 0);
	sb_pad(b, 100);
}

static void no_end(struct stream_builder *b)
{
	word(b, 0, 0x02, "pc.ram");
	sb_pad(b, 1);
}

Test(broken_ram, each_is_told_with_its_offset)
{
	expect_broken(unknown_flags, -EBADMSG, 0, "unknown flags 0x1 ");
	expect_broken(two_flags, -EBADMSG, 0, "unknown flags 0xa ");
	expect_broken(flags_above_the_known, -EBADMSG, 0, "unknown flags 0x408 ");
	expect_broken(zero_word, -EBADMSG, 0, "unknown flags 0x0 ");
	expect_broken(rdma_hook, -EOPNOTSUPP, 0, "RDMA");
	expect_broken(continue_nothing, -EBADMSG, 0, "no block was named");
	expect_broken(nameless_block, -EBADMSG, 8, "without a name");
	expect_broken(xbzrle_encoding, -EBADMSG, 15, "XBZRLE");
	expect_broken(xbzrle_too_long, -EBADMSG, 15, "XBZRLE");
	expect_broken(compressed_too_long, -EBADMSG, 15, "compressed");
	expect_broken(compressed_nothing, -EBADMSG, 15, "compressed");
	expect_broken(page_cut, -EBADMSG, 15 + 4095, "ends here");
	expect_broken(blocks_too_long, -EBADMSG, 0, "do not add up");
	expect_broken(block_of_nothing, -EBADMSG, 0, "do not add up");
	expect_broken(no_end, -EBADMSG, 16, "ends here");
}

Test(broken_ram, a_newer_version_of_the_section_is_refused)
{
	struct stream_builder b;
	size_t at;

	begin(&b, 0, NULL);
	at = sb_offset(&b);
	sb_ram_start(&b);
	b.out.data[sb_offset(&b) - 1] = 5;
	sb_ram_finish(&b);
	sc_expect_fails(&b, -EOPNOTSUPP, (int64_t)at, "version 5");
	sb_deinit(&b);
}

static void expect_broken_mapped(uint32_t version, uint64_t pages, const char *text)
{
	struct stream_builder b;
	size_t at;

	begin_mapped(&b, 4 * KIB);
	at = sb_offset(&b) + 1 + strlen("pc.ram") + 8;
	mapped_block(&b, "pc.ram", 4 * KIB, version, pages);
	sb_pad(&b, 8 * KIB);
	sb_ram_finish(&b);
	sb_eof(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, text);
	sb_deinit(&b);
}

Test(broken_ram, mapped_headers_that_lie_are_told)
{
	expect_broken_mapped(2, 4 * KIB, "unknown version");
	expect_broken_mapped(1, 8, "points backwards");
	expect_broken_mapped(1, 0, "points backwards");
	expect_broken_mapped(1, MIB, "beyond the end");
	expect_broken_mapped(1, UINT64_MAX, "beyond the end");
	expect_broken_mapped(1, UINT64_MAX - 4095, "beyond the end");
}

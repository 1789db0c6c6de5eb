/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that a relay keeps while the RAM goes by: known as they came last, and sent once more when they are changed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/qemu_pages.h"
#include "stream/relay.h"
#include "tests/unit/stream_check.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define PAGE(n) ((uint64_t)(n)*QEMU_PAGE_SIZE)
#define XBZRLE 0x40u
#define COMPRESSED 0x100u
#define CONTINUE 0x20u

/* A relay, what convert() of it does, and what came out. */
struct bed {
	struct relay *relay;
	void (*look)(struct bed *bed);
	int rc;
	struct irqs_error err;
	uint8_t *data;
	size_t size;
	unsigned int looked;
};

static bool wanted(const uint8_t *bytes)
{
	return bytes[0] >= 0xc0;
}

static int convert(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct bed *bed = ctx;

	(void)s;
	(void)reterr;
	bed->looked++;
	if (bed->look)
		bed->look(bed);
	return 0;
}

static void collect(struct bed *bed, const struct iovec *pieces, size_t n)
{
	cr_assert_leq(n, RELAY_PIECES);
	for (size_t i = 0; i < n; i++) {
		bed->data = realloc(bed->data, bed->size + pieces[i].iov_len);
		cr_assert(bed->data);
		memcpy(bed->data + bed->size, pieces[i].iov_base, pieces[i].iov_len);
		bed->size += pieces[i].iov_len;
	}
}

/* Feed @data in pieces of @most bytes, each from memory of its own so that sanitizers see its ends. */
static void run(struct bed *bed, void (*look)(struct bed *bed), const uint8_t *data, size_t size, size_t most)
{
	const struct relay_options opt = { .convert = convert, .ctx = bed, .wants_page = wanted };
	struct iovec pieces[RELAY_PIECES];
	size_t n;

	*bed = (struct bed){ .look = look };
	cr_assert_eq(relay_create(&bed->relay, &opt, &bed->err), 0);
	for (size_t at = 0; at < size && !bed->rc; at += most) {
		size_t len = most < size - at ? most : size - at;
		uint8_t *piece = malloc(len);

		cr_assert(piece);
		memcpy(piece, data + at, len);
		bed->rc = relay_feed(bed->relay, piece, len, pieces, &n, &bed->err);
		if (!bed->rc)
			collect(bed, pieces, n);
		free(piece);
	}
	if (!bed->rc)
		bed->rc = relay_end(bed->relay, pieces, &n, &bed->err);
	if (!bed->rc)
		collect(bed, pieces, n);
	relay_destroy(bed->relay);
	bed->relay = NULL;
}

static void begin(struct stream_builder *b, uint64_t rom, uint64_t ram)
{
	sb_header(b);
	sb_config(b, "pc");
	sb_ram_start(b);
	sb_be(b, 8, (rom + ram) | 4);
	if (rom) {
		sb_name(b, "vga.vram");
		sb_be(b, 8, rom);
	}
	sb_name(b, "pc.ram");
	sb_be(b, 8, ram);
	sb_ram_finish(b);
}

static void packed(struct stream_builder *b, uint64_t at, const char *block, unsigned int flag, const void *data, size_t len)
{
	sb_be(b, 8, at | flag | (block ? 0 : CONTINUE));
	if (block)
		sb_name(b, block);
	if (flag == XBZRLE)
		sb_be(b, 1, 1);
	sb_be(b, flag == XBZRLE ? 2 : 4, len);
	sb_put(b, data, len);
}

static void devices(struct stream_builder *b)
{
	sb_device(b, "thing", 0, "thing", 1);
	sb_int(b, "value", "uint8", 1, 7);
	sb_device_end(b);
	sb_eof(b);
	sb_vmdesc(b);
}

/* The section at the end of the RAM that a relay adds. */
static void own_end(struct stream_builder *b, const char *block, uint64_t at, const uint8_t *page)
{
	sb_ram_end(b);
	if (page) {
		sb_be(b, 8, at | 8);
		sb_name(b, block);
		sb_put(b, page, QEMU_PAGE_SIZE);
	}
	sb_ram_finish(b);
}

/* Two sections of pages, the wanted ones 0x2000 and 0x5000; the bytes that @want then has behind the relay. */
static void make_two(struct stream_builder *b, bool end_is_part, bool footers)
{
	sb_init(b);
	b->footers = footers;
	begin(b, MIB, 64 * KIB);
	sb_ram_part(b);
	sb_ram_zero(b, 0x1000, "pc.ram");
	sb_ram_page(b, 0x2000, "pc.ram", 0xc1);
	sb_ram_page(b, 0x3000, NULL, 0x31);
	sb_ram_page(b, 0x4000, "vga.vram", 0xc9);
	sb_ram_finish(b);
	if (end_is_part)
		sb_ram_part(b);
	else
		sb_ram_end(b);
	sb_ram_page(b, 0x5000, "pc.ram", 0xc5);
	sb_ram_zero(b, 0x6000, NULL);
	sb_ram_finish(b);
}

static void change_one(struct bed *bed)
{
	static const uint8_t bytes[3] = { 1, 2, 3 };

	cr_expect_eq(relay_change_page(bed->relay, 0x5ffd, bytes, 3, NULL), 0);
	cr_expect_eq(relay_change_page(bed->relay, 0x5ffe, bytes, 3, NULL), -ERANGE, "beyond its end");
	cr_expect_eq(relay_change_page(bed->relay, 0x3000, bytes, 3, NULL), -ERANGE, "a page that is not kept");
}

static const size_t most[] = { 1, 2, 7, 13, 300, 4096, 5000, 1 << 20 };

Test(relay_pages, the_last_section_goes_on_as_a_part_and_changed_pages_follow_in_one_more)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct stream_builder in, want;
		uint8_t page[QEMU_PAGE_SIZE];
		bool changed = i & 1, footers = i & 2;

		make_two(&in, false, footers);
		devices(&in);
		make_two(&want, true, footers);
		memset(page, 0xc5, sizeof(page));
		memcpy(page + 0xffd, "\1\2\3", 3);
		own_end(&want, "pc.ram", 0x5000, changed ? page : NULL);
		devices(&want);
		for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++) {
			struct bed bed;

			run(&bed, changed ? change_one : NULL, in.out.data, in.out.size, most[k]);
			cr_expect(!bed.rc && bed.looked == 1, "%s", bed.err.text);
			cr_expect(bed.size == want.out.size && !memcmp(bed.data, want.out.data, bed.size), "case %u by %zu", i, most[k]);
			free(bed.data);
		}
		sb_deinit(&in);
		sb_deinit(&want);
	}
}

Test(relay_pages, the_reader_finds_the_changed_page_where_it_came_last)
{
	struct qemu_page page = { .offset = 0x5000 };
	struct stream_builder in;
	struct opened o;
	struct bed bed;
	uint8_t bytes[4];

	make_two(&in, false, true);
	devices(&in);
	run(&bed, change_one, in.out.data, in.out.size, 999);
	cr_assert_eq(bed.rc, 0);
	cr_assert_eq(sc_open_bytes(&o, bed.data, bed.size, NULL), 0, "%s", o.err.text);
	cr_assert_eq(qemu_pages_find(&o.s, &page, 1, &o.err), 0, "%s", o.err.text);
	cr_assert_eq(page.kind, QEMU_PAGE_PLAIN);
	cr_assert_eq(source_read(&o.s.source, page.at + 0xffc, bytes, 4, &o.err), 0);
	cr_expect(!memcmp(bytes, "\xc5\1\2\3", 4));
	sc_close(&o);
	free(bed.data);
	sb_deinit(&in);
}

/* ---- what is known of a page ---- */

static uint8_t first_byte(struct bed *bed, unsigned int page, enum relay_page want)
{
	const uint8_t *bytes = NULL;
	const char *why = NULL;
	enum relay_page is = relay_page(bed->relay, PAGE(page), &bytes, &why);

	cr_expect_eq(is, want, "page %u: %d, not %d", page, is, want);
	cr_expect_eq(is == RELAY_PAGE_UNKNOWN, why != NULL, "page %u", page);
	return is == RELAY_PAGE_KEPT ? bytes[0] : 0;
}

static void look_at_last(struct bed *bed)
{
	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd2);
	first_byte(bed, 2, RELAY_PAGE_OTHER);
	first_byte(bed, 3, RELAY_PAGE_OTHER);
	cr_expect_eq(first_byte(bed, 4, RELAY_PAGE_KEPT), 0xd4);
	cr_expect_eq(first_byte(bed, 5, RELAY_PAGE_KEPT), 0xd5);
	first_byte(bed, 6, RELAY_PAGE_OTHER);
	first_byte(bed, 7, RELAY_PAGE_OTHER);
}

Test(relay_pages, a_page_is_what_came_last_in_the_main_block)
{
	struct stream_builder in;

	sb_init(&in);
	begin(&in, MIB, 64 * KIB);
	sb_ram_part(&in);
	sb_ram_page(&in, PAGE(1), "pc.ram", 0xd1);
	sb_ram_page(&in, PAGE(2), NULL, 0xd1);
	sb_ram_page(&in, PAGE(3), NULL, 0xd1);
	sb_ram_zero(&in, PAGE(4), NULL);
	sb_ram_page(&in, PAGE(5), NULL, 0x01);
	sb_ram_page(&in, PAGE(6), "vga.vram", 0xd1);
	sb_ram_page(&in, PAGE(1), NULL, 0xff);
	sb_ram_finish(&in);
	sb_command(&in, 2, "\0\0\0\1", 4);
	sb_ram_end(&in);
	sb_ram_page(&in, PAGE(1), "pc.ram", 0xd2);
	sb_ram_page(&in, PAGE(2), NULL, 0x02);
	sb_ram_zero(&in, PAGE(3), NULL);
	sb_ram_page(&in, PAGE(4), NULL, 0xd4);
	sb_ram_page(&in, PAGE(5), NULL, 0xd5);
	sb_ram_finish(&in);
	devices(&in);
	for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++) {
		struct bed bed;

		run(&bed, look_at_last, in.out.data, in.out.size, most[k]);
		cr_expect(!bed.rc && bed.looked == 1, "%s", bed.err.text);
		free(bed.data);
	}
	sb_deinit(&in);
}

static void look_at_largest(struct bed *bed)
{
	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd1);
}

Test(relay_pages, without_pc_ram_the_largest_block_is_the_main_one)
{
	struct stream_builder in;
	struct bed bed;

	sb_init(&in);
	sb_header(&in);
	sb_ram_start(&in);
	sb_be(&in, 8, (MIB + 128 * KIB) | 4);
	sb_name(&in, "small");
	sb_be(&in, 8, 64 * KIB);
	sb_name(&in, "ram-node0");
	sb_be(&in, 8, MIB);
	sb_name(&in, "other");
	sb_be(&in, 8, 64 * KIB);
	sb_ram_finish(&in);
	sb_ram_end(&in);
	sb_ram_page(&in, PAGE(1), "ram-node0", 0xd1);
	sb_ram_page(&in, PAGE(1), "small", 0xd2);
	sb_ram_page(&in, PAGE(1), "other", 0xd3);
	sb_ram_finish(&in);
	devices(&in);
	run(&bed, look_at_largest, in.out.data, in.out.size, 100);
	cr_expect(!bed.rc && bed.looked, "%s", bed.err.text);
	free(bed.data);
	sb_deinit(&in);
}

/* ---- differences ---- */

static void look_at_difference(struct bed *bed)
{
	const uint8_t *bytes = NULL;
	const char *why = NULL;

	cr_assert_eq(relay_page(bed->relay, PAGE(1), &bytes, &why), RELAY_PAGE_KEPT);
	cr_expect(bytes[0] == 0xd1 && bytes[1] == 'a' && bytes[2] == 'b' && bytes[3] == 0xd1);
	cr_expect(bytes[302] == 0xd1 && bytes[303] == 'c' && bytes[304] == 0xd1 && bytes[4095] == 'z');
	first_byte(bed, 2, RELAY_PAGE_OTHER); /* its difference made it none of those */
	cr_expect_eq(first_byte(bed, 3, RELAY_PAGE_KEPT), 0xd3);
}

Test(relay_pages, a_difference_to_a_kept_page_is_applied)
{
	/* stays 1, other 2; stays 300 (two bytes of length), other 1; stays 3791, other 1 */
	static const uint8_t difference[] = { 1, 2, 'a', 'b', 0xac, 2, 1, 'c', 0xcf, 0x1d, 1, 'z' }, none[] = { 0, 1, 0x11 };
	struct stream_builder in;

	sb_init(&in);
	begin(&in, 0, 64 * KIB);
	sb_ram_part(&in);
	for (unsigned int i = 1; i < 4; i++)
		sb_ram_page(&in, PAGE(i), "pc.ram", (uint8_t)(0xd0 + i));
	sb_ram_finish(&in);
	sb_ram_end(&in);
	packed(&in, PAGE(1), "pc.ram", XBZRLE, difference, sizeof(difference));
	packed(&in, PAGE(2), NULL, XBZRLE, none, sizeof(none));
	packed(&in, PAGE(3), "pc.ram", XBZRLE, NULL, 0);
	sb_ram_finish(&in);
	sb_command(&in, 2, "\xff\xff\xff\xff", 4);
	devices(&in);
	for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++) {
		struct bed bed;

		run(&bed, look_at_difference, in.out.data, in.out.size, most[k]);
		cr_expect(!bed.rc && bed.looked == 1, "%s", bed.err.text);
		free(bed.data);
	}
	sb_deinit(&in);
}

static void look_at_unknown(struct bed *bed)
{
	const uint8_t *bytes;
	const char *why = "";

	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd1);
	cr_expect_eq(relay_page(bed->relay, PAGE(2), &bytes, &why), RELAY_PAGE_UNKNOWN);
	cr_expect(strstr(why, "xbzrle"), "%s", why);
}

/* Of a page that was not kept; one that is none; compressed; each beyond the page or the bytes in its own way. */
Test(relay_pages, what_cannot_be_unpacked_is_not_known)
{
	static const struct {
		unsigned int page, flag;
		size_t len;
		uint8_t data[8];
	} cases[] = {
		{ 3, XBZRLE, 3, { 0, 1, 0x11 } },
		{ 2, XBZRLE, 3, { 0x80, 0x20, 1 } },       /* ends before what is other */
		{ 2, XBZRLE, 4, { 0xff, 0x1f, 2, 1 } },    /* more than there is */
		{ 2, XBZRLE, 5, { 0xff, 0x1f, 2, 1, 1 } }, /* beyond the page */
		{ 2, XBZRLE, 4, { 0x81, 0x20, 1, 1 } },    /* stays beyond the page */
		{ 2, XBZRLE, 1, { 0x80 } },                /* half a length */
		{ 2, XBZRLE, 5, { 0x80, 0x80, 1, 1, 1 } }, /* a length of three bytes */
		{ 2, COMPRESSED, 8, { 1, 2, 3, 4, 5, 6, 7, 8 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++) {
			struct stream_builder in;
			struct bed bed;

			sb_init(&in);
			begin(&in, 0, 64 * KIB);
			sb_ram_end(&in);
			sb_ram_page(&in, PAGE(1), "pc.ram", 0xd1);
			if (cases[i].page == 2)
				sb_ram_page(&in, PAGE(2), "pc.ram", 0xd2);
			packed(&in, PAGE(cases[i].page), "pc.ram", cases[i].flag, cases[i].data, cases[i].len);
			sb_ram_finish(&in);
			devices(&in);
			run(&bed, look_at_unknown, in.out.data, in.out.size, most[k]);
			cr_expect(!bed.rc && bed.looked, "case %zu: %s", i, bed.err.text);
			free(bed.data);
			sb_deinit(&in);
		}
}

/* More than a page of compressed bytes, and of another block, are nobody's. */
Test(relay_pages, a_compressed_page_may_be_larger_than_a_page)
{
	struct stream_builder in;
	struct bed bed;
	uint8_t *data = calloc(1, 8000);

	sb_init(&in);
	begin(&in, MIB, 64 * KIB);
	sb_ram_end(&in);
	sb_ram_page(&in, PAGE(1), "pc.ram", 0xd1);
	packed(&in, PAGE(2), "pc.ram", COMPRESSED, data, 8000);
	sb_ram_finish(&in);
	devices(&in);
	run(&bed, look_at_unknown, in.out.data, in.out.size, 3000);
	cr_expect(!bed.rc && bed.looked, "%s", bed.err.text);
	free(bed.data);
	sb_deinit(&in);
	free(data);
}

static void look_at_other_block(struct bed *bed)
{
	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd1);
	first_byte(bed, 2, RELAY_PAGE_OTHER);
}

Test(relay_pages, what_is_packed_in_another_block_does_not_matter)
{
	struct stream_builder in;
	struct bed bed;

	sb_init(&in);
	begin(&in, MIB, 64 * KIB);
	sb_ram_end(&in);
	sb_ram_page(&in, PAGE(1), "pc.ram", 0xd1);
	packed(&in, PAGE(1), "vga.vram", XBZRLE, "\0\1\1", 3);
	packed(&in, PAGE(1), NULL, COMPRESSED, "abc", 3);
	sb_ram_finish(&in);
	devices(&in);
	run(&bed, look_at_other_block, in.out.data, in.out.size, 50);
	cr_expect(!bed.rc && bed.looked, "%s", bed.err.text);
	free(bed.data);
	sb_deinit(&in);
}

/* ---- bounds ---- */

static void look_at_too_many(struct bed *bed)
{
	const uint8_t *bytes;
	const char *why = "";

	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd1);
	cr_expect_eq(first_byte(bed, RELAY_PAGES_MAX, RELAY_PAGE_KEPT), 0xd1);
	cr_expect_eq(relay_page(bed->relay, PAGE(RELAY_PAGES_MAX + 1), &bytes, &why), RELAY_PAGE_UNKNOWN);
	cr_expect(strstr(why, "more pages"), "%s", why);
	cr_expect_eq(first_byte(bed, 0, RELAY_PAGE_UNKNOWN), 0);
}

static void look_at_just_enough(struct bed *bed)
{
	cr_expect_eq(first_byte(bed, 0, RELAY_PAGE_OTHER), 0);
	cr_expect_eq(first_byte(bed, 1, RELAY_PAGE_KEPT), 0xd1);
	cr_expect_eq(first_byte(bed, RELAY_PAGES_MAX + 1, RELAY_PAGE_KEPT), 0xd1);
}

Test(relay_pages, only_so_many_are_kept_and_then_none_is_denied)
{
	for (unsigned int freed = 0; freed < 2; freed++) {
		struct stream_builder in;
		struct bed bed;

		sb_init(&in);
		begin(&in, 0, PAGE(RELAY_PAGES_MAX + 2));
		sb_ram_part(&in);
		sb_ram_page(&in, 0, "pc.ram", freed ? 0xd0 : 1);
		for (unsigned int i = 1; i <= RELAY_PAGES_MAX + 1; i++) {
			if (freed && i == RELAY_PAGES_MAX) { /* makes room */
				sb_ram_zero(&in, 0, NULL);
				sb_ram_zero(&in, PAGE(2), NULL);
			}
			sb_ram_page(&in, PAGE(i), NULL, 0xd1);
		}
		sb_ram_finish(&in);
		sb_ram_end(&in);
		sb_ram_finish(&in);
		devices(&in);
		run(&bed, freed ? look_at_just_enough : look_at_too_many, in.out.data, in.out.size, 100000);
		cr_expect(!bed.rc && bed.looked, "%s", bed.err.text);
		free(bed.data);
		sb_deinit(&in);
	}
}

/* Cut at every byte from the last page of RAM on: an error, what is out is how the whole begins, and nothing of the end. */
Test(relay_pages, says_when_the_input_ends_early)
{
	struct stream_builder in, ram;
	struct bed whole;
	size_t mark;

	make_two(&in, false, true);
	make_two(&ram, true, true);
	devices(&in);
	mark = sb_find(&in, ram.out.size, "\6", 1); /* a stream may end in front of its vmdescription */
	run(&whole, change_one, in.out.data, in.out.size, 1 << 20);
	cr_assert_eq(whole.rc, 0);
	for (size_t len = ram.out.size - 200; len < in.out.size; len++)
		for (size_t k = 0; k < 2; k++) {
			struct bed bed;

			run(&bed, change_one, in.out.data, len, k ? len : 5);
			if (len == mark) {
				cr_expect_eq(bed.rc, 0, "%s", bed.err.text);
				free(bed.data);
				continue;
			}
			cr_expect(bed.rc == -EBADMSG && bed.err.status == IRQS_MALFORMED, "%zu bytes: %d %s", len, bed.rc, bed.err.text);
			cr_expect_eq(bed.size, len < ram.out.size ? len : ram.out.size, "%zu bytes: %zu are out", len, bed.size);
			cr_expect(!memcmp(bed.data, whole.data, bed.size), "%zu bytes: others", len);
			free(bed.data);
		}
	free(whole.data);
	sb_deinit(&in);
	sb_deinit(&ram);
}

static void expect_fails(struct stream_builder *b, int rc, const char *text)
{
	struct bed bed;

	run(&bed, NULL, b->out.data, b->out.size, 64);
	cr_expect(bed.rc == rc && strstr(bed.err.text, text), "%d %s, not %s", bed.rc, bed.err.text, text);
	free(bed.data);
	sb_deinit(b);
}

Test(relay_pages, refuses_ram_of_which_no_page_can_be_sent_again)
{
	static const char *const caps[] = { "mapped-ram" };
	struct stream_builder b;

	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "pc");
	sb_config_capabilities(&b, 1, caps);
	sb_ram_start(&b);
	expect_fails(&b, -EOPNOTSUPP, "convert a file");
	make_two(&b, false, true);
	sb_ram_end(&b);
	sb_ram_finish(&b);
	expect_fails(&b, -EBADMSG, "ends twice");
}

/* Nothing is kept where nothing was asked for. */
Test(relay_pages, a_relay_without_them_knows_none)
{
	const struct relay_options opt = { .convert = convert };
	const uint8_t *bytes;
	const char *why;
	struct relay *r;

	cr_assert_eq(relay_create(&r, &opt, NULL), 0);
	cr_expect_eq(relay_page(r, 0, &bytes, &why), RELAY_PAGE_OTHER);
	cr_expect_eq(relay_change_page(r, 0, "x", 1, NULL), -ERANGE);
	relay_destroy(r);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in front of the stream in a libvirt save image: read, written again, and told where it is broken. */
#include "stream/libvirt_image.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/stream_builder.h"

#define HEADER 92u
#define XML "<domain type='kvm'/>"
#define COOKIE "<cookie/>"

/* An image's bytes: header, XML, cookie, room. */
struct box {
	uint8_t bytes[4096];
	size_t len;
	bool swapped;
};

static void put_word(struct box *b, size_t at, uint32_t v)
{
	if (b->swapped)
		v = __builtin_bswap32(v);
	memcpy(b->bytes + at, &v, sizeof(v));
}

static void make(struct box *b, uint32_t version, const char *cookie, size_t room)
{
	size_t xml = sizeof(XML), cookie_len = cookie ? strlen(cookie) + 1 : 0;
	bool swapped = b->swapped;

	*b = (struct box){ .swapped = swapped };
	memcpy(b->bytes, "LibvirtQemudSave", 16);
	put_word(b, 16, version);
	put_word(b, 20, (uint32_t)(xml + cookie_len + room));
	put_word(b, 24, 1);
	put_word(b, 32, cookie ? (uint32_t)xml : 0);
	b->bytes[90] = 0x5a; /* an unused word */
	memcpy(b->bytes + HEADER, XML, xml);
	if (cookie)
		memcpy(b->bytes + HEADER + xml, cookie, cookie_len);
	b->len = HEADER + xml + cookie_len + room;
}

static int open_box(const struct box *b, size_t len, struct libvirt_image *ret, struct irqs_error *err)
{
	struct source src;
	int fd = sb_bytes_fd(b->bytes, len), rc = source_init(&src, fd, err);

	cr_assert_eq(rc, 0);
	rc = libvirt_image_read(ret, &src, err);
	source_deinit(&src);
	close(fd);
	return rc;
}

static void expect_fails(const struct box *b, int rc, int64_t offset, const char *text)
{
	struct irqs_error err = { 0 };
	struct libvirt_image img;

	cr_expect_eq(open_box(b, b->len, &img, &err), rc, "%s", err.text);
	cr_expect_eq(err.offset, offset, "%s: at %lld", text, (long long)err.offset);
	cr_expect(strstr(err.text, text), "%s", err.text);
}

static uint8_t *write_head(const struct libvirt_image *img, size_t *ret_len)
{
	struct irqs_error err = { 0 };
	int fd = memfd_create("head", 0);
	uint8_t *p;

	cr_assert_eq(libvirt_image_write_head(img, fd, &err), 0, "%s", err.text);
	p = sb_slurp(fd, ret_len);
	close(fd);
	return p;
}

Test(libvirt_image, what_is_read_is_written_again)
{
	static const struct {
		bool swapped;
		uint32_t version;
		const char *cookie;
		size_t room;
	} cases[] = { { false, 2, COOKIE, 1000 }, { false, 2, NULL, 0 }, { true, 2, COOKIE, 7 }, { true, 1, NULL, 50 }, { false, 1, NULL, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct box b = { .swapped = cases[i].swapped };
		struct irqs_error err = { 0 };
		struct libvirt_image img;
		uint8_t *again;
		size_t len;

		make(&b, cases[i].version, cases[i].cookie, cases[i].room);
		cr_assert_eq(open_box(&b, b.len, &img, &err), 0, "%zu: %s", i, err.text);
		cr_expect_str_eq(img.xml, XML);
		cr_expect_eq(!img.cookie, !cases[i].cookie);
		cr_expect(!img.cookie || !strcmp(img.cookie, COOKIE));
		cr_expect(img.was_running);
		cr_expect_eq(img.version, cases[i].version);
		cr_expect_eq(img.size, b.len);
		cr_expect_eq(libvirt_image_fit(&img, &err), 0);
		again = write_head(&img, &len);
		cr_expect(len == b.len && !memcmp(again, b.bytes, len), "case %zu", i);
		free(again);
		libvirt_image_deinit(&img);
	}
}

Test(libvirt_image, version_1_has_neither_compression_nor_cookie)
{
	struct irqs_error err = { 0 };
	struct libvirt_image img;
	struct box b = { 0 };

	make(&b, 1, NULL, 0);
	put_word(&b, 28, 77);
	put_word(&b, 32, 1u << 30);
	cr_assert_eq(open_box(&b, b.len, &img, &err), 0, "%s", err.text);
	cr_expect_eq(img.compression, COMPRESSION_RAW);
	cr_expect_null(img.cookie);
	libvirt_image_deinit(&img);
}

Test(libvirt_image, every_compression_is_known_by_its_number)
{
	for (uint32_t c = 0; c < 7; c++) {
		struct irqs_error err = { 0 };
		struct libvirt_image img;
		struct box b = { 0 };

		make(&b, 2, COOKIE, 0);
		put_word(&b, 28, c);
		cr_assert_eq(open_box(&b, b.len, &img, &err), 0, "%s", err.text);
		cr_expect_eq(img.sparse, c == 6);
		cr_expect_eq(img.compression, c == 6 ? COMPRESSION_RAW : (enum compression)c);
		libvirt_image_deinit(&img);
	}
}

Test(libvirt_image, a_longer_xml_uses_the_room_and_then_makes_some)
{
	struct irqs_error err = { 0 };
	struct libvirt_image img, read_again;
	struct box b = { 0 };
	struct source src;
	uint64_t before;
	uint8_t *head;
	size_t len;
	int fd;

	make(&b, 2, COOKIE, 10);
	cr_assert_eq(open_box(&b, b.len, &img, &err), 0);
	before = img.size;
	free(img.xml);
	img.xml = strdup(XML "0123456789");
	cr_expect_eq(libvirt_image_fit(&img, &err), 0);
	cr_expect_eq(img.size, before);
	free(img.xml);
	img.xml = strdup(XML "0123456789X");
	cr_expect_eq(libvirt_image_fit(&img, &err), 0);
	cr_expect_gt(img.size, before + 60000);
	head = write_head(&img, &len);
	cr_expect_eq(len, img.size);
	fd = sb_bytes_fd(head, len);
	cr_assert_eq(source_init(&src, fd, &err), 0);
	cr_assert_eq(libvirt_image_read(&read_again, &src, &err), 0, "%s", err.text);
	cr_expect_str_eq(read_again.xml, img.xml);
	cr_expect_str_eq(read_again.cookie, COOKIE);
	cr_expect_eq(read_again.size, img.size);
	libvirt_image_deinit(&read_again);
	libvirt_image_deinit(&img);
	source_deinit(&src);
	close(fd);
	free(head);
}

Test(libvirt_image, a_sparse_one_does_not_grow)
{
	struct irqs_error err = { 0 };
	struct libvirt_image img;
	struct box b = { 0 };

	make(&b, 2, NULL, 0);
	put_word(&b, 28, 6);
	cr_assert_eq(open_box(&b, b.len, &img, &err), 0);
	free(img.xml);
	img.xml = strdup(XML " ");
	cr_expect_eq(libvirt_image_fit(&img, &err), -EOPNOTSUPP);
	libvirt_image_deinit(&img);
}

/* -- broken -- */

Test(libvirt_image, an_unfinished_one_is_refused)
{
	struct box b = { 0 };

	make(&b, 2, COOKIE, 0);
	memcpy(b.bytes, "LibvirtQemudPart", 16);
	cr_expect(libvirt_image_is(b.bytes, 16));
	expect_fails(&b, -EOPNOTSUPP, 0, "never finished");
}

Test(libvirt_image, unknown_versions_and_formats_are_refused_by_number)
{
	struct box b = { 0 };

	make(&b, 3, COOKIE, 0);
	expect_fails(&b, -EOPNOTSUPP, 16, "version 3,");
	make(&b, 0, COOKIE, 0);
	expect_fails(&b, -EOPNOTSUPP, 16, "version 0,");
	make(&b, 2, COOKIE, 0);
	put_word(&b, 28, 7);
	expect_fails(&b, -EOPNOTSUPP, 28, "unknown format: 7");
}

Test(libvirt_image, sizes_and_texts_that_cannot_be_are_told)
{
	struct box b = { 0 };

	make(&b, 2, COOKIE, 0);
	put_word(&b, 20, 0);
	expect_fails(&b, -EBADMSG, 20, "impossible size");
	put_word(&b, 20, UINT32_MAX);
	expect_fails(&b, -EBADMSG, 20, "impossible size");
	make(&b, 2, COOKIE, 0);
	put_word(&b, 32, (uint32_t)(b.len - HEADER));
	expect_fails(&b, -EBADMSG, 32, "outside");
	make(&b, 2, COOKIE, 0);
	b.bytes[HEADER + sizeof(XML) - 1] = ' ';
	expect_fails(&b, -EBADMSG, HEADER, "XML has no end");
	make(&b, 2, COOKIE, 0);
	b.bytes[b.len - 1] = ' ';
	expect_fails(&b, -EBADMSG, HEADER + sizeof(XML), "cookie has no end");
	memcpy(b.bytes, "LibvirtQemudShip", 16);
	expect_fails(&b, -EBADMSG, 0, "not a libvirt save image");
}

Test(libvirt_image, one_that_ends_early_is_told_at_every_length)
{
	struct box b = { 0 };

	make(&b, 2, COOKIE, 3);
	for (size_t len = 0; len < b.len; len++) {
		struct irqs_error err = { 0 };
		struct libvirt_image img;

		cr_expect_eq(open_box(&b, len, &img, &err), -EBADMSG, "at %zu", len);
	}
}

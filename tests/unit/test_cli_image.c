/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command on libvirt's save images: raw and packed ones, their XML in the report, and what is refused. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/libvirt_image.h"
#include "tests/unit/cli_run.h"
#include "tests/unit/stream_builder.h"

#define STREAM "tests/data/isapc-kvm.stream"
#define HEADER LIBVIRT_IMAGE_HEADER_SIZE

static const char xml[] = "<domain type='kvm'>\n  <name>d</name>\n  <features><ioapic driver='kvm'/></features>\n</domain>\n";
static const char cookie[] = "<cookie>\n  <cpu mode='custom' check='full'/>\n</cookie>\n";

static int open_in(const char *name, int flags)
{
	int fd = open(cli_path(name), flags, 0600);

	cr_assert_geq(fd, 0, "%s", name);
	return fd;
}

/* An image around the stream; @room behind its texts. */
static void make(const char *name, enum compression c, size_t room)
{
	size_t data = sizeof(xml) + sizeof(cookie) + room;
	uint32_t words[] = { 2, (uint32_t)data, 1, c, sizeof(xml) };
	uint8_t *head = calloc(1, HEADER + data);
	int fd = open_in(name, O_WRONLY | O_CREAT | O_TRUNC), from = open(STREAM, O_RDONLY);
	struct irqs_error err = { 0 };

	cr_assert(head && from >= 0);
	memcpy(head, "LibvirtQemudSave", 16);
	memcpy(head + 16, words, sizeof(words));
	memcpy(head + HEADER, xml, sizeof(xml));
	memcpy(head + HEADER + sizeof(xml), cookie, sizeof(cookie));
	cr_assert_eq(write(fd, head, HEADER + data), (ssize_t)(HEADER + data));
	cr_assert_eq(compression_pack(c, from, fd, &err), 0, "%s", err.text);
	close(from);
	close(fd);
	free(head);
}

static void setup(void)
{
	cli_folder();
	make("raw", COMPRESSION_RAW, 65536);
}

TestSuite(cli_image, .init = setup, .fini = cli_folder_remove);

static void read_image(const char *name, struct libvirt_image *ret)
{
	struct irqs_error err = { 0 };
	int fd = open_in(name, O_RDONLY);
	struct source src;

	cr_assert_eq(source_init(&src, fd, &err), 0);
	cr_assert_eq(libvirt_image_read(ret, &src, &err), 0, "%s", err.text);
	source_deinit(&src);
	close(fd);
}

static uint8_t *slurp(const char *name, size_t *ret_len)
{
	int fd = open_in(name, O_RDONLY);
	uint8_t *p = sb_slurp(fd, ret_len);

	close(fd);
	return p;
}

/* The stream in an image, unpacked. */
static uint8_t *stream_of(const char *name, size_t *ret_len)
{
	struct irqs_error err = { 0 };
	struct libvirt_image img;
	int fd = open_in(name, O_RDONLY), to = open_in("unpacked", O_RDWR | O_CREAT | O_TRUNC);
	uint8_t *p;

	read_image(name, &img);
	lseek(fd, (off_t)img.size, SEEK_SET);
	cr_assert_eq(compression_unpack(img.compression, fd, to, &err), 0, "%s", err.text);
	p = sb_slurp(to, ret_len);
	libvirt_image_deinit(&img);
	close(fd);
	close(to);
	return p;
}

Test(cli_image, to_its_own_kind_it_is_the_same_file)
{
	uint8_t *a, *b;
	size_t a_len, b_len;

	cr_assert_eq(cli_run("convert --to kvm -o same raw"), 0, "%s", cli_text);
	a = slurp("raw", &a_len);
	b = slurp("same", &b_len);
	cr_expect(a_len == b_len && !memcmp(a, b, a_len));
	free(a);
	free(b);
}

Test(cli_image, stream_and_xml_are_converted_and_both_are_in_the_report)
{
	struct libvirt_image img;
	uint8_t *a, *b;
	size_t a_len, b_len;

	cr_assert_eq(cli_run("convert --to tcg -v --report report -o out raw"), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "domain.type: kvm -> qemu"), "%s", cli_text);
	cr_expect(strstr(cli_text, "domain.features.ioapic.driver: kvm"), "%s", cli_text);
	cr_expect(strstr(cli_text, "cookie.cpu.check: full -> none"), "%s", cli_text);
	cr_expect(strstr(cli_text, "timer[0].cpu_ticks_offset"), "%s", cli_text);
	a = slurp("report", &a_len);
	cr_expect(memmem(a, a_len, "\"domain.type\"", 13));
	free(a);
	read_image("out", &img);
	cr_expect(strstr(img.xml, "<domain type=\"qemu\">"), "%s", img.xml);
	cr_expect(strstr(img.cookie, "check=\"none\""), "%s", img.cookie);
	cr_expect(img.was_running);
	cr_expect_eq(img.size, HEADER + sizeof(xml) + sizeof(cookie) + 65536, "the stream moved");
	libvirt_image_deinit(&img);
	/* what is behind the head is the stream as it is converted alone */
	cr_assert_eq(cli_run("convert --to tcg -o plain $data/isapc-kvm.stream"), 0, "%s", cli_text);
	a = slurp("plain", &a_len);
	b = stream_of("out", &b_len);
	cr_expect(a_len == b_len && !memcmp(a, b, a_len));
	free(a);
	free(b);
}

Test(cli_image, a_packed_one_comes_out_packed_the_same_way)
{
	uint8_t *want, *got;
	size_t want_len, got_len;

	cr_assert_eq(cli_run("convert --to tcg -o out raw"), 0, "%s", cli_text);
	want = stream_of("out", &want_len);
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		struct libvirt_image img;

		make("packed", c, 65536);
		cr_assert_eq(cli_run("convert --to tcg -o out2 packed"), 0, "%s: %s", compression_name(c), cli_text);
		read_image("out2", &img);
		cr_expect_eq(img.compression, c);
		libvirt_image_deinit(&img);
		got = stream_of("out2", &got_len);
		cr_expect(got_len == want_len && !memcmp(got, want, got_len), "%s", compression_name(c));
		free(got);
	}
	free(want);
}

Test(cli_image, without_room_the_stream_moves_back)
{
	struct libvirt_image img;
	uint8_t *want, *got;
	size_t want_len, got_len;

	make("tight", COMPRESSION_RAW, 0);
	cr_assert_eq(cli_run("convert --to kvm-split -o out raw"), 0, "%s", cli_text);
	cr_assert_eq(cli_run("convert --to kvm-split -o out2 tight"), 0, "%s", cli_text);
	read_image("out2", &img);
	cr_expect(strstr(img.xml, "<ioapic driver=\"qemu\"/>"), "%s", img.xml);
	libvirt_image_deinit(&img);
	want = stream_of("out", &want_len);
	got = stream_of("out2", &got_len);
	cr_expect(want_len == got_len && !memcmp(want, got, got_len));
	free(want);
	free(got);
}

Test(cli_image, there_and_back_is_the_stream_that_was_there)
{
	cr_assert_eq(cli_run("convert --to tcg -o there raw"), 0, "%s", cli_text);
	cr_assert_eq(cli_run("convert --to kvm -o back there"), 0, "%s", cli_text);
	cr_assert_eq(cli_run("show back"), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "saved by kvm"), "%s", cli_text);
}

Test(cli_image, show_check_and_diff_read_one)
{
	make("gz", COMPRESSION_GZIP, 0);
	cr_assert_eq(cli_run("show gz"), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "libvirt save image, version 2, gzip, runs when it is restored\nmachine isapc"), "%s", cli_text);
	cr_assert_eq(cli_run("check --to tcg raw"), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "domain.type"), "%s", cli_text);
	cr_assert_eq(cli_run("diff raw gz"), 0, "%s", cli_text);
	cr_assert_eq(cli_run("show - <gz"), 0, "%s", cli_text);
}

Test(cli_image, what_libvirt_cannot_run_is_refused_and_nothing_is_written)
{
	cr_expect_eq(cli_run("convert --to kvm-off -o out raw"), 3, "%s", cli_text);
	cr_expect(strstr(cli_text, "libvirt has no word"), "%s", cli_text);
	cr_expect_neq(cli_run("show out"), 0);
}

Test(cli_image, a_broken_one_is_malformed_input_with_its_place)
{
	int fd = open_in("raw", O_RDWR);

	cr_assert_eq(pwrite(fd, "<", 1, HEADER + 10), 1);
	cr_expect_eq(cli_run("convert --to tcg -o out raw"), 4, "%s", cli_text);
	cr_expect(strstr(cli_text, "raw: domain: libvirt's XML, line 1"), "%s", cli_text);
	cr_assert_eq(pwrite(fd, "Part", 4, 12), 4);
	cr_expect_eq(cli_run("show raw"), 3, "%s", cli_text);
	close(fd);
	make("gz", COMPRESSION_GZIP, 0);
	fd = open_in("gz", O_RDWR);
	cr_assert_eq(ftruncate(fd, lseek(fd, 0, SEEK_END) - 100), 0);
	cr_expect_eq(cli_run("show gz"), 4, "%s", cli_text);
	cr_expect(strstr(cli_text, "gzip: the packed data end too early"), "%s", cli_text);
	close(fd);
}

Test(cli_image, from_a_pipe_it_goes_into_a_file_and_not_into_a_pipe)
{
	cr_expect_eq(cli_run("convert --to tcg -o out raw"), 0, "%s", cli_text);
	cr_expect_eq(cli_run("convert --to tcg -o out2 - <raw && cmp out out2"), 0, "%s", cli_text);
	cr_expect_eq(cli_run("show - <raw >/dev/null"), 0, "%s", cli_text);
	cr_expect_eq(cli_shell("mkfifo fifo && { cat raw >fifo & } && $irqshift convert --to tcg -o - - <fifo 2>said | cat >/dev/null; "
			       "grep -q 'put it into a file' said"),
		     0, "%s", cli_text);
}

Test(cli_image, in_place_is_left_to_plain_streams)
{
	uint8_t *before, *after;
	size_t before_len, after_len;

	before = slurp("raw", &before_len);
	cr_expect_eq(cli_run("convert --in-place --to tcg raw"), 2, "%s", cli_text);
	after = slurp("raw", &after_len);
	cr_expect(before_len == after_len && !memcmp(before, after, after_len));
	free(before);
	free(after);
}

/* -- the XML alone -- */

Test(cli_image, domain_adapts_the_xml_alone)
{
	static const char domain[] = "<domain type='kvm'/>";
	int fd = open_in("domain.xml", O_WRONLY | O_CREAT);

	cr_assert_eq(write(fd, domain, sizeof(domain) - 1), (ssize_t)sizeof(domain) - 1);
	close(fd);
	cr_expect_eq(cli_run("domain --to tcg -v 2>report <domain.xml"), 0, "%s", cli_text);
	cr_expect_str_eq(cli_text, "<domain type=\"qemu\"/>\n");
	cr_expect_eq(cli_run("domain --to kvm-off domain.xml"), 3, "%s", cli_text);
	cr_expect_eq(cli_run("domain --to tcg /dev/null"), 4, "%s", cli_text);
	cr_expect_eq(cli_run("domain --to nowhere"), 2, "%s", cli_text);
	cr_expect_eq(cli_run("domain"), 2, "%s", cli_text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is packed comes out again, here and in the programs whose files these are; what is broken is told. */
#include "stream/compression.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/stream_builder.h"

/* More than two pieces; the first half packs well, the second not at all. */
#define SIZE ((size_t)700 << 10)

static uint8_t plain[SIZE];

static void make_plain(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = i < SIZE / 2 ? (uint8_t)(i / 997) : (uint8_t)(x >> 24);
	}
}

TestSuite(compression, .init = make_plain);

static int empty_fd(void)
{
	int fd = memfd_create("out", 0);

	cr_assert_geq(fd, 0);
	return fd;
}

static int pack(enum compression c, const void *data, size_t len)
{
	struct irqs_error err = { 0 };
	int from = sb_bytes_fd(data, len), to = empty_fd();

	cr_assert_eq(compression_pack(c, from, to, &err), 0, "%s", err.text);
	close(from);
	return to;
}

static void expect_unpacks_to(enum compression c, int from, const void *want, size_t want_len, const char *what)
{
	struct irqs_error err = { 0 };
	int to = empty_fd();
	uint8_t *got;
	size_t len;

	lseek(from, 0, SEEK_SET);
	cr_assert_eq(compression_unpack(c, from, to, &err), 0, "%s, %s: %s", compression_name(c), what, err.text);
	got = sb_slurp(to, &len);
	cr_expect(len == want_len && !memcmp(got, want, len), "%s, %s: %zu bytes", compression_name(c), what, len);
	free(got);
	close(to);
}

ParameterizedTestParameters(compression, comes_out_as_it_went_in)
{
	static const enum compression all[] = { COMPRESSION_RAW, COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_XZ,
						COMPRESSION_LZOP, COMPRESSION_ZSTD };

	return cr_make_param_array(enum compression, (void *)all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(const enum compression *c, compression, comes_out_as_it_went_in)
{
	static const size_t sizes[] = { 0, 1, 4096, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, SIZE };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = pack(*c, plain, sizes[i]);

		expect_unpacks_to(*c, fd, plain, sizes[i], "round trip");
		if (*c != COMPRESSION_RAW && sizes[i] == SIZE)
			cr_expect_lt(lseek(fd, 0, SEEK_END), (off_t)SIZE * 3 / 4);
		close(fd);
	}
}

/* Two files and padding: what `cat a b` gives, and what a tool that writes in blocks leaves. */
Test(compression, files_behind_each_other_count_as_one)
{
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		static const uint8_t zeros[5000];
		int fd = pack(c, plain, 5000), second = pack(c, plain + 5000, SIZE - 5000);
		uint8_t *more;
		size_t len;

		more = sb_slurp(second, &len);
		lseek(fd, 0, SEEK_END);
		cr_assert_eq(write(fd, more, len), (ssize_t)len);
		cr_assert_eq(write(fd, zeros, sizeof(zeros)), (ssize_t)sizeof(zeros));
		expect_unpacks_to(c, fd, plain, SIZE, "two files");
		free(more);
		close(fd);
		close(second);
	}
}

/* -- the programs -- */

static bool has_program(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", name);
	/* The shell finds it where libvirt would. */
	return !system(command); /* NOLINT(cert-env33-c) */
}

static void run_program(const char *how, int from, int to)
{
	char command[160];

	snprintf(command, sizeof(command), "%s </proc/%d/fd/%d >/proc/%d/fd/%d", how, getpid(), from, getpid(), to);
	cr_assert_eq(system(command), 0, "%s", command); /* NOLINT(cert-env33-c) */
}

Test(compression, the_programs_read_what_is_packed_here_and_the_other_way)
{
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		const char *name = compression_name(c);
		int packed, theirs = empty_fd(), from = sb_bytes_fd(plain, SIZE), out = empty_fd();
		char how[64];
		uint8_t *got;
		size_t len;

		if (!has_program(name)) {
			printf("compression: %s is not installed, not compared with it\n", name);
			close(theirs);
			close(from);
			close(out);
			continue;
		}
		packed = pack(c, plain, SIZE);
		snprintf(how, sizeof(how), "%s -dc", name);
		run_program(how, packed, out);
		got = sb_slurp(out, &len);
		cr_expect(len == SIZE && !memcmp(got, plain, len), "%s unpacked %zu bytes", name, len);
		free(got);
		snprintf(how, sizeof(how), "%s -c", name);
		run_program(how, from, theirs);
		expect_unpacks_to(c, theirs, plain, SIZE, "the program's");
		close(packed);
		close(theirs);
		close(from);
		close(out);
	}
}

/* -- broken -- */

static int try_unpack(enum compression c, const uint8_t *data, size_t len, struct irqs_error *err)
{
	int from = sb_bytes_fd(data, len), to = empty_fd(), rc = compression_unpack(c, from, to, err);

	close(from);
	close(to);
	return rc;
}

Test(compression, a_file_that_was_cut_is_told_wherever_it_was)
{
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		int fd = pack(c, plain, 3000);
		size_t len;
		uint8_t *data = sb_slurp(fd, &len);

		for (size_t cut = 0; cut < len; cut += cut < 80 ? 1 : 97) {
			struct irqs_error err = { 0 };

			cr_expect_eq(try_unpack(c, data, cut, &err), -EBADMSG, "%s cut at %zu", compression_name(c), cut);
			cr_expect_leq(err.offset, (int64_t)cut);
			cr_expect(strstr(err.text, compression_name(c)), "%s", err.text);
		}
		free(data);
		close(fd);
	}
}

/* All five have checksums over what comes out. */
Test(compression, damage_is_never_taken_for_other_data)
{
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		int fd = pack(c, plain + SIZE / 2, 2000);
		size_t len;
		uint8_t *data = sb_slurp(fd, &len);

		for (size_t i = 0; i < len; i++) {
			struct irqs_error err = { 0 };
			int from, to = empty_fd(), rc;
			uint8_t *got;
			size_t n;

			data[i] ^= 0x10;
			from = sb_bytes_fd(data, len);
			rc = compression_unpack(c, from, to, &err);
			got = sb_slurp(to, &n);
			cr_expect(rc == -EBADMSG || (!rc && n == 2000 && !memcmp(got, plain + SIZE / 2, n)),
				  "%s, byte %zu: %d, %zu bytes", compression_name(c), i, rc, n);
			free(got);
			close(from);
			close(to);
			data[i] ^= 0x10;
		}
		free(data);
		close(fd);
	}
}

Test(compression, what_is_behind_the_end_has_to_be_a_packed_file)
{
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		int fd = pack(c, plain, 3000);
		struct irqs_error err = { 0 };
		size_t len;
		uint8_t *data = sb_slurp(fd, &len);

		data = realloc(data, len + 8);
		memcpy(data + len, "garbage!", 8);
		cr_expect_eq(try_unpack(c, data, len + 8, &err), -EBADMSG, "%s", compression_name(c));
		free(data);
		close(fd);
	}
}

Test(compression, an_lzop_block_of_an_impossible_size_allocates_nothing)
{
	int fd = pack(COMPRESSION_LZOP, plain, 3000);
	struct irqs_error err = { 0 };
	size_t len;
	uint8_t *data = sb_slurp(fd, &len);
	const size_t block = 38; /* magic, header, its checksum */

	memset(data + block, 0xff, 4);
	cr_expect_eq(try_unpack(COMPRESSION_LZOP, data, len, &err), -EBADMSG);
	cr_expect(strstr(err.text, "impossible size"), "%s", err.text);
	free(data);
	close(fd);
}

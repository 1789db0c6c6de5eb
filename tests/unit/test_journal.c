/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of a conversion in place: what was saved is loaded, and nothing else is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/journal.h"
#include "tests/unit/stream_builder.h"

#define HEADER 56u
#define ENTRY 24u

static char dir[] = "/tmp/irqshift-journal-XXXXXX";
static char path[64];
static struct irqs_error err;

static struct journal_range two_ranges[] = {
	{ 100, 4, 4, (const uint8_t *)"abcd", (const uint8_t *)"ABCD" },
	{ 200, 6, 3, (const uint8_t *)"uvwxyz", (const uint8_t *)"UVW" },
};
static const struct journal sample = { .old_size = 206, .new_size = 203, .inode = 77, .ranges = two_ranges, .nranges = 2 };

static uint8_t *bytes;
static size_t size;

/* The sample as it is saved. */
static void setup(void)
{
	int fd;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/journal", dir);
	cr_assert_eq(journal_save(&sample, path, &err), 0, "%s", err.text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	bytes = sb_slurp(fd, &size);
	close(fd);
}

static void teardown(void)
{
	free(bytes);
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(journal, .init = setup, .fini = teardown);

static int parse(const uint8_t *data, size_t len)
{
	struct journal j;
	/* Of the very size, so that a sanitizer sees a read behind the end. */
	uint8_t *copy = malloc(len + !len);
	int rc;

	memcpy(copy, data, len);
	memset(&err, 0, sizeof(err));
	rc = journal_parse(&j, copy, len, &err);
	if (!rc)
		journal_deinit(&j);
	free(copy);
	return rc;
}

Test(journal, what_was_saved_is_loaded)
{
	struct journal j;

	cr_assert_eq(journal_load(&j, path, &err), 0, "%s", err.text);
	cr_expect_eq(j.old_size, sample.old_size);
	cr_expect_eq(j.new_size, sample.new_size);
	cr_expect_eq(j.inode, sample.inode);
	cr_assert_eq(j.nranges, 2);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(j.ranges[i].offset, two_ranges[i].offset);
		cr_assert_eq(j.ranges[i].old_size, two_ranges[i].old_size);
		cr_assert_eq(j.ranges[i].new_size, two_ranges[i].new_size);
		cr_expect_arr_eq(j.ranges[i].old_bytes, two_ranges[i].old_bytes, j.ranges[i].old_size);
		cr_expect_arr_eq(j.ranges[i].new_bytes, two_ranges[i].new_bytes, j.ranges[i].new_size);
	}
	journal_deinit(&j);
}

Test(journal, no_file_is_no_journal)
{
	struct journal j;

	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(journal_load(&j, path, &err), -ENOENT);
	cr_expect_eq(journal_load(&j, dir, &err), -EBADMSG);
}

Test(journal, cut_at_any_byte_it_is_incomplete)
{
	for (size_t len = 0; len < size; len++) {
		cr_expect_eq(parse(bytes, len), -ENODATA, "%zu bytes: %s", len, err.text);
		cr_expect_eq(err.status, IRQS_MALFORMED);
		cr_expect_eq(err.offset, (int64_t)len);
	}
}

Test(journal, any_flipped_bit_is_noticed)
{
	for (size_t bit = 0; bit < 8 * size; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect_eq(parse(bytes, size), -EBADMSG, "bit %zu of byte %zu", bit % 8, bit / 8);
		cr_expect_eq(err.status, IRQS_MALFORMED);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_expect_eq(parse(bytes, size), 0);
}

Test(journal, bytes_behind_the_end_are_an_error)
{
	uint8_t *more = calloc(1, size + 1);

	memcpy(more, bytes, size);
	cr_expect_eq(parse(more, size + 1), -EBADMSG);
	cr_expect_eq(err.offset, (int64_t)size);
	free(more);
}

/* CRCs that fit, whatever was changed. */
static void mend(void)
{
	put_be(bytes + 48, 4, crc32c(0, bytes + HEADER, size - HEADER));
	put_be(bytes + 52, 4, crc32c(0, bytes, 52));
}

static void expect_refused(size_t at, size_t width, uint64_t value, const char *says)
{
	uint64_t was = get_be(bytes + at, width);

	put_be(bytes + at, width, value);
	mend();
	cr_expect_eq(parse(bytes, size), -EBADMSG, "byte %zu = %llu", at, (unsigned long long)value);
	cr_expect(strstr(err.text, says), "byte %zu = %llu: %s", at, (unsigned long long)value, err.text);
	put_be(bytes + at, width, was);
	mend();
	cr_expect_eq(parse(bytes, size), 0);
}

Test(journal, another_version_is_refused)
{
	expect_refused(8, 4, 2, "version");
	expect_refused(8, 4, 0, "version");
}

Test(journal, ranges_fit_the_file_and_each_other)
{
	static const uint64_t numbers[] = { 0, 1, 3, UINT32_MAX };
	const size_t first = HEADER, last = HEADER + ENTRY;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		expect_refused(12, 4, numbers[i], "");
	expect_refused(16, 8, 205, "does not fit the file");    /* size before */
	expect_refused(24, 8, 204, "does not fit the file");    /* size after */
	expect_refused(first, 8, 197, "does not fit the file"); /* overlaps the next */
	expect_refused(first, 8, UINT64_MAX, "does not fit the file");
	expect_refused(first + 8, 8, 5, "does not fit the file"); /* changes its size in the middle */
	expect_refused(first + 16, 8, UINT64_MAX - 99, "does not fit the file");
	expect_refused(last, 8, 199, "does not fit the file"); /* does not end with the file */
	expect_refused(last + 8, 8, UINT64_MAX, "does not fit the file");
	expect_refused(last + 8, 8, 3, "does not fit the file");
}

Test(journal, ranges_have_their_bytes)
{
	const size_t last = HEADER + ENTRY;

	/* A file so large that the range fits it, and a journal that does not hold so many bytes. */
	put_be(bytes + 16, 8, 200 + (UINT64_MAX >> 1));
	put_be(bytes + last + 8, 8, UINT64_MAX >> 1);
	mend();
	cr_expect_eq(parse(bytes, size), -EBADMSG);
	cr_expect(strstr(err.text, "without its bytes"), "%s", err.text);
	/* And one that holds more than its ranges have. */
	put_be(bytes + 16, 8, 205);
	put_be(bytes + last + 8, 8, 5);
	mend();
	cr_expect_eq(parse(bytes, size), -EBADMSG);
	cr_expect(strstr(err.text, "belong to no range"), "%s", err.text);
}

Test(journal, a_folder_that_is_not_there_leaves_nothing)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/nowhere/journal", dir);
	cr_expect_eq(journal_save(&sample, name, &err), -ENOENT);
	cr_expect_eq(err.status, IRQS_SYSTEM);
	cr_expect(strstr(err.text, "nowhere/journal"), "%s", err.text);
}

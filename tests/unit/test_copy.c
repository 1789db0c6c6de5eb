/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever way bytes go from file to file, they are the same; TMPDIR says on which file system that is tried. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stream/copy_priv.h"
#include "tests/unit/stream_builder.h"

#define SIZE ((size_t)COPY_DIRECT_MIN + (9u << 20) + 1234)
#define BLOCK 4096u

static int in, out;
static uint8_t *data;
static struct irqs_error err;

static int make_file(void)
{
	const char *dir = getenv("TMPDIR");
	char name[256];
	int fd;

	snprintf(name, sizeof(name), "%s/irqshift-copy-XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(name, O_CLOEXEC);
	cr_assert(fd >= 0, "%s: %s", name, strerror(errno));
	unlink(name);
	return fd;
}

static void setup(void)
{
	uint32_t x = 1;

	data = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	in = make_file();
	out = make_file();
	cr_assert_eq(write(in, data, SIZE), (ssize_t)SIZE);
}

static void teardown(void)
{
	close(in);
	close(out);
	free(data);
}

TestSuite(copy, .init = setup, .fini = teardown, .timeout = 120);

static int copy(size_t offset, size_t length)
{
	struct copier c = { .from = in, .to = out };
	int rc = copy_bytes(&c, offset, length, &err);

	copier_deinit(&c);
	return rc;
}

/* @lead bytes are there before, one is written after: it goes to where the copy ended. */
static void expect_copied(size_t lead, size_t offset, size_t length)
{
	uint8_t *got = malloc(lead + length + 2);

	cr_assert_eq(ftruncate(out, 0), 0);
	cr_assert_eq(pwrite(out, data, lead, 0), (ssize_t)lead);
	cr_assert_eq(lseek(out, (off_t)lead, SEEK_SET), (off_t)lead);
	cr_assert_eq(copy(offset, length), 0, "%s", err.text);
	cr_assert_eq(write(out, "E", 1), 1);
	cr_assert_eq(pread(out, got, lead + length + 2, 0), (ssize_t)(lead + length + 1));
	cr_expect(!memcmp(got, data, lead), "%zu bytes before", lead);
	cr_expect(!memcmp(got + lead, data + offset, length), "%zu bytes from %zu to %zu", length, offset, lead);
	cr_expect_eq(got[lead + length], 'E');
	free(got);
}

Test(copy, any_offset_and_length_gives_the_same_bytes)
{
	static const size_t offsets[][2] = { { 0, 0 }, { 23, 23 }, { 23, 24 }, { BLOCK - 1, 2 * BLOCK - 1 }, { 0, 17 }, { BLOCK, 0 } };
	static const size_t lengths[] = { 0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5, COPY_DIRECT_MIN - 1, COPY_DIRECT_MIN, COPY_DIRECT_MIN + 2 * BLOCK,
					  SIZE - 2 * BLOCK };

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
			expect_copied(offsets[i][0], offsets[i][1], lengths[k]);
}

Test(copy, what_is_behind_in_the_output_stays)
{
	uint8_t got[3];

	cr_assert_eq(ftruncate(out, SIZE + 100), 0);
	cr_assert_eq(pwrite(out, "xyz", 3, SIZE), 3);
	cr_assert_eq(copy(0, SIZE), 0);
	cr_assert_eq(pread(out, got, 3, SIZE), 3);
	cr_expect_arr_eq(got, "xyz", 3);
}

Test(copy, an_output_that_appends_is_appended_to)
{
	uint8_t *got;
	size_t size;

	cr_assert_eq(write(out, "lead", 4), 4);
	cr_assert_eq(lseek(out, 0, SEEK_SET), 0);
	cr_assert_eq(fcntl(out, F_SETFL, O_APPEND), 0);
	cr_assert_eq(copy(0, SIZE), 0, "%s", err.text);
	got = sb_slurp(out, &size);
	cr_assert_eq(size, SIZE + 4);
	cr_expect_arr_eq(got, "lead", 4);
	cr_expect(!memcmp(got + 4, data, SIZE));
	free(got);
}

Test(copy, a_pipe_takes_it_too)
{
	int pipes[2], status;
	pid_t pid;

	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		uint8_t buf[BLOCK];
		size_t done = 0;
		ssize_t n;

		close(pipes[1]);
		while ((n = read(pipes[0], buf, sizeof(buf))) > 0) {
			if (memcmp(buf, data + done, (size_t)n) != 0)
				_exit(1);
			done += (size_t)n;
		}
		_exit(done == SIZE ? 0 : 2);
	}
	close(pipes[0]);
	close(out);
	out = pipes[1];
	cr_expect_eq(copy(0, SIZE), 0, "%s", err.text);
	close(out);
	out = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && !WEXITSTATUS(status));
}

Test(copy, an_input_in_memory_or_on_another_file_system_is_copied)
{
	close(in);
	in = memfd_create("input", MFD_CLOEXEC);
	cr_assert_eq(write(in, data, SIZE), (ssize_t)SIZE);
	expect_copied(23, 23, SIZE - 23);
	close(out);
	out = memfd_create("output", MFD_CLOEXEC);
	expect_copied(23, 23, SIZE - 23);
}

Test(copy, an_input_that_ends_before_is_an_error)
{
	cr_assert_eq(ftruncate(in, COPY_DIRECT_MIN), 0);
	cr_expect_eq(copy(0, SIZE), -EBADMSG);
	cr_expect_eq(err.offset, (int64_t)COPY_DIRECT_MIN);
	cr_expect(strstr(err.text, "became shorter"), "%s", err.text);
}

Test(copy, an_output_that_takes_no_more_is_an_error)
{
	const struct rlimit limit = { COPY_DIRECT_MIN, COPY_DIRECT_MIN };
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(copy(0, SIZE), -EFBIG);
	cr_expect_eq(err.status, IRQS_SYSTEM);
	close(out);
	out = full;
	cr_expect_eq(copy(0, SIZE), -ENOSPC);
}

static bool is_shared(int fd, uint64_t offset)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} q = { .map = { .fm_start = offset, .fm_length = BLOCK, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 1 } };

	cr_assert_eq(ioctl(fd, FS_IOC_FIEMAP, &q), 0);
	return q.map.fm_mapped_extents && q.map.fm_extents[0].fe_flags & FIEMAP_EXTENT_SHARED;
}

Test(copy, blocks_are_shared_where_the_file_system_can)
{
	struct file_clone_range probe = { .src_fd = in, .src_length = BLOCK };

	if (ioctl(out, FICLONERANGE, &probe))
		cr_skip_test("no reflinks on this file system (%s)", strerror(errno));
	expect_copied(23, 23, SIZE - 23);
	cr_expect(is_shared(out, BLOCK));
	expect_copied(23, 24, SIZE - 24);
	cr_expect_not(is_shared(out, BLOCK), "blocks that begin elsewhere cannot be shared");
}

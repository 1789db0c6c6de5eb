/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inflate IN OUT MIB: writes IN with a hole of MIB MiB where its last pages of RAM end. What jumps over the RAM sees a stream of
 * that size; what walks it finds no pages there. The hole takes no space on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/qemu.h"

/* What ends a section of RAM: a word, and the footer. */
#define RAM_END (8u + 5u)

static int fail(const char *what)
{
	fprintf(stderr, "inflate: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Where the pages end. */
static int find_cut(int fd, uint64_t *ret)
{
	const struct qemu_read_options opt = { .skip_ram = true };
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	int rc = qemu_stream_read(&s, fd, &opt, &err);

	if (rc) {
		fprintf(stderr, "inflate: %s\n", err.text);
		return rc;
	}
	rc = s.ram.skipped ? 0 : -EOPNOTSUPP;
	if (rc)
		fprintf(stderr, "inflate: a stream whose RAM has to be walked\n");
	for (size_t i = 0; i < s.nitems; i++)
		if (s.items[i].ram)
			*ret = s.items[i].offset + s.items[i].length - RAM_END;
	qemu_stream_deinit(&s);
	return rc;
}

static int copy(int from, int to, uint64_t begin, uint64_t end, uint64_t shift)
{
	static uint8_t buf[1 << 16];

	while (begin < end) {
		ssize_t n = pread(from, buf, end - begin < sizeof(buf) ? (size_t)(end - begin) : sizeof(buf), (off_t)begin);

		if (n <= 0 || pwrite(to, buf, (size_t)n, (off_t)(begin + shift)) != n)
			return fail("copy");
		begin += (uint64_t)n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t cut, hole;
	int from, to;
	off_t size;

	if (argc != 4) {
		fprintf(stderr, "usage: inflate IN OUT MIB\n");
		return 2;
	}
	from = open(argv[1], O_RDONLY | O_CLOEXEC);
	to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (from < 0 || to < 0)
		return fail(from < 0 ? argv[1] : argv[2]);
	if (find_cut(from, &cut))
		return 1;
	hole = strtoull(argv[3], NULL, 10) << 20;
	size = lseek(from, 0, SEEK_END);
	if (copy(from, to, 0, cut, 0) || copy(from, to, cut, (uint64_t)size, hole))
		return 1;
	return fsync(to) || close(to) ? fail(argv[2]) : 0;
}

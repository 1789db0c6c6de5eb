/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST (64U << 10)
#define LIMIT ((size_t)1 << 32)

/* Files and pipes alike: until the end, into twice the room each time. Return: bytes or -errno. */
static ssize_t read_all(int fd, uint8_t **buf)
{
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (size == room) {
			uint8_t *more = room < LIMIT ? realloc(*buf, room ? room * 2 : FIRST) : NULL;

			if (!more)
				return room < LIMIT ? -ENOMEM : -EFBIG;
			*buf = more;
			room = room ? room * 2 : FIRST;
		}
		n = read(fd, *buf + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : (ssize_t)size;
		size += (size_t)n;
	}
}

int file_read(const char *path, uint8_t **ret, size_t *ret_size, struct irqs_error *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf = NULL;
	ssize_t n;

	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "open");
	n = read_all(fd, &buf);
	close(fd);
	if (n < 0) {
		free(buf);
		return irqs_fail_errno(reterr, (int)-n, "read");
	}
	*ret = buf;
	*ret_size = (size_t)n;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/file_priv.h"

#define BUF_SIZE (SOURCE_PEEK_MAX * 4)

int source_spool_create(void)
{
	const char *dir = getenv("TMPDIR");
	char name[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	snprintf(name, sizeof(name), "%s/irqshift-XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd < 0 ? -errno : fd;
}

static int spool(struct source *s, int fd, struct irqs_error *reterr)
{
	s->fd = source_spool_create();
	if (s->fd < 0)
		return irqs_fail_errno(reterr, -s->fd, "cannot make a spool file (set TMPDIR)");
	s->spooled = true;
	for (;;) {
		ssize_t n = read(fd, s->buf, BUF_SIZE);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return irqs_fail_errno(reterr, errno, "read");
		if (!n)
			return 0;
		rc = file_write_all(s->fd, s->buf, (size_t)n);
		if (rc)
			return irqs_fail_errno(reterr, -rc, "cannot spool the input (set TMPDIR)");
		s->size += (uint64_t)n;
	}
}

int source_init(struct source *s, int fd, struct irqs_error *reterr)
{
	struct stat st;
	int rc = 0;

	*s = (struct source){ .fd = fd };
	s->buf = malloc(BUF_SIZE);
	if (!s->buf)
		return irqs_fail_nomem(reterr);
	if (fstat(fd, &st))
		rc = irqs_fail_errno(reterr, errno, "fstat");
	else if (S_ISDIR(st.st_mode))
		rc = irqs_fail_errno(reterr, EISDIR, "read");
	else if (S_ISREG(st.st_mode))
		s->size = (uint64_t)st.st_size;
	else
		rc = spool(s, fd, reterr);
	if (rc)
		source_deinit(s);
	return rc;
}

void source_init_memory(struct source *s, const void *data, size_t size)
{
	*s = (struct source){ .fd = -1, .size = size, .borrowed = true, .buf = (uint8_t *)data, .buf_used = size };
}

void source_deinit(struct source *s)
{
	if (s->spooled)
		close(s->fd);
	if (!s->borrowed)
		free(s->buf);
	*s = (struct source){ .fd = -1 };
}

static int fail_short(struct source *s, uint64_t offset, size_t len, struct irqs_error *reterr)
{
	s->ended = true;
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)s->size, NULL,
			 "the input ends here: %zu bytes at %" PRIu64 " were expected", len, offset);
}

/* Read until @len bytes are there or the file ends. Return: bytes read or -errno. */
static ssize_t read_at(int fd, uint8_t *dst, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, dst + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int source_peek(struct source *s, uint64_t offset, size_t len, const uint8_t **ret, struct irqs_error *reterr)
{
	if (offset > s->size || len > s->size - offset)
		return fail_short(s, offset, len, reterr);
	if (offset < s->buf_offset || offset - s->buf_offset > s->buf_used ||
	    len > s->buf_used - (size_t)(offset - s->buf_offset)) {
		ssize_t n = read_at(s->fd, s->buf, BUF_SIZE, offset);

		s->buf_used = 0;
		if (n < 0)
			return irqs_fail_errno(reterr, (int)-n, "read at byte %" PRIu64, offset);
		s->buf_offset = offset;
		s->buf_used = (size_t)n;
		if ((size_t)n < len)
			return fail_short(s, offset, len, reterr);
	}
	*ret = s->buf + (offset - s->buf_offset);
	return 0;
}

int source_read(struct source *s, uint64_t offset, void *dst, size_t len, struct irqs_error *reterr)
{
	const uint8_t *p;
	ssize_t n;
	int rc;

	if (len <= SOURCE_PEEK_MAX || s->borrowed) {
		rc = source_peek(s, offset, len, &p, reterr);
		if (!rc)
			memcpy(dst, p, len);
		return rc;
	}
	if (offset > s->size || len > s->size - offset)
		return fail_short(s, offset, len, reterr);
	n = read_at(s->fd, dst, len, offset);
	if (n < 0)
		return irqs_fail_errno(reterr, (int)-n, "read at byte %" PRIu64, offset);
	return (size_t)n < len ? fail_short(s, offset, len, reterr) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream/qemu_sink_priv.h"

#define BUF_SIZE ((size_t)256 << 10)

struct file_sink {
	struct qemu_sink sink;
	int from, fd;
	uint8_t *buf; /* for what cannot be copied in the kernel; NULL until then */
	bool no_copy_range;
};

static int write_bytes(struct qemu_sink *k, const uint8_t *p, size_t len, struct irqs_error *reterr)
{
	const struct file_sink *f = (const struct file_sink *)k;

	while (len) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return irqs_fail_errno(reterr, errno, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Copy in the kernel as far as it goes; both ends may refuse (pipes, other file systems). */
static int copy_in_kernel(struct file_sink *f, off_t *from, uint64_t *left, struct irqs_error *reterr)
{
	while (*left && !f->no_copy_range) {
		size_t len = *left < (uint64_t)1 << 30 ? (size_t)*left : (size_t)1 << 30;
		ssize_t n = copy_file_range(f->from, from, f->fd, NULL, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EIO || errno == EFBIG || errno == EDQUOT))
			return irqs_fail_errno(reterr, errno, "write");
		if (n <= 0) {
			f->no_copy_range = true;
			break;
		}
		*left -= (uint64_t)n;
	}
	return 0;
}

static int copy_through_buffer(struct file_sink *f, off_t from, uint64_t left, struct irqs_error *reterr)
{
	int rc = 0;

	if (!f->buf)
		f->buf = malloc(BUF_SIZE);
	if (!f->buf)
		return irqs_fail_nomem(reterr);
	while (!rc && left) {
		ssize_t n = pread(f->from, f->buf, left < BUF_SIZE ? (size_t)left : BUF_SIZE, from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return irqs_fail_errno(reterr, errno, "read at byte %" PRIu64, (uint64_t)from);
		if (!n)
			return irqs_fail(reterr, IRQS_MALFORMED, from, NULL,
					 "the input became shorter while it was read");
		rc = write_bytes(&f->sink, f->buf, (size_t)n, reterr);
		from += n;
		left -= (uint64_t)n;
	}
	return rc;
}

static int copy(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr)
{
	struct file_sink *f = (struct file_sink *)k;
	off_t from = (off_t)item->offset;
	uint64_t left = item->length;
	int rc = copy_in_kernel(f, &from, &left, reterr);

	(void)pos;
	return rc || !left ? rc : copy_through_buffer(f, from, left, reterr);
}

int qemu_stream_write(const struct qemu_stream *s, int fd, struct irqs_error *reterr)
{
	struct file_sink f = {
		.sink = { .write = write_bytes, .keep = copy },
		.from = s->source.fd,
		.fd = fd,
	};
	int rc = qemu_put_items(s, &f.sink, reterr);

	free(f.buf);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/copy_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/file_priv.h"

#define BUF_SIZE ((size_t)256 << 10)

/* What is mapped at a time; it counts as resident. */
#define WINDOW ((uint64_t)8 << 20)

/* Pages, and blocks of every file system that shares them. */
#define BLOCK_MIN ((uint64_t)4096)

static bool is_write_error(int err)
{
	return err == ENOSPC || err == EIO || err == EFBIG || err == EDQUOT;
}

/* ---- whole blocks, at the same place within a block in both files ---- */

struct span {
	uint64_t from, to; /* offsets */
	uint64_t left;
};

static void advance(struct span *s, uint64_t n)
{
	s->from += n;
	s->to += n;
	s->left -= n;
}

static void clone_blocks(struct copier *c, struct span *s)
{
	struct file_clone_range range = {
		.src_fd = c->from,
		.src_offset = s->from,
		.src_length = s->left,
		.dest_offset = s->to,
	};

	if (c->no_clone)
		return;
	if (ioctl(c->to, FICLONERANGE, &range))
		c->no_clone = true;
	else
		advance(s, s->left);
}

/* One window of the input's page cache. Return: bytes written, 0 when it is not to be done this way, or -errno. */
static int64_t write_window(int direct, int from, const struct span *s)
{
	uint64_t len = s->left < WINDOW ? s->left : WINDOW;
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, from, (off_t)s->from);
	ssize_t n;
	int err;

	if (p == MAP_FAILED)
		return 0;
	/* For an input that is not in the page cache: what comes next is read while this is written. */
	posix_fadvise(from, (off_t)(s->from + len), (off_t)WINDOW, POSIX_FADV_WILLNEED);
	do {
		n = pwrite(direct, p, len, (off_t)s->to);
		err = n < 0 ? errno : 0;
	} while (err == EINTR);
	munmap(p, len);
	return err ? (is_write_error(err) ? -err : 0) : n;
}

/* By an open file of its own: the caller's may be shared with other processes. */
static int open_direct(int fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

static int write_direct(struct copier *c, struct span *s, struct irqs_error *reterr)
{
	int direct, rc = 0;

	if (c->no_direct || s->left < COPY_DIRECT_MIN)
		return 0;
	direct = open_direct(c->to);
	c->no_direct = direct < 0;
	while (s->left && !c->no_direct && !rc) {
		int64_t n = write_window(direct, c->from, s);

		if (n < 0)
			rc = irqs_fail_errno(reterr, (int)-n, "write");
		/* A part of a block is for another way to go on from. */
		c->no_direct = n <= 0 || (uint64_t)n % BLOCK_MIN;
		if (n > 0)
			advance(s, (uint64_t)n);
	}
	if (direct >= 0)
		close(direct);
	return rc;
}

/* ---- anything, to where the output stands ---- */

/* Copy in the kernel as far as it goes; both ends may refuse (pipes, other file systems). */
static int copy_in_kernel(struct copier *c, off_t *from, uint64_t *left, struct irqs_error *reterr)
{
	while (*left && !c->no_copy_range) {
		size_t len = *left < (uint64_t)1 << 30 ? (size_t)*left : (size_t)1 << 30;
		ssize_t n = copy_file_range(c->from, from, c->to, NULL, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_write_error(errno))
			return irqs_fail_errno(reterr, errno, "write");
		if (n <= 0) {
			c->no_copy_range = true;
			break;
		}
		*left -= (uint64_t)n;
	}
	return 0;
}

static int copy_through_buffer(struct copier *c, off_t from, uint64_t left, struct irqs_error *reterr)
{
	if (left && !c->buf)
		c->buf = malloc(BUF_SIZE);
	if (left && !c->buf)
		return irqs_fail_nomem(reterr);
	while (left) {
		ssize_t n = pread(c->from, c->buf, left < BUF_SIZE ? (size_t)left : BUF_SIZE, from);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return irqs_fail_errno(reterr, errno, "read at byte %" PRIu64, (uint64_t)from);
		if (!n)
			return irqs_fail(reterr, IRQS_MALFORMED, from, NULL,
					 "the input became shorter while it was read");
		rc = file_write_all(c->to, c->buf, (size_t)n);
		if (rc)
			return irqs_fail_errno(reterr, -rc, "write");
		from += n;
		left -= (uint64_t)n;
	}
	return 0;
}

static int copy_plainly(struct copier *c, uint64_t offset, uint64_t length, struct irqs_error *reterr)
{
	off_t from = (off_t)offset;
	uint64_t left = length;
	int rc = copy_in_kernel(c, &from, &left, reterr);

	return rc ? rc : copy_through_buffer(c, from, left, reterr);
}

/* ---- what is which ---- */

/* Bytes up to the next block, when both files can be written by blocks and agree where these begin; else -1. */
static int64_t before_blocks(const struct copier *c, uint64_t offset, uint64_t length, uint64_t *ret_block, off_t *ret_to)
{
	struct stat from, to;
	uint64_t lead;

	if ((c->no_clone && c->no_direct) || fstat(c->from, &from) || fstat(c->to, &to) || !S_ISREG(from.st_mode) ||
	    !S_ISREG(to.st_mode) || fcntl(c->to, F_GETFL) & O_APPEND)
		return -1;
	*ret_to = lseek(c->to, 0, SEEK_CUR);
	*ret_block = (uint64_t)to.st_blksize > BLOCK_MIN ? (uint64_t)to.st_blksize : BLOCK_MIN;
	lead = (*ret_block - offset % *ret_block) % *ret_block;
	if (*ret_to < 0 || ((uint64_t)*ret_to + lead) % *ret_block || offset + length > (uint64_t)from.st_size ||
	    length < lead + *ret_block)
		return -1;
	return (int64_t)lead;
}

/* Return: bytes that were copied, or -errno. */
static int64_t copy_blocks(struct copier *c, uint64_t offset, uint64_t length, struct irqs_error *reterr)
{
	uint64_t block, whole;
	off_t to;
	int64_t lead = before_blocks(c, offset, length, &block, &to);
	struct span s;
	int rc;

	if (lead < 0)
		return 0;
	rc = copy_plainly(c, offset, (uint64_t)lead, reterr);
	if (rc)
		return rc;
	whole = (length - (uint64_t)lead) / block * block;
	s = (struct span){ offset + (uint64_t)lead, (uint64_t)to + (uint64_t)lead, whole };
	clone_blocks(c, &s);
	rc = write_direct(c, &s, reterr);
	if (!rc && lseek(c->to, (off_t)s.to, SEEK_SET) < 0)
		rc = irqs_fail_errno(reterr, errno, "lseek");
	return rc ? rc : lead + (int64_t)(whole - s.left);
}

int copy_bytes(struct copier *c, uint64_t offset, uint64_t length, struct irqs_error *reterr)
{
	int64_t n = copy_blocks(c, offset, length, reterr);

	return n < 0 ? (int)n : copy_plainly(c, offset + (uint64_t)n, length - (uint64_t)n, reterr);
}

void copier_deinit(struct copier *c)
{
	free(c->buf);
	c->buf = NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/file_priv.h"
#include "stream/output.h"

static const uint8_t magic[] = { 'I', 'R', 'Q', 'S', 'J', 'R', 'N', 'L' };
#define MAGIC_SIZE sizeof(magic)
#define VERSION 1u

/* Of the header. */
enum {
	AT_VERSION = 8,
	AT_NRANGES = 12,
	AT_OLD_SIZE = 16,
	AT_NEW_SIZE = 24,
	AT_INODE = 32,
	AT_SIZE = 40,
	AT_BODY_CRC = 48,
	AT_HEADER_CRC = 52,
	HEADER_SIZE = 56,
};

/* Offset, old and new size. */
#define RANGE_SIZE 24u

/* It is held in memory; the device part of a machine of a thousand vCPUs is below a tenth of it. */
#define SIZE_MAX_HELD ((uint64_t)1 << 30)

static int malformed(struct irqs_error *reterr, uint64_t at, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)at, NULL, "%s", what);
}

static int incomplete(struct irqs_error *reterr, uint64_t size)
{
	malformed(reterr, size, "the journal ends before it is complete");
	return -ENODATA;
}

static int parse_header(struct journal *j, const uint8_t *p, size_t size, struct irqs_error *reterr)
{
	uint64_t said;

	if (memcmp(p, magic, size < MAGIC_SIZE ? size : MAGIC_SIZE) != 0)
		return malformed(reterr, 0, "not a journal of irqshift");
	if (size < HEADER_SIZE)
		return incomplete(reterr, size);
	if (crc32c(0, p, AT_HEADER_CRC) != get_be(p + AT_HEADER_CRC, 4))
		return malformed(reterr, AT_HEADER_CRC, "the header of the journal is damaged: its CRC does not fit");
	if (get_be(p + AT_VERSION, 4) != VERSION)
		return malformed(reterr, AT_VERSION, "a journal of another version of irqshift");
	said = get_be(p + AT_SIZE, 8);
	if (size < said)
		return incomplete(reterr, size);
	if (size > said)
		return malformed(reterr, said, "bytes behind the end of the journal");
	if (crc32c(0, p + HEADER_SIZE, size - HEADER_SIZE) != get_be(p + AT_BODY_CRC, 4))
		return malformed(reterr, HEADER_SIZE, "the journal is damaged: its CRC does not fit");
	j->old_size = get_be(p + AT_OLD_SIZE, 8);
	j->new_size = get_be(p + AT_NEW_SIZE, 8);
	j->inode = get_be(p + AT_INODE, 8);
	j->nranges = (size_t)get_be(p + AT_NRANGES, 4);
	return 0;
}

/* @end: of the range before. Sums cannot overflow: each size is checked against the size of the file first. */
static bool range_fits(const struct journal *j, const struct journal_range *r, bool last, uint64_t end)
{
	if (r->offset < end || r->offset > j->old_size || r->old_size > j->old_size - r->offset ||
	    r->offset > j->new_size || r->new_size > j->new_size - r->offset)
		return false;
	if (r->old_size == r->new_size)
		return !last || j->old_size == j->new_size;
	return last && r->offset + r->old_size == j->old_size && r->offset + r->new_size == j->new_size;
}

/* @used: where the range's bytes are in the journal, moved behind them. */
static int parse_range(struct journal *j, size_t i, const uint8_t *p, size_t size, size_t *used, struct irqs_error *reterr)
{
	const uint8_t *entry = p + HEADER_SIZE + i * RANGE_SIZE;
	const struct journal_range *before = i ? &j->ranges[i - 1] : NULL;
	struct journal_range *r = &j->ranges[i];

	r->offset = get_be(entry, 8);
	r->old_size = get_be(entry + 8, 8);
	r->new_size = get_be(entry + 16, 8);
	if (!range_fits(j, r, i == j->nranges - 1, before ? before->offset + before->new_size : 0))
		return malformed(reterr, HEADER_SIZE + i * RANGE_SIZE, "a range of the journal does not fit the file");
	if (r->old_size > size - *used || r->new_size > size - *used - r->old_size)
		return malformed(reterr, HEADER_SIZE + i * RANGE_SIZE, "a range of the journal without its bytes");
	r->old_bytes = p + *used;
	r->new_bytes = r->old_bytes + r->old_size;
	*used += r->old_size + r->new_size;
	return 0;
}

int journal_parse(struct journal *j, const uint8_t *data, size_t size, struct irqs_error *reterr)
{
	size_t used;
	int rc;

	*j = (struct journal){ 0 };
	rc = parse_header(j, data, size, reterr);
	if (rc)
		return rc;
	if (!j->nranges || j->nranges > (size - HEADER_SIZE) / RANGE_SIZE)
		return malformed(reterr, AT_NRANGES, "an impossible number of ranges in the journal");
	j->ranges = calloc(j->nranges, sizeof(*j->ranges));
	if (!j->ranges)
		return irqs_fail_nomem(reterr);
	used = HEADER_SIZE + j->nranges * RANGE_SIZE;
	for (size_t i = 0; i < j->nranges && !rc; i++)
		rc = parse_range(j, i, data, size, &used, reterr);
	if (!rc && used != size)
		rc = malformed(reterr, used, "bytes in the journal that belong to no range");
	if (rc)
		journal_deinit(j);
	return rc;
}

static int read_all(int fd, uint8_t *p, size_t size)
{
	while (size) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int load_fd(struct journal *j, int fd, const char *path, struct irqs_error *reterr)
{
	struct stat st;
	uint8_t *data;
	int rc;

	if (fstat(fd, &st))
		return irqs_fail_errno(reterr, errno, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > SIZE_MAX_HELD)
		return malformed(reterr, 0, "not a journal of irqshift");
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return irqs_fail_nomem(reterr);
	rc = read_all(fd, data, (size_t)st.st_size);
	rc = rc ? irqs_fail_errno(reterr, -rc, "cannot read '%s'", path) : journal_parse(j, data, (size_t)st.st_size, reterr);
	if (rc)
		free(data);
	else
		j->data = data;
	return rc;
}

int journal_load(struct journal *j, const char *path, struct irqs_error *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

	*j = (struct journal){ 0 };
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : irqs_fail_errno(reterr, errno, "cannot read '%s'", path);
	rc = load_fd(j, fd, path, reterr);
	close(fd);
	return rc;
}

/* Header and table, allocated; the ranges' bytes follow. */
static uint8_t *make_head(const struct journal *j, size_t *ret_size)
{
	size_t size = HEADER_SIZE + j->nranges * RANGE_SIZE;
	uint8_t *p = malloc(size);
	uint64_t all = size;
	uint32_t crc;

	if (!p)
		return NULL;
	for (size_t i = 0; i < j->nranges; i++) {
		const struct journal_range *r = &j->ranges[i];
		uint8_t *entry = p + HEADER_SIZE + i * RANGE_SIZE;

		put_be(entry, 8, r->offset);
		put_be(entry + 8, 8, r->old_size);
		put_be(entry + 16, 8, r->new_size);
		all += r->old_size + r->new_size;
	}
	crc = crc32c(0, p + HEADER_SIZE, size - HEADER_SIZE);
	for (size_t i = 0; i < j->nranges; i++) {
		crc = crc32c(crc, j->ranges[i].old_bytes, j->ranges[i].old_size);
		crc = crc32c(crc, j->ranges[i].new_bytes, j->ranges[i].new_size);
	}
	memcpy(p, magic, MAGIC_SIZE);
	put_be(p + AT_VERSION, 4, VERSION);
	put_be(p + AT_NRANGES, 4, j->nranges);
	put_be(p + AT_OLD_SIZE, 8, j->old_size);
	put_be(p + AT_NEW_SIZE, 8, j->new_size);
	put_be(p + AT_INODE, 8, j->inode);
	put_be(p + AT_SIZE, 8, all);
	put_be(p + AT_BODY_CRC, 4, crc);
	put_be(p + AT_HEADER_CRC, 4, crc32c(0, p, AT_HEADER_CRC));
	*ret_size = size;
	return p;
}

static int write_journal(const struct journal *j, int fd)
{
	size_t size;
	uint8_t *head = make_head(j, &size);
	int rc = head ? file_write_all(fd, head, size) : -ENOMEM;

	free(head);
	for (size_t i = 0; i < j->nranges && !rc; i++) {
		rc = file_write_all(fd, j->ranges[i].old_bytes, j->ranges[i].old_size);
		if (!rc)
			rc = file_write_all(fd, j->ranges[i].new_bytes, j->ranges[i].new_size);
	}
	return rc;
}

int journal_save(const struct journal *j, const char *path, struct irqs_error *reterr)
{
	struct output o;
	int rc = output_open(&o, path, 0600, reterr);

	if (rc)
		return rc;
	rc = write_journal(j, o.fd);
	if (rc) {
		output_abort(&o);
		return irqs_fail_errno(reterr, -rc, "cannot write '%s'", path);
	}
	rc = output_commit(&o, reterr);
	return rc ? rc : output_sync_folder(path, reterr);
}

void journal_deinit(struct journal *j)
{
	free(j->ranges);
	free(j->data);
	*j = (struct journal){ 0 };
}

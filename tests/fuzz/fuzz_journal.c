/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as the journal of a conversion in place. With the first byte odd its CRCs are made to fit, or nothing would get
 * past them. What is taken is written again as it was.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/journal.h"

#define HEADER_SIZE 56u
#define AT_SIZE 40u
#define AT_BODY_CRC 48u
#define AT_HEADER_CRC 52u

static char name[64];

static void forget(void)
{
	unlink(name);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct journal_range ranges[] = {
		{ 100, 4, 4, (const uint8_t *)"abcd", (const uint8_t *)"ABCD" },
		{ 200, 6, 3, (const uint8_t *)"uvwxyz", (const uint8_t *)"UVW" },
	};
	const struct journal j = { .old_size = 206, .new_size = 203, .inode = 77, .ranges = ranges, .nranges = 2 };
	const char *folder = seed_folder(*argc, *argv);
	uint8_t buf[512] = { 1 };
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/tmp/irqshift-fuzz-journal-%d", (int)getpid());
	atexit(forget);
	if (!folder)
		return 0;
	if (journal_save(&j, name, NULL) || (fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
		abort();
	n = read(fd, buf + 1, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		abort();
	seed_write(folder, "two-ranges", buf, (size_t)n + 1);
	return 0;
}

static void mend(uint8_t *p, size_t size)
{
	if (size < HEADER_SIZE)
		return;
	put_be(p + AT_SIZE, 8, size);
	put_be(p + AT_BODY_CRC, 4, crc32c(0, p + HEADER_SIZE, size - HEADER_SIZE));
	put_be(p + AT_HEADER_CRC, 4, crc32c(0, p, AT_HEADER_CRC));
}

/* Each byte of each range is touched, so that a sanitizer sees one that is not there; then they are written. */
static void save(const struct journal *j, const uint8_t *data, size_t size)
{
	uint8_t *back = malloc(size + 1);
	int fd;

	if (!back || journal_save(j, name, NULL) || (fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
		abort();
	if (read(fd, back, size + 1) != (ssize_t)size || memcmp(back, data, size) != 0)
		abort();
	close(fd);
	unlink(name);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct journal j;
	uint8_t *copy;
	int rc;

	if (!size)
		return 0;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		mend(copy, size - 1);
	rc = journal_parse(&j, copy, size - 1, &err);
	if (!rc) {
		save(&j, copy, size - 1);
		journal_deinit(&j);
	} else if ((rc != -EBADMSG && rc != -ENODATA) || err.status != IRQS_MALFORMED) {
		abort();
	}
	free(copy);
	return 0;
}

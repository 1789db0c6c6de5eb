/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of a conversion in place: what a file holds before and after it, of the bytes that change. It stands
 * beside the file from before the first of them is written until the last is on the disk.
 *
 * All integers are big-endian: "IRQSJRNL", version u32, number of ranges u32, size of the file before u64 and after
 * u64, its inode u64, bytes of the journal u64, CRC-32C of all behind the header u32, CRC-32C of the header before it
 * u32. Then for each range its offset, old and new size, u64 each; then for each its old and its new bytes.
 */
#ifndef IRQSHIFT_STREAM_JOURNAL_H
#define IRQSHIFT_STREAM_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Ranges ascend and do not overlap. Only the last may change its size, and then it ends where the file ends. */
struct journal_range {
	uint64_t offset, old_size, new_size;
	const uint8_t *old_bytes, *new_bytes;
};

struct journal {
	uint64_t old_size, new_size; /* of the file */
	uint64_t inode;              /* of the file: a hint, a copy of both files has another */
	struct journal_range *ranges;
	size_t nranges;
	/* private: */
	uint8_t *data;
};

/**
 * journal_parse - a journal out of its bytes
 * @j: receives it; release with journal_deinit(). Its ranges point into @data
 *
 * Return: 0; -ENODATA when the bytes end before the journal does (IRQS_MALFORMED); -EBADMSG when it is none, damaged
 * or of another version; -ENOMEM.
 */
int journal_parse(struct journal *j, const uint8_t *data, size_t size, struct irqs_error *reterr);

/* journal_load - from a file. Return: as journal_parse(); -ENOENT without an error text when there is none; -errno. */
int journal_load(struct journal *j, const char *path, struct irqs_error *reterr);

/**
 * journal_save - to a file, complete and on the disk or absent
 * @path: its name, which no file has
 *
 * Return: 0; -errno: an error in the end, while the folder is synced, may leave it there.
 */
int journal_save(const struct journal *j, const char *path, struct irqs_error *reterr);

void journal_deinit(struct journal *j);

#endif

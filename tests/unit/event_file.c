/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "kvm/recording_priv.h"

ssize_t event_file_write(void *file, const void *data, size_t len)
{
	struct event_file *f = file;

	if (len > sizeof(f->data) - f->len)
		return -ENOSPC;
	memcpy(f->data + f->len, data, len);
	f->len += len;
	return (ssize_t)len;
}

ssize_t event_file_read(void *file, void *data, size_t len)
{
	struct event_file *f = file;
	size_t n = f->len - f->pos < len ? f->len - f->pos : len;

	n = f->piece && n > f->piece ? f->piece : n;
	memcpy(data, f->data + f->pos, n);
	f->pos += n;
	return (ssize_t)n;
}

void event_file_record(struct event_file *f, const struct recording_thread *threads, size_t nthreads,
		       const struct event_batch *batches, size_t n)
{
	struct recording_writer w;

	f->len = f->pos = 0;
	cr_assert_eq(recording_begin(&w, event_file_write, f, IRQ_EVENTS_ALL, "made up", NULL), 0);
	cr_assert_eq(recording_threads(&w, threads, nthreads, NULL), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(recording_events(&w, &batches[i], NULL), 0);
	cr_assert_eq(recording_end(&w, NULL), 0);
}

void event_file_mend(struct event_file *f)
{
	for (size_t at = RECORDING_START_SIZE; at + RECORDING_BLOCK_HEAD <= f->len;) {
		size_t len = get_le(f->data + at + 4, 4);

		if (len > f->len - at - RECORDING_BLOCK_HEAD)
			return;
		put_le(f->data + at + 8, 4, crc32c(crc32c(0, f->data + at, 8), f->data + at + RECORDING_BLOCK_HEAD, len));
		at += RECORDING_BLOCK_HEAD + len;
	}
}

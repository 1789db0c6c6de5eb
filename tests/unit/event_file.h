/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A recording in memory. */
#ifndef TESTS_UNIT_EVENT_FILE_H
#define TESTS_UNIT_EVENT_FILE_H

#include "kvm/recording.h"

struct event_file {
	uint8_t data[1 << 20];
	size_t len, pos;
	size_t piece; /* reads give no more than so many bytes; 0: all */
};

ssize_t event_file_write(void *file, const void *data, size_t len);
ssize_t event_file_read(void *file, void *data, size_t len);

/* event_file_record - a whole recording: @nthreads threads, then the batches. */
void event_file_record(struct event_file *f, const struct recording_thread *threads, size_t nthreads,
		       const struct event_batch *batches, size_t n);

/* event_file_mend - CRCs as they should be, for what was changed on purpose. */
void event_file_mend(struct event_file *f);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An output that is complete or absent: it gets its name only when all of it is on the disk. */
#ifndef IRQSHIFT_STREAM_OUTPUT_H
#define IRQSHIFT_STREAM_OUTPUT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct output {
	int fd; /* to write to */
	/* private: */
	const char *path;
	char *temp;  /* a named temporary, or NULL */
	bool direct; /* standard output, a pipe, a device: nothing to rename */
};

/**
 * output_open - start an output
 * @o: the output; ends with output_commit() or output_abort()
 * @path: name, borrowed; "-" is standard output. An existing file stays as it is until the commit; a pipe or
 *        a device is written directly
 * @mode: permissions, before the umask
 *
 * The bytes go into a nameless file beside @path, or, where the file system has none, into a named one that
 * a killed process leaves behind. Return: 0 or -errno.
 */
int output_open(struct output *o, const char *path, mode_t mode, struct irqs_error *reterr);

/* output_commit - bring it to the disk and give it its name. After an error it is gone. Return: 0 or -errno. */
int output_commit(struct output *o, struct irqs_error *reterr);

/* output_sync_folder - bring the names in the folder of @path to the disk. Return: 0 or -errno. */
int output_sync_folder(const char *path, struct irqs_error *reterr);

/* output_abort - as if it had never been started. */
void output_abort(struct output *o);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's own records of the same tracepoints: tracefs, in its binary form, for comparison. */
#ifndef IRQSHIFT_TESTS_MODULE_TRACE_RAW_H
#define IRQSHIFT_TESTS_MODULE_TRACE_RAW_H

#include <stdbool.h>
#include <stddef.h>

#include "kvm/module/uapi.h"

/* One row of IRQSHIFT_EVENTS. @fields ends with NULL. */
struct trace_row {
	const char *name;
	const char *const *fields;
};
extern const struct trace_row trace_rows[IRQSHIFT_EVENT_TYPES];

#define TRACE_FIELDS_MAX 8

/* What /sys/kernel/tracing/events/kvm/NAME/format says, without the fields common to all. */
struct trace_format {
	unsigned int id, nfields;
	struct trace_field {
		char name[32];
		unsigned int offset, size;
		bool is_signed;
	} fields[TRACE_FIELDS_MAX];
};

/* trace_format_read - 0 or -errno: -ENOENT no such tracepoint, -EINVAL a format not understood. */
int trace_format_read(const char *name, struct trace_format *format);

/* trace_format_fits - whether its fields are those of the row, in that order. */
bool trace_format_fits(const struct trace_format *format, const struct trace_row *row);

/*
 * trace_start - a buffer of its own, and all rows' tracepoints on; trace_stop - off. trace_end - the buffer is gone. The test fails
 * if they cannot. What another test left is taken away.
 */
void trace_start(void);
void trace_stop(void);
void trace_end(void);

/*
 * trace_read - all that was recorded: cpu, tid, type, arg; time and pid are 0, and so is tid in an interrupt. To be freed.
 * @lost: what the buffer had no room for.
 */
struct irqshift_event *trace_read(size_t *n, unsigned long *lost);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tracefs says of its own layout, and the binary pages of its ring buffers by it. Source: Documentation/trace/
 * (ring-buffer-design.rst, events.rst), events/header_page and events/header_event of 6.1 and 6.18.
 */
#ifndef IRQSHIFT_KVM_TRACE_PRIV_H
#define IRQSHIFT_KVM_TRACE_PRIV_H

#include "base/error.h"
#include "kvm/event.h"

struct trace_field {
	uint32_t offset, size; /* bytes; size 0: it is not there */
	bool is_signed;
};

/* One of the events: events/kvm/NAME/format. */
struct trace_format {
	bool there;
	uint16_t id;
	struct trace_field args[IRQSHIFT_EVENT_ARGS];
};

/* events/header_page. */
struct trace_layout {
	struct trace_field timestamp, commit, data;
};

struct trace_table {
	struct trace_layout layout;
	struct trace_field id, flags, pid; /* common to all events */
	struct trace_format formats[IRQSHIFT_EVENT_TYPES];
};

/* The parsers refuse what is larger. */
#define TRACE_TEXT_MAX 65536u
#define TRACE_PAGE_MAX (1u << 20)

/* trace_parse_layout, trace_parse_format - the text of these files. Return: 0; -EBADMSG for what cannot be used. */
int trace_parse_layout(const char *text, struct trace_layout *ret);
int trace_parse_format(const char *text, unsigned int type, struct trace_table *table);

struct trace_page {
	uint64_t missed; /* overwritten before this page; UINT64_MAX: some, uncounted */
	size_t bad;      /* records that are shorter than their format, or of no sense */
	size_t count;    /* events that were given out */
};

/**
 * trace_page_decode - the events of one page
 * @page: as trace_pipe_raw gave it, @len bytes
 * @cpu: whose buffer
 * @take: gets each event; of its task only the thread is known, and nothing in an interrupt
 *
 * Other records are passed over. Return: 0; -EBADMSG when the page ends within a record: what came before was given out.
 */
int trace_page_decode(const struct trace_table *table, const void *page, size_t len, unsigned int cpu,
		      int (*take)(void *ctx, const struct irqshift_event *e), void *ctx, struct trace_page *ret);

#endif

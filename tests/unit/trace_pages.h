/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages of the kernel's ring buffer, made by hand, and the formats that they are in. */
#ifndef TESTS_UNIT_TRACE_PAGES_H
#define TESTS_UNIT_TRACE_PAGES_H

#include "kvm/trace_priv.h"

/* As 6.1 and 6.18 say them. */
extern const char trace_header_page[], trace_format_eoi[], trace_format_accept[], trace_format_ioapic[];

struct trace_builder {
	uint8_t bytes[4096];
	size_t len; /* with the page's head */
};

/* trace_table_known - the table that these texts make. */
void trace_table_known(struct trace_table *table);

void trace_page_begin(struct trace_builder *b, uint64_t time);
/* One record: what is in front of every event, then @args of so many bytes. */
void trace_page_event(struct trace_builder *b, uint32_t delta, uint16_t id, uint8_t flags, int32_t pid, const void *args, size_t len);
void trace_page_head(struct trace_builder *b, uint32_t type, uint32_t delta);
void trace_page_word(struct trace_builder *b, uint32_t word);
/* Sets the length; @flags are those above it. */
void trace_page_end(struct trace_builder *b, uint64_t flags);

#endif

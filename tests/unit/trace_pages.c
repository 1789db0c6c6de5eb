/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace_pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define PAGE_HEAD 16u

const char trace_header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				 "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				 "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				 "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

#define COMMON                                                                          \
	"format:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"          \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"  \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

const char trace_format_eoi[] = "name: kvm_eoi\nID: 94\n" COMMON
				"\tfield:__u32 apicid;\toffset:8;\tsize:4;\tsigned:0;\n"
				"\tfield:int vector;\toffset:12;\tsize:4;\tsigned:1;\n"
				"\nprint fmt: \"apicid %x vector %d\", REC->apicid, REC->vector\n";

const char trace_format_accept[] = "name: kvm_apic_accept_irq\nID: 95\n" COMMON
				   "\tfield:__u32 apicid;\toffset:8;\tsize:4;\tsigned:0;\n"
				   "\tfield:__u16 dm;\toffset:12;\tsize:2;\tsigned:0;\n"
				   "\tfield:__u16 tm;\toffset:14;\tsize:2;\tsigned:0;\n"
				   "\tfield:__u8 vec;\toffset:16;\tsize:1;\tsigned:0;\n";

const char trace_format_ioapic[] = "name: kvm_ioapic_set_irq\nID: 107\n" COMMON
				   "\tfield:__u64 e;\toffset:8;\tsize:8;\tsigned:0;\n"
				   "\tfield:int pin;\toffset:16;\tsize:4;\tsigned:1;\n"
				   "\tfield:bool coalesced;\toffset:20;\tsize:1;\tsigned:0;\n";

void trace_table_known(struct trace_table *table)
{
	*table = (struct trace_table){ .formats = { { 0 } } };
	if (trace_parse_layout(trace_header_page, &table->layout) ||
	    trace_parse_format(trace_format_eoi, IRQSHIFT_EVENT_EOI, table) ||
	    trace_parse_format(trace_format_accept, IRQSHIFT_EVENT_APIC_ACCEPT_IRQ, table) ||
	    trace_parse_format(trace_format_ioapic, IRQSHIFT_EVENT_IOAPIC_SET_IRQ, table))
		abort();
}

void trace_page_begin(struct trace_builder *b, uint64_t time)
{
	memset(b, 0, sizeof(*b));
	put_le(b->bytes, 8, time);
	b->len = PAGE_HEAD;
}

void trace_page_word(struct trace_builder *b, uint32_t word)
{
	put_le(b->bytes + b->len, 4, word);
	b->len += 4;
}

void trace_page_head(struct trace_builder *b, uint32_t type, uint32_t delta)
{
	trace_page_word(b, delta << 5 | type);
}

void trace_page_event(struct trace_builder *b, uint32_t delta, uint16_t id, uint8_t flags, int32_t pid, const void *args, size_t len)
{
	size_t size = (8 + len + 3) & ~(size_t)3;

	trace_page_head(b, (uint32_t)(size / 4), delta);
	put_le(b->bytes + b->len, 2, id);
	b->bytes[b->len + 2] = flags;
	put_le(b->bytes + b->len + 4, 4, (uint32_t)pid);
	memcpy(b->bytes + b->len + 8, args, len);
	b->len += size;
}

void trace_page_end(struct trace_builder *b, uint64_t flags)
{
	put_le(b->bytes + 8, 8, (b->len - PAGE_HEAD) | flags);
}

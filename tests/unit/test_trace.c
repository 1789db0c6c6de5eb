/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Formats and pages of the kernel's tracing: as the kernel makes them, and as it never should. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "kvm/event_threads.h"
#include "trace_pages.h"

#define ID_EOI 94
#define ID_ACCEPT 95
#define ID_IOAPIC 107

static struct trace_table table;
static struct trace_builder page;
static struct irqshift_event got[1024];
static size_t count;

static void set_up(void)
{
	trace_table_known(&table);
	trace_page_begin(&page, 1000);
}

TestSuite(trace, .init = set_up);

static int take(void *ctx, const struct irqshift_event *e)
{
	(void)ctx;
	cr_assert_lt(count, 1024);
	got[count++] = *e;
	return 0;
}

static int decode(size_t len, struct trace_page *ret)
{
	count = 0;
	return trace_page_decode(&table, page.bytes, len, 3, take, NULL, ret);
}

static void eoi(uint32_t delta, uint32_t apicid, int32_t vector, uint8_t flags)
{
	uint8_t args[8];

	put_le(args, 4, apicid);
	put_le(args + 4, 4, (uint32_t)vector);
	trace_page_event(&page, delta, ID_EOI, flags, 77, args, sizeof(args));
}

Test(trace, fields_come_out_with_their_width_and_sign)
{
	static const uint8_t accept[] = { 2, 0, 0, 0, 0, 1, 1, 0, 0xec }, ioapic[] = { 0x41, 0x80, 0, 0, 0, 0, 0, 3, 10, 0, 0, 0, 1 };
	struct trace_page p;

	eoi(0, 1, -1, 0);
	trace_page_event(&page, 5, ID_ACCEPT, 0, 78, accept, sizeof(accept));
	trace_page_event(&page, 6, ID_IOAPIC, 0, 79, ioapic, sizeof(ioapic));
	trace_page_event(&page, 7, 4242, 0, 79, ioapic, sizeof(ioapic)); /* somebody else's */
	trace_page_end(&page, 0);
	cr_assert_eq(decode(sizeof(page.bytes), &p), 0);
	cr_assert_eq(count, 3);
	cr_expect_eq(p.count, 3);
	cr_expect_eq(got[0].time, 1000);
	cr_expect_eq(got[0].tid, 77);
	cr_expect_eq(got[0].cpu, 3);
	cr_expect_eq((int64_t)irq_event_args(&got[0], EOI)->vector, -1);
	cr_expect_eq(got[1].time, 1005);
	cr_expect_eq(irq_event_args(&got[1], APIC_ACCEPT_IRQ)->dm, 0x100);
	cr_expect_eq(irq_event_args(&got[1], APIC_ACCEPT_IRQ)->vec, 0xec);
	cr_expect_eq(got[2].time, 1011);
	cr_expect_eq(irq_event_args(&got[2], IOAPIC_SET_IRQ)->e, UINT64_C(0x0300000000008041));
	cr_expect_eq(irq_event_args(&got[2], IOAPIC_SET_IRQ)->pin, 10);
	cr_expect_eq(irq_event_args(&got[2], IOAPIC_SET_IRQ)->coalesced, 1);
}

Test(trace, what_came_up_in_an_interrupt_has_no_task)
{
	static const uint8_t flags[] = { 0x08, 0x10, 0x40, 0x01, 0x04, 0x80 };
	struct trace_page p;

	for (size_t i = 0; i < sizeof(flags); i++)
		eoi(1, 0, 64, flags[i]);
	trace_page_end(&page, 0);
	cr_assert_eq(decode(page.len, &p), 0);
	for (size_t i = 0; i < sizeof(flags); i++)
		cr_expect_eq(got[i].tid, i < 3 ? 0 : 77, "flags %#x", flags[i]);
}

Test(trace, times_are_extended_stamped_and_padded)
{
	struct trace_page p;

	trace_page_begin(&page, UINT64_C(0xf0) << 56 | 1000);
	eoi(0, 0, 1, 0);
	trace_page_head(&page, 30, 3); /* extend: 2^27 * 2 + 3 */
	trace_page_word(&page, 2);
	eoi(0, 0, 2, 0);
	trace_page_head(&page, 29, 4); /* padding of 4 + 8 bytes */
	trace_page_word(&page, 12);
	trace_page_word(&page, 0xffffffff);
	trace_page_word(&page, 0xffffffff);
	eoi(0, 0, 3, 0);
	trace_page_head(&page, 31, 5); /* stamp: 2^27 * 16 + 5, the top bits stay */
	trace_page_word(&page, 16);
	eoi(1, 0, 4, 0);
	trace_page_head(&page, 0, 0); /* a long record: its length is in the word that follows */
	trace_page_word(&page, 4 + 16);
	memset(page.bytes + page.len, 0, 16);
	put_le(page.bytes + page.len, 2, ID_EOI);
	put_le(page.bytes + page.len + 12, 4, 5);
	page.len += 16;
	trace_page_head(&page, 29, 0); /* the rest is empty */
	trace_page_word(&page, 0xffffffff);
	trace_page_end(&page, 0);
	cr_assert_eq(decode(page.len, &p), 0);
	cr_assert_eq(count, 5);
	for (unsigned int i = 0; i < 5; i++)
		cr_expect_eq(irq_event_args(&got[i], EOI)->vector, i + 1);
	cr_expect_eq(got[1].time - got[0].time, (UINT64_C(2) << 27) + 3);
	cr_expect_eq(got[2].time - got[1].time, 4);
	cr_expect_eq(got[3].time, (UINT64_C(0xf0) << 56) + (UINT64_C(16) << 27) + 6);
}

Test(trace, overwritten_events_are_told_with_their_number_where_it_is_there)
{
	struct trace_page p;

	eoi(0, 0, 1, 0);
	put_le(page.bytes + page.len, 8, 1234);
	trace_page_end(&page, 3u << 30);
	cr_assert_eq(decode(page.len + 8, &p), 0);
	cr_expect_eq(p.missed, 1234);
	cr_assert_eq(decode(page.len, &p), 0);
	cr_expect_eq(p.missed, UINT64_MAX);
	trace_page_end(&page, 2u << 30);
	cr_assert_eq(decode(page.len + 8, &p), 0);
	cr_expect_eq(p.missed, UINT64_MAX);
	cr_expect_eq(count, 1);
}

Test(trace, a_page_that_is_cut_off_anywhere_gives_what_is_whole)
{
	struct trace_page p;

	for (unsigned int i = 0; i < 20; i++)
		eoi(1, 0, (int)i, 0);
	trace_page_end(&page, 0);
	for (size_t len = 0; len < page.len; len++)
		cr_expect_eq(decode(len, &p), -EBADMSG, "%zu", len);
	for (size_t len = 0; len < page.len - 16; len++) {
		int rc;

		put_le(page.bytes + 8, 8, len);
		rc = decode(page.len, &p);
		cr_expect(rc == 0 || rc == -EBADMSG);
		cr_expect_eq(p.count, len / 20, "%zu", len);
	}
}

Test(trace, a_record_shorter_than_its_format_is_none)
{
	static const uint8_t args[4] = { 0 };
	struct trace_page p;

	trace_page_event(&page, 0, ID_EOI, 0, 77, args, 4);
	trace_page_head(&page, 1, 0);
	trace_page_word(&page, ID_EOI);
	eoi(0, 0, 1, 0);
	trace_page_end(&page, 0);
	cr_assert_eq(decode(page.len, &p), 0);
	cr_expect_eq(p.count, 1);
	cr_expect_eq(p.bad, 2);
}

Test(trace, random_pages_end)
{
	struct trace_page p;

	srand(11);
	for (unsigned int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < 200; k++)
			page.bytes[16 + k] = (uint8_t)(rand() % 3 ? rand() % 40 : rand());
		page.len = 216;
		trace_page_end(&page, 0);
		decode(216, &p);
	}
}

Test(trace, formats_without_what_is_needed_are_refused)
{
	static const char *const layouts[] = {
		"",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n",
		"\tfield: u64 timestamp;\toffset:0;\tsize:4;\n\tfield: local_t commit;\toffset:8;\tsize:8;\n\tfield: char data;\toffset:16;\tsize:9;\n",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\n\tfield: local_t commit;\toffset:12;\tsize:8;\n\tfield: char data;\toffset:16;\tsize:9;\n",
		"\tfield: u64 timestamp;\toffset:0;\tsize:8;\n\tfield: local_t commit;\toffset:8;\tsize:8;\n\tfield: char data;\toffset:16;\tsize:99999999;\n",
	};
	static const char *const formats[] = {
		"",
		"ID: 5\n",
		"ID: 70000\n",
		"name: x\nID: 9\nfield:int vector;\toffset:8;\tsize:4;\tsigned:1;\n",
		"ID: 9\nfield:int apicid;\toffset:8;\tsize:4;\tsigned:1;\nfield:long vector[3];\toffset:12;\tsize:24;\tsigned:1;\n",
	};
	struct trace_layout l;

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		cr_expect_eq(trace_parse_layout(layouts[i], &l), -EBADMSG, "layout %zu", i);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct trace_table t = table;

		cr_expect_eq(trace_parse_format(formats[i], IRQSHIFT_EVENT_EOI, &t), -EBADMSG, "format %zu", i);
	}
	cr_expect_eq(trace_parse_format(trace_format_eoi, IRQSHIFT_EVENT_TYPES, &table), -EBADMSG);
}

Test(trace, vcpus_are_known_by_the_names_that_vmms_give_threads)
{
	static const struct {
		const char *comm;
		int vcpu;
	} names[] = { { "CPU 3/KVM", 3 }, { "CPU 12/TCG", 12 }, { "fc_vcpu 0", 0 }, { "vcpu7", 7 }, { "crosvm_vcpu2", 2 }, { "kvm-vcpu-1", 1 }, { "vcpu", -1 }, { "CPU x", -1 }, { "worker 3", -1 }, { "", -1 }, { "vcpu99999", -1 } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_eq(event_vcpu_of(names[i].comm), names[i].vcpu, "%s", names[i].comm);
}

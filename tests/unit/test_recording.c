/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recorded events: what is written comes back, and nothing hostile is taken. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "event_file.h"
#include "irq_events.h"
#include "kvm/recording_priv.h"

#define MANY 5000

static struct event_file file;
static struct irqshift_event events[MANY];

static void fill(size_t n)
{
	struct event_maker m = { EVENT_S, 11, 2 };

	for (size_t i = 0; i < n; i++) {
		struct irqshift_event kinds[] = { event_line(&m, 10, -1), event_ioapic(&m, 10, 0x41, true, true), event_msi(&m, 0x51),
						  event_accept(&m, 3, 0x41), event_inject(&m, 0x41, true), event_eoi(&m, 3, -1),
						  event_pic(&m, 9, true) };

		events[i] = kinds[i % 7];
	}
}

/* What a recording gives until it ends. Return: how the reading ended; counts in @count and @lost. */
static int read_all(size_t *count, uint64_t *lost, bool compare, struct irqs_error *reterr)
{
	struct recording *r;
	struct event_batch batch;
	int rc;

	*count = 0;
	*lost = 0;
	file.pos = 0;
	rc = recording_open(event_file_read, &file, &r, reterr);
	if (rc)
		return rc;
	while (!(rc = event_source_read(&r->source, 0, &batch, reterr))) {
		for (size_t i = 0; compare && i < batch.count; i++)
			cr_expect_eq(memcmp(&batch.events[i], &events[*count + i], sizeof(*events)), 0, "event %zu", *count + i);
		*count += batch.count;
		*lost += batch.lost;
	}
	event_source_close(&r->source);
	return rc;
}

static void record(size_t n, uint64_t lost)
{
	const struct recording_thread threads[] = { { 11, 3, "CPU 3/KVM" }, { 12, -1, "worker" } };
	const struct event_batch batches[] = { { events, n / 2, lost }, { events + n / 2, n - n / 2, 0 } };

	fill(n);
	event_file_record(&file, threads, 2, batches, 2);
}

Test(recording, what_is_written_comes_back_whatever_the_pieces)
{
	static const size_t pieces[] = { 0, 1, 7, 4096 };
	uint64_t lost;
	size_t count;

	record(MANY, 9);
	for (size_t i = 0; i < 4; i++) {
		file.piece = pieces[i];
		cr_expect_eq(read_all(&count, &lost, true, NULL), -ENODATA);
		cr_expect_eq(count, MANY);
		cr_expect_eq(lost, 9);
	}
}

Test(recording, threads_and_the_note_come_back)
{
	struct recording *r;
	struct event_batch batch;

	record(1, 0);
	cr_assert_eq(recording_open(event_file_read, &file, &r, NULL), 0);
	cr_expect_str_eq(r->note, "made up");
	cr_expect_eq(r->source.there, IRQ_EVENTS_ALL);
	while (!event_source_read(&r->source, 0, &batch, NULL))
		;
	cr_assert_eq(r->nthreads, 2);
	cr_expect_eq(r->threads[0].vcpu, 3);
	cr_expect_eq(r->threads[1].vcpu, -1);
	cr_expect_str_eq(r->threads[0].comm, "CPU 3/KVM");
	event_source_close(&r->source);
}

Test(recording, the_bytes_are_those_of_the_document)
{
	static const uint8_t body[] = { 1, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 9, 0, 2, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0 };
	const struct irqshift_event e = { .time = 1000, .pid = 10, .tid = 11, .type = IRQSHIFT_EVENT_EOI, .cpu = 2, .arg = { 0, 0x40 } };
	const struct event_batch batch = { &e, 1, 1 };
	size_t tail = 2 * RECORDING_BLOCK_HEAD + RECORDING_END_SIZE + sizeof(body);

	event_file_record(&file, NULL, 0, &batch, 1);
	cr_expect_eq(memcmp(file.data, "irqevent\1\0\0\0\1\0\0\0", 16), 0);
	cr_expect(memmem(file.data, file.len, "clock monotonic\n", 16));
	cr_expect(memmem(file.data, file.len, "\nevent 9 kvm_eoi apicid vector\n", 31));
	cr_expect_eq(memcmp(file.data + file.len - tail + RECORDING_BLOCK_HEAD, body, sizeof(body)), 0);
}

/* The same events under other numbers, with a field more, one less, and an event that nobody knows. */
Test(recording, names_count_and_not_numbers)
{
	static const char head[] = "clock monotonic\nfuture words\nevent 3 kvm_eoi vector colour apicid\nevent 9 kvm_new a b\n"
				   "event 0 kvm_inj_virq vector\nabsent kvm_pv_eoi\nabsent kvm_inj_virq\n";
	uint8_t body[8 + 3 * 44] = { 0 };
	struct event_file *f = &file;
	struct event_batch batch;
	struct recording *r;

	f->len = f->pos = 0;
	event_file_write(f, "irqevent\1\0\0\0", 12);
	put_le(body, 4, RECORDING_HEAD);
	put_le(body + 4, 4, sizeof(head) - 1);
	event_file_write(f, body, 12);
	event_file_write(f, head, sizeof(head) - 1);
	memset(body, 0, sizeof(body));
	put_le(body + 8 + 16, 2, 9);
	put_le(body + 8 + 36 + 16, 2, 3);
	put_le(body + 8 + 36 + 20, 8, 0x40);
	put_le(body + 8 + 36 + 28, 8, 0xbad);
	put_le(body + 8 + 36 + 36, 8, 2);
	event_file_write(f, (uint8_t[]){ 3, 0, 0, 0, 8 + 36 + 44, 0, 0, 0, 0, 0, 0, 0 }, 12);
	event_file_write(f, body, 8 + 36 + 44);
	event_file_mend(f);
	cr_assert_eq(recording_open(event_file_read, f, &r, NULL), 0);
	cr_expect_eq(r->source.there, UINT64_C(1) << IRQSHIFT_EVENT_EOI);
	cr_assert_eq(event_source_read(&r->source, 0, &batch, NULL), 0);
	cr_assert_eq(batch.count, 1);
	cr_expect_eq(batch.events[0].type, IRQSHIFT_EVENT_EOI);
	cr_expect_eq(irq_event_args(&batch.events[0], EOI)->apicid, 2);
	cr_expect_eq(irq_event_args(&batch.events[0], EOI)->vector, 0x40);
	event_source_close(&r->source);
}

static void expect_malformed(const char *what)
{
	struct irqs_error err = { 0 };
	uint64_t lost;
	size_t count;
	int rc = read_all(&count, &lost, false, &err);

	cr_expect_eq(rc, -EBADMSG, "%s: %d", what, rc);
	cr_expect_eq(err.status, IRQS_MALFORMED, "%s: %s", what, err.text);
	cr_expect_geq(err.offset, 0, "%s", what);
}

Test(recording, one_that_is_cut_short_anywhere_is_good_up_to_there_and_says_so)
{
	size_t whole, count;
	uint64_t lost;

	record(40, 1);
	whole = file.len;
	for (size_t len = 0; len < whole; len++) {
		file.len = len;
		expect_malformed("cut");
	}
	file.len = whole - 1;
	cr_expect_eq(read_all(&count, &lost, true, NULL), -EBADMSG);
	cr_expect_eq(count, 40);
}

Test(recording, no_flipped_bit_goes_unnoticed)
{
	uint64_t lost;
	size_t count;

	record(20, 1);
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		int rc;

		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = read_all(&count, &lost, false, NULL);
		cr_expect(rc == -EBADMSG || rc == -EOPNOTSUPP, "bit %zu: %d", bit, rc);
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	cr_expect_eq(read_all(&count, &lost, true, NULL), -ENODATA);
}

static void head_is(const char *head)
{
	uint8_t block[12] = { RECORDING_HEAD };

	file.len = 0;
	event_file_write(&file, "irqevent\1\0\0\0", 12);
	put_le(block + 4, 4, strlen(head));
	event_file_write(&file, block, sizeof(block));
	event_file_write(&file, head, strlen(head));
	event_file_mend(&file);
}

Test(recording, heads_that_make_no_sense_are_refused)
{
	static const char *const heads[] = {
		"",
		"clock\n",
		"clock realtime\n",
		"monotonic\n",
		"clock monotonic",
		"clock monotonic\nevent\n",
		"clock monotonic\nevent 64 kvm_eoi apicid\n",
		"clock monotonic\nevent x kvm_eoi apicid\n",
		"clock monotonic\nevent 99999999999999999999 kvm_eoi apicid\n",
		"clock monotonic\nevent 1 kvm_eoi\n",
		"clock monotonic\nevent 1 kvm_eoi a\nevent 1 kvm_eoi a\n",
		"clock monotonic\nevent -1 kvm_eoi a\n",
		"clock monotonic\nevent 1 kvm_eoi a b c d e f g h i j k l m n o p q\n",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		head_is(heads[i]);
		expect_malformed(heads[i]);
	}
}

/* A block with a CRC that is right and a body that is not. */
static void block_is(uint32_t kind, const uint8_t *body, size_t len, size_t said)
{
	uint8_t head[12] = { 0 };

	head_is("clock monotonic\nevent 1 kvm_eoi apicid vector\n");
	put_le(head, 4, kind);
	put_le(head + 4, 4, said);
	event_file_write(&file, head, sizeof(head));
	event_file_write(&file, body, len);
	event_file_mend(&file);
}

Test(recording, blocks_that_make_no_sense_are_refused)
{
	static const uint8_t zero[64], event[8 + 36] = { [8 + 16] = 1 }, other[8 + 36] = { [8 + 16] = 2 }, far[8 + 36] = { [8 + 17] = 1 };

	block_is(RECORDING_EVENTS, zero, 7, 7);
	expect_malformed("no number of lost ones");
	block_is(RECORDING_EVENTS, event, 8 + 35, 8 + 35);
	expect_malformed("an event that is cut off");
	block_is(RECORDING_EVENTS, other, sizeof(other), sizeof(other));
	expect_malformed("a number that is not in the head");
	block_is(RECORDING_EVENTS, far, sizeof(far), sizeof(far));
	expect_malformed("a number above all");
	block_is(RECORDING_THREADS, zero, 23, 23);
	expect_malformed("threads that are cut off");
	block_is(RECORDING_END, zero, 15, 15);
	expect_malformed("a short end");
	block_is(RECORDING_END, event + 16, 16, 16);
	expect_malformed("an end that counts others");
	block_is(RECORDING_HEAD, (const uint8_t *)"clock monotonic\n", 16, 16);
	expect_malformed("a second head");
	block_is(0, zero, 0, 0);
	expect_malformed("kind 0");
	block_is(RECORDING_EVENTS, event, sizeof(event), UINT32_MAX);
	expect_malformed("4 GiB");
	block_is(RECORDING_EVENTS, event, sizeof(event), RECORDING_BODY_MAX + 1);
	expect_malformed("more than a block holds");
}

Test(recording, other_files_and_newer_versions_are_told_apart)
{
	struct irqs_error err = { 0 };
	uint64_t lost;
	size_t count;

	record(1, 0);
	file.data[8] = 2;
	cr_expect_eq(read_all(&count, &lost, false, &err), -EOPNOTSUPP);
	cr_expect_eq(err.status, IRQS_REFUSED);
	file.data[8] = 0;
	expect_malformed("version 0");
	file.data[0] = 'X';
	expect_malformed("magic");
	record(1, 0);
	event_file_write(&file, "", 1);
	expect_malformed("something behind the end");
}

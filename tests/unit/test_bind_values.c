/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values and arrays of a bound description, in every codec and in both directions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "vmstate/rows.h"

struct simple {
	bool b1, b2;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	int8_t s8;
	int16_t s16;
	int32_t s32;
	int64_t s64;
	double f64;
	int64_t expires;
};

static const struct vms_field simple_rows[] = {
	VMS_BOOL(struct simple, b1),
	VMS_BOOL(struct simple, b2),
	VMS_U8(struct simple, u8),
	VMS_U16(struct simple, u16),
	VMS_U32(struct simple, u32),
	VMS_U64(struct simple, u64),
	VMS_S8(struct simple, s8),
	VMS_S16(struct simple, s16),
	VMS_S32(struct simple, s32),
	VMS_S64(struct simple, s64),
	VMS_F64(struct simple, f64),
	VMS_TIMER(struct simple, expires),
};
static const struct vms_desc simple_desc = {
	.name = "simple",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct simple),
	VMS_ROWS(simple_rows),
};

static const struct simple simple_value = {
	.b1 = true,
	.u8 = 130,
	.u16 = 65000,
	.u32 = 70000,
	.u64 = UINT64_C(0xf000000000000001),
	.s8 = -5,
	.s16 = -32768,
	.s32 = -70000,
	.s64 = INT64_MIN,
	.f64 = -0.125,
	.expires = -1,
};

Test(bind_values, simple_primitives_there_and_back)
{
	FOR_EACH_CODEC(c)
	{
		struct simple from = simple_value, to;

		memset(&to, 0xa5, sizeof(to));
		codec_round(c, &simple_desc, &from, &simple_desc, &to);
		for (size_t i = 0; i < sizeof(simple_rows) / sizeof(simple_rows[0]); i++)
			cr_expect_arr_eq((char *)&from + simple_rows[i].at, (char *)&to + simple_rows[i].at,
					 simple_rows[i].step, "%s: %s", codec_name(c), simple_rows[i].name);
	}
}

Test(bind_values, simple_primitives_are_written_as_qemu_writes_them)
{
	static const uint8_t wire[] = {
		1,
		0,
		130,
		0xfd,
		0xe8,
		0,
		1,
		0x11,
		0x70,
		0xf0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		0xfb,
		0x80,
		0,
		0xff,
		0xfe,
		0xee,
		0x90,
		0x80,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0xbf,
		0xc0,
		0,
		0,
		0,
		0,
		0,
		0,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
	};
	struct simple from = simple_value;

	cr_expect(codec_bytes_are(&simple_desc, &from, wire, sizeof(wire)));
}

Test(bind_values, every_bit_of_a_nan_survives)
{
	const uint64_t bits = UINT64_C(0xfff4deadbeef0001);

	FOR_EACH_CODEC(c)
	{
		struct simple from = simple_value, to = simple_value;

		memcpy(&from.f64, &bits, sizeof(bits));
		codec_round(c, &simple_desc, &from, &simple_desc, &to);
		cr_expect_arr_eq(&to.f64, &bits, sizeof(bits), "%s", codec_name(c));
	}
}

Test(bind_values, a_bool_that_is_neither_is_refused)
{
	struct simple from = simple_value, to = simple_value;
	struct irqs_error err;
	struct saved s;

	cr_assert_eq(codec_save(&s, CODEC_BYTES, &simple_desc, &from, NULL), 0);
	s.data[1] = 2;
	cr_expect_eq(codec_load(&s, &simple_desc, &to, &err), -EBADMSG);
	cr_expect_str_eq(err.path, "simple[1].b2");
	codec_free(&s);
}

/* ---- arrays ---- */

struct arrays {
	uint16_t words[3];
	int8_t bytes[5];
	bool flags[2];
	double rates[2];
	uint32_t grid[2][3];
	uint64_t *table; /* four */
	uint8_t raw[7];
	uint64_t bits[2];
	char text[16];
};

static const struct vms_field arrays_rows[] = {
	VMS_ARRAY_OF(struct arrays, words, 3, U16),
	VMS_ARRAY_OF(struct arrays, bytes, 5, S8),
	VMS_ARRAY_OF(struct arrays, flags, 2, BOOL),
	VMS_ARRAY_OF(struct arrays, rates, 2, F64),
	VMS_ARRAY_2D(struct arrays, grid, 2, 3, U32),
	VMS_POINTED_ARRAY(struct arrays, table, 4, U64),
	VMS_BUFFER(struct arrays, raw, 7),
	VMS_UNUSED(3),
	VMS_BITMAP(struct arrays, bits, 100),
	VMS_TEXT(struct arrays, text, 16),
};
static const struct vms_desc arrays_desc = {
	.name = "arrays",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct arrays),
	VMS_ROWS(arrays_rows),
};

static const struct arrays arrays_value = {
	.words = { 1, 0xffff, 3 },
	.bytes = { -1, 2, -3, 4, -128 },
	.flags = { false, true },
	.rates = { 1e300, -INFINITY },
	.grid = { { 1, 2, 3 }, { 4, 5, 0xffffffff } },
	.raw = "\0raw\xff",
	.bits = { UINT64_C(1) << 63 | 1, 0xfff },
	.text = "gr\xc3\xbc\xc3\x9f gott",
};

Test(bind_values, arrays_buffers_bitmaps_and_text_there_and_back)
{
	FOR_EACH_CODEC(c)
	{
		uint64_t from_table[4] = { 1, UINT64_MAX, 0, 4 }, to_table[4] = { 0 };
		struct arrays from = arrays_value, to = { .table = to_table, .text = "something long" };

		from.table = from_table;
		codec_round(c, &arrays_desc, &from, &arrays_desc, &to);
		cr_expect_eq(to.table, to_table);
		cr_expect_arr_eq(to_table, from_table, sizeof(to_table), "%s", codec_name(c));
		to.table = from.table;
		cr_expect_arr_eq(to.words, from.words, sizeof(to.words));
		cr_expect_arr_eq(to.bytes, from.bytes, sizeof(to.bytes));
		cr_expect_arr_eq(to.flags, from.flags, sizeof(to.flags));
		cr_expect_arr_eq(to.rates, from.rates, sizeof(to.rates));
		cr_expect_arr_eq(to.grid, from.grid, sizeof(to.grid));
		cr_expect_arr_eq(to.raw, from.raw, sizeof(to.raw));
		cr_expect_arr_eq(to.bits, from.bits, sizeof(to.bits));
		cr_expect_arr_eq(to.text, from.text, sizeof(to.text), "%s", codec_name(c));
	}
}

Test(bind_values, text_that_is_no_utf8_survives)
{
	FOR_EACH_CODEC(c)
	{
		uint64_t table[4] = { 0 };
		struct arrays from = arrays_value, to = arrays_value;

		from.table = to.table = table;
		strcpy(from.text, "\xff\xfe raw");
		codec_round(c, &arrays_desc, &from, &arrays_desc, &to);
		cr_expect_str_eq(to.text, from.text, "%s", codec_name(c));
	}
}

Test(bind_values, text_longer_than_its_place_is_refused)
{
	struct small {
		char text[4];
	};
	static const struct vms_field small_rows[] = { VMS_TEXT(struct small, text, 4) };
	static const struct vms_desc small = {
		.name = "text",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct small),
		VMS_ROWS(small_rows),
	};
	struct big {
		char text[8];
	};
	static const struct vms_field big_rows[] = { VMS_TEXT(struct big, text, 8) };
	static const struct vms_desc big = {
		.name = "text",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct big),
		VMS_ROWS(big_rows),
	};

	FOR_EACH_CODEC(c)
	{
		struct big from = { "four" }, unended;
		struct small to = { "old" };
		struct irqs_error err = codec_fails(c, &big, &from, &small, &to);
		struct saved s;

		cr_expect_str_eq(err.path, "text[1].text");
		cr_expect_str_eq(to.text, "old");
		memset(&unended, 'x', sizeof(unended));
		cr_expect_eq(codec_save(&s, c, &big, &unended, NULL), -EINVAL);
	}
}

/* ---- partial arrays ---- */

struct queue {
	uint32_t num;
	uint64_t pfn;
};
struct partial {
	uint16_t n;
	uint8_t m, len;
	uint32_t values[4];
	struct queue queues[3];
	uint8_t raw[5];
};

static const struct vms_field queue_rows[] = { VMS_U32(struct queue, num), VMS_U64(struct queue, pfn) };
static const struct vms_desc queue_desc = {
	.name = "queue",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct queue),
	VMS_ROWS(queue_rows),
};
static const struct vms_field partial_rows[] = {
	VMS_U16(struct partial, n),
	VMS_PARTIAL(struct partial, values, 4, n, U32),
	VMS_U8(struct partial, m),
	VMS_STRUCT_PARTIAL(struct partial, queues, 3, m, struct queue, queue_desc),
	VMS_U8(struct partial, len),
	VMS_BUFFER_PARTIAL(struct partial, raw, 5, len),
};
static const struct vms_desc partial_desc = {
	.name = "partial",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct partial),
	VMS_ROWS(partial_rows),
};

static struct partial partial_of(uint16_t n, uint8_t m, uint8_t len)
{
	struct partial p = { .n = n, .m = m, .len = len, .values = { 1, 2, 3, 4 }, .raw = { 1, 2, 3, 4, 5 } };

	for (uint8_t i = 0; i < 3; i++)
		p.queues[i] = (struct queue){ 10u + i, 1000u + i };
	return p;
}

Test(bind_values, partial_arrays_of_none_one_and_all)
{
	static const struct {
		uint16_t n;
		uint8_t m, len;
	} cases[] = { { 0, 0, 0 }, { 1, 1, 1 }, { 4, 3, 5 }, { 0, 3, 2 }, { 2, 0, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FOR_EACH_CODEC(c)
		{
			struct partial from = partial_of(cases[i].n, cases[i].m, cases[i].len), to = {
				.n = 9,
			};

			codec_round(c, &partial_desc, &from, &partial_desc, &to);
			cr_expect(to.n == from.n && to.m == from.m && to.len == from.len);
			cr_expect_arr_eq(to.values, from.values, from.n * sizeof(from.values[0]));
			cr_expect_arr_eq(to.raw, from.raw, from.len);
			for (uint8_t q = 0; q < 3; q++)
				cr_expect_eq(to.queues[q].pfn, q < from.m ? 1000u + q : 0u);
			for (uint16_t v = from.n; v < 4; v++)
				cr_expect_eq(to.values[v], 0, "%s: an element came from nowhere",
					     codec_name(c));
		}
	}
}

/* The same layout with more room: what it saves is more than the other one holds. */
struct roomy {
	uint16_t n;
	uint8_t m, len;
	uint32_t values[5];
	struct queue queues[4];
	uint8_t raw[6];
};
static const struct vms_field roomy_rows[] = {
	VMS_U16(struct roomy, n),
	VMS_PARTIAL(struct roomy, values, 5, n, U32),
	VMS_U8(struct roomy, m),
	VMS_STRUCT_PARTIAL(struct roomy, queues, 4, m, struct queue, queue_desc),
	VMS_U8(struct roomy, len),
	VMS_BUFFER_PARTIAL(struct roomy, raw, 6, len),
};
static const struct vms_desc roomy_desc = {
	.name = "partial",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct roomy),
	VMS_ROWS(roomy_rows),
};

Test(bind_values, one_element_more_than_there_is_room_for_is_refused_by_name)
{
	static const struct {
		struct roomy from;
		const char *name;
	} cases[] = {
		{ { .n = 5 }, "of 'values'" },
		{ { .m = 4 }, "of 'queues'" },
		{ { .len = 6 }, "of 'raw'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FOR_EACH_CODEC(c)
		{
			struct roomy from = cases[i].from;
			struct partial to = { .n = 0 };
			struct irqs_error err = codec_fails(c, &roomy_desc, &from, &partial_desc, &to);

			cr_expect(strstr(err.text, cases[i].name), "%s: %s", codec_name(c), err.text);
			cr_expect_eq(err.status, IRQS_MALFORMED);
		}
	}
}

Test(bind_values, a_count_beyond_the_array_is_not_saved)
{
	FOR_EACH_CODEC(c)
	{
		struct partial from = partial_of(5, 0, 0);
		struct irqs_error err;
		struct saved s;

		cr_expect_eq(codec_save(&s, c, &partial_desc, &from, &err), -EINVAL, "%s", codec_name(c));
		cr_expect(strstr(err.text, "n is 5"), "%s", err.text);
	}
}

struct pointed {
	uint32_t n;
	struct queue *queues;
	uint16_t *words;
	uint8_t *bytes;
};
static const struct vms_field pointed_rows[] = {
	VMS_U32(struct pointed, n),
	VMS_STRUCT_POINTED(struct pointed, queues, 1000, n, struct queue, queue_desc, .flags = VMS_ALLOC),
	VMS_POINTED_PARTIAL(struct pointed, words, 1000, n, U16, .flags = VMS_ALLOC),
	VMS_POINTED_PARTIAL(struct pointed, bytes, 1000, n, U8, .flags = VMS_ALLOC),
};
static const struct vms_desc pointed_desc = {
	.name = "pointed",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct pointed),
	VMS_ROWS(pointed_rows),
};

Test(bind_values, pointed_partial_arrays_are_allocated_by_their_count)
{
	FOR_EACH_CODEC(c)
	{
		struct queue queues[2] = { { 1, 2 }, { 3, 4 } };
		uint16_t words[2] = { 5, 6 };
		uint8_t bytes[2] = { 7, 8 };
		struct pointed from = { 2, queues, words, bytes }, to = { .n = 0 }, none = { .n = 0 };

		codec_round(c, &pointed_desc, &from, &pointed_desc, &to);
		cr_assert(to.n == 2 && to.queues && to.words);
		cr_expect(to.queues[1].pfn == 4 && to.words[1] == 6 && to.bytes[1] == 8, "%s", codec_name(c));
		codec_round(c, &pointed_desc, &none, &pointed_desc, &to);
		cr_expect_eq(to.n, 0);
		free(to.queues);
		free(to.words);
		free(to.bytes);
	}
}

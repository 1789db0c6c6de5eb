/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jumping over the RAM gives what walking over it gives; where the end of the stream does not say enough, it is walked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/stream_check.h"

#define PAGE 4096u

static const struct qemu_read_options skipping = { .skip_ram = true };

/* Two streams with the same devices and bytes. */
static void expect_same(const struct opened *a, const struct opened *b)
{
	size_t j = 0;

	for (size_t i = 0; i < a->s.nitems; i++) {
		if (a->s.items[i].kind == QEMU_ITEM_RAW)
			continue;
		while (j < b->s.nitems && b->s.items[j].kind == QEMU_ITEM_RAW)
			j++;
		cr_assert(j < b->s.nitems);
		cr_expect(a->s.items[i].offset == b->s.items[j].offset && a->s.items[i].length == b->s.items[j].length);
		cr_expect(a->s.items[i].section_id == b->s.items[j].section_id);
		j++;
	}
	cr_expect_eq(a->s.ram.total_bytes, b->s.ram.total_bytes);
	cr_expect_eq(a->s.ram.blocks, b->s.ram.blocks);
}

static void expect_read(struct stream_builder *b, bool skipped)
{
	struct opened walked, jumped;
	uint8_t *out;
	size_t len;

	cr_assert_eq(sc_open(&walked, b, NULL), 0, "%s", walked.err.text);
	cr_assert_eq(sc_open(&jumped, b, &skipping), 0, "%s", jumped.err.text);
	cr_expect_eq(jumped.s.ram.skipped, skipped);
	cr_expect_not(walked.s.ram.skipped);
	expect_same(&walked, &jumped);
	out = sc_write(&jumped, &len);
	cr_assert(out && len == b->out.size);
	cr_expect_arr_eq(out, b->out.data, len);
	free(out);
	sc_close(&walked);
	sc_close(&jumped);
	sb_deinit(b);
}

static void some_ram(struct stream_builder *b)
{
	sb_ram_setup(b, 4 * PAGE);
	sb_ram_part(b);
	for (unsigned int i = 0; i < 4; i++)
		sb_ram_page(b, (uint64_t)i * PAGE, i ? NULL : "pc.ram", (uint8_t)(i + 1));
	sb_ram_finish(b);
	sb_ram_end(b);
	sb_ram_finish(b);
}

static void device(struct stream_builder *b, const char *name, uint32_t instance, uint64_t value)
{
	sb_device(b, name, instance, "chip", 1);
	sb_int(b, "value", "uint64", 8, value);
	sb_subsection(b, "chip/more", 1);
	sb_int(b, "other", "uint32", 4, 1);
	sb_subsection_end(b);
	sb_device_end(b);
}

static void begin(struct stream_builder *b)
{
	sb_init(b);
	sb_header(b);
	sb_config(b, "pc");
}

static void end(struct stream_builder *b)
{
	sb_eof(b);
	sb_vmdesc(b);
}

Test(ram_skip, devices_behind_the_ram_are_found_by_their_sizes)
{
	struct stream_builder b;

	begin(&b);
	some_ram(&b);
	for (uint32_t i = 0; i < 3; i++)
		device(&b, "cpu", i, i);
	device(&b, "pit", 0, 7);
	end(&b);
	expect_read(&b, true);
}

Test(ram_skip, every_shape_of_a_field_has_its_size)
{
	struct stream_builder b, ram;
	size_t from, devices;

	/* The builder's stream with everything in it, but for the command between RAM and devices. */
	sb_init(&b);
	sb_everything(&b, true, true, 3);
	from = sb_find(&b, 0, "\x08\x00\x0b\x00\x00", 5);
	devices = from + 5;
	sb_init(&ram);
	sb_put(&ram, b.out.data, from);
	sb_put(&ram, b.out.data + devices, b.out.size - devices);
	sb_deinit(&b);
	expect_read(&ram, true);
}

Test(ram_skip, a_device_before_the_ram_is_not_looked_for_behind_it)
{
	struct stream_builder b;

	begin(&b);
	device(&b, "early", 0, 1);
	some_ram(&b);
	device(&b, "cpu", 0, 2);
	end(&b);
	expect_read(&b, true);
}

Test(ram_skip, a_page_that_looks_like_the_end_of_ram_is_not_taken_for_it)
{
	struct stream_builder b;
	size_t page;

	begin(&b);
	some_ram(&b);
	device(&b, "cpu", 0, 0);
	end(&b);
	/* The last page gets what stands behind it: the end of RAM, the device and the end mark. */
	page = sb_find(&b, 0, "\4\4\4\4\4\4\4\4", 8);
	memcpy(b.out.data + page + 100, b.out.data + page + PAGE, 200);
	expect_read(&b, true);
}

Test(ram_skip, a_command_behind_the_ram_has_it_walked)
{
	struct stream_builder b;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	expect_read(&b, false);
}

Test(ram_skip, without_a_vmdescription_or_footers_it_is_walked)
{
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_everything(&b, false, true, 0);
	expect_read(&b, false);
	begin(&b);
	some_ram(&b);
	sb_eof(&b);
	cr_assert_eq(sc_open(&o, &b, &skipping), 0, "%s", o.err.text);
	cr_expect_not(o.s.ram.skipped);
	cr_expect_eq(o.s.ram.normal_pages, 4);
	sc_close(&o);
	sb_deinit(&b);
}

Test(ram_skip, a_vmdescription_that_lies_is_an_error_of_the_device)
{
	struct stream_builder b;
	struct opened o;
	size_t at;

	begin(&b);
	some_ram(&b);
	device(&b, "cpu", 0, 0);
	end(&b);
	at = sb_find(&b, 0, "\"size\": 8", 9);
	b.out.data[at + 8] = '7';
	cr_expect_eq(sc_open(&o, &b, &skipping), -EBADMSG);
	sc_close(&o);
	/* So large that the sum does not fit. */
	b.out.data[at + 8] = '8';
	at = sb_find(&b, 0, "\"size\": 8", 9);
	memcpy(b.out.data + at, "\"size\":-8", 9);
	cr_expect_eq(sc_open(&o, &b, &skipping), -EBADMSG);
	sc_close(&o);
	sb_deinit(&b);
}

/* What is between the first section and the devices is nobody's business but the target's. */
Test(ram_skip, pages_are_not_looked_at)
{
	struct stream_builder b;
	struct opened o;
	size_t page;

	begin(&b);
	some_ram(&b);
	device(&b, "cpu", 0, 0);
	end(&b);
	page = sb_find(&b, 0, "\2\2\2\2\2\2\2\2", 8);
	memset(b.out.data + page - 8, 0xff, 8);
	cr_expect_eq(sc_open(&o, &b, NULL), -EBADMSG);
	sc_close(&o);
	cr_expect_eq(sc_open(&o, &b, &skipping), 0);
	sc_close(&o);
	sb_deinit(&b);
}

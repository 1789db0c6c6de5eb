/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions, field lifetimes, predicates, subsections: what loads what, and what is refused by name. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "vmstate/rows.h"

/* ---- a device that grew ---- */

struct dev {
	uint32_t a, b, c, d;
	uint16_t gone;
	bool skip;
	int loaded; /* version that post_load saw */
};

static int note_version(void *state, uint32_t version, struct irqs_error *reterr)
{
	(void)reterr;
	((struct dev *)state)->loaded = (int)version;
	return 0;
}

static const struct vms_field v1_rows[] = {
	VMS_U32(struct dev, a),
	VMS_U16(struct dev, gone),
	VMS_U32(struct dev, c),
};
static const struct vms_desc v1_desc = {
	.name = "dev",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct dev),
	VMS_ROWS(v1_rows),
};

static const struct vms_field v2_rows[] = {
	VMS_U32(struct dev, a),
	VMS_U32(struct dev, b, .since = 2),
	VMS_U16(struct dev, gone, .until = 1),
	VMS_U32(struct dev, c),
	VMS_U32(struct dev, d, .since = 2),
};
static const struct vms_desc v2_desc = {
	.name = "dev",
	.version = 2,
	.minimum_version = 1,
	.state_size = sizeof(struct dev),
	VMS_ROWS(v2_rows),
	.post_load = note_version,
};

static const struct dev dev_value = { .a = 1, .b = 2, .c = 3, .d = 4, .gone = 5 };

Test(bind_versions, version_1_loads_into_2_and_leaves_what_it_did_not_have)
{
	FOR_EACH_CODEC(c)
	{
		struct dev from = dev_value, to = { .b = 200, .d = 400 };

		codec_round(c, &v1_desc, &from, &v2_desc, &to);
		cr_expect(to.a == 1 && to.b == 200 && to.c == 3 && to.d == 400 && to.gone == 5, "%s",
			  codec_name(c));
		cr_expect_eq(to.loaded, 1);
	}
}

Test(bind_versions, version_2_has_all_of_it)
{
	FOR_EACH_CODEC(c)
	{
		struct dev from = dev_value, to = { .gone = 77 };

		codec_round(c, &v2_desc, &from, &v2_desc, &to);
		cr_expect(to.a == 1 && to.b == 2 && to.c == 3 && to.d == 4, "%s", codec_name(c));
		cr_expect_eq(to.loaded, 2);
		cr_expect_eq(to.gone, 77, "%s: a dummy was taken for a value", codec_name(c));
	}
}

Test(bind_versions, a_field_is_never_removed_but_sent_as_a_dummy)
{
	static const uint8_t wire[] = { 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4 };
	struct dev from = dev_value;

	cr_expect(codec_bytes_are(&v2_desc, &from, wire, sizeof(wire)));
}

Test(bind_versions, a_newer_version_is_refused_by_name_and_number)
{
	FOR_EACH_CODEC(c)
	{
		struct dev from = dev_value, to = { 0 };
		struct irqs_error err = codec_fails(c, &v2_desc, &from, &v1_desc, &to);

		cr_expect_eq(err.status, IRQS_REFUSED);
		cr_expect_str_eq(err.text,
				 "version 2 of 'dev' is newer than 1, the newest that is known here");
		cr_expect_str_eq(err.path, "dev[1]");
		cr_expect_eq(to.a, 0);
	}
}

Test(bind_versions, a_version_older_than_the_oldest_is_refused)
{
	struct vms_desc young = v2_desc;

	young.minimum_version = 2;
	FOR_EACH_CODEC(c)
	{
		struct dev from = dev_value, to = { 0 };
		struct irqs_error err = codec_fails(c, &v1_desc, &from, &young, &to);

		cr_expect_eq(err.status, IRQS_REFUSED);
		cr_expect_str_eq(err.text,
				 "version 1 of 'dev' is older than 2, the oldest that is loaded here");
	}
}

/* ---- a field that code decides about ---- */

static bool not_skipped(const void *state, uint32_t version)
{
	(void)version;
	return !((const struct dev *)state)->skip;
}

static const struct vms_field exists_rows[] = {
	VMS_BOOL(struct dev, skip),
	VMS_U32(struct dev, a),
	VMS_U32(struct dev, b, .exists = not_skipped),
	VMS_U32(struct dev, c),
};
static const struct vms_desc exists_desc = {
	.name = "exists",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct dev),
	VMS_ROWS(exists_rows),
};

Test(bind_versions, a_predicate_decides_on_save_and_on_load)
{
	static const uint8_t with[] = { 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3 };
	static const uint8_t without[] = { 1, 0, 0, 0, 1, 0, 0, 0, 3 };

	for (int skip = 0; skip < 2; skip++) {
		struct dev from = dev_value;

		from.skip = skip;
		cr_expect(codec_bytes_are(&exists_desc, &from, skip ? without : with,
					  skip ? sizeof(without) : sizeof(with)));
		FOR_EACH_CODEC(c)
		{
			struct dev to = { .b = 99 };

			codec_round(c, &exists_desc, &from, &exists_desc, &to);
			cr_expect(to.a == 1 && to.b == (skip ? 99u : 2u) && to.c == 3, "%s", codec_name(c));
		}
	}
}

/* Without `skip` on the wire the two sides can disagree. */
static const struct vms_desc blind_desc = {
	.name = "exists",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct dev),
	.fields = exists_rows + 1,
	.nfields = 3,
};

Test(bind_versions, sides_that_disagree_about_a_predicate_are_found_out)
{
	for (int skip = 0; skip < 2; skip++) {
		FOR_EACH_CODEC(c)
		{
			struct dev from = dev_value, to = { .skip = !skip };
			struct irqs_error err;

			from.skip = skip;
			err = codec_fails(c, &blind_desc, &from, &blind_desc, &to);
			if (SELF_DESCRIBING(c))
				cr_expect_str_eq(err.path, skip ? "exists[1].b" : "exists[1].c", "%s: %s",
						 err.path, err.text);
		}
	}
}

/* ---- a struct with a version of its own ---- */

struct inner {
	uint8_t x, y;
};
struct outer {
	struct inner old, now;
};
static const struct vms_field inner_rows[] = { VMS_U8(struct inner, x), VMS_U8(struct inner, y, .since = 3) };
static const struct vms_desc inner_desc = {
	.name = "inner",
	.version = 3,
	.minimum_version = 2,
	.state_size = sizeof(struct inner),
	VMS_ROWS(inner_rows),
};
static const struct vms_field outer_rows[] = {
	VMS_STRUCT_VERSION(struct outer, old, struct inner, inner_desc, 2),
	VMS_STRUCT_IN(struct outer, now, struct inner, inner_desc),
};
static const struct vms_desc outer_desc = {
	.name = "outer",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct outer),
	VMS_ROWS(outer_rows),
};

Test(bind_versions, a_struct_can_be_sent_as_an_older_version_of_itself)
{
	static const uint8_t wire[] = { 1, 3, 4 };
	struct outer from = { { 1, 2 }, { 3, 4 } };

	cr_expect(codec_bytes_are(&outer_desc, &from, wire, sizeof(wire)));
	FOR_EACH_CODEC(c)
	{
		struct outer to = { .old.y = 50 };

		codec_round(c, &outer_desc, &from, &outer_desc, &to);
		cr_expect(to.old.x == 1 && to.old.y == 50 && to.now.x == 3 && to.now.y == 4, "%s",
			  codec_name(c));
	}
}

Test(bind_versions, a_newer_struct_inside_is_refused_where_the_encoding_says_its_version)
{
	static const struct vms_field old_rows[] = { VMS_U8(struct inner, x) };
	static const struct vms_desc old_inner = {
		.name = "inner",
		.version = 2,
		.minimum_version = 2,
		.state_size = sizeof(struct inner),
		VMS_ROWS(old_rows),
	};
	static const struct vms_field rows[] = {
		VMS_STRUCT_IN(struct outer, old, struct inner, old_inner),
		VMS_STRUCT_IN(struct outer, now, struct inner, old_inner),
	};
	static const struct vms_desc old_outer = {
		.name = "outer",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct outer),
		VMS_ROWS(rows),
	};

	FOR_EACH_CODEC(c)
	{
		struct outer from = { { 1, 2 }, { 3, 4 } }, to = { .old = { 0 } };
		struct irqs_error err = codec_fails(c, &outer_desc, &from, &old_outer, &to);

		if (SELF_DESCRIBING(c)) {
			cr_expect_str_eq(err.path, "outer[1].now");
			cr_expect(strstr(err.text, "version 3 of 'inner'"), "%s", err.text);
		}
	}
}

/* ---- subsections ---- */

struct port {
	uint8_t id, fifo, depth, timer;
	int order[4], n;
};

static bool fifo_needed(const void *state)
{
	return ((const struct port *)state)->fifo;
}

static bool timer_needed(const void *state)
{
	return ((const struct port *)state)->timer;
}

static bool depth_needed(const void *state)
{
	return ((const struct port *)state)->depth;
}

static int loaded(struct port *p, int who)
{
	p->order[p->n++ & 3] = who;
	return 0;
}

static int port_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	(void)version;
	(void)reterr;
	return loaded(state, 1);
}

static int fifo_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	(void)version;
	(void)reterr;
	return loaded(state, 2);
}

static int depth_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	(void)version;
	(void)reterr;
	return loaded(state, 3);
}

static int port_prepare(void *state, struct irqs_error *reterr)
{
	struct port *p = state;

	(void)reterr;
	p->fifo = p->depth = p->timer = 0;
	return 0;
}

static const struct vms_field depth_rows[] = { VMS_U8(struct port, depth) };
static const struct vms_desc depth_desc = {
	.name = "port/fifo/depth",
	.version = 4,
	.minimum_version = 4,
	.state_size = sizeof(struct port),
	VMS_ROWS(depth_rows),
	.needed = depth_needed,
	.post_load = depth_loaded,
};
static const struct vms_desc *const fifo_subs[] = { &depth_desc, NULL };
static const struct vms_field fifo_rows[] = { VMS_U8(struct port, fifo) };
static const struct vms_desc fifo_desc = {
	.name = "port/fifo",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct port),
	VMS_ROWS(fifo_rows),
	.subsections = fifo_subs,
	.needed = fifo_needed,
	.post_load = fifo_loaded,
};
static const struct vms_field port_timer_rows[] = { VMS_U8(struct port, timer) };
static const struct vms_desc port_timer_desc = {
	.name = "port/timer",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct port),
	VMS_ROWS(port_timer_rows),
	.needed = timer_needed,
};
static const struct vms_desc *const port_subs[] = { &fifo_desc, &port_timer_desc, NULL };
static const struct vms_field port_rows[] = { VMS_U8(struct port, id) };
static const struct vms_desc port_desc = {
	.name = "port",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct port),
	VMS_ROWS(port_rows),
	.subsections = port_subs,
	.pre_load = port_prepare,
	.post_load = port_loaded,
};

Test(bind_versions, nested_subsections_come_when_needed_and_load_from_the_inside_out)
{
	for (int mask = 0; mask < 8; mask++) {
		FOR_EACH_CODEC(c)
		{
			struct port from = {
				.id = 5,
				.fifo = mask & 1 ? 7 : 0,
				.depth = mask & 2 ? 8 : 0,
				.timer = mask & 4 ? 9 : 0,
			};
			struct port to = { .fifo = 70, .depth = 80, .timer = 90 };

			codec_round(c, &port_desc, &from, &port_desc, &to);
			cr_expect_eq(to.id, 5);
			cr_expect_eq(to.fifo, from.fifo, "%s", codec_name(c));
			cr_expect_eq(to.depth, from.fifo ? from.depth : 0, "%s", codec_name(c));
			cr_expect_eq(to.timer, from.timer, "%s", codec_name(c));
			cr_expect_eq(to.order[to.n - 1], 1, "the device itself is last");
			if ((mask & 3) == 3)
				cr_expect(to.order[0] == 3 && to.order[1] == 2);
		}
	}
}

Test(bind_versions, subsections_are_written_as_qemu_writes_them)
{
	static const uint8_t wire[] =
		"\x05\x05\x09port/fifo\0\0\0\x01\x07\x05\x0fport/fifo/depth\0\0\0\x04\x08"
		"\x05\x0aport/timer\0\0\0\x01\x09";
	struct port from = { .id = 5, .fifo = 7, .depth = 8, .timer = 9 };

	cr_expect(codec_bytes_are(&port_desc, &from, wire, sizeof(wire) - 1));
}

Test(bind_versions, a_subsection_that_is_not_described_is_refused_by_name)
{
	static const struct vms_desc *const without_fifo[] = { &port_timer_desc, NULL };
	struct vms_desc old = port_desc;

	old.subsections = without_fifo;
	FOR_EACH_CODEC(c)
	{
		struct port from = { .fifo = 1 }, to = { 0 };
		struct irqs_error err = codec_fails(c, &port_desc, &from, &old, &to);

		cr_expect_str_eq(err.text,
				 "subsection 'port/fifo' arrived, and 'port' has none of that name");
		cr_expect_str_eq(err.path, "port[1]");
	}
}

Test(bind_versions, a_subsection_that_arrives_twice_is_refused)
{
	static const struct vms_desc *const twice[] = { &port_timer_desc, &port_timer_desc, NULL };
	struct vms_desc stutter = port_desc;

	stutter.subsections = twice;
	FOR_EACH_CODEC(c)
	{
		struct port from = { .timer = 1 }, to = { 0 };
		struct irqs_error err = codec_fails(c, &stutter, &from, &port_desc, &to);

		cr_expect_str_eq(err.text, "subsection 'port/timer' arrived twice");
	}
}

/* Data that looks like a subsection: QEMU's rule guesses, formats with a place for each do not. */
Test(bind_versions, data_that_looks_like_a_subsection_stays_data)
{
	struct looks {
		uint8_t id;
		uint8_t raw[17];
	};
	static const struct vms_field looks_rows[] = { VMS_U8(struct looks, id),
						       VMS_BUFFER(struct looks, raw, 17) };
	static const struct vms_desc looks_desc = {
		.name = "port",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct looks),
		VMS_ROWS(looks_rows),
	};

	FOR_EACH_CODEC(c)
	{
		struct looks from = { 5, "\x05\x0aport/timer\0\0\0\x01" }, to = { 0 };
		struct port port = { 0 };

		codec_round(c, &looks_desc, &from, &looks_desc, &to);
		cr_expect_arr_eq(to.raw, from.raw, sizeof(to.raw));
		if (SELF_DESCRIBING(c)) {
			struct irqs_error err = codec_fails(c, &looks_desc, &from, &port_desc, &port);

			cr_expect_str_eq(err.path, "port[1].raw");
			cr_expect_str_eq(err.text, "arrived, and is not described");
		}
	}
}

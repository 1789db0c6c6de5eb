/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "Everything is explicit": what sender and receiver disagree about is an error that names the field. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec.h"
#include "vmstate/registry.h"
#include "vmstate/rows.h"

/* ---- derived and immutable fields ---- */

struct regs {
	uint32_t control, mode, size[2];
	int16_t offset;
	bool running;
	char board[8];
};

static int regs_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	struct regs *r = state;

	(void)version;
	(void)reterr;
	r->running = r->control & 1;
	return 0;
}

static const struct vms_field regs_rows[] = {
	VMS_U32(struct regs, control),
	VMS_U32(struct regs, mode, .flags = VMS_IMMUTABLE),
	VMS_ARRAY_OF(struct regs, size, 2, U32, .flags = VMS_IMMUTABLE),
	VMS_S16(struct regs, offset, .flags = VMS_IMMUTABLE),
	VMS_BOOL(struct regs, running, .flags = VMS_DERIVED),
	VMS_TEXT(struct regs, board, 8, .flags = VMS_IMMUTABLE),
};
static const struct vms_desc regs_desc = {
	.name = "regs",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct regs),
	VMS_ROWS(regs_rows),
	.post_load = regs_loaded,
};

static const struct regs regs_value = { 1, 2, { 3, 4 }, -5, false, "rev A" };

Test(bind_rules, a_derived_field_is_sent_and_set_by_post_load)
{
	/* control 0, mode, size, offset; running is sent as it is, whatever control says */
	static const uint8_t wire[] = { 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,
					0, 4, 0xff, 0xfb, 1, 0, 0, 0, 5, 'r', 'e', 'v', ' ', 'A' };

	FOR_EACH_CODEC(c)
	{
		struct regs from = regs_value, to = regs_value;

		from.control = 1;
		from.running = false;
		to.control = 0;
		codec_round(c, &regs_desc, &from, &regs_desc, &to);
		cr_expect(to.control == 1 && to.running, "%s", codec_name(c));
		from.control = 0;
		from.running = true;
		cr_expect(codec_bytes_are(&regs_desc, &from, wire, sizeof(wire)));
		codec_round(c, &regs_desc, &from, &regs_desc, &to);
		cr_expect(to.control == 0 && !to.running, "%s", codec_name(c));
	}
}

Test(bind_rules, an_immutable_field_that_differs_is_named_with_both_values)
{
	static const struct {
		struct regs from;
		const char *path, *text;
	} cases[] = {
		{ { 1, 0x12, { 3, 4 }, -5, false, "rev A" },
		  "regs[1].mode",
		  "immutable: 0x12 arrived, 0x2 is here" },
		{ { 1, 2, { 3, 5 }, -5, false, "rev A" },
		  "regs[1].size",
		  "immutable: [1] 0x5 arrived, 0x4 is here" },
		{ { 1, 2, { 3, 4 }, -6, false, "rev A" },
		  "regs[1].offset",
		  "immutable: -6 arrived, -5 is here" },
		{ { 1, 2, { 3, 4 }, -5, false, "rev B" },
		  "regs[1].board",
		  "immutable: 'rev B' arrived, 'rev A' is here" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FOR_EACH_CODEC(c)
		{
			struct regs from = cases[i].from, to = regs_value;
			struct irqs_error err = codec_fails(c, &regs_desc, &from, &regs_desc, &to);

			cr_expect_eq(err.status, IRQS_REFUSED);
			cr_expect_str_eq(err.path, cases[i].path, "%s: %s", codec_name(c), err.path);
			cr_expect_str_eq(err.text, cases[i].text, "%s: %s", codec_name(c), err.text);
		}
	}
}

/* ---- sender and receiver disagree ---- */

struct wide {
	uint32_t a, words[4];
	uint8_t tail;
};
struct odd {
	int32_t a;
	uint32_t plain, words[3];
	uint64_t big;
	uint8_t tail;
};

#define DESC(T, rows)                                                                                      \
	{                                                                                                  \
		.name = "dev", .version = 1, .minimum_version = 1, .state_size = sizeof(T), VMS_ROWS(rows) \
	}

static const struct vms_field wide_rows[] = {
	VMS_U32(struct wide, a),
	VMS_ARRAY_OF(struct wide, words, 4, U32),
	VMS_U8(struct wide, tail),
};
static const struct vms_desc wide_desc = DESC(struct wide, wide_rows);

static const struct vms_field signed_rows[] = { VMS_S32(struct odd, a) };
static const struct vms_field shorter_rows[] = { VMS_U32(struct wide, a) };
static const struct vms_field swapped_rows[] = { VMS_U8(struct wide, tail), VMS_U32(struct wide, a) };
Test(bind_rules, another_type_length_order_or_number_of_fields_is_named)
{
	static const struct vms_desc is_signed = DESC(struct odd, signed_rows),
				     shorter = DESC(struct wide, shorter_rows);
	static const struct vms_desc swapped = DESC(struct wide, swapped_rows);
	static const struct vms_field fewer_rows[] = {
		VMS_U32(struct wide, a),
		{ .name = "words",
		  .type = "uint32",
		  .bind = VMS_INLINE,
		  .count = 3,
		  .step = 4,
		  .at = offsetof(struct wide, words) },
	};
	static const struct vms_desc fewer = DESC(struct wide, fewer_rows);
	static const struct {
		const struct vms_desc *load;
		const char *path, *text;
	} cases[] = {
		{ &is_signed, "dev[1].a", "type 'uint32' arrived, 'int32' is described" },
		{ &fewer, "dev[1].words", "4 elements arrived, 3 are described" },
		{ &swapped, "dev[1].tail", "did not arrive: 'dev[1].a' is in its place" },
		{ &shorter, "dev[1].words", "arrived, and is not described" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FOR_EACH_CODEC(c)
		{
			struct wide from = { 1, { 2, 3, 4, 5 }, 6 };
			uint64_t to[16] = { 0 };
			struct irqs_error err;

			if (!SELF_DESCRIBING(c))
				continue;
			err = codec_fails(c, &wide_desc, &from, cases[i].load, to);
			cr_expect_eq(err.status, IRQS_MALFORMED);
			cr_expect_str_eq(err.path, cases[i].path, "%s: %s: %s", codec_name(c), err.path,
					 err.text);
			cr_expect_str_eq(err.text, cases[i].text, "%s: %s", codec_name(c), err.text);
		}
	}
}

Test(bind_rules, what_did_not_arrive_is_named)
{
	static const struct vms_desc shorter = DESC(struct wide, shorter_rows);

	FOR_EACH_CODEC(c)
	{
		struct wide from = { .a = 1 }, to = { .a = 0 };
		struct irqs_error err = codec_fails(c, &shorter, &from, &wide_desc, &to);

		cr_expect_str_eq(err.path, "dev[1].words", "%s: %s", codec_name(c), err.path);
	}
}

Test(bind_rules, bytes_behind_the_description_are_refused_in_the_binary_encoding_too)
{
	static const struct vms_desc shorter = DESC(struct wide, shorter_rows);
	struct wide from = { .a = 1 }, to = { .a = 0 };
	struct irqs_error err = codec_fails(CODEC_BYTES, &wide_desc, &from, &shorter, &to);

	cr_expect_str_eq(err.path, "dev[1]");
	cr_expect_eq(err.offset, 4);
}

/* ---- faults of a description, found by the registry ---- */

static int keep_fault(void *ctx, enum vms_fault fault, const char *path, const char *text)
{
	(void)path;
	(void)text;
	*(int *)ctx = fault;
	return 1;
}

static int fault_of(const struct vms_desc *d)
{
	int fault = -1;

	vms_desc_check(d, keep_fault, &fault);
	return fault;
}

Test(bind_rules, good_descriptions_have_no_faults)
{
	cr_expect_eq(fault_of(&regs_desc), -1);
	cr_expect_eq(fault_of(&wide_desc), -1);
}

Test(bind_rules, derived_without_post_load_is_an_error_that_the_registry_reports)
{
	struct vms_desc d = regs_desc;
	struct vms_registry r;
	struct irqs_error err;
	struct regs state = regs_value;

	d.post_load = NULL;
	vms_registry_init(&r);
	cr_expect_eq(vms_register(&r, &d, 0, NULL, &state, &err), -EINVAL);
	cr_expect_str_eq(err.path, "regs.running");
	cr_expect_str_eq(err.text, "derived, and there is no post_load that sets it");
	cr_expect_eq(r.ndevices, 0);
	cr_expect_eq(vms_register(&r, &regs_desc, 0, NULL, &state, &err), 0);
	cr_expect_eq(vms_register(&r, &regs_desc, 0, NULL, &state, &err), -EEXIST);
	vms_registry_deinit(&r);
}

static bool always(const void *state)
{
	(void)state;
	return true;
}

Test(bind_rules, each_fault_is_found)
{
	static const struct vms_field since[] = { VMS_U32(struct wide, a, .since = 5) };
	static const struct vms_field until[] = { VMS_U32(struct wide, a, .until = 1) };
	static const struct vms_field twice[] = { VMS_U32(struct wide, a), VMS_U32(struct wide, a) };
	static const struct vms_field type[] = {
		{ .name = "a", .type = "uint33", .bind = VMS_INLINE, .size = 4 },
	};
	static const struct vms_field no_count[] = { VMS_PARTIAL(struct wide, words, 4, tail, U32) };
	static const struct vms_field late[] = { VMS_PARTIAL(struct wide, words, 4, tail, U32),
						 VMS_U8(struct wide, tail) };
	static const struct vms_field not_fixed[] = {
		VMS_U8(struct wide, tail),
		VMS_PARTIAL(struct wide, words, 4, tail, U32, .flags = VMS_IMMUTABLE),
	};
	static const struct vms_field unbound[] = { { .name = "a", .type = "uint32" } };
	static const struct vms_desc small = {
		.name = "small",
		.version = 1,
		.minimum_version = 1,
		.state_size = 3,
	};
	static const struct vms_field size[] = { VMS_STRUCT_IN(struct wide, a, uint32_t, small) };
	static const struct vms_desc elsewhere = {
		.name = "other/sub",
		.version = 1,
		.state_size = sizeof(struct wide),
		.needed = always,
	};
	static const struct vms_desc unneeded = {
		.name = "dev/sub",
		.version = 1,
		.state_size = sizeof(struct wide),
	};
	static const struct vms_desc *const bad_name[] = { &elsewhere, NULL }, *const no_need[] = { &unneeded,
												    NULL };
	const struct {
		struct vms_desc d;
		enum vms_fault fault;
	} cases[] = {
		{ DESC(struct wide, since), VMS_FAULT_VERSIONS },
		{ DESC(struct wide, until), VMS_FAULT_VERSIONS },
		{ { .name = "dev", .version = 1, .minimum_version = 2, .state_size = 1 },
		  VMS_FAULT_VERSIONS },
		{ DESC(struct wide, twice), VMS_FAULT_NAME },
		{ { .name = "", .version = 1 }, VMS_FAULT_NAME },
		{ DESC(struct wide, type), VMS_FAULT_TYPE },
		{ DESC(struct wide, no_count), VMS_FAULT_COUNT },
		{ DESC(struct wide, late), VMS_FAULT_COUNT },
		{ DESC(struct wide, not_fixed), VMS_FAULT_FIXED },
		{ DESC(struct wide, unbound), VMS_FAULT_BINDING },
		{ DESC(struct wide, size), VMS_FAULT_BINDING },
		{ { .name = "dev", .version = 1, .state_size = sizeof(struct wide), .subsections = bad_name },
		  VMS_FAULT_SUBSECTION },
		{ { .name = "dev", .version = 1, .state_size = sizeof(struct wide), .subsections = no_need },
		  VMS_FAULT_SUBSECTION },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(fault_of(&cases[i].d), (int)cases[i].fault, "case %zu: %d", i,
			     fault_of(&cases[i].d));
}

static const struct vms_desc endless_desc;
static const struct vms_field endless_rows[] = {
	{ .name = "next", .type = "struct", .desc = &endless_desc },
};
static const struct vms_desc endless_desc = { .name = "endless", .version = 1, VMS_ROWS(endless_rows) };

Test(bind_rules, a_struct_inside_itself_is_found)
{
	cr_expect_eq(fault_of(&endless_desc), VMS_FAULT_RECURSION);
}

Test(bind_rules, a_registry_saves_and_loads_all_devices_and_refuses_strangers_first)
{
	struct regs a = regs_value, b = regs_value;
	struct wide w = { .a = 7 };
	struct vms_registry r;
	struct vms_tree t;
	struct irqs_error err;

	vms_registry_init(&r);
	cr_assert_eq(vms_register(&r, &regs_desc, 0, "/machine/board/regs", &a, NULL), 0);
	cr_assert_eq(vms_register(&r, &regs_desc, 4, NULL, &b, NULL), 0);
	cr_assert_eq(vms_register(&r, &wide_desc, 0, NULL, &w, NULL), 0);
	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	a.control = 11;
	b.control = 13;
	cr_assert_eq(vms_registry_save(&r, &t, &err), 0, "%s: %s", err.path, err.text);
	cr_expect_str_eq(vms_first_child(t.machine)->path, "/machine/board/regs");
	a.control = b.control = w.a = 0;
	cr_assert_eq(vms_registry_load(&r, t.machine, &err), 0, "%s: %s", err.path, err.text);
	cr_expect(a.control == 11 && b.control == 13 && w.a == 7 && a.running);
	vms_find_section(t.machine, "regs", 4)->instance = 5;
	a.control = 0;
	cr_expect_eq(vms_registry_load(&r, t.machine, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "regs[5]");
	cr_expect_eq(a.control, 0, "nothing was loaded");
	vms_tree_deinit(&t);
	vms_registry_deinit(&r);
}

/* ---- a wrong member type does not compile ---- */

static int compile(const char *member, const char *row)
{
	const char *cc = getenv("CC");
	char command[1024];
	FILE *p;

	snprintf(command, sizeof(command), "%s -std=c11 -D_GNU_SOURCE -I. -fsyntax-only -x c - 2>/dev/null",
		 cc && *cc ? cc : "cc");
	p = popen(command, "w");
	cr_assert_not_null(p);
	fprintf(p,
		"#include <sys/queue.h>\n#include \"vmstate/rows.h\"\n"
		"struct s { int x; }; struct q { int x; TAILQ_ENTRY(q) tq; LIST_ENTRY(q) le; };\n"
		"TAILQ_HEAD(qhead, q); LIST_HEAD(lhead, q);\n"
		"extern const struct vms_desc sd;\n"
		"struct dev { %s; uint16_t n; int32_t sn; };\n"
		"struct tmp { struct dev *parent; int x; }; struct bad { int x; struct dev *parent; };\n"
		"const struct vms_field rows[] = { %s };\n",
		member, row);
	return pclose(p);
}

Test(bind_rules, a_member_of_another_type_does_not_compile)
{
	static const struct {
		const char *good, *bad, *row;
	} cases[] = {
		{ "uint8_t m", "int8_t m", "VMS_U8(struct dev, m)" },
		{ "uint16_t m", "uint32_t m", "VMS_U16(struct dev, m)" },
		{ "uint32_t m", "int32_t m", "VMS_U32(struct dev, m)" },
		{ "uint64_t m", "int64_t m", "VMS_U64(struct dev, m)" },
		{ "int8_t m", "char m", "VMS_S8(struct dev, m)" },
		{ "int16_t m", "uint16_t m", "VMS_S16(struct dev, m)" },
		{ "int32_t m", "float m", "VMS_S32(struct dev, m)" },
		{ "int64_t m", "double m", "VMS_S64(struct dev, m)" },
		{ "bool m", "uint8_t m", "VMS_BOOL(struct dev, m)" },
		{ "double m", "float m", "VMS_F64(struct dev, m)" },
		{ "int64_t m", "uint64_t m", "VMS_TIMER(struct dev, m)" },
		{ "uint32_t m[4]", "uint32_t m[5]", "VMS_ARRAY_OF(struct dev, m, 4, U32)" },
		{ "uint32_t m[4]", "uint32_t *m", "VMS_ARRAY_OF(struct dev, m, 4, U32)" },
		{ "uint32_t m[2][3]", "uint32_t m[3][2]", "VMS_ARRAY_2D(struct dev, m, 2, 3, U32)" },
		{ "uint32_t m[4]", "int32_t m[4]", "VMS_PARTIAL(struct dev, m, 4, n, U32)" },
		{ "uint64_t *m", "uint64_t m", "VMS_POINTED_ARRAY(struct dev, m, 4, U64)" },
		{ "uint8_t *m[3]", "uint8_t *m[2]", "VMS_POINTERS_TO(struct dev, m, 3, U8)" },
		{ "struct s m", "struct q m", "VMS_STRUCT_IN(struct dev, m, struct s, sd)" },
		{ "struct s m[2]", "struct s m[3]", "VMS_STRUCT_ARRAY(struct dev, m, 2, struct s, sd)" },
		{ "struct s *m[2]", "struct s m[2]", "VMS_STRUCT_POINTERS(struct dev, m, 2, struct s, sd)" },
		{ "uint8_t m[9]", "char m[9]", "VMS_BUFFER(struct dev, m, 9)" },
		{ "uint64_t m[2]", "uint64_t m[1]", "VMS_BITMAP(struct dev, m, 65)" },
		{ "char m[9]", "char m[8]", "VMS_TEXT(struct dev, m, 9)" },
		{ "char *m", "const char *m", "VMS_TEXT_POINTER(struct dev, m)" },
		{ "struct qhead m", "struct lhead m", "VMS_TAILQ_OF(struct dev, m, struct q, tq, sd)" },
		{ "struct lhead m", "struct qhead m", "VMS_LIST_OF(struct dev, m, struct q, le, sd)" },
		{ "struct vms_map m", "struct s m", "VMS_MAP_OF(struct dev, m, struct s, sd)" },
	};

	if (access("vmstate/rows.h", R_OK))
		cr_skip_test("not in the top folder of the sources");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(compile(cases[i].good, cases[i].row), 0, "%s; %s", cases[i].good, cases[i].row);
		cr_expect_neq(compile(cases[i].bad, cases[i].row), 0, "%s; %s", cases[i].bad, cases[i].row);
	}
	cr_expect_neq(compile("uint32_t m[4]", "VMS_PARTIAL(struct dev, m, 4, sn, U32)"), 0,
		      "a signed count");
	cr_expect_eq(compile("int m", "VMS_WITH_TMP(struct dev, struct tmp, sd)"), 0);
	cr_expect_neq(compile("int m", "VMS_WITH_TMP(struct dev, struct bad, sd)"), 0,
		      "the parent is not first");
}

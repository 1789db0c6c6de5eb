/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers and arrays of pointers, with NULLs among them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "vmstate/rows.h"

struct leaf {
	int32_t i;
};
static const struct vms_field leaf_rows[] = { VMS_S32(struct leaf, i) };
static const struct vms_desc leaf_desc = {
	.name = "leaf",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct leaf),
	VMS_ROWS(leaf_rows),
};

struct refs {
	struct leaf *structs[4];
	uint32_t *values[3];
	struct leaf *one;
	uint64_t *word;
};

#define REFS_ROWS(f)                                                                                \
	{                                                                                           \
		VMS_STRUCT_POINTERS(struct refs, structs, 4, struct leaf, leaf_desc, .flags = (f)), \
			VMS_POINTERS_TO(struct refs, values, 3, U32, .flags = (f)),                 \
			VMS_STRUCT_POINTER(struct refs, one, struct leaf, leaf_desc, .flags = (f)), \
			VMS_POINTER_TO(struct refs, word, U64, .flags = (f)),                       \
	}
#define REFS_DESC(rows)                                                                                \
	{                                                                                              \
		.name = "refs", .version = 1, .minimum_version = 1, .state_size = sizeof(struct refs), \
		VMS_ROWS(rows)                                                                         \
	}

static const struct vms_field refs_rows[] = REFS_ROWS(0), alloc_rows[] = REFS_ROWS(VMS_ALLOC);
static const struct vms_desc refs_desc = REFS_DESC(refs_rows), alloc_desc = REFS_DESC(alloc_rows);

static struct leaf leaves[] = { { 1 }, { -2 }, { 3 }, { 4 }, { 5 } };
static uint32_t numbers[] = { 10, 20, 30 };
static uint64_t word = UINT64_C(0x0102030405060708);

/* Bit i of @mask: whether pointer i is there. */
static struct refs refs_of(unsigned int mask, struct leaf *l, uint32_t *v, uint64_t *w)
{
	struct refs r = { .one = mask & 0x80 ? &l[4] : NULL, .word = mask & 0x100 ? w : NULL };

	for (unsigned int i = 0; i < 4; i++)
		r.structs[i] = mask >> i & 1 ? &l[i] : NULL;
	for (unsigned int i = 0; i < 3; i++)
		r.values[i] = mask >> (4 + i) & 1 ? &v[i] : NULL;
	return r;
}

Test(bind_pointers, every_pattern_of_nulls_there_and_back)
{
	for (unsigned int mask = 0; mask < 0x200; mask++) {
		FOR_EACH_CODEC(c)
		{
			struct leaf l[5] = { { 0 } };
			uint32_t v[3] = { 0 };
			uint64_t w = 0;
			struct refs from = refs_of(mask, leaves, numbers, &word),
				    to = refs_of(mask, l, v, &w);

			codec_round(c, &refs_desc, &from, &refs_desc, &to);
			for (unsigned int i = 0; i < 4; i++)
				cr_assert_eq(l[i].i, mask >> i & 1 ? leaves[i].i : 0, "%s %x", codec_name(c),
					     mask);
			for (unsigned int i = 0; i < 3; i++)
				cr_assert_eq(v[i], mask >> (4 + i) & 1 ? numbers[i] : 0);
			cr_assert_eq(l[4].i, mask & 0x80 ? 5 : 0);
			cr_assert_eq(w, mask & 0x100 ? word : 0);
		}
	}
}

Test(bind_pointers, nulls_are_written_as_qemu_writes_them)
{
	static const uint8_t wire[] = {
		0,
		0,
		0,
		1,
		'0',
		0,
		0,
		0,
		3,
		0,
		0,
		0,
		4,
		'0',
		0,
		0,
		0,
		20,
		'0',
		'0',
		1,
		2,
		3,
		4,
		5,
		6,
		7,
		8,
	};
	struct refs from = refs_of(0x12d, leaves, numbers, &word);

	cr_expect(codec_bytes_are(&refs_desc, &from, wire, sizeof(wire)));
}

Test(bind_pointers, a_null_on_one_side_only_is_refused_by_name)
{
	static const struct {
		unsigned int from, to;
		const char *path;
	} cases[] = {
		{ 0x1ff, 0x1fd, "refs[1].structs[1]" },
		{ 0x1fd, 0x1ff, "refs[1].structs[1]" },
		{ 0x1ff, 0x1bf, "refs[1].values[2]" },
		{ 0x1bf, 0x1ff, "refs[1].values[2]" },
		{ 0x1ff, 0x17f, "refs[1].one" },
		{ 0x17f, 0x1ff, "refs[1].one" },
		{ 0x1ff, 0x0ff, "refs[1].word" },
		{ 0x0ff, 0x1ff, "refs[1].word" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FOR_EACH_CODEC(c)
		{
			struct leaf l[5];
			uint32_t v[3];
			uint64_t w;
			struct refs from = refs_of(cases[i].from, leaves, numbers, &word);
			struct refs to = refs_of(cases[i].to, l, v, &w);
			struct irqs_error err;

			if (!SELF_DESCRIBING(c))
				continue;
			err = codec_fails(c, &refs_desc, &from, &refs_desc, &to);
			cr_expect_str_eq(err.path, cases[i].path, "%s: %s: %s", codec_name(c), err.path,
					 err.text);
			cr_expect(strstr(err.text, "nullptr"), "%s", err.text);
		}
	}
}

Test(bind_pointers, targets_are_allocated_where_the_row_says_so)
{
	for (unsigned int mask = 0; mask < 0x200; mask += 7) {
		FOR_EACH_CODEC(c)
		{
			struct refs from = refs_of(mask, leaves, numbers, &word), to = { .one = NULL };

			codec_round(c, &alloc_desc, &from, &alloc_desc, &to);
			for (unsigned int i = 0; i < 4; i++) {
				cr_assert_eq(!to.structs[i], !from.structs[i]);
				cr_assert(!to.structs[i] || to.structs[i]->i == leaves[i].i, "%s",
					  codec_name(c));
				free(to.structs[i]);
			}
			for (unsigned int i = 0; i < 3; i++) {
				cr_assert_eq(!to.values[i], !from.values[i]);
				cr_assert(!to.values[i] || *to.values[i] == numbers[i]);
				free(to.values[i]);
			}
			cr_assert_eq(!to.one, !from.one);
			cr_assert(!to.word || *to.word == word);
			free(to.one);
			free(to.word);
		}
	}
}

Test(bind_pointers, a_null_does_not_make_the_receiver_lose_what_it_has)
{
	FOR_EACH_CODEC(c)
	{
		struct leaf mine = { 9 };
		struct refs from = { .one = NULL }, to = { .structs = { NULL, &mine } };
		struct irqs_error err = codec_fails(c, &alloc_desc, &from, &alloc_desc, &to);

		cr_expect_eq(err.status, IRQS_REFUSED);
		cr_expect_str_eq(err.path, "refs[1].structs.present");
		cr_expect_eq(to.structs[1], &mine);
	}
}

struct names {
	char *names[3];
	char *title;
};
static const struct vms_field names_rows[] = {
	VMS_TEXT_POINTERS(struct names, names, 3),
	VMS_TEXT_POINTER(struct names, title),
};
static const struct vms_desc names_desc = {
	.name = "names",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct names),
	VMS_ROWS(names_rows),
};

Test(bind_pointers, strings_by_pointer_with_nulls_and_empty_ones)
{
	FOR_EACH_CODEC(c)
	{
		struct names from = { { "one", NULL, "" }, "title" }, to = { .title = strdup("old") };

		to.names[1] = strdup("goes away");
		codec_round(c, &names_desc, &from, &names_desc, &to);
		cr_expect_str_eq(to.names[0], "one", "%s", codec_name(c));
		cr_expect_null(to.names[1]);
		cr_expect_str_eq(to.names[2], "");
		cr_expect_str_eq(to.title, "title");
		for (int i = 0; i < 3; i++)
			free(to.names[i]);
		free(to.title);
	}
}

Test(bind_pointers, a_pointed_array_that_points_nowhere_is_an_error)
{
	struct holder {
		uint8_t *bytes;
	};
	static const struct vms_field rows[] = { VMS_POINTED_ARRAY(struct holder, bytes, 4, U8) };
	static const struct vms_desc desc = {
		.name = "holder",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct holder),
		VMS_ROWS(rows),
	};

	FOR_EACH_CODEC(c)
	{
		struct holder from = { NULL };
		struct irqs_error err;
		struct saved s;

		cr_expect_eq(codec_save(&s, c, &desc, &from, &err), -EINVAL);
		cr_expect_str_eq(err.text, "'bytes' points nowhere");
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptions: bytes to nodes, new sections from nothing, versions, and input that is too short. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"

static const struct vms_field channel_fields[] = {
	{ .name = "count", .type = "int32" },
	{ .name = "mode", .type = "uint8" },
};

static const struct vms_desc channel = {
	.name = "channel",
	.version = 1,
	.minimum_version = 1,
	.fields = channel_fields,
	.nfields = 2,
};

static const struct vms_field chip_fields[] = {
	{ .name = "base", .type = "uint32" },
	{ .name = "old", .type = "uint8", .since = 2 },
	{ .name = "regs", .type = "uint16", .count = 3 },
	{ .name = "channels", .type = "struct", .count = 2, .desc = &channel },
	{ .name = "single", .type = "struct", .desc = &channel },
	{ .name = "pad", .type = "unused_buffer", .size = 4 },
	{ .name = "blocks", .type = "buffer", .size = 2, .count = 2 },
	{ .name = "late", .type = "uint64", .since = 4 },
};

static const struct vms_field extra_fields[] = { { .name = "x", .type = "uint32" } };
static const struct vms_desc deep = {
	.name = "chip/extra/deep",
	.version = 1,
	.minimum_version = 1,
	.fields = extra_fields,
	.nfields = 1,
};
static const struct vms_desc *const extra_subsections[] = { &deep, NULL };
static const struct vms_desc extra = {
	.name = "chip/extra",
	.version = 2,
	.minimum_version = 1,
	.fields = extra_fields,
	.nfields = 1,
	.subsections = extra_subsections,
};
static const struct vms_desc *const chip_subsections[] = { &extra, NULL };
static const struct vms_desc chip = {
	.name = "chip",
	.version = 4,
	.minimum_version = 1,
	.fields = chip_fields,
	.nfields = 8,
	.subsections = chip_subsections,
};

static struct vms_tree tree;
static struct vms_node *section;
static struct irqs_error err;

static void make(void)
{
	cr_assert(!vms_tree_init(&tree, NULL));
	section = vms_node_create(&tree, VMS_SECTION, "chip", "chip");
	section->version = 4;
	section->offset = 900;
	vms_append(tree.machine, section);
	memset(&err, 0, sizeof(err));
}

static void drop(void)
{
	vms_tree_deinit(&tree);
}

TestSuite(describe, .init = make, .fini = drop);

#define FIELDS_SIZE (4 + 1 + 6 + 2 * 5 + 5 + 4 + 4 + 8)

/* The fields count up from 1; then the subsections @sub. */
static size_t bytes(uint8_t *p, const char *const *subs)
{
	size_t n = FIELDS_SIZE;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i + 1);
	for (; *subs; subs++) {
		p[n++] = 5;
		p[n++] = (uint8_t)strlen(*subs);
		memcpy(p + n, *subs, strlen(*subs));
		n += strlen(*subs);
		put_be(p + n, 4, 1);
		put_be(p + n + 4, 4, 0xabcdef01);
		n += 8;
	}
	return n;
}

static uint64_t value(const char *path)
{
	uint64_t v = 0;
	struct irqs_error e = { 0 };

	cr_expect(!vms_get(section, path, &v, &e), "%s: %s", path, e.text);
	return v;
}

Test(describe, bytes_become_fields)
{
	static const char *const subs[] = { "chip/extra", "chip/extra/deep", NULL };
	uint8_t p[200];
	uint64_t used = 0;
	size_t n = bytes(p, subs);

	memset(p + n, 5, sizeof(p) - n);
	cr_assert(!vms_desc_parse(&tree, &chip, section, p, sizeof(p), 1000, &used, &err), "%s", err.text);
	cr_expect(used == n);
	cr_expect(value("base") == 0x01020304 && value("old") == 5 && value("regs[2]") == 0x0a0b);
	cr_expect(value("channels[0].count") == 0x0c0d0e0f && value("channels[1].mode") == 0x15);
	cr_expect(value("single.count") == 0x16171819);
	cr_expect(value("late") == UINT64_C(0x232425262728292a));
	cr_expect(value("chip/extra.x") == 0xabcdef01 && value("chip/extra.chip/extra/deep.x") == 0xabcdef01);
	cr_expect(vms_lookup(section, "single")->offset == 1000 + 4 + 1 + 6 + 10);
	cr_expect(vms_size(section) == n);
	cr_expect(vms_desc_match(&chip, section));
}

Test(describe, unknown_subsections_are_left_unread)
{
	static const char *const subs[] = { "chip/other", NULL };
	uint8_t p[200];
	uint64_t used = 0;
	size_t n = bytes(p, subs);

	cr_assert(!vms_desc_parse(&tree, &chip, section, p, n, 0, &used, &err));
	cr_expect(used == FIELDS_SIZE);
}

Test(describe, an_older_version_has_fewer_fields)
{
	static const char *const none[] = { NULL };
	uint8_t p[200];
	uint64_t used = 0;
	size_t n = bytes(p, none);

	section->version = 1;
	cr_assert(!vms_desc_parse(&tree, &chip, section, p, n, 0, &used, &err));
	cr_expect(used == FIELDS_SIZE - 1 - 8);
	cr_expect(!vms_lookup(section, "old") && !vms_lookup(section, "late"));
	cr_expect(value("regs[0]") == 0x0506);
	cr_expect(vms_desc_match(&chip, section));
	section->version = 4;
	cr_expect(!vms_desc_match(&chip, section));
}

Test(describe, versions_out_of_range_are_refused_by_number)
{
	uint8_t p[100] = { 0 };
	uint64_t used = 77;

	section->version = 5;
	cr_expect(vms_desc_parse(&tree, &chip, section, p, sizeof(p), 0, &used, &err) == -EBADMSG);
	cr_expect(err.offset == 900 && used == 77);
	cr_expect_str_eq(err.path, "chip[0]");
	cr_expect_str_eq(err.text, "version 5 is not in 1..4");
	section->version = 0;
	cr_expect(vms_desc_parse(&tree, &chip, section, p, sizeof(p), 0, &used, &err) == -EBADMSG);
}

Test(describe, every_cut_is_told_with_field_and_offset)
{
	static const char *const subs[] = { "chip/extra", NULL };
	uint8_t p[200];
	size_t n = bytes(p, subs);

	for (size_t len = 0; len < n; len++) {
		uint64_t used = 0;
		int rc;

		drop();
		make();
		rc = vms_desc_parse(&tree, &chip, section, p, len, 1000, &used, &err);
		if (len < FIELDS_SIZE) {
			cr_expect(rc == -EBADMSG, "%zu bytes", len);
			cr_expect(err.offset >= 1000 && err.offset <= 1000 + (int64_t)len, "%zu: %" PRId64, len,
				  err.offset);
			cr_expect(!strncmp(err.path, "chip[0].", 8), "%s", err.path);
		} else if (len < n - 4) {
			cr_expect(!rc && used == FIELDS_SIZE, "%zu: half a header is no subsection", len);
		} else {
			cr_expect(rc == -EBADMSG && strstr(err.path, "chip/extra"), "%zu: %s", len, err.path);
		}
	}
}

Test(describe, a_new_section_is_all_zero_and_matches)
{
	cr_assert(!vms_desc_instantiate(&tree, &chip, section));
	cr_expect(section->version == 4);
	cr_expect_str_eq(section->vmsd, "chip");
	cr_expect(vms_size(section) == FIELDS_SIZE);
	cr_expect(vms_desc_match(&chip, section));
	cr_expect(value("late") == 0 && value("channels[1].mode") == 0);
}

Test(describe, a_section_of_another_shape_does_not_match)
{
	cr_assert(!vms_desc_instantiate(&tree, &chip, section));
	vms_lookup(section, "regs")->count = 2;
	cr_expect(!vms_desc_match(&chip, section));
	vms_lookup(section, "regs")->count = 3;
	cr_expect(vms_desc_match(&chip, section));
	cr_assert(vms_add_int(&tree, section, "more", "uint8", 0));
	cr_expect(!vms_desc_match(&chip, section));
	vms_remove(vms_lookup(section, "more"));
	vms_remove(vms_lookup(section, "single.mode"));
	cr_expect(!vms_desc_match(&chip, section));
}

/* Fields are packed until a node is asked for: what is found by paths is the same before and after. */
Test(describe, packed_fields_read_and_write_as_nodes_do)
{
	static const char *const subs[] = { "chip/extra", NULL };
	static const char *const paths[] = { "base", "regs[0]", "regs[2]", "channels[1].count", "channels[0].mode",
					     "single.mode", "late", "chip/extra.x" };
	static const char *const wrong[] = { "regs", "regs[3]", "regs[0].x", "channels", "channels[2].count", "channels.count",
					     "single", "single[0].mode", "blocks", "blocks[0]", "base[0]", "bas", "base.x", "" };
	uint64_t used, before[8];
	uint8_t p[200];
	size_t n = bytes(p, subs);

	cr_assert(!vms_desc_parse(&tree, &chip, section, p, n, 1000, &used, &err));
	cr_assert_eq(vms_packed(section), FIELDS_SIZE);
	cr_expect(!memcmp(section->data, p, FIELDS_SIZE));
	for (size_t i = 0; i < 8; i++) {
		before[i] = value(paths[i]);
		cr_expect(!vms_set(section, paths[i], before[i] ^ 1, &err), "%s", paths[i]);
	}
	cr_expect(vms_set(section, "regs[1]", 0x10000, &err) == -ERANGE);
	cr_expect_str_eq(err.path, "chip[0].regs[1]");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect(vms_get(section, wrong[i], &used, NULL) == -EBADMSG, "%s", wrong[i]);
	cr_assert_eq(vms_packed(section), FIELDS_SIZE, "no value needs a node");
	cr_expect(vms_subsection(section, "chip/extra") == vms_first_node(section));

	cr_assert_str_eq(vms_first_child(section)->name, "base");
	cr_expect(!vms_packed(section) && vms_size(section) == n && vms_desc_match(&chip, section));
	for (size_t i = 0; i < 8; i++)
		cr_expect(value(paths[i]) == (before[i] ^ 1), "%s", paths[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect(vms_get(section, wrong[i], &used, NULL) == -EBADMSG, "%s", wrong[i]);
	cr_expect(vms_packed(vms_lookup(section, "single")) == 5, "they are packed again below");
	cr_expect(vms_lookup(section, "channels[1].mode")->offset == 1000 + 4 + 1 + 6 + 9);
	cr_expect(vms_lookup(section, "channels[1]")->index == 1 && vms_lookup(section, "channels")->count == 2);
	cr_expect(vms_tree_ok(&tree));
}

Test(describe, what_is_added_to_packed_fields_stands_behind_them)
{
	static const char *const subs[] = { "chip/extra", NULL };
	const struct vms_node *c, *last = NULL;
	struct vms_node *more;
	uint8_t p[200];
	uint64_t used;
	size_t n = bytes(p, subs), i = 0;
	const char *const names[] = { "base", "old", "regs", "channels", "single", "pad", "blocks", "late", "more", "chip/extra", "new" };

	cr_assert(!vms_desc_parse(&tree, &chip, section, p, n, 0, &used, &err));
	more = vms_add_int(&tree, section, "more", "uint16", 0);
	cr_assert(more && vms_add_subsection(&tree, section, "new", 1));
	cr_expect(vms_packed(section) == FIELDS_SIZE && !vms_set(section, "more", 7, &err) && value("base") == 0x01020304);
	cr_expect(vms_size(section) == n + 2 + 2 + 3 + 4 && !vms_desc_match(&chip, section));
	for (c = vms_first_child(section); c; last = c, c = c->next, i++) {
		cr_assert(i < sizeof(names) / sizeof(names[0]) && c->parent == section && c->prev == last);
		cr_expect_str_eq(c->name, names[i]);
	}
	cr_expect(i == sizeof(names) / sizeof(names[0]) && vms_last_child(section) == last);
	cr_expect(vms_child(section, "more") == more && value("more") == 7);
	vms_remove(more);
	vms_remove(vms_child(section, "single"));
	cr_expect(vms_size(section) == n + 2 + 3 + 4 - 5);
}

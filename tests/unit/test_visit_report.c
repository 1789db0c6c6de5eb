/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Print, compare and schema: the same description, told instead of moved. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "codec.h"
#include "vmstate/rows.h"
#include "vmstate/visit_bytes.h"
#include "vmstate/visit_report.h"

struct item {
	uint8_t x;
	TAILQ_ENTRY(item)
	entry;
};
TAILQ_HEAD(item_queue, item);

struct dev {
	uint32_t reg;
	int16_t offset;
	uint8_t n;
	uint64_t lanes[3];
	double rate;
	uint8_t raw[3];
	char label[8];
	struct item pair[2];
	struct item_queue items;
	bool extra;
};

static bool extra_needed(const void *state)
{
	return ((const struct dev *)state)->extra;
}

static const struct vms_field item_rows[] = { VMS_U8(struct item, x) };
static const struct vms_desc item_desc = {
	.name = "item",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct item),
	VMS_ROWS(item_rows),
};
static const struct vms_field extra_rows[] = { VMS_BOOL(struct dev, extra) };
static const struct vms_desc extra_desc = {
	.name = "dev/extra",
	.version = 4,
	.minimum_version = 4,
	.state_size = sizeof(struct dev),
	VMS_ROWS(extra_rows),
	.needed = extra_needed,
};
static const struct vms_desc *const dev_subs[] = { &extra_desc, NULL };
static const struct vms_field dev_rows[] = {
	VMS_U32(struct dev, reg),
	VMS_S16(struct dev, offset),
	VMS_U8(struct dev, n),
	VMS_PARTIAL(struct dev, lanes, 3, n, U64, .since = 2),
	VMS_F64(struct dev, rate),
	VMS_BUFFER(struct dev, raw, 3),
	VMS_TEXT(struct dev, label, 8),
	VMS_STRUCT_ARRAY(struct dev, pair, 2, struct item, item_desc),
	VMS_TAILQ_OF(struct dev, items, struct item, entry, item_desc),
};
static const struct vms_desc dev_desc = {
	.name = "dev",
	.version = 2,
	.minimum_version = 1,
	.state_size = sizeof(struct dev),
	VMS_ROWS(dev_rows),
	.subsections = dev_subs,
};

static void dev_init(struct dev *d)
{
	*d = (struct dev){ .reg = 0x10,
			   .offset = -3,
			   .n = 2,
			   .lanes = { 1, UINT64_MAX, 7 },
			   .rate = 0.5,
			   .raw = { 0, 0xab, 0xff },
			   .label = "a\"b\n",
			   .pair = { { .x = 1 }, { .x = 2 } },
			   .extra = true };
	TAILQ_INIT(&d->items);
}

static int collect(void *ctx, const char *path, const char *text)
{
	char *to = ctx;
	size_t used = strlen(to);

	snprintf(to + used, 2048 - used, "%s = %s\n", path, text);
	return 0;
}

Test(visit_report, printing_is_saving_into_text)
{
	char text[2048] = "";
	struct visit_print p;
	struct dev d;

	dev_init(&d);
	visit_print_init(&p, collect, text);
	cr_assert_eq(vms_save(&p.v, &dev_desc, 3, &d, NULL), 0);
	cr_expect_str_eq(text,
			 "dev[3] = version 2\n"
			 "dev[3].reg = 0x10\n"
			 "dev[3].offset = -3\n"
			 "dev[3].n = 0x2\n"
			 "dev[3].lanes = 0x1 0xffffffffffffffff\n"
			 "dev[3].rate = 0.5\n"
			 "dev[3].raw = 00abff\n"
			 "dev[3].label = \"a\\x22b\\x0a\"\n"
			 "dev[3].pair[0].x = 0x1\n"
			 "dev[3].pair[1].x = 0x2\n"
			 "dev[3].items.next[0] = 0x0\n"
			 "dev[3].dev/extra = version 4\n"
			 "dev[3].dev/extra.extra = 0x1\n",
			 "%s", text);
}

static int stop(void *ctx, const char *path, const char *text)
{
	(void)path;
	(void)text;
	return --*(int *)ctx ? 0 : 42;
}

Test(visit_report, who_is_told_can_end_the_walk)
{
	struct visit_print p;
	int calls = 4;
	struct dev d;

	dev_init(&d);
	visit_print_init(&p, stop, &calls);
	cr_expect_eq(vms_save(&p.v, &dev_desc, 0, &d, NULL), 42);
	cr_expect_eq(calls, 0);
}

static int note(void *ctx, const struct vms_difference *d)
{
	char *to = ctx;
	size_t used = strlen(to);

	snprintf(to + used, 512 - used, "%s%s%s ", d->a ? "" : "+", d->b ? "" : "-", d->path);
	return 0;
}

Test(visit_report, a_state_is_compared_with_one_that_was_saved)
{
	struct item extra = { .x = 9 };
	struct visit_compare c;
	char text[512] = "";
	struct saved then;
	struct dev d;

	dev_init(&d);
	cr_assert_eq(codec_save(&then, CODEC_TREE, &dev_desc, &d, NULL), 0);
	d.reg = 11;
	d.lanes[1] = 5;
	d.pair[1].x = 3;
	d.extra = false;
	strcpy(d.label, "new!");
	TAILQ_INSERT_TAIL(&d.items, &extra, entry);
	cr_assert_eq(visit_compare_init(&c, NULL), 0);
	cr_assert_eq(vms_save(&c.out.v, &dev_desc, 1, &d, NULL), 0);
	cr_assert_eq(visit_compare_finish(&c, vms_first_child(then.tree.machine), note, text), 0);
	cr_expect_str_eq(text,
			 "dev[1].reg dev[1].lanes[1] dev[1].label dev[1].pair[1].x dev[1].items.next[0] "
			 "+dev[1].items.element[0] +dev[1].items.next[1] -dev[1].dev/extra ",
			 "%s", text);
	visit_compare_deinit(&c);
	codec_free(&then);
}

static int list(void *ctx, const char *path, const struct visit_item *item)
{
	char *to = ctx;
	size_t used = strlen(to);

	snprintf(to + used, 2048 - used, "%s %s %u%s\n", path, item->type ? item->type : "-", item->count,
		 item->field && item->field->since ? " since" : "");
	return 0;
}

Test(visit_report, a_schema_shows_all_there_may_be)
{
	char text[2048] = "";
	struct visit_schema s;

	visit_schema_init(&s, list, text);
	cr_assert_eq(vms_schema(&s.v, &dev_desc, NULL), 0);
	cr_expect_str_eq(text,
			 "dev[0] - 1\n"
			 "dev[0].reg uint32 1\n"
			 "dev[0].offset int16 1\n"
			 "dev[0].n uint8 1\n"
			 "dev[0].lanes uint64 3 since\n"
			 "dev[0].rate float64 1\n"
			 "dev[0].raw buffer 1\n"
			 "dev[0].label string 1\n"
			 "dev[0].pair struct 2\n"
			 "dev[0].pair[0] struct 1\n"
			 "dev[0].pair[0].x uint8 1\n"
			 "dev[0].items qtailq 1\n"
			 "dev[0].items.next[0] uint8 1\n"
			 "dev[0].items.element[0] struct 1\n"
			 "dev[0].items.element[0].x uint8 1\n"
			 "dev[0].dev/extra - 1\n"
			 "dev[0].dev/extra.extra bool 1\n",
			 "%s", text);
}

/* A tree that came from one encoding is written in another without its device. */
Test(visit_report, any_tree_goes_to_any_visitor)
{
	struct visit_bytes_out out;
	struct saved tree, bytes;
	struct dev d;

	dev_init(&d);
	cr_assert_eq(codec_save(&tree, CODEC_TREE, &dev_desc, &d, NULL), 0);
	cr_assert_eq(codec_save(&bytes, CODEC_BYTES, &dev_desc, &d, NULL), 0);
	visit_bytes_out_init(&out);
	cr_assert_eq(visit_node(&out.v, vms_first_child(tree.tree.machine), NULL), 0);
	cr_assert_eq(out.size, bytes.size);
	cr_expect_arr_eq(out.data, bytes.data, out.size);
	cr_expect_eq(vms_size(vms_first_child(tree.tree.machine)), out.size);
	visit_bytes_out_deinit(&out);
	codec_free(&tree);
	codec_free(&bytes);
}

/* And bytes become a tree by the description alone, as when a stream has no vmdescription. */
Test(visit_report, bytes_become_the_same_tree_without_a_device)
{
	struct item extra[2] = { { .x = 8 }, { .x = 9 } };
	struct saved tree, bytes;
	struct vms_tree t;
	struct vms_node *n;
	char text[512] = "";
	uint64_t used;
	struct dev d;

	dev_init(&d);
	TAILQ_INSERT_TAIL(&d.items, &extra[0], entry);
	TAILQ_INSERT_TAIL(&d.items, &extra[1], entry);
	cr_assert_eq(codec_save(&tree, CODEC_TREE, &dev_desc, &d, NULL), 0);
	cr_assert_eq(codec_save(&bytes, CODEC_BYTES, &dev_desc, &d, NULL), 0);
	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	n = vms_node_create(&t, VMS_SECTION, "dev", "dev");
	n->instance = 1;
	n->version = 2;
	vms_append(t.machine, n);
	cr_assert_eq(vms_desc_parse(&t, &dev_desc, n, bytes.data, bytes.size, 0, &used, NULL), 0);
	cr_expect_eq(used, bytes.size);
	cr_expect_eq(vms_diff(tree.tree.machine, t.machine, note, text), 0);
	cr_expect_str_eq(text, "");
	cr_expect(vms_desc_match(&dev_desc, n));
	cr_expect(vms_desc_match(&dev_desc, vms_first_child(tree.tree.machine)));
	vms_tree_deinit(&t);
	codec_free(&tree);
	codec_free(&bytes);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two trees compared field by field. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vmstate/diff.h"

struct found {
	char text[512];
	int count;
};

static int note(void *ctx, const struct vms_difference *d)
{
	struct found *f = ctx;
	size_t used = strlen(f->text);

	f->count++;
	snprintf(f->text + used, sizeof(f->text) - used, "%s%s%s ", d->a ? "" : "+", d->b ? "" : "-", d->path);
	return 0;
}

static void build(struct vms_tree *t)
{
	struct vms_node *s;

	cr_assert_eq(vms_tree_init(t, NULL), 0);
	for (uint32_t i = 0; i < 2; i++) {
		s = vms_node_create(t, VMS_SECTION, "apic", "apic");
		s->instance = i;
		vms_append(t->machine, s);
		cr_assert(vms_add_int(t, s, "id", "uint8", 0));
		cr_assert(vms_add_int(t, s, "irr", "uint32", 8));
	}
}

static struct found compare(struct vms_tree *a, struct vms_tree *b)
{
	struct found f = { .count = 0 };

	cr_assert_eq(vms_diff(a->machine, b->machine, note, &f), 0);
	return f;
}

static struct vms_tree a, b;

static void setup(void)
{
	build(&a);
	build(&b);
}

static void teardown(void)
{
	vms_tree_deinit(&a);
	vms_tree_deinit(&b);
}

TestSuite(diff, .init = setup, .fini = teardown);

Test(diff, equal_trees_have_no_difference)
{
	cr_expect_eq(compare(&a, &b).count, 0);
}

Test(diff, a_changed_element_is_named_by_its_index)
{
	cr_assert_eq(vms_set(b.machine, "apic[1].irr[3]", 8, NULL), 0);
	cr_expect_str_eq(compare(&a, &b).text, "apic[1].irr[3] ");
}

Test(diff, a_subsection_of_one_side_is_named_once)
{
	cr_assert(vms_add_subsection(&b, vms_find_section(b.machine, "apic", 0), "apic_sipi", 1));
	cr_expect_str_eq(compare(&a, &b).text, "+apic[0].apic_sipi ");
	cr_expect_str_eq(compare(&b, &a).text, "-apic[0].apic_sipi ");
}

Test(diff, a_missing_section_does_not_shift_the_others)
{
	vms_remove(vms_find_section(b.machine, "apic", 0));
	cr_assert_eq(vms_set(b.machine, "apic[1].id", 7, NULL), 0);
	cr_expect_str_eq(compare(&a, &b).text, "-apic[0] apic[1].id ");
}

Test(diff, another_version_is_a_difference)
{
	vms_find_section(b.machine, "apic", 1)->version = 3;
	cr_expect_str_eq(compare(&a, &b).text, "apic[1] ");
}

static int stop(void *ctx, const struct vms_difference *d)
{
	(void)d;
	++*(int *)ctx;
	return 42;
}

Test(diff, the_visitor_can_end_the_walk)
{
	int calls = 0;

	cr_assert_eq(vms_set(b.machine, "apic[0].id", 1, NULL), 0);
	cr_assert_eq(vms_set(b.machine, "apic[1].id", 1, NULL), 0);
	cr_expect_eq(vms_diff(a.machine, b.machine, stop, &calls), 42);
	cr_expect_eq(calls, 1);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree by itself: paths, values, structure. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmstate/tree.h"

static struct vms_tree tree;
static struct vms_node *machine, *apic0, *apic1, *pit;

static struct vms_node *section(const char *name, uint32_t instance)
{
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, name, name);

	cr_assert(n);
	n->instance = instance;
	n->vmsd = n->name;
	n->version = 1;
	vms_append(machine, n);
	return n;
}

static struct vms_node *child(struct vms_node *parent, enum vms_kind kind, const char *name, uint32_t index)
{
	struct vms_node *n = vms_node_create(&tree, kind, name, "struct");

	cr_assert(n);
	n->index = index;
	n->array = kind == VMS_ARRAY;
	vms_append(parent, n);
	return n;
}

static void put(struct vms_node *parent, const char *name, const char *type, uint32_t count, uint64_t value)
{
	struct vms_node *n = vms_add_int(&tree, parent, name, type, count);

	cr_assert(n, "%s", name);
	for (uint32_t i = 0; i < n->count; i++)
		vms_element_set(n, i, value + i);
}

static void make_tree(void)
{
	struct vms_node *channels, *cpu, *q;

	cr_assert(!vms_tree_init(&tree, NULL));
	machine = tree.machine;
	apic0 = section("apic", 0);
	apic1 = section("apic", 1);
	put(apic0, "irr", "uint32", 8, 100);
	put(apic1, "irr", "uint32", 8, 200);
	put(apic1, "id", "uint8", 0, 1);
	cpu = section("cpu", 0);
	put(cpu, "env.tsc", "uint64", 0, 5);
	put(cpu, "env", "uint8", 0, 6);
	put(cpu, "env.tsc_khz", "int64", 0, 7);
	pit = section("i8254", 0);
	channels = child(pit, VMS_ARRAY, "channels", VMS_NO_INDEX);
	for (uint32_t i = 0; i < 3; i++)
		put(child(channels, VMS_STRUCT, "channels", i), "count", "int32", 0, 30 + i);
	channels->count = 3;
	put(pit, "channels[0].irq_disabled", "uint32", 0, 9);
	q = child(pit, VMS_STRUCT, "vq", 0);
	put(q, "n", "uint16", 0, 50);
	q = child(pit, VMS_STRUCT, "vq", 1);
	put(q, "n", "uint16", 0, 51);
}

static void drop_tree(void)
{
	vms_tree_deinit(&tree);
}

TestSuite(paths, .init = make_tree, .fini = drop_tree);
TestSuite(edits, .init = make_tree, .fini = drop_tree);
TestSuite(structure, .init = make_tree, .fini = drop_tree);

Test(paths, name_one_integer)
{
	static const struct {
		const char *path;
		uint64_t value;
	} cases[] = {
		{ "apic[1].irr[3]", 203 },
		{ "apic[0].irr[0]", 100 },
		{ "apic.irr[7]", 107 },
		{ "apic[1].id", 1 },
		{ "cpu[0].env.tsc", 5 },
		{ "cpu.env", 6 },
		{ "cpu.env.tsc_khz", 7 },
		{ "i8254.channels[0].count", 30 },
		{ "i8254.channels[2].count", 32 },
		{ "i8254.channels[0].irq_disabled", 9 },
		{ "i8254.vq[0].n", 50 },
		{ "i8254.vq[1].n", 51 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct irqs_error err = { 0 };
		uint64_t v = 0;

		cr_expect(!vms_get(machine, cases[i].path, &v, &err), "%s: %s", cases[i].path, err.text);
		cr_expect(v == cases[i].value, "%s is %" PRIu64, cases[i].path, v);
	}
}

Test(paths, that_lead_nowhere_are_told_whole)
{
	static const char *const paths[] = {
		"",
		".",
		"[0]",
		"apic",
		"apic[2].id",
		"apic[1].irr",
		"apic[1].irr[8]",
		"apic[1].irr[3][0]",
		"apic[1].irr[3].x",
		"apic[1].irr[",
		"apic[1].irr[]",
		"apic[1].irr[-1]",
		"apic[1].irr[99999999999999999999]",
		"apic[1].id[0]",
		"apic[1]..id",
		"apic[1].id.",
		"apic[x].id",
		"apicid",
		"cpu.env.",
		"cpu.env.ts",
		"i8254.channels",
		"i8254.channels.count",
		"i8254.channels[3].count",
		"i8254.channels[1].irq_disabled",
		"i8254.vq.n",
		"i8254.vq[2].n",
		"i8254.vq[0]",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct irqs_error err = { 0 };
		uint64_t v = 77;

		cr_expect(vms_get(machine, paths[i], &v, &err) == -EBADMSG, "\"%s\" leads to %" PRIu64, paths[i], v);
		cr_expect(v == 77 && err.status == IRQS_MALFORMED && err.offset == IRQS_NO_OFFSET);
		cr_expect_str_eq(err.path, paths[i]);
		cr_expect(vms_get_or(machine, paths[i], 3) == 3);
	}
}

Test(paths, may_start_anywhere)
{
	struct irqs_error err = { 0 };
	uint64_t v;

	cr_expect(vms_get_or(apic1, "irr[1]", 0) == 201);
	cr_expect(vms_get_or(vms_lookup(pit, "channels[1]"), "count", 0) == 31);
	cr_expect(vms_get(apic1, "nix", &v, &err) == -EBADMSG);
	cr_expect_str_eq(err.path, "apic[1].nix");
}

Test(paths, of_nodes_lead_back_to_them)
{
	static const char *const paths[] = { "apic[1].irr", "cpu[0].env.tsc", "i8254[0].channels[2].count",
					     "i8254[0].vq[1].n", "i8254[0].channels[0].irq_disabled", "apic[0]" };
	char buf[160], small[9];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct vms_node *n = vms_lookup(machine, paths[i]);

		cr_assert(n, "%s", paths[i]);
		cr_expect_str_eq(vms_path(n, buf, sizeof(buf)), paths[i]);
	}
	cr_expect_str_eq(vms_path(machine, buf, sizeof(buf)), "");
	cr_expect_str_eq(vms_path(vms_lookup(pit, "channels[2].count"), small, sizeof(small)), "i8254[0]");
}

Test(edits, keep_width_and_type)
{
	struct irqs_error err = { 0 };

	cr_expect(!vms_set(machine, "apic[1].id", 0xff, &err));
	cr_expect(vms_get_or(machine, "apic[1].id", 0) == 0xff);
	cr_expect(vms_set(machine, "apic[1].id", 0x100, &err) == -ERANGE);
	cr_expect(err.status == IRQS_MALFORMED);
	cr_expect_str_eq(err.path, "apic[1].id");
	cr_expect(vms_get_or(machine, "apic[1].id", 0) == 0xff, "a refused edit changed the value");
	cr_expect(!vms_set(machine, "i8254.channels[1].count", (uint64_t)-5, &err));
	cr_expect(vms_get_or(machine, "i8254.channels[1].count", 0) == (uint64_t)-5);
	cr_expect(!vms_set(machine, "i8254.channels[1].count", 0xfffffffb, &err),
		  "the unsigned value of a signed field");
	cr_expect(vms_get_or(machine, "i8254.channels[1].count", 0) == (uint64_t)-5);
	cr_expect(vms_set(machine, "i8254.channels[1].count", UINT64_C(0x100000000), &err) == -ERANGE);
	cr_expect(vms_set(machine, "i8254.channels[1].count", (uint64_t)INT64_C(-0x80000001), &err) == -ERANGE);
	cr_expect(!vms_set(machine, "cpu.env.tsc", UINT64_MAX, &err));
	cr_expect(vms_get_or(machine, "cpu.env.tsc", 0) == UINT64_MAX);
}

Test(edits, of_one_element_leave_the_others)
{
	struct irqs_error err = { 0 };

	cr_expect(!vms_set(machine, "apic[1].irr[3]", 0xdeadbeef, &err));
	for (unsigned int i = 0; i < 8; i++) {
		char path[32];

		snprintf(path, sizeof(path), "apic[1].irr[%u]", i);
		cr_expect(vms_get_or(machine, path, 0) == (i == 3 ? 0xdeadbeef : 200 + i));
	}
	cr_expect(vms_get_or(machine, "apic[0].irr[3]", 0) == 103);
	cr_expect(vms_set(machine, "apic[1].irr[8]", 0, &err) == -EBADMSG);
	cr_expect(vms_set(machine, "apic[1].irr", 0, &err) == -EBADMSG);
	cr_expect(vms_set(machine, "apic[1].nix", 0, NULL) == -EBADMSG);
}

Test(edits, every_integer_type_holds_its_extremes)
{
	static const char *const types[] = { "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32",
					     "int64", "timer", "int32 equal", "uint8 equal", "uint16 equal",
					     "uint32 equal", "uint64 equal", "int64 equal", "int32 le" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct vms_node *n = vms_add_int(&tree, apic0, types[i], types[i], 2);
		uint32_t width = 0;
		bool is_signed = true;
		uint64_t top;

		cr_assert(n, "%s", types[i]);
		cr_expect(vms_int_type(types[i], &width, &is_signed) && n->width == width);
		top = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
		vms_element_set(n, 1, top);
		cr_expect(vms_element_get(n, 1) == (is_signed ? UINT64_MAX : top), "%s", types[i]);
		cr_expect(vms_element_get(n, 0) == 0, "%s", types[i]);
		cr_expect(vms_size(n) == 2 * width);
	}
	cr_expect(!vms_int_type("buffer", NULL, NULL) && !vms_int_type("", NULL, NULL));
	cr_expect(!vms_add_int(&tree, apic0, "x", "struct", 0));
}

Test(structure, sections_are_found_by_type_and_instance)
{
	struct vms_node *n = NULL;
	unsigned int count = 0;

	cr_expect(vms_find_section(machine, "apic", 1) == apic1);
	cr_expect(!vms_find_section(machine, "apic", 2) && !vms_find_section(machine, "api", 0));
	cr_assert(!vms_set_type(&tree, apic1, "kvm-apic"));
	cr_expect(vms_find_section(machine, "kvm-apic", 1) == apic1, "by its irqshift type");
	cr_expect(!vms_find_section(machine, "kvm-apic", 0), "a userspace one has not that type");
	cr_expect(vms_find_section(machine, "apic", 1) == apic1, "by its name in the stream");
	while ((n = vms_next_section(machine, n, "apic")))
		count++;
	cr_expect(count == 2);
	while ((n = vms_next_section(machine, n, NULL)))
		count++;
	cr_expect(count == 2 + 4);
}

Test(structure, new_fields_stand_before_the_subsections)
{
	struct vms_node *sub = vms_add_subsection(&tree, apic1, "apic_sipi", 1);

	cr_assert(sub);
	cr_expect(vms_size(sub) == 2 + strlen("apic_sipi") + 4);
	put(sub, "vector", "int32", 0, 3);
	put(apic1, "late", "uint8", 0, 4);
	cr_expect(vms_last_child(apic1) == sub && !strcmp(sub->prev->name, "late"));
	cr_expect(vms_subsection(apic1, "apic_sipi") == sub && !vms_subsection(apic0, "apic_sipi"));
	cr_expect(vms_get_or(machine, "apic[1].apic_sipi.vector", 0) == 3);
	cr_expect(vms_size(apic1) == 8 * 4 + 1 + 1 + vms_size(sub));
	cr_expect(vms_section(sub) == apic1 && !vms_section(machine));
}

Test(structure, a_field_of_an_empty_section_comes_first)
{
	struct vms_node *n = section("new", 0), *sub = vms_add_subsection(&tree, n, "new/x", 1);

	cr_assert(sub);
	put(n, "a", "uint8", 0, 1);
	cr_expect_str_eq(vms_first_child(n)->name, "a");
	cr_expect(vms_first_child(n)->next == sub && sub->prev == vms_first_child(n) && vms_last_child(n) == sub);
}

Test(structure, removing_marks_the_section_and_keeps_the_links)
{
	struct vms_node *id = vms_lookup(apic1, "id"), *irr = vms_lookup(apic1, "irr");

	apic1->reshaped = false;
	vms_remove(id);
	cr_expect(apic1->reshaped);
	cr_expect(vms_first_child(apic1) == irr && vms_last_child(apic1) == irr && !irr->next && !irr->prev);
	vms_remove(irr);
	cr_expect(!vms_first_child(apic1) && !vms_last_child(apic1) && !vms_size(apic1));
	vms_remove(irr);
	vms_remove(apic0);
	cr_expect(vms_first_child(machine) == apic1 && !apic1->prev && !apic0->parent);
	vms_remove(pit);
	cr_expect_str_eq(vms_last_child(machine)->name, "cpu");
}

Test(structure, insertion_keeps_the_order)
{
	struct vms_node *a = vms_node_create(&tree, VMS_SECTION, "a", "a");
	struct vms_node *b = vms_node_create(&tree, VMS_SECTION, "b", "b");

	vms_insert_after(apic0, a);
	vms_insert_after(pit, b);
	cr_expect(apic0->next == a && a->next == apic1 && apic1->prev == a && a->parent == machine);
	cr_expect(vms_last_child(machine) == b && b->prev == pit && !b->next);
}

/* Every child is found as the list changes: before the index is made, by it, and after it became old. */
Test(structure, children_are_found_by_name_as_the_list_changes)
{
	enum { COUNT = 100,
	       NAMESAKES = 3 };
	struct vms_node *s = section("many", 0), *nodes[COUNT], *n;
	char name[16];

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "f%d", i / NAMESAKES);
		nodes[i] = child(s, VMS_STRUCT, name, VMS_NO_INDEX);
		cr_assert_eq(vms_child(s, name), nodes[i - i % NAMESAKES], "%s of %d", name, i);
	}
	for (int i = 0; i < COUNT; i++)
		cr_assert_eq(vms_next_namesake(nodes[i]),
			     i % NAMESAKES < NAMESAKES - 1 && i + 1 < COUNT ? nodes[i + 1] : NULL, "node %d", i);
	vms_remove(nodes[3]);
	cr_assert_eq(vms_child(s, "f1"), nodes[4]);
	vms_insert_after(nodes[4], nodes[3]);
	cr_assert_eq(vms_child(s, "f1"), nodes[4]);
	cr_assert_eq(vms_next_namesake(nodes[4]), nodes[3]);
	cr_assert_null(vms_child(s, "f"));
	cr_assert_null(vms_child(s, "f1.x"));
	cr_assert_null(vms_subsection(s, "f1"));
	n = vms_add_subsection(&tree, s, "f1", 1);
	cr_assert_eq(vms_subsection(s, "f1"), n);
	vms_remove(n);
	cr_assert_null(vms_subsection(s, "f1"));
}

Test(structure, large_objects_live_as_long_as_the_tree)
{
	uint8_t *p = arena_alloc(&tree.arena, 1 << 20), *q = arena_alloc(&tree.arena, 10);

	cr_assert(p && q);
	memset(p, 0xff, 1 << 20);
	for (unsigned int i = 0; i < 10; i++)
		cr_expect(!q[i]);
	cr_expect(!((uintptr_t)p % 16) && !((uintptr_t)q % 16));
	cr_expect(!arena_alloc(&tree.arena, SIZE_MAX));
	cr_expect(arena_total(&tree.arena) > 1 << 20);
}

Test(tree, a_renamed_child_is_found_by_its_new_name_only)
{
	struct vms_tree t;
	struct vms_node *s, *n;
	char name[8];

	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	s = vms_node_create(&t, VMS_SECTION, "dev", "dev");
	vms_append(t.machine, s);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		cr_assert(vms_add_int(&t, s, name, "uint32", 0));
	}
	n = vms_lookup(s, "f7");
	cr_assert(n);
	cr_assert_eq(vms_rename(&t, n, "other"), 0);
	cr_expect_eq(vms_lookup(s, "other"), n);
	cr_expect_null(vms_lookup(s, "f7"));
	vms_tree_deinit(&t);
}

Test(tree, a_child_put_in_front_is_found)
{
	struct vms_tree t;
	struct vms_node *s, *n;
	char name[8];

	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	s = vms_node_create(&t, VMS_SECTION, "dev", "dev");
	vms_append(t.machine, s);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		cr_assert(vms_add_int(&t, s, name, "uint32", 0));
	}
	cr_expect(vms_lookup(s, "f19"));
	n = vms_node_create(&t, VMS_INT, "first", "uint32");
	n->width = 4;
	cr_assert_eq(vms_node_data(&t, n), 0);
	vms_insert_before(vms_first_child(s), n);
	cr_expect_eq(vms_first_child(s), n);
	cr_expect_eq(vms_lookup(s, "first"), n);
	vms_tree_deinit(&t);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of an irqchip as a tree and back, and what a tree may not have. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/snapshot.h"
#include "random_irqchip.h"
#include "vmstate/diff.h"

static int count_difference(void *ctx, const struct vms_difference *d)
{
	(void)ctx;
	fprintf(stderr, "%s differs\n", d->path);
	return 1;
}

static void round_trip(const struct irqchip_state *s)
{
	struct vms_tree there, again;
	struct irqchip_state back;
	struct irqs_error err = { 0 };

	cr_assert(!vms_tree_init(&there, NULL) && !vms_tree_init(&again, NULL));
	cr_assert(!snapshot_to_tree(s, &there, &err), "%s", err.text);
	cr_assert(snapshot_is_tree(there.machine));
	cr_assert(!snapshot_from_tree(there.machine, &back, &err), "%s: %s", err.path, err.text);
	expect_irqchips_equal(s, &back);
	cr_assert(!snapshot_to_tree(&back, &again, &err));
	cr_expect(!vms_diff(there.machine, again.machine, count_difference, NULL));
	irqchip_deinit(&back);
	vms_tree_deinit(&there);
	vms_tree_deinit(&again);
}

Test(snapshot, what_is_known_comes_back_and_nothing_else_does)
{
	uint64_t seed = random_seed();

	for (unsigned int known = 0; known <= 8; known++)
		for (unsigned int i = 0; i < 40; i++) {
			struct irqchip_state s;

			random_irqchip(&seed, known, &s);
			round_trip(&s);
			irqchip_deinit(&s);
		}
}

static void tree_of(const struct irqchip_state *s, struct vms_tree *t)
{
	struct irqs_error err;

	cr_assert(!vms_tree_init(t, NULL));
	cr_assert(!snapshot_to_tree(s, t, &err), "%s", err.text);
}

/* One row element at a time: each has a place of its own. */
Test(snapshot, every_element_alone_has_a_field_of_its_own)
{
	struct irqchip_state s = { .mode = IRQCHIP_FULL, .nlapics = 1 };
	struct lapic_state lapic;
	struct irqchip_part p;

	s.lapics = &lapic;
	memset(&lapic, 0, sizeof(lapic));
	for (unsigned int n = 0; irqchip_part(&s, n, &p); n++)
		for (uint16_t r = 0; r < p.chip->nrows; r++)
			for (unsigned int i = 0; i < p.chip->rows[r].count; i++) {
				const struct reg_row *row = &p.chip->rows[r];
				struct vms_tree t;
				unsigned int fields = 0;

				if (row->storage == REG_ACTION || !strcmp(row->name, "initial_id"))
					continue;
				memset(p.state, 0, p.chip->state_size);
				reg_set(row, p.state, i, UINT64_C(0xa5a5a5a5a5a5a5a5));
				tree_of(&s, &t);
				for (struct vms_node *f = vms_first_child(vms_find_section(t.machine, p.name, p.instance)); f;
				     f = f->next)
					fields++;
				cr_expect_eq(fields, 1, "%s", row->name);
				vms_tree_deinit(&t);
				round_trip(&s);
				memset(p.state, 0, p.chip->state_size);
			}
}

static void full_machine(struct irqchip_state *s, struct vms_tree *t)
{
	uint64_t seed = 1;

	do {
		random_irqchip(&seed, 8, s);
		if (s->mode == IRQCHIP_FULL && s->nlapics == 2 && s->nroutes)
			break;
		irqchip_deinit(s);
	} while (true);
	s->lapics[0].initial_id = 0;
	s->lapics[1].initial_id = 1;
	tree_of(s, t);
}

Test(snapshot, sections_are_of_the_kind_that_the_mode_says)
{
	static const char *const types[][3] = {
		{ "apic", "ioapic", "clock" },
		{ "kvm-apic", "ioapic", "clock" },
		{ "kvm-apic", "kvm-ioapic", "clock" },
	};

	for (unsigned int mode = 0; mode < 3; mode++) {
		struct irqchip_state s;
		struct vms_tree t, u;

		full_machine(&s, &u);
		s.mode = (enum irqchip_mode)mode;
		tree_of(&s, &t);
		cr_expect_str_eq(vms_find_section(t.machine, "apic", 1)->type, types[mode][0]);
		cr_expect_str_eq(vms_find_section(t.machine, "ioapic", 0)->type, types[mode][1]);
		cr_expect_str_eq(vms_find_section(t.machine, "clock", 0)->type, types[mode][2]);
		vms_tree_deinit(&t);
		vms_tree_deinit(&u);
		irqchip_deinit(&s);
	}
}

Test(snapshot, a_bank_known_in_parts_names_the_elements_it_has)
{
	struct irqchip_state s = { .mode = IRQCHIP_FULL };
	const struct reg_row *rte = reg_find_name(&ioapic_chip, "RTE");
	struct vms_tree t;

	reg_set(rte, &s.ioapic, 7, 0x1234);
	reg_set(rte, &s.ioapic, 23, 0x10000);
	tree_of(&s, &t);
	cr_expect_eq(vms_get_or(t.machine, "ioapic.rte[7]", 0), 0x1234);
	cr_expect_eq(vms_get_or(t.machine, "ioapic.rte[23]", 0), 0x10000);
	cr_expect_null(vms_lookup(t.machine, "ioapic.rte[0]"));
	vms_tree_deinit(&t);
	round_trip(&s);
}

Test(snapshot, two_cpus_with_one_id_are_not_saved)
{
	struct irqchip_state s;
	struct irqs_error err;
	struct vms_tree t, again;

	full_machine(&s, &t);
	s.lapics[1].initial_id = 0;
	cr_assert(!vms_tree_init(&again, NULL));
	cr_expect_eq(snapshot_to_tree(&s, &again, &err), -EINVAL);
	cr_expect_str_eq(err.path, "apic[0]");
	cr_expect_null(vms_first_child(again.machine));
	vms_tree_deinit(&again);
	vms_tree_deinit(&t);
	irqchip_deinit(&s);
}

/* ---- what a tree may not have ---- */

typedef void damage_fn(struct vms_tree *t);

static void refuse(damage_fn *damage, const char *path, const char *words, int want)
{
	struct irqchip_state s, back;
	struct irqs_error err = { 0 };
	struct vms_tree t;
	int rc;

	full_machine(&s, &t);
	damage(&t);
	rc = snapshot_from_tree(t.machine, &back, &err);
	cr_expect_eq(rc, want, "%s: %d", path, rc);
	cr_expect_str_eq(err.path, path, "'%s', not '%s': %s", err.path, path, err.text);
	cr_expect(strstr(err.text, words), "'%s' does not say '%s'", err.text, words);
	cr_expect(!back.lapics && !back.routes, "something was left");
	vms_tree_deinit(&t);
	irqchip_deinit(&s);
}

static struct vms_node *at(struct vms_tree *t, const char *path)
{
	struct vms_node *n = vms_lookup(t->machine, path);

	cr_assert(n, "%s", path);
	return n;
}

static void replace(struct vms_tree *t, const char *section, const char *name, const char *type, uint32_t count)
{
	struct vms_node *s = at(t, section);

	vms_remove(vms_child(s, name));
	cr_assert(vms_add_int(t, s, name, type, count) != NULL);
}

static void add_unknown(struct vms_tree *t)
{
	cr_assert(vms_add_int(t, at(t, "apic[1]"), "lvtx", "uint32", 0) != NULL);
}

static void add_action(struct vms_tree *t)
{
	cr_assert(vms_add_int(t, at(t, "apic[1]"), "eoi", "uint32", 0) != NULL);
}

static void narrow(struct vms_tree *t)
{
	replace(t, "apic[0]", "tpr", "uint8", 0);
}

static void change_sign(struct vms_tree *t)
{
	replace(t, "apic[0]", "exception_nr", "uint32", 0);
}

static void shorten(struct vms_tree *t)
{
	replace(t, "apic[0]", "irr", "uint32", 7);
}

static void make_array(struct vms_tree *t)
{
	replace(t, "apic[0]", "tpr", "uint32", 1);
}

static void drop_index(struct vms_tree *t)
{
	replace(t, "apic[0]", "irr", "uint32", 0);
}

static void number_beyond(struct vms_tree *t)
{
	drop_index(t);
	at(t, "apic[0].irr")->index = 8;
}

static void number_single(struct vms_tree *t)
{
	at(t, "apic[0].tpr")->index = 0;
}

static void repeat_field(struct vms_tree *t)
{
	cr_assert(vms_add_int(t, at(t, "apic[0]"), "tpr", "uint32", 0) != NULL);
}

static void repeat_element(struct vms_tree *t)
{
	struct vms_node *n = vms_add_int(t, at(t, "apic[0]"), "irr", "uint32", 0);

	cr_assert(n != NULL);
	n->index = 3;
}

static void lose_cpu(struct vms_tree *t)
{
	vms_remove(at(t, "apic[1]"));
}

static void lose_chip(struct vms_tree *t)
{
	vms_remove(at(t, "i8259[1]"));
}

static void repeat_cpu(struct vms_tree *t)
{
	at(t, "apic[1]")->instance = 0;
	cr_assert(!vms_set(vms_first_child(t->machine)->next->next, "initial_id", 0, NULL));
}

static void rename_cpu(struct vms_tree *t)
{
	at(t, "apic[1]")->instance = 5;
}

static void repeat_chip(struct vms_tree *t)
{
	at(t, "i8259[1]")->instance = 0;
}

static void third_pic(struct vms_tree *t)
{
	at(t, "i8259[1]")->instance = 2;
}

static void empty_chip(struct vms_tree *t)
{
	struct vms_node *clock = at(t, "clock");

	while (vms_first_child(clock))
		vms_remove(vms_first_child(clock));
}

static void wrong_type(struct vms_tree *t)
{
	cr_assert(!vms_set_type(t, at(t, "ioapic"), "ioapic"));
}

static void strange_section(struct vms_tree *t)
{
	cr_assert(!vms_rename(t, at(t, "clock"), "hpet"));
}

static void newer(struct vms_tree *t)
{
	at(t, "clock")->version = 2;
}

static void newer_head(struct vms_tree *t)
{
	at(t, SNAPSHOT_NAME)->version = 2;
}

static void of_a_stream(struct vms_tree *t)
{
	at(t, "ioapic")->vmsd = "ioapic";
}

static void fourth_mode(struct vms_tree *t)
{
	cr_assert(!vms_set(t->machine, SNAPSHOT_NAME ".mode", 3, NULL));
}

static void fifth_chip(struct vms_tree *t)
{
	cr_assert(!vms_set(t->machine, SNAPSHOT_NAME ".routes[0].chip", 4, NULL));
}

static void lose_routes(struct vms_tree *t)
{
	vms_remove(at(t, SNAPSHOT_NAME ".routes"));
}

static void extra_in_head(struct vms_tree *t)
{
	cr_assert(vms_add_int(t, at(t, SNAPSHOT_NAME), "colour", "uint8", 0) != NULL);
}

Test(snapshot, a_field_that_is_not_a_row_is_refused_by_its_path)
{
	refuse(add_unknown, "apic[1].lvtx", "no such register", -EBADMSG);
	refuse(add_action, "apic[1].eoi", "no such register", -EBADMSG);
	refuse(extra_in_head, SNAPSHOT_NAME "[0].colour", "", -EBADMSG);
}

Test(snapshot, a_field_of_another_width_sign_or_length_is_refused)
{
	refuse(narrow, "apic[0].tpr", "should be uint32", -EBADMSG);
	refuse(change_sign, "apic[0].exception_nr", "should be int32", -EBADMSG);
	refuse(shorten, "apic[0].irr", "7 elements, which should be 8", -EBADMSG);
	refuse(make_array, "apic[0].tpr", "1 elements", -EBADMSG);
	refuse(drop_index, "apic[0].irr", "not one of the 8 elements", -EBADMSG);
	refuse(number_beyond, "apic[0].irr[8]", "not one of the 8 elements", -EBADMSG);
	refuse(number_single, "apic[0].tpr[0]", "of what has none", -EBADMSG);
}

Test(snapshot, what_comes_twice_is_refused)
{
	refuse(repeat_field, "apic[0].tpr", "twice", -EBADMSG);
	refuse(repeat_element, "apic[0].irr[3]", "twice", -EBADMSG);
	refuse(repeat_chip, "i8259[0]", "twice", -EBADMSG);
	refuse(repeat_cpu, "apic[0]", "two CPUs", -EBADMSG);
}

Test(snapshot, what_is_missing_is_refused)
{
	refuse(lose_cpu, SNAPSHOT_NAME "[0]", "2 CPUs are announced, 1 are there", -EBADMSG);
	refuse(lose_chip, SNAPSHOT_NAME "[0]", "5 chips are announced, 4 are there", -EBADMSG);
	refuse(lose_routes, SNAPSHOT_NAME "[0].routes", "", -EBADMSG);
	refuse(empty_chip, "clock[0]", "empty", -EBADMSG);
}

Test(snapshot, sections_that_do_not_belong_are_refused)
{
	refuse(rename_cpu, "apic[5]", "instance 1", -EBADMSG);
	refuse(third_pic, "i8259[2]", "no such chip", -EBADMSG);
	refuse(strange_section, "hpet[0]", "no such chip", -EBADMSG);
	refuse(wrong_type, "ioapic[0]", "should be kvm-ioapic", -EBADMSG);
	refuse(of_a_stream, "ioapic[0]", "not a section of a snapshot", -EBADMSG);
}

Test(snapshot, values_that_mean_nothing_are_refused)
{
	refuse(fourth_mode, SNAPSHOT_NAME ".mode", "no irqchip mode", -EBADMSG);
	refuse(fifth_chip, SNAPSHOT_NAME ".routes", "there are 0 to 3", -EBADMSG);
}

Test(snapshot, a_newer_version_is_refused_by_number)
{
	refuse(newer, "clock[0]", "version 2", -EOPNOTSUPP);
	refuse(newer_head, SNAPSHOT_NAME "[0]", "version 2", -EOPNOTSUPP);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters as data: what rules match, and what each action does to a tree and to the report. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_box.h"

static struct machine m;
static struct vms_node *dev;

/* Two sections of type "dev"; the first has a field of each kind. */
static void open_machine(void)
{
	struct vms_node *s, *other, *list;

	box_init(&m);
	dev = box_section(&m, "dev", 0, 3);
	box_int(&m, dev, "mode", "uint8", 0, 2);
	box_int(&m, dev, "env.tsc", "uint64", 0, 1000);
	box_int(&m, dev, "delta", "int32", 0, (uint64_t)-5);
	box_int(&m, dev, "irr", "uint32", 4, 10);
	s = box_struct(&m, dev, "inner");
	box_int(&m, s, "mode", "uint8", 0, 7);
	list = box_array(&m, dev, "queues", 3);
	for (struct vms_node *e = vms_first_child(list); e; e = e->next) {
		box_int(&m, e, "num", "uint32", 0, 128 + e->index);
		box_int(&m, e, "vector", "uint16", 0, 40 + e->index);
		box_int(&m, e, "last", "uint16", 0, e->index);
	}
	s = vms_add_subsection(&m.tree, dev, "dev/extra", 1);
	box_int(&m, s, "mode", "uint8", 0, 9);
	other = box_section(&m, "dev", 1, 3);
	box_int(&m, other, "mode", "uint8", 0, 4);
}

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(rules, .init = open_machine, .fini = close_machine);

#define run_ok(rule) cr_assert_eq(box_run(&m, rule), 0, "%s: %s", m.err.path, m.err.text)
#define expect_value(path, want) machine_expect(&m, path, want)

static void expect_entry(const char *path, enum report_action action, const char *old_value, const char *new_value)
{
	const struct report_entry *e = machine_entry(&m, path);

	cr_assert(e, "no entry about %s", path);
	cr_expect_eq(e->action, action, "%s: %s", path, report_action_name(e->action));
	cr_expect_str_eq(e->old_value ? e->old_value : "-", old_value);
	cr_expect_str_eq(e->new_value ? e->new_value : "-", new_value);
	cr_expect_str_eq(e->why, "because");
	cr_expect_str_eq(e->filter, "box");
}

Test(rules, a_section_is_matched_by_type_name_and_instance)
{
	run_ok("'section': 'd*', 'instance': 1, 'do': [{'set': {'field': 'mode', 'value': 8}}]");
	expect_value("dev[0].mode", 2);
	expect_value("dev[1].mode", 8);
	run_ok("'section': 'd?v', 'name': 'dev', 'do': [{'set': {'field': 'mode', 'value': 1}}]");
	expect_value("dev[0].mode", 1);
	expect_value("dev[1].mode", 1);
	run_ok("'section': 'dev', 'name': 'other', 'do': [{'set': {'field': 'mode', 'value': 3}}]");
	run_ok("'section': 'de', 'do': [{'set': {'field': 'mode', 'value': 3}}]");
	run_ok("'section': 'dev\\\\*', 'do': [{'set': {'field': 'mode', 'value': 3}}]");
	expect_value("dev[0].mode", 1);
	cr_expect(m.report.count == 0);
}

Test(rules, conditions_choose)
{
	static const struct {
		const char *where;
		bool holds;
	} cases[] = {
		{ "{'field': 'mode', 'value': 2}", true },
		{ "{'field': 'mode', 'op': '==', 'value': 3}", false },
		{ "{'field': 'mode', 'op': '!=', 'value': 3}", true },
		{ "{'field': 'mode', 'op': '&', 'value': '0x6'}", true },
		{ "{'field': 'mode', 'op': '&', 'value': 1}", false },
		{ "{'field': 'mode', 'op': '<', 'value': 3}", true },
		{ "{'field': 'mode', 'op': '<=', 'value': 1}", false },
		{ "{'field': 'mode', 'op': '>', 'value': -1}", true },
		{ "{'field': 'mode', 'op': '==', 'value': -254}", false },
		{ "{'field': 'delta', 'op': '<', 'value': 0}", true },
		{ "{'field': 'delta', 'value': -5}", true },
		{ "{'field': 'delta', 'op': '<', 'value': '0xffffffffffffffff'}", true },
		{ "{'field': 'env.tsc', 'op': '>=', 'value': 1000}", true },
		{ "{'field': 'irr[2]', 'value': 12}", true },
		{ "{'field': 'irr', 'op': '>', 'value': 9}", true },
		{ "{'field': 'irr', 'op': '>', 'value': 10}", false },
		{ "{'field': 'irr', 'op': '!=', 'value': 10}", true },
		{ "{'field': 'irr[4]', 'op': 'present'}", false },
		{ "{'field': 'irr[3]', 'op': 'present'}", true },
		{ "{'field': 'queues[1].vector', 'value': 41}", true },
		{ "{'field': 'dev/extra', 'op': 'present'}", true },
		{ "{'field': 'dev/other', 'op': 'absent'}", true },
		{ "{'field': 'nothing', 'value': 0}", false },
		{ "{'field': 'nothing', 'op': '!=', 'value': 0}", false },
		{ "{'field': 'inner', 'value': 0}", false },
		{ "{'field': 'mode', 'in': 'dev', 'value': 2}", true },
		{ "{'field': 'mode', 'in': 'none', 'value': 2}", false },
		{ "{'field': 'mode', 'in': 'none', 'op': 'absent'}", true },
		{ "{'field': 'mode', 'value': 2}, {'field': 'delta', 'value': 0}", false },
	};
	char rule[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine_set(&m, "dev[0].inner.mode", 7);
		snprintf(rule, sizeof(rule),
			 "'section': 'dev', 'instance': 0, 'where': [%s], 'do': [{'set': {'field': 'inner.mode', "
			 "'value': 1}}]",
			 cases[i].where);
		run_ok(rule);
		cr_expect_eq(machine_get(&m, "dev[0].inner.mode"), cases[i].holds ? 1 : 7, "%s", cases[i].where);
	}
}

Test(rules, a_path_chooses_nodes_and_recursion_goes_below)
{
	run_ok("'section': 'dev', 'instance': 0, 'path': 'm*', 'do': [{'set': {'value': 1}}]");
	expect_value("dev[0].mode", 1);
	expect_value("dev[0].inner.mode", 7);
	run_ok("'section': 'dev', 'path': '*mode', 'recurse': true, 'do': [{'set': {'value': 3}}]");
	expect_value("dev[0].mode", 3);
	expect_value("dev[1].mode", 3);
	expect_value("dev[0].inner.mode", 3);
	expect_value("dev[0].dev/extra.mode", 3);
	run_ok("'section': 'dev', 'recurse': true, 'where': [{'field': 'mode', 'op': 'present'}], "
	       "'do': [{'set': {'field': 'mode', 'value': 5}}]");
	expect_value("dev[0].inner.mode", 5);
	expect_value("dev[0].dev/extra.mode", 5);
	run_ok("'section': 'dev', 'path': 'queues[?]', 'recurse': true, "
	       "'where': [{'field': 'num', 'op': '>', 'value': 128}], 'do': [{'set': {'field': 'num', 'value': 1}}]");
	expect_value("dev[0].queues[0].num", 128);
	expect_value("dev[0].queues[2].num", 1);
}

Test(rules, rename_keeps_the_place)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'env.tsc', 'to': 'tsc'}}]");
	cr_expect_str_eq(box_names(dev), "mode tsc delta irr inner queues dev/extra");
	expect_entry("dev[0].env.tsc", REPORT_RENAMED, "env.tsc", "tsc");
	cr_expect(dev->reshaped);
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'dev/extra', 'to': 'dev/more'}}]");
	cr_expect_str_eq(vms_subsection(dev, "dev/more")->vmsd, "dev/more");
}

Test(rules, rename_can_change_type_and_scale)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'env.tsc', 'to': 'tsc_us', "
	       "'was_type': 'uint64', 'type': 'uint16', 'divide': 4, 'multiply': 10}}]");
	expect_value("dev[0].tsc_us", 2500);
	cr_expect_str_eq(vms_lookup(dev, "tsc_us")->type, "uint16");
	cr_expect_str_eq(box_names(dev), "mode tsc_us delta irr inner queues dev/extra");
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'delta', 'to': 'd', 'type': 'int64', "
	       "'multiply': 1000000000000}}]");
	expect_value("dev[0].d", (uint64_t)-5000000000000);
}

Test(rules, a_value_that_does_not_fit_is_refused)
{
	cr_expect_eq(box_run(&m, "'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'env.tsc', 'to': 't', "
				 "'divide': 3}}]"),
		     -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "0x3e8 is no multiple of 3: because"), "%s", m.err.text);
	cr_expect_eq(m.err.status, IRQS_REFUSED);
	machine_set(&m, "dev[0].t", 300);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 't', 'to': 'u', "
				 "'type': 'uint8'}}]"),
		     -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "0x12c is out of the range of uint8"), "%s", m.err.text);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'instance': 0, 'do': [{'rename': {'field': 'delta', 'to': 'e', "
				 "'type': 'uint64'}}]"),
		     -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "-5 is out of the range of uint64"), "%s", m.err.text);
	cr_expect_eq(machine_entry(&m, "dev[0].delta")->cost, COST_FATAL);
	run_ok("'section': 'dev', 'instance': 1, 'do': [{'rename': {'field': 'mode', 'to': 'm', 'divide': 3, "
	       "'round': true}}]");
	expect_value("dev[1].m", 1);
}

Test(rules, rename_of_a_section)
{
	run_ok("'section': 'd*', 'instance': 1, 'do': [{'rename': {'section': 'gadget-$1', 'name': 'x/$1', "
	       "'vmsd': 'x'}}]");
	cr_expect_str_eq(dev->next->type, "gadget-ev");
	cr_expect_str_eq(dev->next->name, "x/ev");
	cr_expect_str_eq(dev->next->vmsd, "x");
	cr_expect(dev->next->reshaped);
	expect_entry("dev[1]", REPORT_RENAMED, "dev", "gadget-ev");
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'rename': {'section': '$1'}}]"), -EBADMSG);
	cr_expect(strstr(m.err.text, "filter box, line 1: rename: \"$1\""), "%s", m.err.text);
}

Test(rules, drop_takes_out_fields_subsections_and_sections)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'drop': {'field': 'inner'}}, {'drop': {'field': 'dev/extra'}}, "
	       "{'drop': {'field': 'delta', 'was': -5}}]");
	cr_expect_str_eq(box_names(dev), "mode env.tsc irr queues");
	expect_entry("dev[0].delta", REPORT_DROPPED, "-5", "-");
	expect_entry("dev[0].inner", REPORT_DROPPED, "1 bytes", "-");
	run_ok("'section': 'dev', 'instance': 1, 'do': [{'drop': {}}, {'set': {'field': 'gone', 'value': 1}}]");
	cr_expect(!vms_find_section(m.tree.machine, "dev", 1));
}

Test(rules, drop_refuses_another_value)
{
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'drop': {'field': 'mode', 'was': 2}}]"), -EOPNOTSUPP);
	cr_expect_str_eq(m.err.path, "dev[1].mode");
	cr_expect(strstr(m.err.text, "it is 4 and should be 2: because"), "%s", m.err.text);
}

Test(rules, set_writes_values_bits_and_versions)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'set': {'field': 'mode', 'value': '0xf0', 'mask': '0xfc'}}, "
	       "{'set': {'field': 'irr', 'value': [1, 2, 3, 4]}}, {'set': {'field': 'irr[1]', 'value': 77}}, "
	       "{'set': {'field': 'delta', 'value': -1, 'was': -5}}, {'set': {'version': 4, 'was': 3}}]");
	expect_value("dev[0].mode", 0xf2);
	expect_value("dev[0].irr[0]", 1);
	expect_value("dev[0].irr[1]", 77);
	expect_value("dev[0].delta", UINT64_MAX);
	cr_expect_eq(dev->version, 4);
	expect_entry("dev[0]", REPORT_DERIVED, "version 3", "version 4");
	expect_entry("dev[0].mode", REPORT_DERIVED, "2", "0xf2");
	expect_entry("dev[0].irr[3]", REPORT_DERIVED, "0xd", "4");
}

Test(rules, set_refuses_what_was_not)
{
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'set': {'version': 4, 'was': 2}}]"), -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "it is version 3 and should be version 2"), "%s", m.err.text);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'set': {'field': 'mode', 'value': 256}}]"), -EBADMSG);
	cr_expect(strstr(m.err.text, "filter box, line 1: set: 0x100 does not fit into uint8"), "%s", m.err.text);
	cr_expect_str_eq(m.err.path, "dev[0].mode");
}

Test(rules, set_makes_fields_in_their_place)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': ["
	       "{'set': {'field': 'a', 'type': 'uint16', 'value': 5, 'after': 'mode'}}, "
	       "{'set': {'field': 'b', 'type': 'int8', 'count': 2, 'value': -1, 'after': []}}, "
	       "{'set': {'field': 'c', 'type': 'bool', 'value': 1}}, "
	       "{'set': {'field': 'inner.d', 'type': 'uint32', 'value': 6, 'after': ['none', 'mode']}}, "
	       "{'set': {'field': 'env.e', 'type': 'uint32', 'value': 6, 'after': 'env.tsc'}}]");
	cr_expect_str_eq(box_names(dev), "b mode a env.tsc env.e delta irr inner queues c dev/extra");
	expect_value("dev[0].inner.d", 6);
	expect_value("dev[0].b[1]", UINT64_MAX);
	expect_entry("dev[0].a", REPORT_SYNTHESISED, "-", "5");
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'set': {'field': 'mode', 'type': 'bool', 'value': 1}}]"),
		     -EBADMSG);
	cr_expect(strstr(m.err.text, "there is a field of that name already"), "%s", m.err.text);
}

Test(rules, map_translates)
{
	run_ok("'section': 'dev', 'do': [{'map': {'field': 'mode', 'values': {'2': 4, '0x4': 2}}}]");
	expect_value("dev[0].mode", 4);
	expect_value("dev[1].mode", 2);
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'map': {'field': 'irr', 'values': {'10': 0}, 'else': 'keep'}}, "
	       "{'map': {'field': 'delta', 'values': {'-5': 5}}}, "
	       "{'map': {'field': 'env.tsc', 'values': {'1': 5}, 'else': '0x8000000000000000'}}]");
	expect_value("dev[0].irr[0]", 0);
	expect_value("dev[0].irr[3]", 13);
	expect_value("dev[0].delta", 5);
	expect_value("dev[0].env.tsc", UINT64_C(1) << 63);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'map': {'field': 'mode', 'values': {'2': 3}}}]"), -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "there is no value for 4: because"), "%s", m.err.text);
}

/* Fields that a description read have no nodes before somebody asks: their copies have, and values in leaves alone. */
Test(rules, what_is_packed_is_copied_as_nodes)
{
	static const struct vms_field rows[] = { { .name = "x", .type = "uint32" }, { .name = "y", .type = "uint16" } };
	static const struct vms_desc pair = { .name = "dev/pair", .version = 1, .fields = rows, .nfields = 2 };
	struct vms_node *sub = vms_add_subsection(&m.tree, dev, "dev/pair", 1), *copy;

	cr_assert(sub && !vms_desc_instantiate(&m.tree, &pair, sub));
	machine_set(&m, "dev[0].dev/pair.x", 5);
	machine_set(&m, "dev[0].dev/pair.y", 6);
	cr_assert_eq(vms_packed(sub), 6);
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'copy': {'field': 'dev/pair', 'to': 'dev/twin'}}]");
	copy = vms_subsection(dev, "dev/twin");
	cr_assert(copy && !copy->data && !vms_packed(copy));
	expect_value("dev[0].dev/twin.x", 5);
	expect_value("dev[0].dev/twin.y", 6);
	cr_expect_eq(vms_size(copy), vms_size(sub));
}

Test(rules, copy_makes_or_overwrites)
{
	run_ok("'section': 'dev', 'instance': 0, 'do': [{'copy': {'field': 'irr', 'to': 'tmr'}}, "
	       "{'copy': {'field': 'inner', 'to': 'outer', 'after': 'inner'}}, {'copy': {'field': 'irr[2]', 'to': 'one'}}, "
	       "{'copy': {'field': 'env.tsc', 'to': 'tsc_ms', 'type': 'uint8', 'divide': 100}}, "
	       "{'copy': {'field': 'mode', 'in': 'dev', 'to': 'irr[0]'}}]");
	expect_value("dev[0].tmr[3]", 13);
	expect_value("dev[0].outer.mode", 7);
	expect_value("dev[0].inner.mode", 7);
	expect_value("dev[0].one", 12);
	expect_value("dev[0].tsc_ms", 10);
	expect_value("dev[0].irr[0]", 2);
	cr_expect(vms_lookup(dev, "tmr")->data != vms_lookup(dev, "irr")->data);
	cr_expect_str_eq(box_names(dev), "mode env.tsc delta irr inner outer queues tmr one tsc_ms dev/extra");
	expect_entry("dev[0].outer", REPORT_SYNTHESISED, "-", "1 bytes");
}

Test(rules, move_goes_into_structs_and_other_sections)
{
	box_int(&m, box_section(&m, "peer", 0, 1), "x", "uint8", 0, 0);
	run_ok("'section': 'dev', 'instance': 0, 'do': ["
	       "{'move': {'field': 'delta', 'to': 'inner.delta', 'after': []}}, "
	       "{'move': {'field': 'irr', 'to': 'tmr', 'in': 'peer', 'after': 'x'}}, "
	       "{'move': {'field': 'none', 'to': 'nowhere'}, 'optional': true}]");
	cr_expect_str_eq(box_names(dev), "mode env.tsc inner queues dev/extra");
	cr_expect_str_eq(box_names(vms_lookup(dev, "inner")), "delta mode");
	expect_value("peer.tmr[1]", 11);
	expect_entry("dev[0].irr", REPORT_RENAMED, "dev[0].irr", "peer[0].tmr");
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'move': {'field': 'inner', 'to': 'inner.more'}}]"), -EBADMSG);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'move': {'field': 'none', 'to': 'more'}}]"), -EBADMSG);
	cr_expect(strstr(m.err.text, "move: no such field"), "%s", m.err.text);
}

Test(rules, one_member_of_all_elements_is_gathered_and_scattered)
{
	struct rules *r = box_rule("'section': 'dev', 'instance': 0, 'do': [{'move': {'field': 'queues[*].vector', "
				   "'to': 'vectors[*]', 'after': 'irr', 'was_after': 'num', 'type': 'uint32', "
				   "'was_type': 'uint16', 'multiply': 2}}]",
				   "'back': 'inverse', ");
	char *before = machine_text(&m), *after;

	cr_assert(!box_apply(&m, r, RULES_FORWARD), "%s", m.err.text);
	cr_expect_str_eq(box_names(dev), "mode env.tsc delta irr vectors inner queues dev/extra");
	cr_expect_str_eq(box_names(vms_lookup(dev, "queues[1]")), "num last");
	expect_value("dev[0].vectors[2]", 84);
	cr_assert(!box_apply(&m, r, RULES_BACK), "%s", m.err.text);
	after = machine_text(&m);
	cr_expect_str_eq(before, after);
	free(before);
	free(after);
	report_deinit(&m.report);
	rules_destroy(r);
}

Test(rules, require_refuses_by_its_cost)
{
	static const char lossy[] = "'section': 'dev', 'do': [{'require': {'field': 'mode', 'op': '<', 'value': 4}, "
				    "'cost': 'lossy'}]";
	struct rules *r = box_rule(lossy, "");

	cr_expect_eq(box_apply(&m, r, RULES_FORWARD), -EOPNOTSUPP);
	cr_expect_str_eq(m.err.path, "dev[1].mode");
	cr_expect(strstr(m.err.text, "refused (lossy): it must be < 4: because"), "%s", m.err.text);
	cr_expect_eq(box_apply_allow(&m, r, RULES_FORWARD, COST_LOSSY), 0);
	cr_expect_eq(report_worst(&m.report), COST_LOSSY);
	report_deinit(&m.report);
	rules_destroy(r);
	cr_expect_eq(box_run(&m, "'section': 'dev', 'do': [{'require': {'all': [{'field': 'delta', 'op': 'present'}, "
				 "{'field': 'mode', 'value': 2}]}, 'cost': 'fatal'}]"),
		     -EOPNOTSUPP);
	cr_expect_eq(m.report.count, 2);
	cr_expect(strstr(m.err.text, "it must be there"), "%s", m.err.text);
}

Test(rules, split_and_merge_move_fields_between_sections)
{
	struct rules *r = box_rule("'section': 'd*', 'instance': 0, 'do': [{'split': {'parts': ["
				   "{'name': 'bus/d$1-bus', 'version': 2, 'before': true, 'fields': ['env*', 'irr']}, "
				   "{'name': 'd$1-2', 'section': 'two', 'version': 7, 'fields': ['queues', 'dev/extra']}], "
				   "'order': ['mode', 'env.tsc', 'delta', 'irr', 'inner', 'queues', 'dev/extra']}}]",
				   "'back': 'inverse', ");
	char *before = machine_text(&m), *after;
	struct vms_node *bus;

	cr_assert(!box_apply(&m, r, RULES_FORWARD), "%s", m.err.text);
	bus = vms_first_child(m.tree.machine);
	cr_expect_str_eq(bus->name, "bus/dev-bus");
	cr_expect_str_eq(bus->vmsd, "dev-bus");
	cr_expect_eq(bus->version, 2);
	cr_expect_str_eq(box_names(bus), "env.tsc irr");
	cr_expect_str_eq(dev->next->type, "two");
	cr_expect_str_eq(box_names(dev->next), "queues dev/extra");
	cr_expect_str_eq(box_names(dev), "mode delta inner");
	cr_expect_eq(machine_entry(&m, "bus/dev-bus[0]")->action, REPORT_SYNTHESISED);
	cr_expect_str_eq(machine_entry(&m, "dev[0].irr")->new_value, "bus/dev-bus[0].irr");
	cr_assert(!box_apply(&m, r, RULES_BACK), "%s", m.err.text);
	cr_expect_eq(machine_entry(&m, "dev-2[0]")->action, REPORT_DROPPED);
	after = machine_text(&m);
	cr_expect_str_eq(before, after);
	free(before);
	free(after);
	report_deinit(&m.report);
	rules_destroy(r);
}

Test(rules, what_would_break_the_tree_is_an_error)
{
	static const struct {
		const char *rule, *says;
	} cases[] = {
		{ "'do': [{'drop': {'field': 'irr[1]'}}]", "one element of an array cannot leave it" },
		{ "'do': [{'drop': {'field': 'queues[1]'}}]", "one element of an array cannot leave it" },
		{ "'do': [{'drop': {'field': 'queues[1].last'}}]", "the elements of an array must stay alike" },
		{ "'do': [{'rename': {'field': 'mode', 'to': 'delta'}}]", "there is a field of that name already" },
		{ "'do': [{'rename': {'to': 'delta'}}]", "a section is renamed by" },
		{ "'do': [{'rename': {'field': 'inner', 'to': 'x', 'type': 'uint8'}}]", "only an integer" },
		{ "'do': [{'rename': {'field': 'mode', 'to': 'x', 'type': 'bool', 'was_type': 'uint16'}}]", "its type is uint8" },
		{ "'do': [{'set': {'field': 'inner', 'value': 1}}]", "no integer" },
		{ "'do': [{'set': {'field': 'mode.x', 'type': 'uint8', 'value': 1}}]", "-" },
		{ "'do': [{'set': {'field': 'irr', 'value': [1, 2]}}]", "2 values for 4 elements" },
		{ "'do': [{'set': {'field': 'mode', 'version': 1}}]", "only a section, subsection or struct" },
		{ "'do': [{'copy': {'field': 'inner', 'to': 'mode'}}]", "it is there already" },
		{ "'do': [{'copy': {'field': 'mode', 'to': 'irr'}}]", "not as many integers" },
		{ "'do': [{'copy': {'field': 'mode', 'to': 'x', 'in': 'none'}}]", "there is no section none" },
		{ "'do': [{'move': {'field': 'queues[*].none', 'to': 'v[*]'}}]", "no such integer in its elements" },
		{ "'do': [{'move': {'field': 'irr[*]', 'to': 'queues[*].irr'}}]", "no array of 4 structs" },
		{ "'do': [{'split': {'parts': [{'name': 'dev', 'version': 1, 'fields': []}]}}]", "there is a section" },
		{ "'do': [{'split': {'parts': [{'name': 'x', 'version': 1, 'fields': ['none']}]}}]", "no such field" },
		{ "'do': [{'merge': {'parts': [{'name': 'x', 'version': 1, 'fields': []}]}}]", "no other section x" },
		{ "'do': [{'merge': {'parts': [{'name': 'dev', 'version': 1, 'fields': []}]}}]", "no other section dev" },
	};
	char rule[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc;

		machine_deinit(&m);
		open_machine();
		snprintf(rule, sizeof(rule), "'section': 'dev', 'instance': 0, %s", cases[i].rule);
		rc = box_run(&m, rule);
		if (!strcmp(cases[i].says, "-")) {
			cr_expect_eq(rc, 0, "%s: %s", cases[i].rule, m.err.text);
			continue;
		}
		cr_expect_eq(rc, -EBADMSG, "%s: %d %s", cases[i].rule, rc, m.err.text);
		cr_expect(strstr(m.err.text, cases[i].says), "%s: %s", cases[i].rule, m.err.text);
		cr_expect(strstr(m.err.text, "filter box, line 1: "), "%s", m.err.text);
	}
}

Test(rules, copies_of_copies_end)
{
	char rule[8192] = "'section': 'dev', 'instance': 0, 'do': [";
	size_t used = strlen(rule);

	for (int i = 0; i < 60; i++)
		used += (size_t)snprintf(rule + used, sizeof(rule) - used,
					 "%s{'copy': {'field': 'inner', 'to': 'inner.c%d'}}", i ? ", " : "", i);
	snprintf(rule + used, sizeof(rule) - used, "]");
	cr_expect_eq(box_run(&m, rule), -EBADMSG);
	cr_expect(strstr(m.err.text, "these rules add more than") || strstr(m.err.text, "too deep"), "%s", m.err.text);
}

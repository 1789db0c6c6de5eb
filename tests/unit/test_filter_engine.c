/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles, detection, the order of filters, policy, report. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "machine.h"

static const char *const names[] = { "kvm", "kvm-split", "kvm-off", "tcg" };
#define NKINDS 4

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(filter_engine);
TestSuite(filter_machine, .fini = close_machine);

Test(filter_engine, profiles_are_parsed_and_printed)
{
	static const struct {
		const char *text, *print;
	} good[] = {
		{ "kvm", "kvm" },
		{ "kvm-split", "kvm-split" },
		{ "kvm-off@qemu-7.2", "kvm-off@qemu-7.2" },
		{ "tcg@qemu-10.0", "tcg@qemu-10.0" },
		{ "tcg@qemu-7.2.22", "tcg@qemu-7.2" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct profile p;
		char buf[64];

		cr_assert(!profile_parse(good[i].text, &p, NULL), "%s", good[i].text);
		cr_expect_str_eq(profile_format(&p, buf, sizeof(buf)), good[i].print);
	}
}

Test(filter_engine, what_is_no_profile_is_a_usage_error)
{
	static const char *const bad[] = {
		"",
		"kvm2",
		"kv",
		"KVM",
		"kvm@",
		"kvm@7.2",
		"kvm@qemu-",
		"kvm@qemu-7",
		"kvm@qemu-7.",
		"kvm@qemu-7.2.",
		"kvm@qemu-7.2x",
		"kvm@qemu-x.2",
		"kvm@qemu-0.1",
		"tcg@qemu-10.0.2.1",
		"tcg@qemu--1.0",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct irqs_error err = { 0 };
		struct profile p = { .kind = PROFILE_TCG, .qemu_major = 77, .qemu_minor = 77 };

		cr_expect(profile_parse(bad[i], &p, &err) == -EINVAL, "%s", bad[i]);
		cr_expect(err.status == IRQS_USAGE && p.qemu_major == 77, "%s", bad[i]);
	}
}

Test(filter_engine, x2apic_comes_to_tcg_with_9_0)
{
	struct profile p;

	cr_assert(!profile_parse("tcg", &p, NULL));
	cr_expect(!profile_has_x2apic(&p));
	cr_assert(!profile_parse("tcg@qemu-8.2", &p, NULL));
	cr_expect(!profile_has_x2apic(&p));
	cr_assert(!profile_parse("tcg@qemu-9.0", &p, NULL));
	cr_expect(profile_has_x2apic(&p) && !profile_has_tsc_deadline(&p));
	cr_assert(!profile_parse("kvm-off@qemu-9.2", &p, NULL));
	cr_expect(!profile_has_x2apic(&p) && profile_exists(&p));
	cr_assert(!profile_parse("kvm-off@qemu-10.0", &p, NULL));
	cr_expect(!profile_exists(&p));
}

Test(filter_machine, every_kind_is_detected_from_its_own_stream)
{
	for (int kind = 0; kind < NKINDS; kind++) {
		struct profile p;
		char why[128] = "";

		machine_init(&m, (enum profile_kind)kind, 2);
		cr_assert(!profile_detect(m.tree.machine, &p, why, sizeof(why), NULL));
		cr_expect(p.kind == (enum profile_kind)kind, "%s taken for %s: %s", names[kind],
			  names[p.kind], why);
		cr_expect(strlen(why) > 20);
		if (kind < NKINDS - 1)
			machine_deinit(&m);
	}
}

Test(filter_machine, a_lapic_that_never_derived_its_shift_was_not_in_the_kernel)
{
	struct profile p;
	char why[128];

	machine_init(&m, PROFILE_KVM_OFF, 1);
	machine_set(&m, "apic[0].initial_count_load_time", MACHINE_NOW);
	machine_set(&m, "apic[0].count_shift", 0);
	cr_assert(!profile_detect(m.tree.machine, &p, why, sizeof(why), NULL));
	cr_expect(p.kind == PROFILE_KVM_OFF);
}

Test(filter_machine, what_was_converted_to_tcg_is_detected_as_tcg)
{
	for (int from = 0; from < PROFILE_TCG; from++) {
		struct profile p;
		char why[128];

		machine_init(&m, (enum profile_kind)from, 2);
		cr_assert(!machine_convert(&m, names[from], "tcg"));
		cr_assert(!profile_detect(m.tree.machine, &p, why, sizeof(why), NULL));
		cr_expect(p.kind == PROFILE_TCG, "%s: %s", names[from], why);
		if (from < PROFILE_TCG - 1)
			machine_deinit(&m);
	}
}

Test(filter_machine, a_machine_without_interrupt_controller_is_not_guessed_at)
{
	struct irqs_error err = { 0 };
	struct profile p;
	char why[128];

	cr_assert(!vms_tree_init(&m.tree, NULL));
	cr_expect(profile_detect(m.tree.machine, &p, why, sizeof(why), &err) == -EBADMSG);
	cr_expect(err.status == IRQS_MALFORMED);
}

Test(filter_machine, to_its_own_kind_nothing_changes_but_the_types)
{
	for (int kind = 0; kind < NKINDS; kind++) {
		char *before, *after;

		machine_init(&m, (enum profile_kind)kind, 4);
		machine_set(&m, "cpu[0].env.interrupt_injected", 0x41);
		machine_set(&m, "apic[0].isr[2]", 2);
		machine_set(&m, "ioapic.irr", 0xffff);
		machine_set(&m, "apic[1].spurious_vec", 0x11ff);
		cr_assert(!machine_convert(&m, names[kind], names[kind]));
		before = machine_text(&m);
		cr_assert(!machine_convert(&m, names[kind], names[kind]));
		after = machine_text(&m);
		cr_expect_str_eq(before, after);
		cr_expect(m.report.count == 0);
		free(before);
		free(after);
		if (kind < NKINDS - 1)
			machine_deinit(&m);
	}
}

Test(filter_machine, all_twelve_ways_of_an_idle_machine_are_open)
{
	for (int from = 0; from < NKINDS; from++) {
		for (int to = 0; to < NKINDS; to++) {
			machine_init(&m, (enum profile_kind)from, 2);
			cr_expect(!machine_convert(&m, names[from], names[to]), "%s to %s: %s: %s",
				  names[from], names[to], m.err.path, m.err.text);
			cr_expect(report_worst(&m.report) <= COST_APPROXIMATE);
			machine_deinit(&m);
		}
	}
	machine_init(&m, PROFILE_TCG, 1);
}

Test(filter_machine, sections_get_the_types_of_the_target)
{
	static const struct {
		const char *section;
		const char *types[NKINDS];
	} rows[] = {
		{ "apic", { "kvm-apic", "kvm-apic", "apic", "apic" } },
		{ "ioapic", { "kvm-ioapic", "ioapic", "ioapic", "ioapic" } },
		{ "i8259", { "kvm-i8259", "i8259", "i8259", "i8259" } },
		{ "i8254", { "kvm-i8254", "i8254", "i8254", "i8254" } },
	};

	machine_init(&m, PROFILE_KVM, 2);
	for (int to = 0; to < NKINDS; to++) {
		cr_assert(!machine_convert(&m, to ? names[to - 1] : "kvm", names[to]));
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			cr_expect_str_eq(vms_find_section(m.tree.machine, rows[i].section, 0)->type,
					 rows[i].types[to]);
		if (to == PROFILE_KVM_SPLIT)
			cr_expect(machine_entry(&m, "i8259[1]")->action == REPORT_RENAMED);
	}
}

static bool always(const struct profile *from, const struct profile *to)
{
	return from && to;
}

static int nothing(struct filter_run *run, struct irqs_error *reterr)
{
	(void)reterr;
	return run ? 0 : -EINVAL;
}

/* Up to two predecessors each. */
struct made {
	const char *after[3];
	struct filter filter;
};

static const struct filter *make_filter(struct made *f, const char *name, const char *after,
					const char *after2)
{
	*f = (struct made){ .after = { after, after2 } };
	f->filter = (struct filter){
		.name = name, .summary = "", .wants = always, .run = nothing, .after = f->after
	};
	return &f->filter;
}

Test(filter_engine, filters_run_behind_what_they_need)
{
	struct made f[4];
	const struct filter *const set[] = {
		make_filter(&f[0], "d", "a", NULL),
		make_filter(&f[1], "a", "c", "b"),
		make_filter(&f[2], "b", "c", NULL),
		make_filter(&f[3], "c", "types", NULL),
	};
	const struct filter *order[4];

	cr_assert(!filter_order(set, 4, order, NULL));
	cr_expect(order[0] == set[3] && order[1] == set[2] && order[2] == set[1] && order[3] == set[0]);
}

Test(filter_engine, a_circle_is_an_error)
{
	struct made f[3];
	const struct filter *const set[] = {
		make_filter(&f[0], "a", "b", NULL),
		make_filter(&f[1], "b", "c", NULL),
		make_filter(&f[2], "c", "a", NULL),
	};
	const struct filter *order[3];
	struct irqs_error err = { 0 };

	cr_expect(filter_order(set, 3, order, &err) == -ELOOP);
	cr_expect(err.status == IRQS_USAGE && strstr(err.text, "filter a"));
}

Test(filter_engine, an_unknown_predecessor_is_an_error)
{
	struct made f;
	const struct filter *const set[] = { make_filter(&f, "a", "nobody", NULL) };
	const struct filter *order[1];
	struct irqs_error err = { 0 };

	cr_expect(filter_order(set, 1, order, &err) == -ENOENT);
	cr_expect(strstr(err.text, "nobody") != NULL);
}

Test(filter_engine, builtin_filters_have_an_order_and_names_of_their_own)
{
	const struct filter *set[64], *order[64];
	size_t count = 0;

	for (; filter_builtin(count); count++) {
		set[count] = filter_builtin(count);
		cr_expect(set[count]->summary[0] && set[count]->wants && set[count]->run);
		for (size_t i = 0; i < count; i++)
			cr_expect(strcmp(set[i]->name, set[count]->name) != 0, "%s twice", set[i]->name);
	}
	cr_assert(count > 10 && count < 64);
	cr_assert(!filter_order(set, count, order, NULL));
	for (size_t i = 0; i < count; i++)
		cr_expect(order[i] == set[i], "%s is listed in the wrong place", set[i]->name);
}

Test(filter_machine, only_the_named_filters_run)
{
	static const char *const only[] = { "types", "hflags", NULL }, *const unknown[] = { "types", "typos",
											    NULL };
	struct filter_options opt = { .allow = COST_APPROXIMATE, .only = only };
	struct profile kvm = { .kind = PROFILE_KVM }, tcg = { .kind = PROFILE_TCG };

	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!filter_convert(&m.tree, &kvm, &tcg, &opt, &m.report, NULL));
	cr_expect(vms_find_section(m.tree.machine, "kvmclock", 0) != NULL);
	cr_expect(!strcmp(vms_find_section(m.tree.machine, "apic", 0)->type, "apic"));
	opt.only = unknown;
	cr_expect(filter_convert(&m.tree, &kvm, &tcg, &opt, &m.report, &m.err) == -ENOENT);
	cr_expect(strstr(m.err.text, "typos") != NULL);
}

Test(filter_machine, lossy_changes_need_permission)
{
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/async_pf_msr", 0x1001);
	cr_expect(
		machine_refuses(&m, "kvm", "tcg", "cpu[0].cpu/async_pf_msr.env.async_pf_en_msr", COST_LOSSY));
	machine_deinit(&m);
	machine_init(&m, PROFILE_KVM, 1);
	machine_add_cpu(&m, "cpu/async_pf_msr", 0x1001);
	cr_expect(!machine_convert_allow(&m, "kvm", "tcg", COST_LOSSY));
	cr_expect(report_worst(&m.report) == COST_LOSSY);
}

Test(filter_machine, fatal_changes_are_never_made_and_the_report_is_complete)
{
	machine_init(&m, PROFILE_KVM, 2);
	machine_set(&m, "apic[1].apicbase", 0xfee00c00);
	machine_set(&m, "cpu[0].env.cr[4]", 0x6b0 | 1 << 17);
	cr_expect(machine_convert_allow(&m, "kvm", "tcg", COST_FATAL) == -EOPNOTSUPP);
	cr_expect(machine_entry(&m, "apic[1].apicbase")->action == REPORT_REFUSED);
	cr_expect(machine_entry(&m, "cpu[0].env.cr[4]")->action == REPORT_REFUSED);
	cr_expect(machine_entry(&m, "kvmclock[0]")->action == REPORT_DROPPED);
	cr_expect(m.err.status == IRQS_REFUSED);
	cr_expect_str_eq(m.err.path, "apic[1].apicbase");
}

Test(filter_machine, a_machine_without_time_is_malformed)
{
	machine_init(&m, PROFILE_KVM, 1);
	vms_remove(vms_find_section(m.tree.machine, "timer", 0));
	cr_expect(machine_convert(&m, "kvm", "tcg") == -EBADMSG);
	cr_expect(m.err.status == IRQS_MALFORMED);
	cr_expect(!machine_convert(&m, "kvm", "kvm"));
}

Test(filter_machine, the_report_is_json)
{
	struct report r;
	json_t *top, *e;
	char *text;

	report_init(&r);
	report_add(&r, "tsc", REPORT_DERIVED, COST_APPROXIMATE, "timer.x", "1", NULL, "because %d", 7);
	report_add(&r, "nested", REPORT_REFUSED, COST_FATAL, "cpu[0]", NULL, NULL, "a \"reason\"");
	text = report_json(&r, "kvm", "tcg", "refused");
	top = json_loads(text, 0, NULL);
	cr_assert(top != NULL);
	cr_expect_str_eq(json_string_value(json_object_get(top, "cost")), "fatal");
	e = json_array_get(json_object_get(top, "entries"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(e, "action")), "derived");
	cr_expect_str_eq(json_string_value(json_object_get(e, "why")), "because 7");
	cr_expect(json_is_null(json_object_get(e, "new")));
	cr_expect(json_array_size(json_object_get(top, "entries")) == 2);
	json_decref(top);
	free(text);
	report_deinit(&r);
	machine_init(&m, PROFILE_TCG, 1);
}

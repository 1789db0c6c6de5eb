/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules among the built-in filters, and --filter of the command. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rules_box.h"
#include "tests/unit/cli_run.h"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(rules_use, .fini = close_machine);

Test(rules_use, rules_run_behind_what_they_name_and_behind_the_built_in_filters)
{
	struct rules *first = box_load("{'irqshift-rules': 1, 'name': 'first', 'summary': 's', 'after': ['second', 'types'], "
				       "'forward': [{'section': 'apic', 'instance': 0, 'cost': 'lossless', 'why': 'w', 'do': "
				       "[{'set': {'field': 'id', 'value': 1}}]}]}");
	struct rules *second = box_load("{'irqshift-rules': 1, 'name': 'second', 'summary': 's', "
					"'forward': [{'section': 'apic', 'instance': 0, 'cost': 'lossless', 'why': 'w', 'do': "
					"[{'set': {'field': 'id', 'value': 2}}]}]}");
	const struct filter *extra[] = { rules_filter(first), rules_filter(second), NULL };
	struct filter_options opt = { .allow = COST_APPROXIMATE, .extra = extra };
	struct profile kvm = { .kind = PROFILE_KVM }, tcg = { .kind = PROFILE_TCG };

	machine_init(&m, PROFILE_KVM, 1);
	cr_assert(!filter_convert(&m.tree, &kvm, &tcg, &opt, &m.report, &m.err), "%s", m.err.text);
	machine_expect(&m, "apic[0].id", 1);
	cr_assert(m.report.count > 2);
	cr_expect_str_eq(m.report.entries[m.report.count - 1].filter, "first");
	cr_expect_str_eq(m.report.entries[m.report.count - 2].filter, "second");
	report_deinit(&m.report);
	extra[1] = extra[0];
	cr_expect_eq(filter_convert(&m.tree, &tcg, &tcg, &opt, &m.report, &m.err), -EEXIST);
	cr_expect(strstr(m.err.text, "two filters have the name first"), "%s", m.err.text);
	extra[1] = NULL;
	cr_expect_eq(filter_convert(&m.tree, &tcg, &tcg, &opt, &m.report, &m.err), -ENOENT);
	cr_expect(strstr(m.err.text, "filter first: it is to run after second: no such filter"), "%s", m.err.text);
	rules_destroy(first);
	rules_destroy(second);
}

Test(rules_use, one_way_rules_cannot_be_forced_back)
{
	struct rules *r = box_file("filters/rules/pvtimer-newer.json");
	struct profile p = { .kind = PROFILE_TCG };

	box_init(&m);
	cr_expect_eq(rules_force(r, RULES_BACK, &m.err), -EINVAL);
	cr_expect(strstr(m.err.text, "filter pvtimer-newer-state: it has no way back"), "%s", m.err.text);
	cr_expect_eq(rules_choose(r, &p, &p), RULES_BY_HOSTS);
	cr_expect_eq(rules_force(r, RULES_FORWARD, NULL), 0);
	cr_expect_eq(rules_choose(r, &p, &p), RULES_FORWARD);
	rules_destroy(r);
}

/* ---- the command ---- */

static const struct {
	const char *name, *data;
} files[] = {
	{ "set.json", "{\"irqshift-rules\": 1, \"name\": \"disk-status\", \"summary\": \"s\", \"forward\": [{\"section\": "
		      "\"dma\", \"instance\": 1, \"cost\": \"approximate\", \"why\": \"the reason\", \"do\": [{\"set\": "
		      "{\"field\": \"command\", \"value\": 4}}]}]}" },
	{ "broken.json", "{\"irqshift-rules\": 1,\n  \"name\": \"n\", \"summary\": \"s\", \"forward\": [{}]}" },
	{ "syntax.json", "{\"irqshift-rules\": 1,\n  \"name\": }" },
};

static void enter_folder(void)
{
	cli_folder();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *f = fopen(cli_path(files[i].name), "we");

		cr_assert(f && fputs(files[i].data, f) >= 0);
		fclose(f);
	}
	cr_assert_eq(cli_shell("cp $data/virtio-blk-tcg.stream in && cp $data/../../filters/rules/virtio-blk-pci.json ."), 0);
}

TestSuite(rules_cli, .init = enter_folder, .fini = cli_folder_remove);

Test(rules_cli, rules_run_besides_the_built_in_filters)
{
	cli_expect("check --to tcg --filter set.json in", 0, "dma[1].command: 0 -> 4\n                          the reason");
	cli_expect("check --to kvm --filter ./set.json in", 0, "dma[1].command: 0 -> 4");
	cr_expect(strstr(cli_text, "apic -> kvm-apic"), "%s", cli_text);
	cli_expect("check --to kvm --filter hflags --filter set.json in", 0, "dma[1].command: 0 -> 4");
	cr_expect(!strstr(cli_text, "apic -> kvm-apic"), "%s", cli_text);
}

Test(rules_cli, a_stream_is_split_and_merged)
{
	cli_expect("convert --to tcg --filter virtio-blk-pci.json -o split in && echo done", 0, "done");
	cli_expect("convert --to tcg --filter virtio-blk-pci.json:back -o back split && cmp in back && echo same", 0, "same");
	cli_expect("show split '0000:00:03.0/virtio-pci' | head -n 12", 0, "vectors: uint16 = [65535");
}

Test(rules_cli, mistakes_have_a_line_and_column_and_no_output)
{
	cli_expect("convert --to tcg --filter broken.json -o out in", 4,
		   "irqshift: broken.json: byte 65: line 2, column 44: forward[0]: \"section\" is missing");
	cli_expect("show out", 1, "out: cannot open it");
	cli_expect("check --to tcg --filter syntax.json in", 4, "syntax.json: byte 33: line 2, column 11: ");
	cli_expect("check --to tcg --filter none.json in", 1, "none.json: cannot open it: No such file");
	cli_expect("check --to tcg --filter set.json:back in", 2, "filter disk-status: it has no way back");
	cli_expect("check --to tcg --filter set.json --filter set.json in", 2, "two filters have the name disk-status");
	cli_expect("check --to tcg --filter virtio-blk-pci.json:back in", 4, "there is no other section 0000:00:02.0/virtio-pci");
}

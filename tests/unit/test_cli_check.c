/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command's linter, its comparison in sentences and its colours, on real streams and on snapshots. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lint_machine.h"
#include "tests/unit/cli_run.h"

static void setup(void)
{
	struct lint_box b;

	cli_folder();
	lint_box_init(&b);
	cli_save(&b.s, "good");
	b.lapics[1].triple_fault = 1;
	cli_save(&b.s, "noted");
	b.s.ioapic.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	cli_save(&b.s, "bad");
}

TestSuite(cli_check, .init = setup, .fini = cli_folder_remove);

Test(cli_check, a_healthy_state_says_nothing_and_exits_0)
{
	static const char *const lines[] = { "$irqshift check good", "$irqshift check $data/isapc-kvm.stream",
					     "$irqshift check - <$data/virtio-blk-tcg.stream" };

	for (size_t i = 0; i < REG_ARRAY_SIZE(lines); i++) {
		cr_expect_eq(cli_shell(lines[i]), 0, "%s: %s", lines[i], cli_text);
		cr_expect_str_empty(cli_text, "%s: %s", lines[i], cli_text);
	}
}

Test(cli_check, a_note_exits_0_and_the_impossible_exits_3)
{
	cli_expect_line("$irqshift check noted", 0,
			"apic[1].triple_fault: a shutdown is pending: the machine resets or stops (note, triple-fault)\n");
	cli_expect_line("$irqshift check bad", 3,
			"ioapic.rte[9]: remote_irr is set, and vector 49 is in IRR or ISR of no CPU: "
			"no EOI will come: the pin never interrupts again, its device hangs (impossible, remote-irr-lost)\n");
}

Test(cli_check, the_findings_come_as_json)
{
	json_t *list, *last;

	cr_expect_eq(cli_shell("$irqshift check --json bad"), 3);
	list = json_loads(cli_text, 0, NULL);
	cr_assert(json_array_size(list) == 2, "%s", cli_text);
	last = json_array_get(list, 1);
	cr_expect_str_eq(json_string_value(json_object_get(last, "path")), "ioapic.rte[9]");
	cr_expect_str_eq(json_string_value(json_object_get(last, "severity")), "impossible");
	cr_expect_str_eq(json_string_value(json_object_get(last, "check")), "remote-irr-lost");
	json_decref(list);
	cli_expect_line("$irqshift check --json good", 0, "[]");
}

Test(cli_check, a_comparison_of_snapshots_tells_sentences)
{
	struct lint_box b;

	lint_box_init(&b);
	b.lapics[1].tsc += 2400000000;
	b.s.ioapic.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	lapic_bank_set(&b.lapics[0], LAPIC_ISR, 0x31);
	lapic_bank_set(&b.lapics[0], LAPIC_TMR, 0x31);
	cli_save(&b.s, "later");
	cli_expect_line("$irqshift diff good later", 0, "apic[1] TSC advanced by 1.200000 s\n");
	cli_expect_line("$irqshift diff good later", 0, "apic[0] vector 49 taken (entered ISR)\n");
	cli_expect_line("$irqshift diff good later", 0, "ioapic[0] pin 9 delivered: remote_irr set, vector 0x31 in ISR of CPU 0\n");
	cr_expect_null(strstr(cli_text, "RTE"), "said twice: %s", cli_text);
}

Test(cli_check, a_comparison_of_streams_tells_sentences_and_the_rest_field_by_field)
{
	cli_expect_line("$irqshift diff $data/isapc-kvm.stream $data/virtio-blk-tcg.stream", 0, "cpu[0] TSC went back by 1 ticks\n");
	cr_expect_null(strstr(cli_text, "env.tsc:"), "said twice: %s", cli_text);
	cr_expect_not_null(strstr(cli_text, "apic[0] "));
}

static const char strip[] = "esc=$(printf '\\033'); strip() { sed \"s/$esc\\[[0-9;]*m//g\"; }; ";

Test(cli_check, colour_changes_nothing_but_escape_sequences)
{
	static const char *const lines[] = { "show $data/isapc-kvm.stream", "show $data/virtio-blk-tcg.stream", "show bad",
					     "diff good bad", "diff $data/isapc-kvm.stream $data/virtio-blk-tcg.stream",
					     "check bad" };
	char line[1024];

	for (size_t i = 0; i < REG_ARRAY_SIZE(lines); i++) {
		snprintf(line, sizeof(line),
			 "%s$irqshift %s >plain; $irqshift %s --color never >never; $irqshift %s --color always >color; "
			 "strip <color >stripped; cmp plain never && cmp plain stripped && ! cmp -s plain color && "
			 "! grep -q \"$esc\" plain",
			 strip, lines[i], lines[i], lines[i]);
		cr_expect_eq(cli_shell(line), 0, "%s: %s", lines[i], cli_text);
	}
}

/* script(1) gives the command a terminal. */
static void on_terminal(const char *environment, bool colour)
{
	char line[512];

	snprintf(line, sizeof(line), "TERM=xterm; export TERM; %s script -qec \"$irqshift check bad\" /dev/null </dev/null",
		 environment);
	cli_shell(line);
	cr_assert(strstr(cli_text, "ioapic.rte[9]"), "%s", cli_text);
	cr_expect(!!strchr(cli_text, '\033') == colour, "%s: %s", environment, cli_text);
}

Test(cli_check, a_terminal_has_colour_unless_no_color_is_set)
{
	if (system("command -v script >/dev/null"))
		cr_skip_test("there is no script(1) to make a terminal");
	on_terminal("unset NO_COLOR;", true);
	on_terminal("NO_COLOR=; export NO_COLOR;", true);
	on_terminal("NO_COLOR=1; export NO_COLOR;", false);
	on_terminal("unset NO_COLOR; TERM=dumb;", false);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command's linter, its comparison in sentences and its colours, on real streams and on snapshots. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apic/snapshot.h"
#include "lint_machine.h"
#include "stream/native.h"

static char dir[] = "/tmp/irqshift-check-XXXXXX";
static char text[262144];

/* Run a shell line with $irqshift, $data and the test's folder as working directory. Return: its exit status. */
static int run(const char *line)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[2048], *full = realpath(program ? program : "build/irqshift", NULL), *data = realpath("tests/data", NULL);
	size_t used;
	FILE *f;

	cr_assert(full && data, "no irqshift to run, or not in the top folder");
	snprintf(cmd, sizeof(cmd), "cd %s && irqshift='%s' data='%s' && { %s ; } 2>&1", dir, full, data, line);
	free(full);
	free(data);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

static void expect(const char *line, int status, const char *says)
{
	int got = run(line);

	cr_expect_eq(got, status, "%s: exit %d, not %d: %s", line, got, status, text);
	cr_expect(strstr(text, says), "%s: \"%s\" is not in: %s", line, says, text);
}

static void save(struct lint_box *b, const char *name)
{
	struct irqs_error err;
	struct vms_tree t;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f && !vms_tree_init(&t, NULL));
	cr_assert(!snapshot_to_tree(&b->s, &t, &err), "%s", err.text);
	cr_assert(!native_write_tree(fileno(f), t.machine, 0, &err), "%s", err.text);
	fclose(f);
	vms_tree_deinit(&t);
}

static void setup(void)
{
	struct lint_box b;

	cr_assert(mkdtemp(dir));
	lint_box_init(&b);
	save(&b, "good");
	b.lapics[1].triple_fault = 1;
	save(&b, "noted");
	b.s.ioapic.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	save(&b, "bad");
}

static void teardown(void)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(cli_check, .init = setup, .fini = teardown);

Test(cli_check, a_healthy_state_says_nothing_and_exits_0)
{
	static const char *const lines[] = { "$irqshift check good", "$irqshift check $data/isapc-kvm.stream",
					     "$irqshift check - <$data/virtio-blk-tcg.stream" };

	for (size_t i = 0; i < REG_ARRAY_SIZE(lines); i++) {
		cr_expect_eq(run(lines[i]), 0, "%s: %s", lines[i], text);
		cr_expect_str_empty(text, "%s: %s", lines[i], text);
	}
}

Test(cli_check, a_note_exits_0_and_the_impossible_exits_3)
{
	expect("$irqshift check noted", 0,
	       "apic[1].triple_fault: a shutdown is pending: the machine resets or stops (note, triple-fault)\n");
	expect("$irqshift check bad", 3,
	       "ioapic.rte[9]: remote_irr is set, and vector 49 is in IRR or ISR of no CPU: "
	       "no EOI will come: the pin never interrupts again, its device hangs (impossible, remote-irr-lost)\n");
}

Test(cli_check, the_findings_come_as_json)
{
	json_t *list, *last;

	cr_expect_eq(run("$irqshift check --json bad"), 3);
	list = json_loads(text, 0, NULL);
	cr_assert(json_array_size(list) == 2, "%s", text);
	last = json_array_get(list, 1);
	cr_expect_str_eq(json_string_value(json_object_get(last, "path")), "ioapic.rte[9]");
	cr_expect_str_eq(json_string_value(json_object_get(last, "severity")), "impossible");
	cr_expect_str_eq(json_string_value(json_object_get(last, "check")), "remote-irr-lost");
	json_decref(list);
	expect("$irqshift check --json good", 0, "[]");
}

Test(cli_check, a_comparison_of_snapshots_tells_sentences)
{
	struct lint_box b;

	lint_box_init(&b);
	b.lapics[1].tsc += 2400000000;
	b.s.ioapic.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	lapic_bank_set(&b.lapics[0], LAPIC_ISR, 0x31);
	lapic_bank_set(&b.lapics[0], LAPIC_TMR, 0x31);
	save(&b, "later");
	expect("$irqshift diff good later", 0, "apic[1] TSC advanced by 1.200000 s\n");
	expect("$irqshift diff good later", 0, "apic[0] vector 49 taken (entered ISR)\n");
	expect("$irqshift diff good later", 0, "ioapic[0] pin 9 delivered: remote_irr set, vector 0x31 in ISR of CPU 0\n");
	cr_expect_null(strstr(text, "RTE"), "said twice: %s", text);
}

Test(cli_check, a_comparison_of_streams_tells_sentences_and_the_rest_field_by_field)
{
	expect("$irqshift diff $data/isapc-kvm.stream $data/virtio-blk-tcg.stream", 0, "cpu[0] TSC went back by 1 ticks\n");
	cr_expect_null(strstr(text, "env.tsc:"), "said twice: %s", text);
	cr_expect_not_null(strstr(text, "apic[0] "));
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
		cr_expect_eq(run(line), 0, "%s: %s", lines[i], text);
	}
}

/* script(1) gives the command a terminal. */
static void on_terminal(const char *environment, bool colour)
{
	char line[512];

	snprintf(line, sizeof(line), "TERM=xterm; export TERM; %s script -qec \"$irqshift check bad\" /dev/null </dev/null",
		 environment);
	run(line);
	cr_assert(strstr(text, "ioapic.rte[9]"), "%s", text);
	cr_expect(!!strchr(text, '\033') == colour, "%s: %s", environment, text);
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

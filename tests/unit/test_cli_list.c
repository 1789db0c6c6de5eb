/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift list` where nothing is needed: options, exit statuses, the shape of its JSON. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_run.h"

#define NO_PROCESS "2147483632" /* beyond PID_MAX_LIMIT */

TestSuite(cli_list, .init = cli_folder, .fini = cli_folder_remove);

static bool is_or_null(const json_t *o, int type)
{
	return json_is_null(o) || (o && json_typeof(o) == (json_type)type);
}

static void judge_vm(const json_t *vm)
{
	const json_t *vcpus = json_object_get(vm, "vcpus");

	cr_expect_gt(json_integer_value(json_object_get(vm, "pid")), 0);
	cr_expect(is_or_null(json_object_get(vm, "comm"), JSON_STRING));
	cr_expect(is_or_null(json_object_get(vm, "vm"), JSON_INTEGER));
	cr_expect(is_or_null(json_object_get(vm, "fd"), JSON_INTEGER));
	cr_expect(is_or_null(json_object_get(vm, "irqchip"), JSON_STRING));
	cr_expect(is_or_null(vcpus, JSON_ARRAY));
	for (size_t i = 0; i < json_array_size(vcpus); i++) {
		cr_expect(json_is_integer(json_object_get(json_array_get(vcpus, i), "id")));
		cr_expect(json_is_integer(json_object_get(json_array_get(vcpus, i), "fd")));
	}
}

/* Of what was printed last; there may be VMs on this machine. Return: how many. */
static size_t judge_json(const char *source)
{
	json_error_t err;
	json_t *top = json_loads(cli_text, 0, &err), *vms;
	size_t n;

	cr_assert(top, "%s: %s", err.text, cli_text);
	vms = json_object_get(top, "vms");
	cr_expect(json_is_array(vms));
	cr_expect(json_is_integer(json_object_get(top, "denied")));
	if (source)
		cr_expect_str_eq(json_string_value(json_object_get(top, "source")), source);
	n = json_array_size(vms);
	for (size_t i = 0; i < n; i++)
		judge_vm(json_array_get(vms, i));
	json_decref(top);
	return n;
}

Test(cli_list, json_has_one_object_for_each_vm)
{
	char args[64];

	cr_expect_eq(cli_run("list --json 2>/dev/null"), 0);
	judge_json(NULL);
	cr_expect_eq(cli_run("list --source proc --json 2>/dev/null"), 0);
	judge_json("proc");
	snprintf(args, sizeof(args), "list --source proc --json --pid %d 2>/dev/null", (int)getpid());
	cr_expect_eq(cli_run(args), 0);
	cr_expect_eq(judge_json("proc"), 0);
}

Test(cli_list, the_table_has_its_heading_and_the_source_is_said)
{
	cli_expect("list --source proc 2>/dev/null | head -n 1", 0, "     PID  NAME              VM    FD  IRQCHIP  vCPUs\n");
	cli_expect("list --source proc 2>&1 >/dev/null", 0, "irqshift: this host: by proc: ");
	cli_expect_line("\"$irqshift\" list --source proc --pid $$", 0, "irqshift: process ");
}

Test(cli_list, a_process_that_is_not_there_exits_1)
{
	cli_expect("list --source proc --pid " NO_PROCESS, 1, "irqshift: process " NO_PROCESS ": No such process");
	cli_expect("list --pid " NO_PROCESS, 1, "irqshift: process " NO_PROCESS ": No such process");
}

Test(cli_list, without_the_module_its_source_exits_1)
{
	if (!access("/sys/module/irqshift", F_OK)) {
		cr_skip_test("it is loaded here");
		return;
	}
	cli_expect("list --source module", 1, "irqshift: the kernel module irqshift is not loaded");
	cli_expect("list --source module --json 2>/dev/null", 1, "");
	cr_expect_str_eq(cli_text, "");
}

Test(cli_list, a_full_disk_exits_1)
{
	cli_expect("list --source proc >/dev/full", 1, "standard output: write failed");
	cli_expect("list --source proc --json >/dev/full", 1, "standard output: write failed");
}

Test(cli_list, wrong_options_are_named)
{
	static const char *const wrong[][2] = {
		{ "--pid", "--pid: needs a value" },
		{ "--pid x", "x: not possible" },
		{ "--pid 0", "0: not possible" },
		{ "--pid -1", "-1: not possible" },
		{ "--pid 1x", "1x: not possible" },
		{ "--pid 4294967296", "4294967296: not possible" },
		{ "--source", "--source: needs a value" },
		{ "--source tracefs", "tracefs: not possible" },
		{ "--nothing", "no such option" },
		{ "1234", "1234: not an option" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char args[64];

		snprintf(args, sizeof(args), "list %s", wrong[i][0]);
		cli_expect(args, 2, wrong[i][1]);
		cr_expect(strstr(cli_text, "(usage: irqshift list"), "%s", cli_text);
	}
}

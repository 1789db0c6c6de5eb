/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command: exit statuses, the one-line error, and outputs that are complete or absent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stream_builder.h"
#include "tests/unit/cli_run.h"

static void setup(void)
{
	static const char *const fields[] = { "log_dest", "dest_mode" };
	struct stream_builder b;
	const uint64_t zero[8] = { 0 };
	FILE *f;

	cli_folder();
	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "timer", 0, "timer", 2);
	sb_int(&b, "cpu_ticks_offset", "int64", 8, 1000);
	sb_buffer(&b, "unused", "unused_buffer", zero, 8);
	sb_int(&b, "cpu_clock_offset", "int64", 8, 2000);
	sb_device_end(&b);
	sb_device(&b, "thing", 3, "thing", 1);
	sb_array(&b, "values", "uint32", 4, 8, zero);
	for (size_t i = 0; i < 2; i++)
		sb_int(&b, fields[i], "uint8", 1, i);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	f = fopen(cli_path("in"), "w");
	cr_assert(f && fwrite(b.out.data, b.out.size, 1, f) == 1);
	fclose(f);
	sb_deinit(&b);
}

static bool exists(const char *name)
{
	return !access(cli_path(name), F_OK);
}

TestSuite(cli, .init = setup, .fini = cli_folder_remove);

Test(cli, usage_errors_exit_2_and_name_the_mistake)
{
	static const char *const cases[][2] = {
		{ "", "usage:" },
		{ "frobnicate", "frobnicate: no such command" },
		{ "convert", "--to is missing" },
		{ "convert --to kvm in", "-o is missing" },
		{ "convert --to kvm -o out", "one input is needed" },
		{ "convert --to kvm -o out in in", "one input is needed" },
		{ "convert --to", "--to needs a value" },
		{ "convert --to kvm --allow fatal -o out in", "only 'lossy'" },
		{ "convert --nonsense", "--nonsense: no such option" },
		{ "convert --to kvm --json -o - in", "both want standard output" },
		{ "convert --to xen -o out in", "kvm-split" },
		{ "convert --to kvm --in-place -o out in", "-o and --in-place: where to?" },
		{ "convert --to kvm --in-place", "one input is needed" },
		{ "convert --to kvm --in-place -", "standard input cannot be converted in place" },
		{ "convert --in-place in", "--to is missing" },
		{ "convert --recover", "one input is needed" },
		{ "convert --recover=half in", "--recover=half: finish or undo" },
		{ "convert --recover --to kvm in", "--recover goes with a file alone" },
		{ "convert --to tcg@qemu-x -o out in", "tcg@qemu-x" },
		{ "check --from kvm in", "--from means nothing without --to" },
		{ "check --filter lapic-timer in", "--filter means nothing without --to" },
		{ "check --color sometimes in", "--color sometimes: auto, always or never" },
		{ "show --color sometimes in", "--color sometimes: auto, always or never" },
		{ "diff --color sometimes in in", "--color sometimes: auto, always or never" },
		{ "show", "an input is needed" },
		{ "show in nothing", "nothing: no such section" },
		{ "diff in", "two inputs are needed" },
		{ "diff - -", "only once" },
		{ "decode", "name of an ioctl is needed" },
		{ "decode KVM_RUN in", "KVM_RUN: no ioctl that is known here; these are: KVM_CREATE_VCPU " },
		{ "decode --json KVM_NMI", "--json goes with --list" },
		{ "decode --result x KVM_NMI", "x: not a number" },
		{ "decode --batch in", "in: not with --list or --batch" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cli_expect(cases[i][0], 2, cases[i][1]);
	cr_expect(!exists("out"));
}

Test(cli, help_and_version_exit_0)
{
	cli_expect("--help", 0, "convert");
	cli_expect("--version", 0, "irqshift ");
	cli_expect("convert --help", 0, "--allow lossy");
}

Test(cli, decode_takes_bytes_or_digits_and_says_which_are_wrong)
{
	cli_expect("--version >/dev/null; printf '\\003\\000\\000\\000' >bytes; printf '0 0 00 0000' | tr -d ' ' >digits", 0, "");
	cli_expect("decode KVM_GET_MP_STATE bytes", 0, "state=halted\n");
	cli_expect("decode 0x8004ae98 - <bytes", 0, "state=halted\n");
	cli_expect("decode --hex KVM_GET_MP_STATE digits", 0, "");
	cli_expect("decode KVM_SET_MP_STATE --since bytes bytes", 0, "no difference\n");
	cli_expect("decode KVM_NMI", 0, "no argument\n");
	cli_expect("decode KVM_GET_LAPIC bytes", 4, "irqshift: bytes: KVM_GET_LAPIC takes 1024 bytes: these are 4\n");
	cli_expect("decode --hex KVM_GET_MP_STATE bytes", 4, "byte 0: not two hexadecimal digits");
	cli_expect("decode KVM_NMI --since bytes bytes", 2, "KVM_NMI: has no registers to compare");
	cli_expect("decode KVM_GET_MP_STATE nowhere", 1, "nowhere: cannot open it");
	cli_expect("decode --list", 0, "KVM_GET_LAPIC          0x8400ae8e vcpu out   1024\n");
	cli_expect("decode --list --json", 0, "\"name\": \"tsc_deadline\"");
}

Test(cli, decode_answers_every_line_of_a_batch)
{
	cli_expect("--version >/dev/null; printf '%s\\n' 'KVM_IRQ_LINE - 0400000001000000' 'KVM_IRQ_LINE - 04' 'KVM_NMI 0 -' "
		   "'KVM_GET_MP_STATE 0 03000000 00000000' 'KVM_GET_MP_STATE 0' 'x' '' >lines",
		   0, "");
	cli_expect("decode --batch <lines", 0,
		   "  GSI 4 high\n.\n? KVM_IRQ_LINE takes 8 bytes: these are 1\n.\n  no argument\n.\n"
		   "  mp_state: state=runnable -> halted\n.\n? IOCTL RESULT BYTES are needed\n.\n"
		   "? no ioctl that is known here\n.\n? no ioctl that is known here\n.\n");
}

Test(cli, a_missing_input_exits_1)
{
	cli_expect("show nowhere", 1, "irqshift: nowhere: cannot open it: No such file or directory");
	cli_expect("convert --from kvm --to kvm -o out nowhere", 1, "nowhere");
	cr_expect(!exists("out"));
}

Test(cli, an_empty_input_exits_4_with_an_offset)
{
	cli_expect("show /dev/null", 4, "byte 0: not a QEMU stream");
}

Test(cli, a_foreign_file_exits_4)
{
	cli_expect("convert --from kvm --to kvm -o out /bin/sh", 4, "byte 0: not a QEMU stream");
	cr_expect(!exists("out"));
}

Test(cli, a_folder_exits_1)
{
	cli_expect("show .", 1, "Is a directory");
}

Test(cli, a_cut_off_input_exits_4_and_leaves_no_output)
{
	cli_expect("show - < /dev/null", 4, "empty");
	cr_expect_eq(cli_run("--version; head -c 200 in > cut"), 0);
	cli_expect("convert --from kvm --to kvm -o out cut", 4, "byte 200");
	cr_expect(!exists("out"));
}

Test(cli, converting_to_its_own_kind_is_the_identity)
{
	cli_expect("convert --from kvm --to kvm -o out in && cmp in out && echo same", 0, "same");
}

Test(cli, standard_input_and_output_work_like_files)
{
	cli_expect("convert --from kvm --to kvm -o - - < in > out && cmp in out && echo same", 0, "same");
}

Test(cli, in_place_is_what_an_output_file_gets)
{
	static const char rules[] =
		"echo '{ \"irqshift-rules\": 1, \"name\": \"ours\", \"summary\": \"a test\", \"forward\": [ { \"section\": \"thing\", "
		"\"cost\": \"lossless\", \"why\": \"a test\", \"do\": [ { \"set\": { \"field\": \"log_dest\", \"value\": 7 } } ] } ] }' >r.json";
	char line[1024];

	snprintf(line, sizeof(line), "--version >/dev/null; %s", rules);
	cr_assert_eq(cli_run(line), 0, "%s", cli_text);
	cli_expect("convert --from kvm --to kvm --filter ./r.json -o out in && cmp in out", 1, "differ");
	cli_expect("convert --from kvm --to kvm --filter ./r.json --in-place --json in && cmp in out && echo same", 0, "same");
	cr_expect(strstr(cli_text, "thing[3].log_dest"), "%s", cli_text);
	cr_expect(!exists("in.irqshift-journal"));
	cli_expect("convert --recover in", 0, "in: nothing to recover");
}

Test(cli, a_refused_conversion_in_place_changes_nothing)
{
	cli_expect("convert --from kvm --to kvm --filter nonsense --in-place in", 2, "nonsense");
	cli_expect("convert --to kvm --in-place nowhere", 1, "nowhere: cannot open it: No such file");
	cli_expect("convert --to kvm --in-place .", 3, "not a regular file");
	cli_expect("convert --to kvm --in-place /dev/null", 3, "not a regular file");
	cr_expect(!exists("in.irqshift-journal"));
}

Test(cli, a_file_with_a_journal_is_not_read_and_the_command_is_named)
{
	static const char *const commands[] = {
		"show in",
		"show --ram in",
		"check in",
		"check --to kvm in",
		"diff in copy",
		"diff copy in",
		"convert --from kvm --to kvm -o out in",
		"schema dump in",
		"show --vmdesc in copy",
		"convert --from kvm --to kvm -o in copy",
		"convert --to kvm --in-place in",
	};

	cr_assert_eq(cli_run("--version; cp in copy; : >in.irqshift-journal; ln -s in link"), 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		cli_expect(commands[i], 4, "'in.irqshift-journal' stands beside it ('irqshift convert --recover in' finishes it, ");
		cr_expect_eq(strchr(cli_text, '\n'), cli_text + strlen(cli_text) - 1, "more than a line: %s", cli_text);
	}
	cli_expect("show link", 4, "'irqshift convert --recover link'");
	cr_expect(!exists("out"));
	cli_expect("convert --recover link && cmp in copy && echo same", 0, "nothing to undo: the journal was incomplete");
	cr_expect(strstr(cli_text, "same"));
	cli_expect("show in timer", 0, "cpu_clock_offset");
}

Test(cli, a_full_disk_exits_1)
{
	cli_expect("convert --from kvm --to kvm -o - in > /dev/full", 1, "No space left");
	cli_expect("show in > /dev/full", 1, "write failed");
}

Test(cli, an_output_that_cannot_be_made_exits_1)
{
	cli_expect("convert --from kvm --to kvm -o nowhere/out in", 1, "nowhere/out");
}

Test(cli, an_existing_output_survives_a_failure)
{
	cr_expect_eq(cli_run("--version; echo precious > out"), 0);
	cli_expect("convert --from kvm --to kvm -o out /dev/null; cat out", 0, "precious");
}

Test(cli, show_names_every_field)
{
	cli_expect("show in thing[3]", 0, "dest_mode: uint8 = 1");
	cli_expect("show --json in timer", 0, "\"cpu_clock_offset\"");
}

Test(cli, diff_of_a_file_with_itself_says_nothing)
{
	cr_expect_eq(cli_run("diff in in"), 0);
	cr_expect_str_eq(cli_text, "");
}

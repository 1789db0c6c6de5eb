/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert from a pipe into a pipe: the same bytes as with files, by io_uring and without. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cli_run.h"

static void setup(void)
{
	FILE *f;

	cli_folder();
	f = fopen(cli_path("refuse.json"), "w");
	cr_assert(f);
	fputs("{ \"irqshift-rules\": 1, \"name\": \"refuse\", \"summary\": \"no\", \"forward\": [ { \"section\": \"kvm-apic\", \"cost\": \"fatal\", \"why\": \"no\", \"do\": [ "
	      "{ \"require\": { \"field\": \"id\", \"op\": \"==\", \"value\": 77 }, \"cost\": \"fatal\", "
	      "\"why\": \"no such APIC\" } ] } ] }",
	      f);
	fclose(f);
}

TestSuite(cli_through, .init = setup, .fini = cli_folder_remove, .timeout = 60);

/* A command in which $i is the command, $d the folder and $g a stream. */
static void expect(const char *command, int status, const char *says)
{
	char line[2048];

	snprintf(line, sizeof(line), "set -o pipefail; i=$irqshift d=. g=$data/isapc-kvm.stream; %s", command);
	cli_expect_line(line, status, says);
}

static void both(const char *command, int status, const char *says)
{
	setenv("IRQSHIFT_TRANSPORT", "plain", 1);
	expect(command, status, says);
	unsetenv("IRQSHIFT_TRANSPORT");
	expect(command, status, says);
}

Test(cli_through, writes_what_it_writes_into_a_file)
{
	static const char *const hosts[] = { "kvm", "kvm-split", "tcg" };

	for (size_t i = 0; i < 3; i++) {
		char command[512];

		snprintf(command, sizeof(command),
			 "$i convert --from kvm --to %s -o $d/file $g && "
			 "cat $g | $i convert --from kvm --to %s --report $d/report -o - - | cat >$d/pipe; "
			 "cmp $d/file $d/pipe && grep -o '\"verdict\": \"[a-z]*\"' $d/report; rm -f $d/file",
			 hosts[i], hosts[i]);
		both(command, 0, "possible");
	}
}

/* What was RAM is out by then; nothing of the devices is. */
Test(cli_through, ends_early_when_it_refuses)
{
	both("cat $g | $i convert --from kvm --to kvm --filter $d/refuse.json -o - - | cat >$d/out; s=$?; "
	     "cmp $d/out $g | grep -o EOF; grep -c apic $d/out; (exit $s)",
	     3, "no such APIC");
	cr_expect(strstr(cli_text, "EOF on"), "%s", cli_text);
	cr_expect(strstr(cli_text, "\n0\n"), "%s", cli_text);
}

/* Nothing ever comes out of this pipe, nor does it end: who reads it is stopped, and has another status. */
#define SILENT "mkfifo -m 600 $d/silent 2>/dev/null; exec 3<>$d/silent; "

Test(cli_through, says_what_is_wrong_before_it_reads)
{
	both(SILENT "timeout -k 5 20 $i convert --to vmware -o - - <&3 | cat", 2, "vmware");
	both(SILENT "timeout -k 5 20 $i convert --to tcg --filter $d/none.json -o - - <&3 | cat", 1, "none.json");
}

Test(cli_through, says_what_is_no_stream)
{
	both("echo hello, this is no stream | $i convert --to tcg -o - - | cat", 4, "not a QEMU stream");
	both("head -c 3000 $g | $i convert --from kvm --to kvm -o - - | cat >/dev/null", 4, "");
	both("$i convert --to tcg -o - - </dev/null | cat", 4, "empty");
}

/* The stream ends only when its reader has gone. */
Test(cli_through, says_when_nobody_reads)
{
	both("mkfifo -m 600 $d/gone 2>/dev/null; { cat $g; read <$d/gone; } | $i convert --from kvm --to kvm -o - - | "
	     "{ exec <&-; echo >$d/gone; }; (exit ${PIPESTATUS[1]})",
	     1, "Broken pipe");
}

/* A file at either end: complete or absent. */
Test(cli_through, keeps_a_file_whole)
{
	both("cat $g | $i convert --from kvm --to kvm --filter $d/refuse.json -o $d/file -; s=$?; test ! -e $d/file && (exit $s)", 3,
	     "no such APIC");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert from a pipe into a pipe: the same bytes as with files, by io_uring and without. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOLDEN "tests/data/isapc-kvm.stream"

static char dir[] = "/tmp/irqshift-through-XXXXXX";
static char text[16384];

static void setup(void)
{
	char path[96];
	FILE *f;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/refuse.json", dir);
	f = fopen(path, "w");
	cr_assert(f);
	fputs("{ \"irqshift-rules\": 1, \"name\": \"refuse\", \"summary\": \"no\", \"forward\": [ { \"section\": \"kvm-apic\", \"cost\": \"fatal\", \"why\": \"no\", \"do\": [ "
	      "{ \"require\": { \"field\": \"id\", \"op\": \"==\", \"value\": 77 }, \"cost\": \"fatal\", "
	      "\"why\": \"no such APIC\" } ] } ] }",
	      f);
	fclose(f);
}

static void teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(cli_through, .init = setup, .fini = teardown, .timeout = 60);

/* A command of the shell in which $i is the command, $d a folder and $g a stream. Return: its exit status. */
static int shell(const char *command)
{
	const char *program = getenv("IRQSHIFT");
	char line[2048];
	size_t used;
	FILE *f;

	snprintf(line, sizeof(line), "set -o pipefail; i='%s' d='%s' g='%s'; { %s ; } 2>&1", program ? program : "build/irqshift",
		 dir, GOLDEN, command);
	setenv("LINE", line, 1);
	f = popen("exec bash -c \"$LINE\"", "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

static void expect(const char *command, int status, const char *says)
{
	int got = shell(command);

	cr_expect_eq(got, status, "%s: exit %d, not %d: %s", command, got, status, text);
	cr_expect(strstr(text, says), "%s: \"%s\" is not in: %s", command, says, text);
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
	cr_expect(strstr(text, "EOF on"), "%s", text);
	cr_expect(strstr(text, "\n0\n"), "%s", text);
}

Test(cli_through, says_what_is_wrong_before_it_reads)
{
	both("sleep 9 | timeout 5 $i convert --to vmware -o - - | cat", 2, "vmware");
	both("sleep 9 | timeout 5 $i convert --to tcg --filter $d/none.json -o - - | cat", 1, "none.json");
}

Test(cli_through, says_what_is_no_stream)
{
	both("echo hello, this is no stream | $i convert --to tcg -o - - | cat", 4, "not a QEMU stream");
	both("head -c 3000 $g | $i convert --from kvm --to kvm -o - - | cat >/dev/null", 4, "");
	both("$i convert --to tcg -o - - </dev/null | cat", 4, "empty");
}

Test(cli_through, says_when_nobody_reads)
{
	both("{ cat $g; sleep 1; } | $i convert --from kvm --to kvm -o - - | true; (exit ${PIPESTATUS[1]})", 1, "Broken pipe");
}

/* A file at either end: complete or absent. */
Test(cli_through, keeps_a_file_whole)
{
	both("cat $g | $i convert --from kvm --to kvm --filter $d/refuse.json -o $d/file -; s=$?; test ! -e $d/file && (exit $s)", 3,
	     "no such APIC");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts that are told by files: capabilities as a target, compat hints about the source. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char dir[] = "/tmp/irqshift-hosts-XXXXXX";
static char text[32768];

/* Run a shell line with $irqshift, $stream and the test's folder as working directory. Return: its exit status. */
static int run(const char *line)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[2048], *full = realpath(program ? program : "build/irqshift", NULL);
	char *stream = realpath("tests/data/isapc-kvm.stream", NULL);
	size_t used;
	FILE *f;

	cr_assert(full && stream, "no irqshift to run, or not in the top folder");
	snprintf(cmd, sizeof(cmd), "cd %s && irqshift='%s' stream='%s' && { %s ; } 2>&1", dir, full, stream, line);
	free(full);
	free(stream);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	cr_expect_eq(run("cd / && rm -rf \"$OLDPWD\""), 0);
}

TestSuite(cli_hosts, .init = setup, .fini = teardown);

Test(cli_hosts, a_file_of_capabilities_is_a_target)
{
	cr_expect_eq(run("$irqshift caps --profile tcg@qemu-7.2 --json > caps.json && "
			 "$irqshift check --from kvm --to ./caps.json $stream"),
		     0, "%s", text);
	cr_expect(strstr(text, "kvm -> tcg@qemu-7.2: possible"), "%s", text);
}

Test(cli_hosts, a_host_that_cannot_be_that_kind_is_refused)
{
	cr_expect_eq(run("$irqshift caps --profile tcg@qemu-7.2 --json > caps.json && "
			 "$irqshift convert --from kvm --to kvm-split:caps.json -o out $stream"),
		     3, "%s", text);
	cr_expect(strstr(text, "cannot be kvm-split"), "%s", text);
	cr_expect_eq(run("test ! -e out"), 0);
}

Test(cli_hosts, a_target_that_is_no_file_and_no_profile_is_told)
{
	cr_expect_eq(run("$irqshift check --to ./nowhere.json $stream"), 1, "%s", text);
	cr_expect(strstr(text, "nowhere.json"), "%s", text);
	cr_expect_eq(run("$irqshift check --to xen $stream"), 2, "%s", text);
}

Test(cli_hosts, hints_say_what_saved_the_machine)
{
	cr_expect_eq(run("$irqshift hints dump $stream | sed s/kvm-split/kvm-off/ > hints.json && "
			 "$irqshift check --hints hints.json --to tcg $stream"),
		     0, "%s", text);
	cr_expect(strstr(text, "kvm-off -> tcg: possible"), "%s", text);
}

Test(cli_hosts, the_user_wins_over_a_hint)
{
	cr_expect_eq(run("$irqshift hints dump $stream > hints.json && "
			 "$irqshift check --from kvm --hints hints.json --to tcg $stream"),
		     0, "%s", text);
	cr_expect(strstr(text, "kvm -> tcg: possible"), "%s", text);
}

Test(cli_hosts, a_hint_for_a_device_that_is_not_there_is_ignored_and_reported)
{
	cr_expect_eq(run("echo '{\"irqshift-hints\": 1, \"devices\": {\"floppy[7]\": {\"version\": \"2\"}}}' > hints.json && "
			 "$irqshift convert -v --from kvm --hints hints.json --to tcg -o out $stream"),
		     0, "%s", text);
	cr_expect(strstr(text, "floppy[7]"), "%s", text);
	cr_expect(strstr(text, "ignored"), "%s", text);
}

Test(cli_hosts, hints_that_are_no_hints_are_malformed)
{
	cr_expect_eq(run("echo '[]' > hints.json && $irqshift check --hints hints.json --to tcg $stream"), 4, "%s",
		     text);
	cr_expect_eq(run("$irqshift check --hints nowhere --to tcg $stream"), 1, "%s", text);
}

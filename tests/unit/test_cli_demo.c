/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift demo` where there is no KVM; tests/kvm/test_demo.c has the other half. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cli_run.h"

/* The command with @before in front of it. Return: the exit status. */
static int run(const char *before, const char *arguments)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s \"$irqshift\" demo %s", before, arguments);
	return cli_shell(line);
}

static void expect_conversion(int status)
{
	static const char *const words[] = {
		"kvm -> tcg@qemu-7.2: possible",
		"ioapic[0]: kvm-ioapic -> ioapic",
		"apic[1].timer_expiry: ",
		"Read again, it is of a machine under tcg",
		"Nothing in it is wrong",
	};

	cr_expect(status == 0, "exit %d: %s", status, cli_text);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect(strstr(cli_text, words[i]), "\"%s\" is not in: %s", words[i], cli_text);
}

Test(cli_demo, a_recorded_stream_is_converted_and_read_again)
{
	expect_conversion(run("", "--recorded"));
}

Test(cli_demo, without_kvm_it_says_so_and_shows_what_is_recorded)
{
	/* In a name space of its own, with an empty /dev. */
	static const char empty[] = "unshare -rm sh -c 'mount -t tmpfs none /dev && exec \"$@\"' sh";
	int status;

	if (system("unshare -rm mount -t tmpfs none /dev 2>/dev/null"))
		cr_skip_test("no name space to hide /dev/kvm in");
	status = run(empty, "");
	cr_expect(strstr(cli_text, "irqshift: /dev/kvm: No such file or directory\n"), "%s", cli_text);
	cr_expect(strstr(cli_text, "irqshift: no guest can run here; what follows is recorded\n"), "%s", cli_text);
	expect_conversion(status);
}

Test(cli_demo, options_that_make_no_sense_exit_2)
{
	static const char *const cases[][2] = {
		{ "--seconds", "--seconds needs a value" },
		{ "--seconds 0", "--seconds 0: not more than 0, up to 3600" },
		{ "--seconds 1e9", "--seconds 1e9: " },
		{ "--seconds 1x", "--seconds 1x: " },
		{ "--seconds nan", "--seconds nan: " },
		{ "--live", "--live: no such option" },
		{ "guest.elf", "guest.elf: no such argument" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = run("", cases[i][0]);

		cr_expect(status == 2 && strstr(cli_text, cases[i][1]), "%s: exit %d: %s", cases[i][0], status, cli_text);
	}
}

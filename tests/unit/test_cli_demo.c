/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift demo` where there is no KVM; tests/kvm/test_demo.c has the other half. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char text[65536];

/* The command with @before in front of it, both outputs. Return: the exit status. */
static int run(const char *before, const char *arguments)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[1024];
	size_t used;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s '%s' demo %s 2>&1", before, program ? program : "build/irqshift", arguments);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
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

	cr_expect(status == 0, "exit %d: %s", status, text);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect(strstr(text, words[i]), "\"%s\" is not in: %s", words[i], text);
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
	cr_expect(strstr(text, "irqshift: /dev/kvm: No such file or directory\n"), "%s", text);
	cr_expect(strstr(text, "irqshift: no guest can run here; what follows is recorded\n"), "%s", text);
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

		cr_expect(status == 2 && strstr(text, cases[i][1]), "%s: exit %d: %s", cases[i][0], status, text);
	}
}

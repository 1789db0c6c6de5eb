/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift demo` with a real guest: through all modes, with a table for each, and nothing lost. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "vm.h"

static char text[65536];

/* Return: the exit status. */
static int run(const char *arguments)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[1024];
	size_t used;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "timeout -k 5 100 '%s' demo %s 2>&1", program ? program : "build/irqshift", arguments);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

/* In this order. */
static void expect_all(const char *const *words, size_t n)
{
	const char *p = text;

	for (size_t i = 0; i < n; i++) {
		p = strstr(p, words[i]);
		cr_assert(p, "\"%s\" is missing, or out of order, in: %s", words[i], text);
	}
}

Test(demo, takes_a_guest_through_all_modes_and_loses_nothing)
{
	static const char *const words[] = {
		"source",
		"LAPIC timer of CPU 0",
		"ms  kernel\n",
		"LAPIC timer of CPU 1",
		"PIT",
		"RTC",
		"kernel -> split, in ",
		"ms  split: in the kernel\n",
		"ms  split: emulated\n",
		"split -> userspace, in ",
		"ms  userspace\n",
		"userspace -> kernel, in ",
		"ms  kernel\n",
		"and none twice.\n",
	};
	int status;

	vm_have_kvm();
	status = run("--seconds 1 --plain");
	if (strstr(text, "too busy to tell"))
		cr_skip_test("%s", text);
	cr_expect(status == 0, "exit %d: %s", status, text);
	expect_all(words, sizeof(words) / sizeof(words[0]));
	cr_expect(!strchr(text, '\033'), "plain text");
}

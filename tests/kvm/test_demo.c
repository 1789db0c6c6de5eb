/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift demo` with a real guest: through all modes, with a table for each, and nothing lost. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/cli_run.h"
#include "vm.h"

/* In this order. */
static void expect_all(const char *const *words, size_t n)
{
	const char *p = cli_text;

	for (size_t i = 0; i < n; i++) {
		p = strstr(p, words[i]);
		cr_assert(p, "\"%s\" is missing, or out of order, in: %s", words[i], cli_text);
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
	status = cli_shell("timeout -k 5 100 $irqshift demo --seconds 1 --plain");
	if (strstr(cli_text, "too busy to tell"))
		cr_skip_test("%s", cli_text);
	cr_expect(status == 0, "exit %d: %s", status, cli_text);
	expect_all(words, sizeof(words) / sizeof(words[0]));
	cr_expect(!strchr(cli_text, '\033'), "plain text");
}

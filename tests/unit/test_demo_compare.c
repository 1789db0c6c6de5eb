/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `make demo` says of its guest, from made-up logs: two lines before the move, two after it, the middle ones cut. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cli_run.h"

TestSuite(demo_compare, .init = cli_folder, .fini = cli_folder_remove);

/* How the guest prints its @n-th line; @missing of the LAPIC's ticks are not there, @errors were counted. */
static const char *line(unsigned int n, unsigned int missing, unsigned int errors)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "t=%u seq=%u tsc=%u lapic=%u/%u pit=%u/%u rtc=%u/%u ping=%u pong=%u ap=1 late=lapic:1,oneshot:0,pit:2,rtc:3 "
		 "err=%u none\n",
		 n * 150000, n, n * 150000, n * 3 - missing, n * 3, n * 4, n * 4, n * 2, n * 2, n, n, errors);
	return text;
}

static void logs(const char *before, const char *after)
{
	FILE *f = fopen(cli_path("before"), "w");

	cr_assert(f);
	fprintf(f, "1.00 irqshift-guest cpus=2\n%s", before);
	fclose(f);
	f = fopen(cli_path("after"), "w");
	cr_assert(f);
	fprintf(f, "%s", after);
	fclose(f);
}

static int compare(void)
{
	char command[600];
	int used = snprintf(command, sizeof(command), "scripts/demo-compare %s ", cli_path("before"));

	snprintf(command + used, sizeof(command) - (size_t)used, "%s 2>&1", cli_path("after"));
	return cli_capture(command);
}

/* Lines 40 to 43; line 41 is printed when the move comes, and @cut bytes of it are out before. */
static int moved(size_t cut, unsigned int missing, unsigned int errors)
{
	char before[1024], after[1024], *at = before;
	const char *middle;

	at += sprintf(at, "1.10 %s", line(40, 0, 0));
	middle = line(41, 0, 0);
	sprintf(at, "1.20 %.*s", (int)cut, middle);
	at = after;
	at += sprintf(at, "1.30 resumed\n1.40 %s", middle + cut);
	at += sprintf(at, "1.50 %s", line(42, 0, 0));
	sprintf(at, "1.60 %s", line(43, missing, errors));
	logs(before, after);
	return compare();
}

Test(demo_compare, a_line_cut_anywhere_by_the_move_is_no_loss)
{
	size_t length = strlen(line(41, 0, 0));

	for (size_t cut = 0; cut <= length; cut++)
		cr_expect_eq(moved(cut, 0, 0), 0, "cut at %zu: %s", cut, cli_text);
}

Test(demo_compare, ticks_that_did_not_come_are_lost)
{
	cr_expect_eq(moved(0, 2, 0), 0, "%s", cli_text);
	cr_expect_eq(moved(0, 3, 0), 1);
	cr_expect(strstr(cli_text, "LOST"), "%s", cli_text);
}

Test(demo_compare, a_counter_that_begins_anew_is_lost)
{
	char before[512], after[512];

	snprintf(before, sizeof(before), "1.10 %s", line(40, 0, 0));
	snprintf(after, sizeof(after), "1.20 %s", line(3, 0, 0));
	logs(before, after);
	cr_expect_eq(compare(), 1);
	cr_expect(strstr(cli_text, "LOST"), "%s", cli_text);
}

Test(demo_compare, an_error_of_the_move_is_shown)
{
	char before[512], after[1024], *at = after;

	snprintf(before, sizeof(before), "1.10 %s", line(40, 0, 1));
	at += sprintf(at, "1.20 %s", line(41, 0, 2));
	sprintf(at, "1.30 %s", line(42, 0, 2));
	logs(before, after);
	cr_expect_eq(compare(), 1);
	cr_expect(strstr(cli_text, "LOST"), "%s", cli_text);
	at = after;
	at += sprintf(at, "1.20 %s", line(41, 0, 1));
	sprintf(at, "1.30 %s", line(42, 0, 1));
	logs(before, after);
	cr_expect_eq(compare(), 0, "%s", cli_text);
}

Test(demo_compare, a_guest_that_said_nothing_did_not_go_on)
{
	char before[512];

	snprintf(before, sizeof(before), "1.10 %s", line(40, 0, 0));
	logs(before, "1.20 resumed\n");
	cr_expect_eq(compare(), 1);
	logs("", before);
	cr_expect_eq(compare(), 1);
}

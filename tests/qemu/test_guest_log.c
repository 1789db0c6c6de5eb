/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The judgement itself, on logs made up here: a guest that lives, and one for each way to fail. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/qemu/guest_log.h"

#define LINES 20
#define MOVED 10

/* What the made-up guest prints from line MOVED on, against what it should. */
struct flaw {
	int pit; /* runs of the PIT too many (or, negative, too few) */
	bool pit_dead;
	int seq;      /* lines left out */
	int clock_us; /* the clock jumps */
	int tsc_us;   /* the TSC jumps */
	unsigned int errors;
	char last_error[16];
	int pong;
	char why[24]; /* what the judgement must say; "" for a guest that lives */
};

static void print_line(char *text, size_t size, unsigned int i, const struct flaw *flaw)
{
	bool moved = i >= MOVED;
	unsigned int seq = i + (moved ? flaw->seq : 0), t = i * 160000 + (moved ? flaw->clock_us : 0);
	unsigned int pit = moved && flaw->pit_dead ? 4 * (MOVED - 1) : 4 * i + (moved ? flaw->pit : 0);
	size_t used = strlen(text);

	snprintf(text + used, size - used,
		 "t=%u seq=%u tsc=%u pit=%u/%u level=%u/%u kick=%u again=0 ping=%u pong=%u ap=0 "
		 "late=lapic:0,oneshot:0,pit:40100,rtc:0 err=%u %s\n",
		 t, seq, t + (moved ? flaw->tsc_us : 0), pit, 4 * i, 2 * i, 2 * i, i, i, i + (moved ? flaw->pong : 0),
		 moved ? flaw->errors : 0, moved && flaw->errors ? flaw->last_error : "none");
}

static void judge(const struct flaw *flaw, const struct guest_limits *limits, size_t split, struct guest_verdict *verdict)
{
	char text[LINES * 200] = "irqshift-guest cpus=1 tsc=vm\n", before[LINES * 200];
	struct guest_log log;

	for (unsigned int i = 0; i < LINES; i++) {
		if (i == MOVED)
			split += strlen(text);
		print_line(text, sizeof(text), i, flaw);
	}
	snprintf(before, sizeof(before), "%.*s", (int)split, text);
	guest_log_read(&log, before, text + split);
	guest_judge(&log, limits, verdict);
	guest_log_free(&log);
}

Test(guest_log, a_guest_that_goes_on_is_alive_wherever_its_line_is_torn)
{
	struct guest_verdict verdict;

	for (size_t torn = 0; torn < 40; torn++) {
		judge(&(struct flaw){ 0 }, &guest_limits_default, torn, &verdict);
		cr_expect(verdict.ok, "torn at %zu: %s", torn, verdict.why);
		cr_expect_eq(verdict.ticks[GUEST_PIT], 4 * (LINES - MOVED));
		cr_expect_eq(verdict.slipped[GUEST_PIT], 0);
	}
}

static const struct flaw flaws[] = {
	{ .pit = -2 },
	{ .pit = 2 },
	{ .pit = -3, .why = "not 40" },
	{ .pit = 3, .why = "not 40" },
	{ .pit_dead = true, .why = "pit is dead" },
	{ .pit = -12, .why = "pit goes back" },
	{ .seq = 1, .why = "follows line" },
	{ .seq = -1, .why = "follows line" },
	{ .clock_us = 400000, .why = "the clock goes" },
	{ .clock_us = -200000, .why = "the clock goes" },
	{ .errors = 1, .last_error = "ping_lost", .why = "1 errors" },
	{ .errors = 1, .last_error = "gap_oneshot", .why = "1 errors" },
	{ .pong = -2, .why = "a counter goes back" },
	{ .pong = 2, .why = "pings" },
};

Test(guest_log, each_flaw_is_named)
{
	for (size_t i = 0; i < sizeof(flaws) / sizeof(*flaws); i++) {
		struct guest_verdict verdict;

		judge(&flaws[i], &guest_limits_default, 0, &verdict);
		cr_expect_eq(verdict.ok, !flaws[i].why[0], "flaw %zu: %s", i, verdict.why);
		cr_expect_not_null(strstr(verdict.why, flaws[i].why), "flaw %zu: %s", i, verdict.why);
	}
}

Test(guest_log, one_early_run_of_a_one_shot_timer_can_be_allowed)
{
	struct guest_limits limits = guest_limits_default;
	struct guest_verdict verdict;

	limits.early_oneshots = 1;
	judge(&(struct flaw){ .errors = 1, .last_error = "gap_oneshot" }, &limits, 0, &verdict);
	cr_expect(verdict.ok, "%s", verdict.why);
	judge(&(struct flaw){ .errors = 2, .last_error = "gap_oneshot" }, &limits, 0, &verdict);
	cr_expect_not(verdict.ok);
}

Test(guest_log, a_jump_of_the_tsc_counts_where_it_is_asked_for)
{
	struct guest_limits limits = guest_limits_default;
	struct guest_verdict verdict;

	judge(&(struct flaw){ .tsc_us = -900000 }, &limits, 0, &verdict);
	cr_expect(verdict.ok, "%s", verdict.why);
	cr_expect_eq(verdict.tsc_jump_us, -900000);
	limits.tsc_us = 50000;
	judge(&(struct flaw){ .tsc_us = -900000 }, &limits, 0, &verdict);
	cr_expect_not_null(strstr(verdict.why, "TSC jumps"), "%s", verdict.why);
}

Test(guest_log, a_silent_guest_and_a_panic_are_failures)
{
	struct guest_verdict verdict;
	struct guest_log log;

	guest_log_read(&log, "t=1 seq=0 tsc=1 pit=0/0 err=0 none\n", "");
	guest_judge(&log, &guest_limits_default, &verdict);
	cr_expect_str_eq(verdict.why, "no line after the move");
	guest_log_free(&log);

	guest_log_read(&log, "t=1 seq=0 tsc=1 pit=0/0 err=0 none\n", "panic vector=13 eip_or_error=0 next=0\n");
	guest_judge(&log, &guest_limits_default, &verdict);
	cr_expect_not_null(strstr(verdict.why, "panic vector=13"), "%s", verdict.why);
	guest_log_free(&log);
}

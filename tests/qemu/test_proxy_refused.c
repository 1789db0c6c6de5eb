/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Live migrations that irqshift proxy refuses: the guest runs on where it was, as its counters show.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/qemu/proxied.h"

#define EXIT_REFUSED 3

TestSuite(proxy_refused, .init = proxied_setup, .fini = proxied_teardown, .timeout = 1800);

/* What the source has of its guest some lines after the attempt: judged like a move, the attempt being the move. */
static void expect_source_goes_on(struct pair *pair, const struct move *move, const char *before, const char *what)
{
	const struct guest_limits limits = limits_for(move);
	struct guest_verdict verdict;
	struct guest_log log;
	size_t had = before ? strlen(before) : 0;
	char *now;
	unsigned int lines = 0;

	for (const char *p = before; p && *p; p++)
		lines += *p == '\n';
	cr_expect(!vm_wait_running(&pair->source, 5000), "%s: %s", what, pair->source.error);
	vm_wait_lines(&pair->source, lines + LINES_AFTER, WAIT_MS);
	now = vm_serial(&pair->source);
	cr_assert(now && strlen(now) > had, "%s: the guest says nothing more", what);
	guest_log_read(&log, before, now + had);
	guest_judge(&log, &limits, &verdict);
	printf("  %s: the source's guest %s, seq %u to %u, pit %u runs more\n", what,
	       verdict.ok ? "runs on" : verdict.why, log.moved_at ? log.lines[log.moved_at - 1].seq : 0,
	       log.n ? log.lines[log.n - 1].seq : 0, verdict.ticks[GUEST_PIT]);
	fflush(stdout);
	cr_expect(log.n > log.moved_at && log.n - log.moved_at >= limits.lines, "%s: %s", what, verdict.why);
	cr_expect(!strstr(verdict.why, "follows") && !strstr(verdict.why, "goes back") && !strstr(verdict.why, "dead"), "%s: %s", what,
		  verdict.why);
	guest_log_free(&log);
	free(now);
}

struct refusal {
	struct move move;
	const char *what, *capabilities, *words, *cpu;
	bool by_rule;     /* else by the state itself, or by how it is sent */
	const char *says; /* the proxy */
	bool stays;       /* the source believes that it is done, and its guest waits for `cont` */
};

static const char *write_rules(char *path, size_t size)
{
	FILE *f;

	proxied_path("rules.json", path, size);
	f = fopen(path, "w");
	cr_assert(f);
	fputs("{ \"irqshift-rules\": 1, \"name\": \"refuse\", \"summary\": \"no\", \"forward\": [ { \"section\": \"*\", "
	      "\"where\": [ { \"field\": \"apicbase\", \"op\": \"present\" } ], \"cost\": \"fatal\", \"why\": \"no\", "
	      "\"do\": [ { \"require\": { \"field\": \"id\", \"op\": \"==\", \"value\": 77 }, \"cost\": \"fatal\", "
	      "\"why\": \"no such APIC\" } ] } ] }",
	      f);
	fclose(f);
	return path;
}

static void check_refusal(const struct refusal *refusal, struct pair *pair)
{
	struct proxy p = { .pid = -1 };
	char rules[128], *before, *said;
	int rc, status;

	rc = start_proxy(&p, refusal->move.net, pair->incoming, refusal->move.to, "--filter",
			 refusal->by_rule ? write_rules(rules, sizeof(rules)) : NULL);
	cr_assert(!rc, "the proxy does not listen");
	before = vm_serial(&pair->source);
	rc = vm_migrate(&pair->source, p.listen, refusal->capabilities);
	status = end_proxy(&p, &said);
	cr_expect(status == EXIT_REFUSED && said && strstr(said, refusal->says), "%s: the proxy ends with %d: %s", refusal->what,
		  status, said ? said : "");
	cr_expect(rc == !refusal->stays, "%s: migrate: %d %s", refusal->what, rc, pair->source.error);
	if (refusal->stays) {
		char reply[512] = "";

		cr_expect(strstr(said, "return-path on"), "%s: no warning: %s", refusal->what, said);
		cr_expect(!vm_qmp(&pair->source, "{\"execute\":\"query-status\"}", reply, sizeof(reply)) &&
				  strstr(reply, "postmigrate"),
			  "%s: %s", refusal->what, reply);
		cr_expect(!vm_qmp(&pair->source, "{\"execute\":\"cont\"}", NULL, 0), "%s", pair->source.error);
	}
	expect_source_goes_on(pair, &refusal->move, before, refusal->what);
	free(said);
	free(before);
}

static void expect_refused(const struct refusal *refusal)
{
	struct pair pair;
	char *serial;

	if (skipped(&refusal->move))
		return;
	if (start_pair(&pair, &refusal->move, refusal->words ? refusal->words : WORDS, refusal->cpu)) {
		cr_expect_fail("%s: %s", refusal->what, pair.why);
		stop_pair(&pair);
		return;
	}
	serial = vm_serial(&pair.source);
	if (refusal->cpu && !(serial && strstr(serial, "apic=x2apic")))
		cr_log_warn("skipped: this KVM does not give the guest an x2APIC");
	else
		check_refusal(refusal, &pair);
	free(serial);
	stop_pair(&pair);
}

Test(proxy_refused, a_refused_guest_runs_on_where_it_was)
{
	static const struct refusal refusals[] = {
		{ .what = "x2APIC mode for TCG 7.2",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false },
		  .capabilities = "events return-path",
		  .words = "x2apic " WORDS,
		  .cpu = "qemu64,+x2apic",
		  .says = "\"result\":\"refused\"" },
		{ .what = "a rule, from TCG",
		  .move = { VM_TCG, VM_KVM, VM_QEMU_7_2, NET_TCP, false },
		  .capabilities = "events return-path",
		  .by_rule = true,
		  .says = "no such APIC" },
		{ .what = "a rule, QEMU 10.0",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_TCP, false },
		  .capabilities = "events return-path",
		  .by_rule = true,
		  .says = "no such APIC" },
	};

	for (size_t i = 0; i < (full() ? 3 : 1); i++)
		expect_refused(&refusals[i]);
}

/* Nothing has been stopped by then: pages are not even looked at. */
Test(proxy_refused, what_cannot_go_through_is_refused_before_the_guest_stops)
{
	static const struct refusal refusals[] = {
		{ .what = "multifd",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false },
		  .capabilities = "events return-path multifd",
		  .says = "multifd off" },
		{ .what = "postcopy-ram",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false },
		  .capabilities = "events return-path postcopy-ram",
		  .says = "postcopy-ram off" },
		{ .what = "multifd, QEMU 10.0",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_TCP, false },
		  .capabilities = "events return-path multifd",
		  .says = "multifd off" },
		{ .what = "postcopy-ram, QEMU 10.0",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_TCP, false },
		  .capabilities = "events return-path postcopy-ram",
		  .says = "postcopy-ram off" },
	};

	for (size_t i = 0; i < (full() ? 4 : 2); i++)
		expect_refused(&refusals[i]);
}

/* docs/proxy.md: the refusal comes too late, the guest waits, and `cont` brings it back. */
Test(proxy_refused, without_a_return_path_the_guest_waits_to_be_continued)
{
	static const struct refusal refusals[] = {
		{ .what = "no return path",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false },
		  .capabilities = "events",
		  .by_rule = true,
		  .says = "no such APIC",
		  .stays = true },
		{ .what = "no return path, QEMU 10.0",
		  .move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_TCP, false },
		  .capabilities = "events",
		  .by_rule = true,
		  .says = "no such APIC",
		  .stays = true },
	};

	for (size_t i = 0; i < (full() ? 2 : 1); i++)
		expect_refused(&refusals[i]);
}

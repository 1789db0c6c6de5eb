/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Live migrations of a guest that runs and writes to its memory, through irqshift proxy: between KVM and TCG, over unix
 * sockets and TCP.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/qemu/proxied.h"

#define TRIES 3
#define ROUNDS_FULL 5
#define ADDED_MAX_MS 20.0

TestSuite(proxy, .init = proxied_setup, .fini = proxied_teardown, .timeout = 1800);

struct result {
	struct guest_verdict verdict;
	double downtime_ms; /* from STOP of the source to RESUME of the destination */
	long held_us;       /* by the proxy, of that */
	char why[640];      /* what went wrong, or "" */
};

static void judge(struct pair *pair, const struct move *move, struct result *r)
{
	const struct guest_limits limits = limits_for(move);
	char *before = vm_serial(&pair->source), *after;
	struct guest_log log;

	if (vm_wait_running(&pair->destination, 5000))
		snprintf(r->why, sizeof(r->why), "%s", pair->destination.error);
	else
		vm_wait_lines(&pair->destination, LINES_AFTER, WAIT_MS / 3);
	after = vm_serial(&pair->destination);
	guest_log_read(&log, before, after);
	guest_judge(&log, &limits, &r->verdict);
	if (!r->why[0] && !r->verdict.ok)
		snprintf(r->why, sizeof(r->why), "%s", r->verdict.why);
	r->downtime_ms = (double)(pair->destination.resumed_us - pair->source.stopped_us) / 1000;
	guest_log_free(&log);
	free(before);
	free(after);
}

static void run_move(const struct move *move, struct result *r)
{
	struct pair pair;
	struct proxy p = { .pid = -1 };
	char *said = NULL, *held;
	int rc;

	memset(r, 0, sizeof(*r));
	rc = start_pair(&pair, move, WORDS, NULL);
	if (rc)
		snprintf(r->why, sizeof(r->why), "%s", pair.why);
	if (!rc && !move->direct && (rc = start_proxy(&p, move->net, pair.incoming, move->to, NULL, NULL)))
		snprintf(r->why, sizeof(r->why), "the proxy does not listen");
	if (!rc) {
		rc = vm_migrate(&pair.source, move->direct ? pair.incoming : p.listen, "events return-path");
		if (rc)
			snprintf(r->why, sizeof(r->why), "the migration failed: %.500s", pair.source.error);
	}
	if (!rc)
		judge(&pair, move, r);
	if (p.pid > 0) {
		rc = end_proxy(&p, &said);
		held = said ? strstr(said, "\"held_us\":") : NULL;
		r->held_us = held ? atol(held + 10) : -1;
		if ((!r->why[0] || strstr(r->why, "migration failed")) &&
		    (rc || !said || !strstr(said, "\"confirmed\":true")))
			snprintf(r->why, sizeof(r->why), "the proxy ends with %d: %.300s; %.200s", rc, said ? said : "",
				 pair.source.error);
	}
	free(said);
	stop_pair(&pair);
}

static void describe(const struct move *move, char *buf, size_t size)
{
	snprintf(buf, size, "%s -> %s on %s, %s%s", vm_kind_name(move->from), vm_kind_name(move->to),
		 vm_release_name(move->release), move->net == NET_UNIX ? "unix" : "tcp", move->direct ? ", without the proxy" : "");
}

static void print_result(const struct move *move, const struct result *r)
{
	char name[96];

	describe(move, name, sizeof(name));
	printf("  %-40s %s; downtime %.1f ms, %ld us held; runs: lapic %u oneshot %u pit %u rtc %u level %u\n", name,
	       r->why[0] ? r->why : "goes on", r->downtime_ms, r->held_us, r->verdict.ticks[GUEST_LAPIC],
	       r->verdict.ticks[GUEST_ONESHOT], r->verdict.ticks[GUEST_PIT], r->verdict.ticks[GUEST_RTC],
	       r->verdict.ticks[GUEST_LEVEL]);
	fflush(stdout);
}

/* What is about time only: a machine that is busy takes it from any guest. Pages, lines and counts have no such excuse. */
static bool is_late(const struct result *r)
{
	static const char *const late[] = { "times after the move", "errors after the move", "the clock goes", "is dead" };

	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (strstr(r->why, late[i]))
			return true;
	return false;
}

static const struct move direct = { VM_KVM, VM_KVM, VM_QEMU_7_2, NET_UNIX, true };

/* Whether QEMU's own migration, without a proxy, is too much for this machine as well. */
static bool is_too_busy(void)
{
	struct result r;

	run_move(&direct, &r);
	print_result(&direct, &r);
	return is_late(&r);
}

static double expect_alive(const struct move *move)
{
	struct result r = { .why = "" };
	char name[96];
	bool busy = false;

	describe(move, name, sizeof(name));
	for (unsigned int try = 0; try < TRIES && (try == 0 || r.why[0]); try++) {
		run_move(move, &r);
		print_result(move, &r);
		cr_expect(!r.why[0] || is_late(&r), "%s: %s", name, r.why);
	}
	if (r.why[0] && is_late(&r))
		busy = is_too_busy();
	if (busy)
		cr_log_warn("%s: the machine is too busy to judge timers", name);
	cr_expect(!r.why[0] || busy, "%s: %s", name, r.why);
	return r.downtime_ms;
}

/* The downtime of QEMU alone; how its guest fares is not asked. */
static double direct_downtime(void)
{
	struct result r;

	run_move(&direct, &r);
	print_result(&direct, &r);
	return r.downtime_ms;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

#define WAYS 4

static const struct move moves[WAYS] = {
	{ VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false },
	{ VM_TCG, VM_KVM, VM_QEMU_7_2, NET_TCP, false },
	{ VM_KVM, VM_TCG, VM_QEMU_7_2, NET_TCP, false },
	{ VM_TCG, VM_KVM, VM_QEMU_7_2, NET_UNIX, false },
};

/* Twenty moves in full, two otherwise; beside them the same number of QEMU's own from KVM to KVM. */
Test(proxy, a_guest_goes_on_under_the_other_kind)
{
	double with[WAYS * ROUNDS_FULL], without[WAYS * ROUNDS_FULL], added;
	size_t rounds = full() ? ROUNDS_FULL : 1, n = 0;

	for (size_t round = 0; round < rounds; round++)
		for (size_t way = 0; way < (full() ? WAYS : 2); way++) {
			struct move move = moves[way];

			if (skipped(&move))
				return;
			with[n] = expect_alive(&move);
			without[n++] = direct_downtime();
		}
	added = median(with, n) - median(without, n);
	printf("proxy: %zu moves; downtime: median %.1f ms through the proxy, %.1f ms by QEMU alone from kvm to kvm: %+.1f ms\n", n,
	       median(with, n), median(without, n), added);
	fflush(stdout);
	if (full())
		cr_expect(added < ADDED_MAX_MS, "%.1f ms more", added);
}

Test(proxy, a_newer_qemu_is_no_different)
{
	struct move move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_UNIX, false };

	if (skipped(&move))
		return;
	expect_alive(&move);
	if (!full())
		return;
	move = (struct move){ VM_TCG, VM_KVM, VM_QEMU_10_0, NET_TCP, false };
	expect_alive(&move);
}

/* The other capabilities that change the stream pass. */
Test(proxy, xbzrle_and_the_switchover_acknowledgement_pass)
{
	struct move move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_UNIX, false };
	struct result r = { .why = "" };
	struct proxy p;
	struct pair pair;
	char *said;
	int rc;

	if (skipped(&move))
		return;
	rc = start_pair(&pair, &move, WORDS, NULL);
	cr_expect(!rc, "%s", pair.why);
	if (!rc)
		rc = vm_qmp(&pair.destination,
			    "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
			    "{\"capability\":\"return-path\",\"state\":true},{\"capability\":\"xbzrle\",\"state\":true},"
			    "{\"capability\":\"switchover-ack\",\"state\":true}]}}",
			    NULL, 0);
	cr_expect(!rc, "%s", pair.destination.error);
	if (!rc) {
		rc = start_proxy(&p, move.net, pair.incoming, move.to, NULL, NULL);
		cr_expect(!rc, "the proxy does not listen");
	}
	if (!rc) {
		cr_expect(!vm_migrate(&pair.source, p.listen, "events return-path xbzrle switchover-ack"), "%s",
			  pair.source.error);
		judge(&pair, &move, &r);
		cr_expect(!strstr(r.why, "page_lost") && r.verdict.ticks[GUEST_PIT], "%s", r.why);
		cr_expect(!end_proxy(&p, &said) && strstr(said, "\"confirmed\":true"), "%s", said);
		free(said);
	}
	stop_pair(&pair);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's kvm-clock on its way through irqshift proxy: the page arrives repaired in the memory of the QEMU that took it, and the time
 * that the guest computes from it goes on where it was, at the rate that the target was said to have.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/qemu/process.h"
#include "tests/qemu/proxied.h"

#define TARGET_KHZ UINT64_C(5600000)
#define STEP_MAX_US 3000000

TestSuite(proxy_clock, .init = proxied_setup, .fini = proxied_teardown, .timeout = 300);

/* A line of the guest: the PM timer's clock, and KVM's. */
struct line {
	uint64_t time, kvm;
};

/* The first and the last line that are whole. Return: how many there are with both clocks. */
static unsigned int read_lines(const char *log, struct line *ret_first, struct line *ret_last)
{
	unsigned int n = 0;

	for (const char *p = log, *end; (end = strchr(p, '\n')); p = end + 1) {
		const char *time = memmem(p, (size_t)(end - p), "t=", 2), *kvm = memmem(p, (size_t)(end - p), " kvm=", 5);

		if (time != p || !kvm)
			continue;
		*ret_last = (struct line){ strtoull(time + 2, NULL, 10), strtoull(kvm + 5, NULL, 10) };
		if (!n++)
			*ret_first = *ret_last;
	}
	return n;
}

static bool has_all(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strstr(text, *words))
			return false;
	return true;
}

/* The rate that the report says the page had. */
static uint64_t old_rate(const char *said)
{
	const char *entry = strstr(said, "cpu[0].pvclock: ");

	return entry ? strtoull(entry + strlen("cpu[0].pvclock: "), NULL, 10) : 0;
}

/* Both clocks are true under KVM. Under TCG the TSC has the rate of the same host, and the page that of another. */
static void check_clock(struct pair *pair, const char *before, double rate)
{
	char *after = vm_serial(&pair->destination);
	struct line first, last, other;
	double seen;

	cr_assert(read_lines(before, &other, &last) > 1, "%s", before);
	seen = (double)(last.kvm - other.kvm) / (double)(last.time - other.time);
	cr_expect(seen > 0.9 && seen < 1.1, "%.3f of the clock's time before the move", seen);
	cr_assert(after && read_lines(after, &first, &other) > 1, "%s", after ? after : "");
	cr_expect(first.kvm >= last.kvm && first.kvm < last.kvm + STEP_MAX_US, "from %" PRIu64 " to %" PRIu64 " us", last.kvm, first.kvm);
	seen = (double)(other.kvm - first.kvm) / (double)(other.time - first.time);
	printf("  kvm-clock: %" PRIu64 " us, then %" PRIu64 " us; %.3f of the clock's time, %.3f are due\n", last.kvm, first.kvm, seen, rate);
	cr_expect(seen > rate * 0.97 && seen < rate * 1.03, "%.3f of the clock's time, %.3f are due", seen, rate);
	free(after);
}

static void check_move(struct pair *pair, const struct move *move, const char *capabilities)
{
	const char *const words[] = { "\"confirmed\":true", "kHz -> 5600000 kHz", NULL };
	struct proxy p = { .pid = -1 };
	char *said = NULL, *before;
	uint64_t was;
	int rc = start_proxy(&p, move->net, pair->incoming, move->to, "--tsc-khz", "5600000");

	cr_assert(!rc, "the proxy does not listen");
	rc = vm_migrate(&pair->source, p.listen, capabilities);
	cr_expect(!rc, "%s", pair->source.error);
	before = vm_serial(&pair->source);
	rc = end_proxy(&p, &said);
	cr_assert(!rc && said && has_all(said, words), "the proxy ends with %d: %s", rc, said ? said : "");
	was = old_rate(said);
	cr_expect(was > 62000, "%" PRIu64 " kHz before", was);
	cr_assert(!vm_wait_running(&pair->destination, 5000), "%s", pair->destination.error);
	cr_expect(!vm_wait_lines(&pair->destination, LINES_AFTER, WAIT_MS), "the guest does not go on");
	check_clock(pair, before, (double)was / (double)TARGET_KHZ);
	free(before);
	free(said);
}

static bool has_clock(struct pair *pair)
{
	char *log = vm_serial(&pair->source);
	bool has = log && strstr(log, " kvm=");

	if (!has)
		cr_log_warn("skipped: this KVM gives the guest no clock");
	free(log);
	return has;
}

static void expect_repaired(const struct move *move, const char *capabilities, const char *destination)
{
	struct pair pair;

	if (skipped(move))
		return;
	cr_expect(!start_pair(&pair, move, "kvmclock " WORDS, NULL), "%s", pair.why);
	if (!pair.why[0] && destination)
		cr_expect(!vm_qmp(&pair.destination, destination, NULL, 0), "%s", pair.destination.error);
	if (!pair.why[0] && has_clock(&pair))
		check_move(&pair, move, capabilities);
	stop_pair(&pair);
}

Test(proxy_clock, the_page_arrives_with_the_scale_of_the_target)
{
	static const struct move move = { VM_KVM, VM_TCG, VM_QEMU_7_2, NET_UNIX, false };

	expect_repaired(&move, "events return-path", NULL);
}

/* Pages that come again come as differences. */
Test(proxy_clock, so_it_does_in_a_newer_qemu_with_xbzrle)
{
	static const struct move move = { VM_KVM, VM_TCG, VM_QEMU_10_0, NET_TCP, false };

	expect_repaired(&move, "events return-path xbzrle",
			"{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
			"{\"capability\":\"return-path\",\"state\":true},{\"capability\":\"xbzrle\",\"state\":true}]}}");
}

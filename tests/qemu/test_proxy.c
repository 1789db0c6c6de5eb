/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Live migrations of a guest that runs and writes to its memory, through irqshift proxy: between KVM and TCG, over unix
 * sockets and TCP; and those that are refused, after which the guest runs on where it was.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/qemu/guest_log.h"
#include "tests/qemu/process.h"
#include "tests/qemu/vm.h"

/* Slow enough for a machine that runs two QEMUs beside whatever else it does, and patient with gaps. */
#define WORDS "route=pic dirty=256 lapic_us=60000 oneshot_us=50000 pit_us=50000 lost=1000"
/* What such a machine may take away: runs of a timer, not a count, a page or a line. */
#define LOST_TICKS 12
#define STEP_US 2000000
#define LINES_BEFORE 8
#define LINES_AFTER 14
#define WAIT_MS 12000
#define TRIES 3
#define ROUNDS_FULL 5
#define ADDED_MAX_MS 20.0
#define EXIT_REFUSED 3

static char folder[96];

static bool full(void)
{
	const char *value = getenv("IRQSHIFT_FULL");

	return value && *value && strcmp(value, "0");
}

static const char *irqshift(void)
{
	const char *value = getenv("IRQSHIFT");

	return value && *value ? value : "build/irqshift";
}

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/irqshift-proxy-XXXXXX", base && *base ? base : P_tmpdir);
	cr_assert(mkdtemp(folder), "%s", folder);
}

static void teardown(void)
{
	static const char *const names[] = { "in", "proxy", "said", "rules.json" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	cr_expect(!rmdir(folder), "something is left in the folder");
}

TestSuite(proxy, .init = setup, .fini = teardown, .timeout = 1800);

/* ---- who stands between ---- */

enum net { NET_UNIX,
	   NET_TCP };

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(!bind(fd, (struct sockaddr *)&a, len) && !getsockname(fd, (struct sockaddr *)&a, &len));
	close(fd);
	return ntohs(a.sin_port);
}

static void address(enum net net, const char *name, char *buf, size_t size)
{
	if (net == NET_UNIX)
		snprintf(buf, size, "unix:%s/%s", folder, name);
	else
		snprintf(buf, size, "tcp:127.0.0.1:%d", free_port());
}

struct proxy {
	pid_t pid;
	char listen[128], said[128];
};

static int start_proxy(struct proxy *p, enum net net, const char *connect, enum vm_kind to, const char *rules)
{
	const char *argv[20] = { irqshift(), "proxy", "--listen", p->listen, "--connect", connect, "--to", vm_kind_name(to),
				 "--json", "--once", NULL };

	if (rules) {
		argv[10] = "--filter";
		argv[11] = rules;
	}
	address(net, "proxy", p->listen, sizeof(p->listen));
	snprintf(p->said, sizeof(p->said), "%s/said", folder);
	unlink(p->said);
	p->pid = process_start(argv, 60, p->said);
	for (unsigned int waited = 0; p->pid > 0 && waited < 5000; waited += 20) {
		char *text = read_text(p->said);
		bool listens = text && strstr(text, "listening");

		free(text);
		if (listens)
			return 0;
		sleep_ms(20);
	}
	return -1;
}

/* Return: its exit status; @said gets what it printed, for free(). */
static int end_proxy(struct proxy *p, char **said)
{
	int status = process_wait(p->pid, 15000);

	if (status < 0)
		process_end(p->pid);
	*said = read_text(p->said);
	return status;
}

/* ---- moves ---- */

struct move {
	enum vm_kind from, to;
	enum vm_release release;
	enum net net;
	bool direct; /* without a proxy */
};

struct result {
	struct guest_verdict verdict;
	double downtime_ms; /* from STOP of the source to RESUME of the destination */
	long held_us;       /* by the proxy, of that */
	char why[640];      /* what went wrong, or "" */
};

/* The two of a move, the source running for a while. */
struct pair {
	struct vm source, destination;
	char incoming[128];
	char why[640];
};

static int start_pair(struct pair *pair, const struct move *move, const char *words, const char *cpu)
{
	struct vm_config config = { .release = move->release, .kind = move->from, .append = words, .cpu = cpu, .limit_s = 60 };
	int rc;

	memset(pair, 0, sizeof(*pair));
	pair->destination = (struct vm){ .pid = -1, .monitor = -1, .turn = -1 };
	address(move->net, "in", pair->incoming, sizeof(pair->incoming));
	rc = vm_start(&pair->source, &config);
	if (!rc)
		rc = vm_wait_lines(&pair->source, LINES_BEFORE, WAIT_MS);
	snprintf(pair->why, sizeof(pair->why), "%s", pair->source.error);
	if (rc)
		return rc;
	config.kind = move->to;
	config.listen = pair->incoming;
	config.beside = true;
	rc = vm_start(&pair->destination, &config);
	snprintf(pair->why, sizeof(pair->why), "%s", pair->destination.error);
	return rc;
}

static void stop_pair(struct pair *pair)
{
	vm_stop(&pair->destination);
	vm_stop(&pair->source);
}

static struct guest_limits limits_for(const struct move *move)
{
	struct guest_limits limits = guest_limits_default;

	/* QEMU gives KVM no current count, nor takes it: a one-shot timer that was running fires at once. */
	limits.ticks = LOST_TICKS;
	limits.step_us = STEP_US;
	limits.early_oneshots = move->from == VM_KVM || move->to == VM_KVM;
	return limits;
}

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
	if (!rc && !move->direct && (rc = start_proxy(&p, move->net, pair.incoming, move->to, NULL)))
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

static bool skipped(const struct move *move)
{
	const char *why;

	if (vm_can(move->release, move->from, &why) && vm_can(move->release, move->to, &why))
		return false;
	cr_log_warn("skipped: %s", why);
	return true;
}

static void describe(const struct move *move, char *buf, size_t size)
{
	snprintf(buf, size, "%s -> %s on %s, %s%s", vm_kind_name(move->from), vm_kind_name(move->to),
		 vm_release_name(move->release), move->net == NET_UNIX ? "unix" : "tcp", move->direct ? ", without the proxy" : "");
}

/*
 * A busy machine makes a KVM guest lose ticks: it is looked at again, and what is wrong shows again. Pages, lines and the
 * proxy itself have no such excuse.
 */
static double expect_alive(const struct move *move)
{
	struct result r = { .why = "" };
	char name[96];

	describe(move, name, sizeof(name));
	for (unsigned int try = 0; try < TRIES && (try == 0 || r.why[0]); try++) {
		run_move(move, &r);
		printf("  %-40s %s; downtime %.1f ms, %ld us held; runs: lapic %u oneshot %u pit %u rtc %u level %u\n", name,
		       r.why[0] ? r.why : "goes on", r.downtime_ms, r.held_us, r.verdict.ticks[GUEST_LAPIC],
		       r.verdict.ticks[GUEST_ONESHOT], r.verdict.ticks[GUEST_PIT], r.verdict.ticks[GUEST_RTC],
		       r.verdict.ticks[GUEST_LEVEL]);
		fflush(stdout);
		cr_expect(!strstr(r.why, "page_lost") && !strstr(r.why, "the proxy"), "%s: %s", name, r.why);
	}
	cr_expect(!r.why[0], "%s: %s", name, r.why);
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

static const struct move direct = { VM_KVM, VM_KVM, VM_QEMU_7_2, NET_UNIX, true };

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
			without[n++] = expect_alive(&direct);
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

/* ---- refusals ---- */

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

	snprintf(path, size, "%s/rules.json", folder);
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

	rc = start_proxy(&p, refusal->move.net, pair->incoming, refusal->move.to,
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

Test(proxy, a_refused_guest_runs_on_where_it_was)
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
Test(proxy, what_cannot_go_through_is_refused_before_the_guest_stops)
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
Test(proxy, without_a_return_path_the_guest_waits_to_be_continued)
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
		rc = start_proxy(&p, move.net, pair.incoming, move.to, NULL);
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

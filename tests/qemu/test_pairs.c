/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every ordered pair of kinds of host: save a running guest, convert its stream, and watch it go on. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/qemu/guest_log.h"
#include "tests/qemu/process.h"
#include "tests/qemu/vm.h"

#define LINES_BEFORE 6
#define LINES_BEFORE_FULL 10
#define LINES_AFTER 14
#define LINES_WITH_SIPI 18
#define WAIT_MS 12000
#define TRIES 3
#define CONVERT_LIMIT_S 30
#define EXIT_REFUSED 3
#define TSC_JUMP_US 50000

/* A machine and how its guest gets PIT and RTC. */
struct shape {
	const char *machine, *route;
	unsigned int cpus;
};

static const struct shape shapes[] = {
	{ "pc-i440fx-7.2", "pic", 1 },
	{ "pc-q35-7.2", "ioapic", 4 },
	{ "pc-i440fx-7.2", "ioapic", 4 },
	{ "pc-q35-7.2", "pic", 1 },
	{ "pc-i440fx-7.2", "pic", 4 },
	{ "pc-q35-7.2", "ioapic", 1 },
	{ "pc-i440fx-7.2", "ioapic", 1 },
	{ "pc-q35-7.2", "pic", 4 },
};

static const struct shape two_cpus = { "pc-i440fx-7.2", "pic", 2 };

#define SHAPES (sizeof(shapes) / sizeof(*shapes))

struct road {
	enum vm_release from, to;
};

static const struct road roads[] = {
	{ VM_QEMU_7_2, VM_QEMU_7_2 },
	{ VM_QEMU_10_0, VM_QEMU_10_0 },
	{ VM_QEMU_7_2, VM_QEMU_10_0 },
};

#define ROADS (sizeof(roads) / sizeof(*roads))

/* One saved guest, the source of up to three moves. */
struct source {
	enum vm_release release;
	enum vm_kind kind;
	const struct shape *shape;
	char stream[64];
	char *serial;
	bool tsc_follows_vm;
};

enum outcome { NOT_RUN,
	       ALIVE,
	       LOST,
	       REFUSED };

struct cell {
	enum outcome outcome;
	uint32_t pit_ticks; /* the fewest of all shapes */
};

static struct cell table[ROADS][VM_KINDS][VM_KINDS];
static unsigned int cases_run, cases_all, cases_alive, cases_again, cases_anew;
static bool kvm_tsc_follows_vm;

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

static bool irqshift_missing(void)
{
	if (!access(irqshift(), X_OK))
		return false;
	cr_log_warn("skipped: there is no %s", irqshift());
	return true;
}

static void temporary_path(char *path, size_t size)
{
	const char *base = getenv("TMPDIR");
	int fd;

	snprintf(path, size, "%s/irqshift-pair-XXXXXX", base && *base ? base : P_tmpdir);
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
}

/*
 * An AP that was started by SIPI under QEMU 7.2.22's kernel-irqchip=off must not halt: the SIPI stays pending, and QEMU
 * turns round in its wait for ever. It may once it has moved away, which is long before the third second.
 */
static void guest_words(char *words, size_t size, enum vm_kind kind, const struct shape *shape)
{
	snprintf(words, size, "route=%s%s", shape->route, kind == VM_KVM_OFF && shape->cpus > 1 ? " spin=3" : "");
}

static int save_source(struct source *source, const char *words, const char *cpu, char *error, size_t size)
{
	const struct vm_config config = { .release = source->release, .kind = source->kind, .cpu = cpu, .machine = source->shape->machine, .cpus = source->shape->cpus, .append = words };
	struct guest_log log;
	struct vm vm;
	int rc;

	temporary_path(source->stream, sizeof(source->stream));
	rc = vm_start(&vm, &config);
	if (!rc)
		rc = vm_wait_lines(&vm, full() ? LINES_BEFORE_FULL : LINES_BEFORE, WAIT_MS);
	if (!rc)
		rc = vm_save(&vm, source->stream);
	source->serial = vm_serial(&vm);
	guest_log_read(&log, source->serial, NULL);
	source->tsc_follows_vm = guest_log_tsc_follows_vm(&log);
	guest_log_free(&log);
	snprintf(error, size, "%s", vm.error);
	vm_stop(&vm);
	return rc;
}

static void drop_source(struct source *source)
{
	unlink(source->stream);
	free(source->serial);
	source->serial = NULL;
}

/* Return: irqshift's exit status; @said is what it printed. */
static int convert(const struct source *source, enum vm_kind to, enum vm_release release, const char *out, char *said,
		   size_t size)
{
	char target[32], report[64], output[64], *text;
	const char *const argv[] = { irqshift(), "convert", "--from", vm_kind_name(source->kind), "--to", target,
				     "--report", report, "-o", out, source->stream, NULL };
	int rc;

	snprintf(target, sizeof(target), "%s@qemu-%s", vm_kind_name(to), vm_release_name(release));
	temporary_path(report, sizeof(report));
	temporary_path(output, sizeof(output));
	rc = process_run(argv, CONVERT_LIMIT_S, output);
	text = read_text(output);
	snprintf(said, size, "%s", text ? text : "");
	free(text);
	unlink(output);
	unlink(report);
	return rc;
}

static bool kernel_lapic(enum vm_kind kind)
{
	return kind == VM_KVM || kind == VM_KVM_SPLIT;
}

static struct guest_limits limits_for(const struct source *source, enum vm_kind to)
{
	struct guest_limits limits = guest_limits_default;

	/* QEMU gives KVM no current count, nor takes it: a one-shot timer that was running fires at once. */
	limits.early_oneshots = kernel_lapic(source->kind) || kernel_lapic(to);
	/* A KVM that shows the guest the host's TSC cannot be made to continue another one. */
	if (to == VM_TCG || (source->tsc_follows_vm && kvm_tsc_follows_vm))
		limits.tsc_us = TSC_JUMP_US;
	return limits;
}

static int resume(const struct source *source, enum vm_kind to, enum vm_release release, const char *stream,
		  struct guest_verdict *verdict, char *error, size_t size)
{
	const struct vm_config config = { .release = release, .kind = to, .machine = source->shape->machine, .cpus = source->shape->cpus, .incoming = stream };
	const struct guest_limits limits = limits_for(source, to);
	struct guest_log log;
	struct vm vm;
	char *after;
	int rc = vm_start(&vm, &config);

	if (!rc)
		vm_wait_lines(&vm, LINES_AFTER, WAIT_MS / 3);
	after = vm_serial(&vm);
	guest_log_read(&log, source->serial, after);
	guest_judge(&log, &limits, verdict);
	guest_log_free(&log);
	free(after);
	snprintf(error, size, "%s", vm.error);
	vm_stop(&vm);
	return rc;
}

static void print_case(const struct source *source, enum vm_kind to, enum vm_release release, const char *result)
{
	printf("  %-9s %-4s -> %-9s %-4s %-13s %u vCPU %-6s  %s\n", vm_kind_name(source->kind),
	       vm_release_name(source->release), vm_kind_name(to), vm_release_name(release), source->shape->machine,
	       source->shape->cpus, source->shape->route, result);
	fflush(stdout);
}

static void note(struct cell *cell, enum outcome outcome, uint32_t pit_ticks)
{
	if (cell->outcome == NOT_RUN || pit_ticks < cell->pit_ticks)
		cell->pit_ticks = pit_ticks;
	if (outcome > cell->outcome)
		cell->outcome = outcome;
}

/* Convert and resume; @what takes the result as one line. */
static enum outcome try_move(const struct source *source, enum vm_kind to, enum vm_release release,
			     struct guest_verdict *verdict, char *what, size_t size)
{
	char out[64], said[512];
	enum outcome outcome;
	int rc;

	memset(verdict, 0, sizeof(*verdict));
	temporary_path(out, sizeof(out));
	rc = convert(source, to, release, out, said, sizeof(said));
	if (rc) {
		snprintf(what, size, "convert ends with %d: %.400s", rc, said);
		outcome = REFUSED;
	} else if (resume(source, to, release, out, verdict, said, sizeof(said))) {
		snprintf(what, size, "QEMU refuses it: %.400s", said);
		outcome = REFUSED;
	} else {
		snprintf(what, size,
			 "%s; runs: lapic %u oneshot %u pit %u rtc %u level %u; clock step %llu us, tsc jump %lld us",
			 verdict->ok ? "goes on" : verdict->why, verdict->ticks[GUEST_LAPIC],
			 verdict->ticks[GUEST_ONESHOT], verdict->ticks[GUEST_PIT], verdict->ticks[GUEST_RTC],
			 verdict->ticks[GUEST_LEVEL], (unsigned long long)verdict->step_us,
			 (long long)verdict->tsc_jump_us);
		outcome = verdict->ok ? ALIVE : LOST;
	}
	unlink(out);
	return outcome;
}

static enum outcome look_again(const struct source *source, size_t road, enum vm_kind to, struct guest_verdict *verdict,
			       char *what, size_t size)
{
	enum outcome outcome = LOST;

	for (unsigned int try = 0; try < TRIES && outcome == LOST; try++) {
		outcome = try_move(source, to, roads[road].to, verdict, what, size);
		print_case(source, to, roads[road].to, what);
		cases_again += try;
	}
	return outcome;
}

/*
 * A busy machine makes a KVM guest lose ticks, so a guest that lost some is looked at again, from the same stream; and
 * once more from a new one, as the guest that was saved may have been late itself. What the conversion does wrong shows again.
 */
static void run_case(struct source *source, const char *words, size_t road, enum vm_kind to)
{
	struct guest_verdict verdict;
	char what[768];
	enum outcome outcome = look_again(source, road, to, &verdict, what, sizeof(what));

	if (outcome == LOST) {
		cases_anew++;
		drop_source(source);
		if (!save_source(source, words, NULL, what, sizeof(what)))
			outcome = look_again(source, road, to, &verdict, what, sizeof(what));
	}
	cases_run++;
	cases_alive += outcome == ALIVE;
	note(&table[road][source->kind][to], outcome, verdict.ticks[GUEST_PIT]);
	cr_expect_eq(outcome, ALIVE, "%s to %s on %s, %u vCPUs, route=%s: %s", vm_kind_name(source->kind),
		     vm_kind_name(to), source->shape->machine, source->shape->cpus, source->shape->route, what);
}

/* Every pair once on 7.2, each source in a shape of its own; on the other roads one source each. */
static bool in_reduced_set(size_t road, enum vm_kind from, enum vm_kind to, size_t shape)
{
	if (road == 0)
		return shape == (size_t)from;
	if (road == 1)
		return from == VM_KVM && shape == 0;
	return from == VM_KVM && to == VM_TCG && shape == 1;
}

static bool wanted(size_t road, enum vm_kind from, enum vm_kind to, size_t shape)
{
	const char *why;

	if (from == to || (roads[road].to == VM_QEMU_10_0 && to == VM_KVM_OFF) ||
	    (roads[road].from == VM_QEMU_10_0 && from == VM_KVM_OFF))
		return false;
	cases_all++;
	return vm_can(roads[road].from, from, &why) && vm_can(roads[road].to, to, &why) &&
	       (full() || in_reduced_set(road, from, to, shape));
}

static void run_source(size_t road, enum vm_kind from, size_t shape)
{
	struct source source = { .release = roads[road].from, .kind = from, .shape = &shapes[shape] };
	bool to_run[VM_KINDS], any = false;
	char words[64], error[512];

	for (size_t to = 0; to < VM_KINDS; to++)
		any |= to_run[to] = wanted(road, from, (enum vm_kind)to, shape);
	if (!any)
		return;
	guest_words(words, sizeof(words), from, source.shape);
	if (save_source(&source, words, NULL, error, sizeof(error)))
		cr_expect_fail("no stream from %s on %s, %u vCPUs: %s", vm_kind_name(from), source.shape->machine,
			       source.shape->cpus, error);
	else
		for (size_t to = 0; to < VM_KINDS; to++)
			if (to_run[to])
				run_case(&source, words, road, (enum vm_kind)to);
	kvm_tsc_follows_vm |= from != VM_TCG && source.tsc_follows_vm;
	drop_source(&source);
}

static void print_cell(const struct cell *cell, bool diagonal)
{
	char text[24];

	if (diagonal || cell->outcome == NOT_RUN)
		snprintf(text, sizeof(text), "-");
	else if (cell->outcome == REFUSED)
		snprintf(text, sizeof(text), "refused");
	else
		snprintf(text, sizeof(text), "%u%s", cell->pit_ticks, cell->outcome == LOST ? " LOST" : "");
	printf(" %-10s |", text);
}

/* The least number of PIT ticks seen after the move, in about two seconds at 25 Hz. */
static void print_table(size_t road)
{
	printf("\nPIT ticks after the move, QEMU %s to %s\n| %-12s |", vm_release_name(roads[road].from),
	       vm_release_name(roads[road].to), "from \\ to");
	for (size_t to = 0; to < VM_KINDS; to++)
		printf(" %-10s |", vm_kind_name((enum vm_kind)to));
	for (size_t from = 0; from < VM_KINDS; from++) {
		printf("\n| %-12s |", vm_kind_name((enum vm_kind)from));
		for (size_t to = 0; to < VM_KINDS; to++)
			print_cell(&table[road][from][to], from == to);
	}
	printf("\n");
	fflush(stdout);
}

static void print_what_is_missing(void)
{
	for (size_t release = 0; release < VM_RELEASES; release++)
		for (size_t kind = 0; kind < VM_KINDS; kind++) {
			const char *why;

			if (!vm_can((enum vm_release)release, (enum vm_kind)kind, &why))
				printf("  no %s on QEMU %s: %s\n", vm_kind_name((enum vm_kind)kind),
				       vm_release_name((enum vm_release)release), why);
		}
}

Test(pairs, a_guest_goes_on_under_every_other_kind, .timeout = 3600)
{
	if (irqshift_missing())
		cr_skip_test("there is no irqshift to convert with");
	print_what_is_missing();
	for (size_t road = 0; road < ROADS; road++)
		for (size_t shape = 0; shape < SHAPES; shape++)
			for (size_t from = 0; from < VM_KINDS; from++)
				run_source(road, (enum vm_kind)from, shape);
	for (size_t road = 0; road < ROADS; road++)
		print_table(road);
	printf("pairs: %u of %u cases ran, %u guests went on, %u looks were second or third ones, %u cases had a new stream\n",
	       cases_run, cases_all, cases_alive, cases_again, cases_anew);
	fflush(stdout);
}

static const char *watch_ap_start(const struct source *source, enum vm_kind to, const char *stream)
{
	static char said[640];
	const struct vm_config config = { .kind = to,
					  .machine = source->shape->machine,
					  .cpus = source->shape->cpus,
					  .incoming = stream };
	struct guest_log log;
	struct vm vm;
	char *after;

	said[0] = '\0';
	if (!vm_start(&vm, &config))
		vm_wait_lines(&vm, LINES_WITH_SIPI, WAIT_MS);
	after = vm_serial(&vm);
	guest_log_read(&log, source->serial, after);
	if (!log.moved_at || log.n == log.moved_at)
		snprintf(said, sizeof(said), "no lines: %s", vm.error);
	else if (log.lines[log.moved_at - 1].ap)
		snprintf(said, sizeof(said), "it ran before the move");
	else if (log.lines[log.n - 1].ap != 1 || !strncmp(log.lines[log.n - 1].last_error, "ap_", 3))
		snprintf(said, sizeof(said), "%u APs run after %llu us, last error %s", log.lines[log.n - 1].ap,
			 (unsigned long long)log.lines[log.n - 1].t_us, log.lines[log.n - 1].last_error);
	guest_log_free(&log);
	free(after);
	vm_stop(&vm);
	return said;
}

/* The last AP has had its INIT and gets its SIPI about two seconds after the move; it must not run before. */
static void expect_ap_starts_late(enum vm_kind from, enum vm_kind to)
{
	struct source source = { .release = VM_QEMU_7_2, .kind = from, .shape = &two_cpus };
	char out[64], said[640];
	const char *why;

	if (!vm_can(source.release, from, &why) || !vm_can(source.release, to, &why)) {
		cr_log_warn("skipped: %s", why);
		return;
	}
	temporary_path(out, sizeof(out));
	if (!save_source(&source, "route=pic spin=30 sipi=3", NULL, said, sizeof(said)) &&
	    !convert(&source, to, source.release, out, said, sizeof(said)))
		snprintf(said, sizeof(said), "%s", watch_ap_start(&source, to, out));
	else if (!said[0])
		snprintf(said, sizeof(said), "convert failed");
	cr_expect_str_empty(said, "%s to %s: %s", vm_kind_name(from), vm_kind_name(to), said);
	unlink(out);
	drop_source(&source);
}

Test(pairs, an_ap_that_waits_for_its_sipi_starts_after_the_move, .timeout = 300)
{
	if (irqshift_missing())
		cr_skip_test("there is no irqshift to convert with");
	expect_ap_starts_late(VM_KVM, VM_TCG);
	expect_ap_starts_late(VM_TCG, VM_KVM);
	if (!full())
		return;
	expect_ap_starts_late(VM_KVM_SPLIT, VM_TCG);
	expect_ap_starts_late(VM_TCG, VM_KVM_SPLIT);
	expect_ap_starts_late(VM_KVM, VM_KVM_OFF);
	expect_ap_starts_late(VM_KVM_OFF, VM_KVM);
}

/* A guest whose state the target cannot hold. */
struct refusal {
	enum vm_release release;
	enum vm_kind to;
};

static void expect_refused(const struct source *source, const struct refusal *refusal)
{
	char out[64], said[512];
	int rc;

	temporary_path(out, sizeof(out));
	unlink(out);
	rc = convert(source, refusal->to, refusal->release, out, said, sizeof(said));
	print_case(source, refusal->to, refusal->release, rc == EXIT_REFUSED ? "refused" : "NOT REFUSED");
	cr_expect_eq(rc, EXIT_REFUSED, "to %s@qemu-%s: exit %d: %s", vm_kind_name(refusal->to),
		     vm_release_name(refusal->release), rc, said);
	cr_expect(access(out, F_OK), "a refused conversion left %s behind", out);
	unlink(out);
}

static void expect_all_refused(const char *words, const char *cpu, const char *in_header, const struct refusal *refusals,
			       size_t n)
{
	struct source source = { .release = VM_QEMU_7_2, .kind = VM_KVM, .shape = &shapes[0] };
	const char *why;
	char error[512];

	if (irqshift_missing())
		cr_skip_test("there is no irqshift to convert with");
	if (!vm_can(source.release, source.kind, &why))
		cr_skip_test("%s", why);
	if (save_source(&source, words, cpu, error, sizeof(error)))
		cr_expect_fail("no stream: %s", error);
	else if (!strstr(source.serial, in_header))
		cr_log_warn("skipped: this KVM does not give the guest %s", in_header);
	else
		for (size_t i = 0; i < n; i++)
			expect_refused(&source, &refusals[i]);
	drop_source(&source);
}

Test(pairs, an_x2apic_guest_is_refused_where_there_is_none, .timeout = 300)
{
	static const struct refusal refusals[] = { { VM_QEMU_7_2, VM_KVM_OFF }, { VM_QEMU_7_2, VM_TCG } };

	expect_all_refused("x2apic route=ioapic", "qemu64,+x2apic", "apic=x2apic", refusals, 2);
}

Test(pairs, a_tsc_deadline_guest_is_refused_by_every_tcg, .timeout = 300)
{
	static const struct refusal refusals[] = { { VM_QEMU_7_2, VM_TCG }, { VM_QEMU_10_0, VM_TCG } };

	expect_all_refused("oneshot tscdeadline pit route=ioapic", "qemu64,-x2apic,+tsc-deadline", "oneshot=tscdeadline", refusals,
			   2);
}

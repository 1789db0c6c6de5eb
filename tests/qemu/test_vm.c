/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU does with its streams today, without irqshift: it proves the harness, and the need. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/qemu/guest_log.h"
#include "tests/qemu/vm.h"

#define LINES (getenv("IRQSHIFT_FULL") ? 14 : 6)
#define LINES_AFTER 12
#define WAIT_MS 12000
#define TRIES 3
#define ALIVE_TICKS 30

struct move {
	enum vm_kind from, to;
	unsigned int cpus;
	const char *machine, *append;
};

/* Boot under one kind, save, load under the other. Return: 0 with a verdict, or -1 with @error. */
static int move_guest(const struct move *move, struct guest_verdict *verdict, char *error, size_t size)
{
	char stream[] = P_tmpdir "/irqshift-stream-XXXXXX";
	struct vm_config config = { .kind = move->from, .machine = move->machine, .cpus = move->cpus, .append = move->append };
	struct guest_limits limits = guest_limits_default;
	struct vm vm;
	struct guest_log log;
	char *before = NULL, *after = NULL;
	int rc, fd = mkstemp(stream);

	if (fd >= 0)
		close(fd);
	rc = vm_start(&vm, &config);
	if (!rc)
		rc = vm_wait_lines(&vm, LINES, WAIT_MS);
	if (!rc)
		rc = vm_save(&vm, stream);
	before = vm_serial(&vm);
	vm_stop(&vm);
	if (!rc) {
		config.kind = move->to;
		config.incoming = stream;
		rc = vm_start(&vm, &config);
		if (!rc)
			vm_wait_lines(&vm, LINES_AFTER, WAIT_MS / 3);
		after = vm_serial(&vm);
		vm_stop(&vm);
	}
	unlink(stream);
	snprintf(error, size, "%s", vm.error);
	guest_log_read(&log, before, after);
	/* QEMU gives KVM no current count: a one-shot timer that was running fires at once. */
	limits.early_oneshots = move->to != VM_TCG;
	guest_judge(&log, &limits, verdict);
	guest_log_free(&log);
	free(before);
	free(after);
	return rc;
}

static bool skipped(enum vm_kind kind)
{
	const char *why;

	if (vm_can(VM_QEMU_7_2, kind, &why))
		return false;
	cr_log_warn("skipped: %s", why);
	return true;
}

/* On a busy machine a guest may lose ticks: it may try again. */
static void expect_alive(const struct move *move)
{
	struct guest_verdict verdict;
	char error[512];
	int rc = -1;

	if (skipped(move->from) || skipped(move->to))
		return;
	for (unsigned int try = 0; try < TRIES; try++) {
		rc = move_guest(move, &verdict, error, sizeof(error));
		if (rc || verdict.ok)
			break;
	}
	if (rc)
		cr_expect_fail("%s to %s: %s", vm_kind_name(move->from), vm_kind_name(move->to), error);
	else
		cr_expect(verdict.ok, "%s to %s: %s", vm_kind_name(move->from), vm_kind_name(move->to), verdict.why);
}

Test(vm, a_guest_moves_to_its_own_kind, .timeout = 300)
{
	static const struct move moves[] = {
		{ VM_TCG, VM_TCG, 1, NULL, "route=pic" },
		{ VM_TCG, VM_TCG, 4, "pc-q35-7.2", "route=ioapic" },
		{ VM_KVM, VM_KVM, 4, NULL, "route=ioapic" },
		{ VM_KVM, VM_KVM, 1, "pc-q35-7.2", "route=pic" },
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++)
		expect_alive(&moves[i]);
}

/* Alive, but not in step: QEMU starts the PIT's period anew, and an edge comes early. */
Test(vm, a_split_guest_lives_on_under_kvm, .timeout = 180)
{
	const struct move move = { VM_KVM_SPLIT, VM_KVM, 1, NULL, "route=pic" };
	struct guest_verdict verdict;
	char error[512];

	if (skipped(VM_KVM))
		return;
	cr_assert_eq(move_guest(&move, &verdict, error, sizeof(error)), 0, "%s", error);
	cr_expect_gt(verdict.ticks[GUEST_PIT], ALIVE_TICKS, "the PIT ran %u times: %s", verdict.ticks[GUEST_PIT],
		     verdict.why);
}

Test(vm, the_pit_of_a_kvm_guest_is_dead_under_kvm_split, .timeout = 180)
{
	const struct move move = { VM_KVM, VM_KVM_SPLIT, 1, NULL, "route=pic" };
	struct guest_verdict verdict;
	char error[512];

	if (skipped(VM_KVM))
		return;
	cr_assert_eq(move_guest(&move, &verdict, error, sizeof(error)), 0, "%s", error);
	cr_expect_not(verdict.ok);
	/* An edge that was already in the PIC may still come. */
	cr_expect_leq(verdict.ticks[GUEST_PIT], 2, "the PIT ran %u times: %s", verdict.ticks[GUEST_PIT], verdict.why);
}

Test(vm, tcg_refuses_a_kvm_guest, .timeout = 180)
{
	const struct move move = { VM_KVM, VM_TCG, 1, NULL, "route=pic" };
	struct guest_verdict verdict;
	char error[512];

	if (skipped(VM_KVM))
		return;
	cr_assert_eq(move_guest(&move, &verdict, error, sizeof(error)), -1);
	cr_expect_not_null(strstr(error, "load of migration failed"), "%s", error);
}

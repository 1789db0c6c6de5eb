/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the KVM of this host makes of a snapshot: restored into a VM without a guest, and read back. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/irqchip.h"
#include "kvm/empty.h"
#include "kvm/restore.h"

/* What became of an element of a row. */
enum fate {
	FATE_KEPT,
	FATE_DERIVED,
	FATE_MOVED,
	FATE_WRONG,
	FATE_OUTSIDE, /* no part of what is restored: of user space, or of no ioctl */
	FATE_NR
};

static const char *const fate_names[] = { "kept", "derived", "moved", "wrong", "not KVM's" };

struct trial {
	const struct irqchip_state *wanted;
	struct irqchip_state got;
	struct kvm_difference *differences;
	size_t count, room;
	bool failed; /* out of memory: a difference is missing */
	bool all;
	struct reg_out out;
	unsigned int fates[FATE_NR];
};

static void note_difference(void *arg, const struct kvm_difference *d)
{
	struct trial *t = arg;

	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct kvm_difference *more = realloc(t->differences, room * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->differences = more;
		t->room = room;
	}
	t->differences[t->count++] = *d;
}

/* A row belongs to one chip; @index tells the vCPUs and the PICs apart. */
static const struct kvm_difference *find_difference(const struct trial *t, const struct reg_row *row, unsigned int index,
						    unsigned int element)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->differences[i].row == row && t->differences[i].index == index && t->differences[i].element == element)
			return &t->differences[i];
	return NULL;
}

static enum fate judge(const struct reg_row *row, const struct kvm_difference *d, bool known, bool same)
{
	static const enum fate fates[] = {
		[KVM_DIFFERENCE_DERIVED] = FATE_DERIVED,
		[KVM_DIFFERENCE_MOVED] = FATE_MOVED,
		[KVM_DIFFERENCE_WRONG] = FATE_WRONG,
	};

	if (d)
		return fates[d->kind];
	if (!known)
		return FATE_OUTSIDE;
	if (same)
		return FATE_KEPT;
	/* General registers are the VMM's to set, and what no structure carries was never written. */
	if (row->abi == REG_ABI_REGS || row->abi == REG_ABI_NONE)
		return FATE_OUTSIDE;
	return row->storage == REG_DERIVED ? FATE_DERIVED : FATE_WRONG;
}

static void tell_element(struct trial *t, const struct irqchip_part *p, const void *got, const struct reg_row *row,
			 unsigned int index, unsigned int element)
{
	const struct kvm_difference *d = find_difference(t, row, index, element);
	uint64_t wanted = reg_get(row, p->state, element), now = d ? d->got : reg_get(row, got, element);
	bool known = reg_known(row, got, element);
	enum fate fate = judge(row, d, known, known && wanted == now);

	t->fates[fate]++;
	if (!t->all && (fate == FATE_KEPT || fate == FATE_OUTSIDE))
		return;
	printf("%-9s %s[%" PRIu32 "].%s", fate_names[fate], p->name, p->instance, row->name);
	if (row->count > 1)
		printf("[%u]", element);
	if (fate != FATE_KEPT && fate != FATE_OUTSIDE) {
		printf(": ");
		reg_emit_value(&t->out, p->chip, row, wanted);
		reg_emit(&t->out, " -> ");
		reg_emit_value(&t->out, p->chip, row, now);
	}
	printf("%s%s\n", d && d->why ? ": " : "", d && d->why ? d->why : "");
}

static void tell_part(struct trial *t, const struct irqchip_part *p, const void *got, unsigned int index)
{
	for (uint16_t r = 0; r < p->chip->nrows; r++) {
		const struct reg_row *row = &p->chip->rows[r];

		for (unsigned int i = 0; i < row->count && row->storage != REG_ACTION; i++)
			if (reg_known(row, p->state, i))
				tell_element(t, p, got, row, index, i);
	}
}

static void tell(struct trial *t)
{
	struct irqchip_part p, got;
	const char *comma = "";

	for (unsigned int i = 0; irqchip_part(t->wanted, i, &p) && irqchip_part(&t->got, i, &got); i++)
		tell_part(t, &p, got.state, i < t->wanted->nlapics ? i : p.instance);
	for (unsigned int f = 0; f < FATE_NR; f++) {
		printf("%s%u %s", comma, t->fates[f], fate_names[f]);
		comma = ", ";
	}
	printf("\n");
}

/* Restored, or wrong: then there is something to tell. */
static int try_restore(struct trial *t, struct kvm_empty *e, struct irqs_error *reterr)
{
	const struct kvm_restore_options options = { .differs = note_difference, .arg = t };
	int restored = kvm_restore(&e->own.port, NULL, &options, t->wanted, reterr), rc;
	struct irqs_error err = { 0 };

	if (restored && !t->count)
		return restored;
	t->got.lapics = calloc(t->wanted->nlapics, sizeof(*t->got.lapics));
	if (!t->got.lapics || t->failed)
		return irqs_fail_nomem(reterr);
	rc = kvm_gather(&e->own.port, NULL, NULL, &t->got, &err);
	if (rc) {
		*reterr = err;
		return rc;
	}
	tell(t);
	return restored;
}

static int restore(const char *path, const struct irqchip_state *s, bool all)
{
	struct trial t = { .wanted = s, .all = all };
	struct irqs_error err = { 0 };
	struct kvm_empty e;
	int rc = kvm_empty_open(&e, s, &err), status = IRQS_DONE;

	cli_out_init(&t.out, NULL);
	if (!rc) {
		rc = try_restore(&t, &e, &err);
		kvm_empty_close(&e);
	}
	if (rc)
		status = cli_fail(&err, path);
	/* A KVM that does not keep what it took cannot represent it. */
	if (t.fates[FATE_WRONG])
		status = IRQS_REFUSED;
	free(t.differences);
	irqchip_deinit(&t.got);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	struct irqchip_state s;
	struct cli_input in;
	bool all = false;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c != 'a')
			return cli_usage(&cmd_restore, "%s: no such option", argv[optind - 1]);
		all = true;
	}
	if (argc - optind != 1)
		return cli_usage(&cmd_restore, "one snapshot is needed");
	status = cli_open(&in, argv[optind], NULL);
	if (status)
		return status;
	status = cli_irqchip(&in, &s);
	if (!status) {
		status = restore(in.path, &s, all);
		irqchip_deinit(&s);
	}
	cli_close(&in);
	return status;
}

const struct cli_command cmd_restore = {
	.name = "restore",
	.run = run,
	.usage = "[--all] SNAPSHOT",
	.summary = "say what the KVM of this host keeps of a snapshot, by restoring it into a VM without a guest",
	.help = "  SNAPSHOT    what 'dump --save' wrote, or a stream\n"
		"  --all       print every register, also those that are kept\n"
		"\nA VM is made in the snapshot's irqchip mode with as many vCPUs, the snapshot is restored into it and read\n"
		"back. A register is kept, derived (from other state or by the host), moved on since (a clock, a timer),\n"
		"wrong, or not KVM's. 3 when the snapshot is refused or something is wrong.\n",
};

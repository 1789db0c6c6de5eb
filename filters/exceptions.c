/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An exception on its way. KVM keeps it in env.exception_nr, which TCG ignores; TCG keeps it in the
 * subsection cpu_common/exception_index, which KVM ignores. Neither stream carries the error code.
 */
#include <errno.h>

#include "filters/builtin.h"
#include "filters/change.h"

#define NVECTORS 32

/* What becomes of an exception that has not reached the guest's handler (SDM 3A table 6-1). */
enum way {
	WAY_UNKNOWN,
	WAY_AGAIN, /* RIP is at the instruction: it happens again when it runs */
	WAY_CARRY, /* it would not: but the target can deliver it, with no error code or always 0 */
};

static const enum way ways[NVECTORS] = {
	[0] = WAY_AGAIN,
	[1] = WAY_CARRY,
	[3] = WAY_AGAIN,
	[4] = WAY_AGAIN,
	[5] = WAY_AGAIN,
	[6] = WAY_AGAIN,
	[7] = WAY_AGAIN,
	[8] = WAY_CARRY,
	[10] = WAY_AGAIN,
	[11] = WAY_AGAIN,
	[12] = WAY_AGAIN,
	[13] = WAY_AGAIN,
	[14] = WAY_AGAIN,
	[16] = WAY_AGAIN,
	[17] = WAY_AGAIN,
	[18] = WAY_CARRY,
	[19] = WAY_AGAIN,
	[20] = WAY_AGAIN,
	[21] = WAY_AGAIN,
};

#define DOUBLE_FAULT 8

/* From here on, TCG's numbers are not exceptions but reasons to leave its loop (QEMU EXCP_INTERRUPT). */
#define TCG_NOT_AN_EXCEPTION 0x10000

static enum way way_of(int64_t nr)
{
	return nr >= 0 && nr < NVECTORS ? ways[nr] : WAY_UNKNOWN;
}

static int carry_to_tcg(struct filter_run *run, const struct vcpu *v, uint64_t nr, struct irqs_error *reterr)
{
	struct vms_node *sub = v->common ? vms_subsection(v->common, "cpu_common/exception_index") : NULL;

	if (!v->common)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "cpu_common",
				 "no such section for one of the CPUs");
	if (sub)
		vms_remove(sub);
	sub = vms_add_subsection(run->tree, v->common, "cpu_common/exception_index", 1);
	if (!sub || !vms_add_int(run->tree, sub, "exception_index", "int32", 0))
		return irqs_fail_nomem(reterr);
	if (vms_set(sub, "exception_index", nr, reterr))
		return -EBADMSG;
	change_added(run, sub, COST_APPROXIMATE,
		     "an exception that was not delivered yet: TCG delivers it before the next instruction");
	return 0;
}

static int to_tcg(struct filter_run *run, const struct vcpu *v, struct irqs_error *reterr)
{
	enum report_cost cost = COST_APPROXIMATE;
	const char *why = "TCG ignores it; RIP is still at the instruction, which raises the exception again";
	uint64_t nr;
	int rc = vms_get(v->cpu, "env.exception_nr", &nr, reterr);

	if (rc || (int64_t)nr < 0)
		return rc;
	switch (way_of((int64_t)nr)) {
	case WAY_AGAIN:
		break;
	case WAY_CARRY:
		rc = carry_to_tcg(run, v, nr, reterr);
		why = "TCG ignores it here and takes it from cpu_common/exception_index";
		break;
	case WAY_UNKNOWN:
		cost = COST_LOSSY;
		why = "TCG ignores it, and nothing says that running the instruction raises it again";
		break;
	}
	if (!rc)
		rc = change_field(run, v->cpu, "env.exception_nr", (uint64_t)-1, cost, reterr, "%s", why);
	if (!rc)
		rc = change_field(run, v->cpu, "env.has_error_code", 0, COST_LOSSLESS, reterr,
				  "it belonged to the exception");
	return rc;
}

static int from_tcg(struct filter_run *run, const struct vcpu *v, struct irqs_error *reterr)
{
	struct vms_node *sub = v->common ? vms_subsection(v->common, "cpu_common/exception_index") : NULL;
	int64_t nr;
	int rc = 0;

	if (!sub)
		return 0;
	nr = (int64_t)vms_get_or(sub, "exception_index", (uint64_t)-1);
	if (nr < 0 || nr >= TCG_NOT_AN_EXCEPTION) {
		change_drop(run, sub, COST_LOSSLESS, "a reason why TCG left its loop, no exception");
	} else if (way_of(nr) == WAY_CARRY) {
		rc = change_field(run, v->cpu, "env.exception_nr", (uint64_t)nr, COST_APPROXIMATE, reterr,
				  "an exception that was not delivered yet: KVM injects it");
		if (!rc)
			rc = change_field(run, v->cpu, "env.has_error_code", nr == DOUBLE_FAULT,
					  COST_LOSSLESS, reterr,
					  "a double fault has an error code, 0; a trap has none");
		change_drop(run, sub, COST_LOSSLESS, "KVM takes it from env.exception_nr");
	} else {
		/* Vectors from 32 on are INT n: RIP is at the instruction too. */
		change_drop(run, sub, COST_APPROXIMATE,
			    "KVM ignores it; RIP is still at the instruction, which raises it again");
	}
	return rc;
}

static bool wants_exceptions(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

static int run_exceptions(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v))
		rc = profile_is_kvm(run->to) ? from_tcg(run, &v, reterr) : to_tcg(run, &v, reterr);
	return rc;
}

const struct filter filter_exceptions = {
	.name = "exceptions",
	.summary = "carry an exception that was not delivered yet, or let it happen again",
	.wants = wants_exceptions,
	.run = run_exceptions,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TSC: each CPU's own under KVM, one offset for all in timer.cpu_ticks_offset under TCG. */
#include <errno.h>
#include <inttypes.h>

#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_tsc(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

/* The greatest TSC becomes everybody's: one that goes back stops the clocks that are computed from it. */
static int to_tcg(struct filter_run *run, struct vms_node *timer, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	uint64_t tsc, greatest = 0;
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v)) {
		rc = vms_get(v.cpu, "env.tsc", &tsc, reterr);
		if (!rc && tsc > greatest)
			greatest = tsc;
	}
	if (!rc)
		rc = change_field(run, timer, "cpu_ticks_offset", greatest, COST_APPROXIMATE, reterr,
				  "the TSC goes on from its value at the save; from there it runs at the "
				  "target host's rate");
	v = (struct vcpu){ 0 };
	while (!rc && vcpu_next(run->tree->machine, &v)) {
		rc = vms_get(v.cpu, "env.tsc", &tsc, reterr);
		if (!rc && tsc != greatest)
			rc = change_field(run, v.cpu, "env.tsc", 0, COST_APPROXIMATE, reterr,
					  "TCG has one TSC for all CPUs: this one's moves ahead by %" PRIu64,
					  greatest - tsc);
		else if (!rc)
			rc = change_field(run, v.cpu, "env.tsc", 0, COST_LOSSLESS, reterr,
					  "TCG keeps the TSC in timer.cpu_ticks_offset");
	}
	return rc;
}

static int from_tcg(struct filter_run *run, const struct vms_node *timer, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	uint64_t tsc;
	int rc = vms_get(timer, "cpu_ticks_offset", &tsc, reterr);

	while (!rc && vcpu_next(run->tree->machine, &v))
		rc = change_field(run, v.cpu, "env.tsc", tsc, COST_LOSSLESS, reterr,
				  "the TSC goes on from TCG's, which is in timer.cpu_ticks_offset");
	return rc;
}

static int run_tsc(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *timer = vms_find_section(run->tree->machine, "timer", 0);

	if (!timer)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "timer[0]", "no such section");
	return profile_is_kvm(run->to) ? from_tcg(run, timer, reterr) : to_tcg(run, timer, reterr);
}

const struct filter filter_tsc = {
	.name = "tsc",
	.summary = "carry the TSC between the CPUs and timer.cpu_ticks_offset",
	.wants = wants_tsc,
	.run = run_tsc,
};

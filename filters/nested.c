/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests of the guest: their state is in a form that only the side that runs them understands. */
#include "apic/cpu.h"
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_nested(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

static int run_nested(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };

	while (vcpu_next(run->tree->machine, &v)) {
		struct vms_node *state = vms_subsection(v.cpu, "cpu/nested_state");
		struct vms_node *exception = vms_subsection(v.cpu, "cpu/exception_info");
		uint64_t hflags;
		int rc = vms_get(v.cpu, "env.hflags", &hflags, reterr);

		if (rc)
			return rc;
		if (hflags & CPU_HF_GUEST)
			change_note(run, REPORT_REFUSED, COST_FATAL, v.cpu, "env.hflags",
				    "this CPU is inside a nested guest: its state cannot go from %s to %s",
				    profile_is_kvm(run->from) ? "KVM" : "TCG",
				    profile_is_kvm(run->to) ? "KVM" : "TCG");
		if (state && !profile_is_kvm(run->to))
			change_note(run, REPORT_REFUSED, COST_FATAL, state, NULL,
				    "KVM holds state of nested guests: TCG refuses to load it; stop the "
				    "nested guests first");
		if (exception && !profile_is_kvm(run->to))
			change_note(run, REPORT_REFUSED, COST_FATAL, exception, NULL,
				    "an exception waits to be shown to the hypervisor inside the guest: TCG "
				    "would forget it");
	}
	return 0;
}

const struct filter filter_nested = {
	.name = "nested",
	.summary = "refuse nested guests",
	.wants = wants_nested,
	.run = run_nested,
};

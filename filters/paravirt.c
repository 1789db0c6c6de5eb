/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hypercalls of a guest on several CPUs: no state shows them, and under TCG they are invalid instructions. */
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_paravirt(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) && !profile_is_kvm(to);
}

/* Firmware enables the first CPU's clock page; on the others only an operating system uses KVM's services. */
static bool knows_kvm(const struct vms_node *cpu, bool first)
{
	return vms_subsection(cpu, "cpu/steal_time_msr") || vms_subsection(cpu, "cpu/async_pv_eoi_msr") ||
	       vms_subsection(cpu, "cpu/async_pf_msr") ||
	       (!first && vms_get_or(cpu, "env.system_time_msr", 0) & 1);
}

static int run_paravirt(struct filter_run *run, struct irqs_error *reterr)
{
	const struct vms_node *witness = NULL;
	struct vcpu v = { 0 };
	size_t count = 0;

	(void)reterr;
	while (vcpu_next(run->tree->machine, &v)) {
		if (!witness && knows_kvm(v.cpu, !count))
			witness = v.cpu;
		count++;
	}
	if (count > 1 && witness)
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, witness, "env.system_time_msr",
			    "a guest on %zu CPUs that knows it runs on KVM: if its CPU model had PV IPIs, "
			    "unhalt, yield or TLB flush (-cpu host and max have, the named models have not), "
			    "their hypercalls are #UD under TCG; then it must be started with "
			    "kvm-pv-ipi=off,kvm-pv-unhalt=off,kvm-pv-sched-yield=off,kvm-pv-tlb-flush=off",
			    count);
	return 0;
}

const struct filter filter_paravirt = {
	.name = "paravirt",
	.summary = "warn of hypercalls of a guest on several CPUs",
	.wants = wants_paravirt,
	.run = run_paravirt,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subsections of `cpu` that TCG loads and ignores: what is in use and cannot go on is lossy or refused. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apic/cpu.h"
#include "filters/builtin.h"
#include "filters/change.h"

/* In use when a bit of mask is set in one of the fields; otherwise the subsection is inert. */
static const struct rule {
	const char *name, *field;
	unsigned int count; /* elements of an array; 0: a plain field */
	uint64_t mask;
	enum report_cost cost;
	const char *why;
} rules[] = {
	{ "cpu/async_pf_msr", "env.async_pf_en_msr", 0, 1, COST_LOSSY,
	  "asynchronous page faults are enabled: a task that waits for a page at this moment never wakes, "
	  "because only KVM says that it has come" },
	{ "cpu/async_pv_eoi_msr", "env.pv_eoi_en_msr", 0, 1, COST_LOSSLESS,
	  "the guest may end an interrupt by a bit in its memory: KVM took the bit back when the CPU "
	  "stopped, nobody sets it under TCG, and the guest writes the EOI register" },
	{ "cpu/steal_time_msr", "env.steal_time_msr", 0, 1, COST_APPROXIMATE,
	  "steal time stands still without KVM; a guest that asks whether a CPU was preempted gets the "
	  "answer of the save" },
	{ "cpu/msr_tsc_adjust", "env.tsc_adjust", 0, UINT64_MAX, COST_APPROXIMATE,
	  "IA32_TSC_ADJUST reads 0 under TCG" },
	{ "cpu/msr_architectural_pmu", "env.msr_global_ctrl", 0, UINT64_MAX, COST_APPROXIMATE,
	  "performance counters stand still under TCG" },
	{ "cpu/msr_hyperv_hypercall", "env.msr_hv_hypercall", 0, 1, COST_FATAL,
	  "the guest calls Hyper-V through its hypercall page: #UD under TCG; save it without hv- "
	  "enlightenments" },
	{ "cpu/msr_hyperv_vapic", "env.msr_hv_vapic", 0, 1, COST_FATAL,
	  "the guest ends interrupts by a Hyper-V MSR: TCG ignores it and no further interrupt would come; "
	  "save it with hv-vapic=off" },
	{ "cpu/msr_hyperv_time", "env.msr_hv_tsc", 0, 1, COST_APPROXIMATE,
	  "the guest's clock is the Hyper-V reference TSC page: nobody updates it, it goes on at the rate of "
	  "the target's TSC" },
	{ "cpu/msr_hyperv_runtime", "env.msr_hv_runtime", 0, UINT64_MAX, COST_LOSSY,
	  "the guest's run time MSR reads 0 under TCG" },
	{ "cpu/msr_hyperv_synic", "env.msr_hv_synic_control", 0, 1, COST_FATAL,
	  "the guest has interrupts from Hyper-V's controller, which TCG has not: save it with hv-synic=off" },
	{ "cpu/msr_hyperv_stimer", "env.msr_hv_stimer_config", 4, 1, COST_FATAL,
	  "the guest's timers are Hyper-V's: they never fire under TCG; save it with hv-stimer=off" },
	{ "cpu/msr_hyperv_reenlightenment", "env.msr_hv_reenlightenment_control", 0, UINT64_C(1) << 16,
	  COST_LOSSY, "the guest wants to be told that the TSC frequency changed: TCG does not tell it" },
	{ "cpu/xss", "env.xss", 0, UINT64_MAX, COST_FATAL,
	  "supervisor states are saved by XSAVES: #UD under TCG; save the guest with -cpu ...,-xsaves" },
	{ "cpu/intel_pt", "env.msr_rtit_ctrl", 0, 1, COST_APPROXIMATE, "processor trace stops" },
	{ "cpu/triple_fault", "env.triple_fault_pending", 0, UINT64_MAX, COST_LOSSY,
	  "the CPU was about to shut down: TCG forgets that and lets it run on" },
	{ "cpu/xen_vcpu", "env.xen_vcpu_info_gpa", 0, 0, COST_FATAL,
	  "KVM emulates Xen for this guest: its events and timers end here" },
};

/* Subsections that other filters judge. */
static const char *const elsewhere[] = {
	"cpu/nested_state",
	"cpu/exception_info",
	"cpu/msr_tscdeadline",
};

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	return NULL;
}

static bool is_elsewhere(const char *name)
{
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(elsewhere[i], name))
			return true;
	return false;
}

static bool in_use(const struct rule *r, const struct vms_node *sub)
{
	char path[64];

	if (!r->mask)
		return true;
	if (!r->count)
		return vms_get_or(sub, r->field, 0) & r->mask;
	for (unsigned int i = 0; i < r->count; i++) {
		snprintf(path, sizeof(path), "%s[%u]", r->field, i);
		if (vms_get_or(sub, path, 0) & r->mask)
			return true;
	}
	return false;
}

static void judge_subsection(struct filter_run *run, const struct vms_node *sub)
{
	const struct rule *r = find_rule(sub->name);
	const struct cpu_sub *known = cpu_find_sub(sub->name);

	if (r && in_use(r, sub))
		change_note(run, r->cost == COST_FATAL ? REPORT_REFUSED : REPORT_KEPT, r->cost, sub,
			    r->count ? NULL : r->field, "%s", r->why);
	else if (known)
		change_note(run, REPORT_KEPT, COST_LOSSLESS, sub, NULL, "%s%s; under TCG: %s", known->report,
			    r ? ", but it is off" : "", known->tcg);
	else
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, sub, NULL,
			    "not known: a target whose QEMU does not know it either refuses the stream");
}

static bool wants_subsections(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

static int run_subsections(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };

	(void)reterr;
	while (vcpu_next(run->tree->machine, &v)) {
		struct vms_node *poll = vms_subsection(v.cpu, "cpu/poll_control_msr");

		if (profile_is_kvm(run->to)) {
			if (poll && !vms_get_or(poll, "env.poll_control_msr", 1))
				change_drop(run, poll, COST_LOSSLESS,
					    "TCG sends 0 because nothing ever set it; KVM starts with 1");
			continue;
		}
		for (const struct vms_node *c = vms_first_node(v.cpu); c; c = c->next)
			if (c->kind == VMS_SUBSECTION && !is_elsewhere(c->name))
				judge_subsection(run, c);
	}
	return 0;
}

const struct filter filter_subsections = {
	.name = "subsections",
	.summary = "judge what only KVM can go on with",
	.wants = wants_subsections,
	.run = run_subsections,
};

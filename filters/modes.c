/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modes of the LAPIC that not every target has. They are refused, never left: the guest chose them. */
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_x2apic(const struct profile *from, const struct profile *to)
{
	return profile_has_x2apic(from) && !profile_has_x2apic(to);
}

static int run_x2apic(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *apic = NULL;

	while ((apic = vms_next_section(run->tree->machine, apic, "apic"))) {
		uint64_t base;
		int rc = vms_get(apic, "apicbase", &base, reterr);

		if (rc)
			return rc;
		if (!(base & LAPIC_BASE_X2APIC))
			continue;
		change_note(
			run, REPORT_REFUSED, COST_FATAL, apic, "apicbase",
			run->to->kind == PROFILE_TCG
				? "the LAPIC is in x2APIC mode: TCG has it from QEMU 9.0 on; save the "
				  "guest with -cpu ...,-x2apic"
				: "the LAPIC is in x2APIC mode: a LAPIC in user space under KVM has none; "
				  "save the guest with -cpu ...,-x2apic");
	}
	return 0;
}

const struct filter filter_x2apic = {
	.name = "x2apic",
	.summary = "refuse x2APIC mode where the target has none",
	.wants = wants_x2apic,
	.run = run_x2apic,
};

static bool wants_tsc_deadline(const struct profile *from, const struct profile *to)
{
	return profile_has_tsc_deadline(from) && !profile_has_tsc_deadline(to);
}

static int run_tsc_deadline(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };

	while (vcpu_next(run->tree->machine, &v)) {
		struct vms_node *deadline = vms_subsection(v.cpu, "cpu/msr_tscdeadline");
		struct lapic_state s = { 0 };
		uint64_t lvtt = 0;
		int rc = v.apic ? vms_get(v.apic, "lvt[0]", &lvtt, reterr) : 0;

		if (rc)
			return rc;
		lapic_set_reg(&s, LAPIC_LVTT, (uint32_t)lvtt);
		if (v.apic && lapic_timer_mode(&s) == LAPIC_TIMER_TSC_DEADLINE)
			change_note(run, REPORT_REFUSED, COST_FATAL, v.apic, "lvt[0]",
				    "the LAPIC timer is in TSC-deadline mode, which %s has not: no timer "
				    "interrupt would come any more; save the guest with -cpu "
				    "...,-tsc-deadline",
				    run->to->kind == PROFILE_TCG ? "TCG" : "a LAPIC in user space");
		else if (deadline)
			change_note(run, REPORT_KEPT, COST_LOSSLESS, deadline, NULL,
				    "a deadline from before the timer left TSC-deadline mode: nothing is "
				    "armed");
	}
	return 0;
}

const struct filter filter_tsc_deadline = {
	.name = "tsc-deadline",
	.summary = "refuse a timer in TSC-deadline mode where the target has none",
	.wants = wants_tsc_deadline,
	.run = run_tsc_deadline,
};

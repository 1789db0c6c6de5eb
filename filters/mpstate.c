/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a CPU runs. With a LAPIC in the kernel env.mp_state says it; in user space cpu_common.halted and
 * the LAPIC's subsection apic_sipi do, and env.mp_state is 0.
 */
#include <errno.h>

#include "apic/cpu.h"
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_mp_state(const struct profile *from, const struct profile *to)
{
	return profile_kernel_lapic(from) != profile_kernel_lapic(to);
}

static int add_sipi(struct filter_run *run, const struct vcpu *v, uint64_t vector, struct irqs_error *reterr)
{
	struct vms_node *sub = vms_subsection(v->apic, "apic_sipi");

	if (!sub) {
		sub = vms_add_subsection(run->tree, v->apic, "apic_sipi", 1);
		if (!sub || vms_desc_instantiate(run->tree, &lapic_sipi_vms_desc, sub))
			return irqs_fail_nomem(reterr);
	}
	if (vms_set(sub, "sipi_vector", vector, reterr) || vms_set(sub, "wait_for_sipi", 1, reterr))
		return -EBADMSG;
	change_added(run, sub, COST_LOSSLESS, "this CPU waits for a start-up IPI");
	return 0;
}

static int to_user(struct filter_run *run, const struct vcpu *v, struct irqs_error *reterr)
{
	bool waits = false, halted = false;
	uint64_t state, vector = 0, request;
	int rc = vms_get(v->cpu, "env.mp_state", &state, reterr);

	if (rc)
		return rc;
	switch (state) {
	case LAPIC_MP_RUNNABLE:
		break;
	case LAPIC_MP_HALTED:
		halted = true;
		break;
	case LAPIC_MP_SIPI_RECEIVED:
		vector = vms_get_or(v->cpu, "env.sipi_vector", 0);
		request = vms_get_or(v->common, "interrupt_request", 0);
		rc = change_field(run, v->common, "interrupt_request", request | CPU_INTERRUPT_SIPI,
				  COST_LOSSLESS, reterr, "a start-up IPI has come and was not taken yet");
		waits = true;
		break;
	case LAPIC_MP_UNINITIALIZED:
	case LAPIC_MP_INIT_RECEIVED:
		waits = true;
		break;
	default:
		change_note(run, REPORT_REFUSED, COST_FATAL, v->cpu, "env.mp_state",
			    "no such run state outside KVM");
		return 0;
	}
	if (!rc && waits)
		rc = add_sipi(run, v, vector, reterr);
	if (!rc)
		rc = change_field(run, v->common, "halted", halted || waits, COST_LOSSLESS, reterr,
				  waits ? "a CPU that waits for a start-up IPI does not run"
					: "whether this CPU runs, from env.mp_state");
	if (!rc)
		rc = change_field(run, v->cpu, "env.mp_state", 0, COST_LOSSLESS, reterr,
				  "cpu_common.halted and apic_sipi say it outside the kernel");
	return rc;
}

static int take_sipi(struct filter_run *run, const struct vcpu *v, const struct vms_node *sipi, uint64_t request,
		     struct irqs_error *reterr)
{
	int rc = change_field(run, v->cpu, "env.sipi_vector", vms_get_or(sipi, "sipi_vector", 0) & 0xff,
			      COST_LOSSLESS, reterr, "from apic_sipi");

	return rc ? rc : change_field(run, v->common, "interrupt_request", request & ~(uint64_t)CPU_INTERRUPT_SIPI, COST_LOSSLESS, reterr, "env.mp_state says it");
}

static int to_kernel(struct filter_run *run, const struct vcpu *v, struct irqs_error *reterr)
{
	struct vms_node *sipi = vms_subsection(v->apic, "apic_sipi");
	bool waits = sipi && vms_get_or(sipi, "wait_for_sipi", 0);
	uint64_t state = LAPIC_MP_RUNNABLE, request, halted;
	int rc = vms_get(v->common, "halted", &halted, reterr);

	if (!rc)
		rc = vms_get(v->common, "interrupt_request", &request, reterr);
	if (rc)
		return rc;
	/* Not UNINITIALIZED: that would let the start-up IPI pass which an emulated CPU takes. */
	if (halted && waits)
		state = request & CPU_INTERRUPT_SIPI ? LAPIC_MP_SIPI_RECEIVED : LAPIC_MP_INIT_RECEIVED;
	else if (halted)
		state = LAPIC_MP_HALTED;
	if (state == LAPIC_MP_SIPI_RECEIVED)
		rc = take_sipi(run, v, sipi, request, reterr);
	if (!rc)
		rc = change_field(run, v->cpu, "env.mp_state", state, COST_LOSSLESS, reterr, "%s",
				  halted && waits ? "this CPU waits for a start-up IPI" : "whether this CPU runs, from cpu_common.halted");
	if (!rc)
		rc = change_field(run, v->common, "halted", state == LAPIC_MP_HALTED, COST_LOSSLESS, reterr,
				  "env.mp_state says it where the LAPIC is in the kernel");
	if (!rc && sipi)
		change_drop(run, sipi, COST_LOSSLESS, "env.mp_state says it where the LAPIC is in the kernel");
	return rc;
}

static int run_mp_state(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v)) {
		if (!v.apic || !v.common)
			return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET,
					 v.apic ? "cpu_common" : "apic", "CPU %u has no such section",
					 v.cpu->instance);
		rc = profile_kernel_lapic(run->to) ? to_kernel(run, &v, reterr) : to_user(run, &v, reterr);
	}
	return rc;
}

const struct filter filter_mp_state = {
	.name = "mp-state",
	.summary = "carry whether a CPU runs, halts or waits for a start-up IPI",
	.wants = wants_mp_state,
	.run = run_mp_state,
};

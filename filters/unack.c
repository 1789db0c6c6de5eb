/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An interrupt that KVM has acknowledged to its controller and not yet given to the guest. Under KVM it stays
 * with the CPU (env.interrupt_injected); TCG has no place for it, so it goes back to where it came from.
 */
#include <errno.h>

#include "apic/pic.h"
#include "filters/builtin.h"
#include "filters/change.h"

#define NONE ((uint64_t)-1)

static bool wants_unack(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

/* To the LAPIC, if the vector is the one it serves: a lower one cannot have been given while a higher was. */
static int back_to_lapic(struct filter_run *run, const struct vcpu *v, uint8_t vector, bool *ret_done,
			 struct irqs_error *reterr)
{
	struct lapic_state s;
	int rc = 0;

	*ret_done = false;
	if (v->apic)
		rc = lapic_from_tree(v->apic, &s, reterr);
	if (rc || !v->apic || lapic_bank_highest(&s, LAPIC_ISR) != vector)
		return rc;
	*ret_done = lapic_unacknowledge(&s, vector);
	rc = change_bank(run, v->apic, &s, LAPIC_ISR, COST_LOSSLESS, reterr,
			 "vector 0x%02x was acknowledged and not taken: it is not in service", vector);
	if (!rc)
		rc = change_bank(run, v->apic, &s, LAPIC_IRR, COST_LOSSLESS, reterr,
				 "vector 0x%02x was acknowledged and not taken: it is requested again",
				 vector);
	return rc;
}

static int back_to_pic(struct filter_run *run, uint8_t vector, bool *ret_done, struct irqs_error *reterr)
{
	struct vms_node *chips[2];
	struct pic_state pics[2];
	int irq, rc = 0;

	*ret_done = false;
	rc = machine_pics(run->tree->machine, chips, pics, reterr);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	irq = pic_pair_unacknowledge(pics, vector);
	if (irq < 0)
		return 0;
	*ret_done = true;
	for (uint32_t i = 0; i < 2 && !rc; i++) {
		rc = change_field(run, chips[i], "isr", pics[i].isr, COST_LOSSLESS, reterr,
				  "IRQ %d was acknowledged and not taken: it is not in service", irq);
		if (!rc)
			rc = change_field(run, chips[i], "irr", pics[i].irr, COST_LOSSLESS, reterr,
					  "IRQ %d was acknowledged and not taken: it is requested again",
					  irq);
	}
	return rc;
}

static int unack(struct filter_run *run, const struct vcpu *v, struct irqs_error *reterr)
{
	bool done = false;
	uint64_t vector;
	int rc = vms_get(v->cpu, "env.interrupt_injected", &vector, reterr);

	if (rc || (int64_t)vector < 0)
		return rc;
	if (vector > UINT8_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "cpu.env.interrupt_injected",
				 "%llu is not a vector", (unsigned long long)vector);
	if (vms_get_or(v->cpu, "env.soft_interrupt", 0)) {
		rc = change_field(run, v->cpu, "env.soft_interrupt", 0, COST_LOSSLESS, reterr,
				  "no interrupt is left that it would describe");
		return rc ? rc
			  : change_field(run, v->cpu, "env.interrupt_injected", NONE, COST_LOSSY, reterr,
					 "an INT instruction was interrupted in its middle: TCG runs it "
					 "again if RIP is still at it, and loses it if not");
	}
	rc = back_to_lapic(run, v, (uint8_t)vector, &done, reterr);
	if (!rc && !done)
		rc = back_to_pic(run, (uint8_t)vector, &done, reterr);
	if (rc)
		return rc;
	if (done)
		return change_field(run, v->cpu, "env.interrupt_injected", NONE, COST_LOSSLESS, reterr,
				    "TCG takes interrupts from the controllers only: it went back there");
	return change_field(run, v->cpu, "env.interrupt_injected", NONE, COST_LOSSY, reterr,
			    "neither the LAPIC nor the PIC serves vector 0x%02x: where it came from is "
			    "unknown, and TCG would lose it",
			    (unsigned int)vector);
}

static int run_unack(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v)) {
		if (profile_is_kvm(run->to))
			rc = change_field(
				run, v.cpu, "env.interrupt_injected", NONE, COST_LOSSLESS, reterr,
				"TCG gives an interrupt to the CPU in one step: none is on its way");
		else
			rc = unack(run, &v, reterr);
	}
	return rc;
}

const struct filter filter_unack = {
	.name = "unack",
	.summary = "put an interrupt that was acknowledged and not taken back into its controller",
	.wants = wants_unack,
	.run = run_unack,
};

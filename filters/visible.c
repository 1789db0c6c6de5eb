/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest can see differ between a chip in the kernel and one in user space. */
#include "filters/builtin.h"
#include "filters/change.h"

#define MCG_CMCI_P (UINT64_C(1) << 10) /* IA32_MCG_CAP: the LAPIC has a seventh LVT entry */

/*
 * A guest that suppresses the broadcast of EOI writes the IOAPIC's EOI register instead. The IOAPIC in the
 * kernel has none, and KVM would honour the suppression: every level-triggered pin would serve one interrupt
 * and hang. With the bit cleared EOI frees the pin, a little earlier than the guest meant to.
 */
static bool wants_directed_eoi(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind;
}

static int run_directed_eoi(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *apic = NULL;
	int rc = 0;

	while (!rc && (apic = vms_next_section(run->tree->machine, apic, "apic"))) {
		uint64_t spiv;

		rc = vms_get(apic, "spurious_vec", &spiv, reterr);
		if (rc || !(spiv & LAPIC_SVR_NO_BROADCAST))
			continue;
		if (profile_kernel_ioapic(run->to))
			rc = change_field(run, apic, "spurious_vec", spiv & ~(uint64_t)LAPIC_SVR_NO_BROADCAST,
					  COST_APPROXIMATE, reterr,
					  "the guest suppresses EOI broadcast, and the IOAPIC in the kernel "
					  "has no EOI register: its level-triggered pins would hang");
		else if (run->to->kind != PROFILE_KVM_SPLIT)
			change_note(run, REPORT_KEPT, COST_APPROXIMATE, apic, "spurious_vec",
				    "the guest suppresses EOI broadcast: that goes on until it writes this "
				    "register again, whose version no longer announces it");
	}
	return rc;
}

const struct filter filter_directed_eoi = {
	.name = "directed-eoi",
	.summary = "keep level-triggered pins alive for a guest that suppresses EOI broadcast",
	.wants = wants_directed_eoi,
	.run = run_directed_eoi,
};

static bool wants_visible(const struct profile *from, const struct profile *to)
{
	return profile_kernel_ioapic(from) != profile_kernel_ioapic(to) ||
	       profile_kernel_lapic(from) != profile_kernel_lapic(to);
}

static int run_visible(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *ioapic = vms_find_section(run->tree->machine, "ioapic", 0);
	bool loses_lvt = profile_kernel_lapic(run->from) && !profile_kernel_lapic(run->to);
	struct vcpu v = { 0 };

	(void)reterr;
	if (ioapic && profile_kernel_ioapic(run->from) && !profile_kernel_ioapic(run->to))
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, ioapic, "id",
			    "the version register reads 0x20 instead of 0x11: there is an EOI register now");
	else if (ioapic && !profile_kernel_ioapic(run->from) && profile_kernel_ioapic(run->to))
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, ioapic, "id",
			    "the version register reads 0x11 instead of 0x20: writes to the EOI register do "
			    "nothing now");
	while (loses_lvt && vcpu_next(run->tree->machine, &v))
		if (vms_get_or(v.cpu, "env.mcg_cap", 0) & MCG_CMCI_P)
			change_note(run, REPORT_KEPT, COST_APPROXIMATE, v.cpu, "env.mcg_cap",
				    "the LAPIC has six LVT entries instead of seven: no interrupt for "
				    "corrected machine checks");
	return 0;
}

const struct filter filter_visible = {
	.name = "visible",
	.summary = "report what the guest can see differ",
	.wants = wants_visible,
	.run = run_visible,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bits of env.hflags that TCG keeps up to date itself and does not rebuild on load; KVM never sets them. */
#include "apic/cpu.h"
#include "filters/builtin.h"
#include "filters/change.h"

#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMAP (UINT64_C(1) << 21)
#define EFER_SVME (UINT64_C(1) << 12)
#define XCR0_AVX UINT64_C(6) /* SSE and YMM state */

#define HF_SVME (UINT64_C(1) << 20) /* QEMU target/i386/cpu.h HF_SVME_SHIFT */

#define TCG_ONLY (CPU_HF_AVX_EN | CPU_HF_SMAP | CPU_HF_UMIP | HF_SVME)

static bool wants_hflags(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

static uint64_t tcg_bits(uint64_t cr4, uint64_t xcr0, uint64_t efer)
{
	uint64_t bits = 0;

	if (cr4 & CR4_OSXSAVE && (xcr0 & XCR0_AVX) == XCR0_AVX)
		bits |= CPU_HF_AVX_EN;
	if (cr4 & CR4_SMAP)
		bits |= CPU_HF_SMAP;
	if (cr4 & CR4_UMIP)
		bits |= CPU_HF_UMIP;
	if (efer & EFER_SVME)
		bits |= HF_SVME;
	return bits;
}

static int run_hflags(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v)) {
		uint64_t hflags, cr4;

		rc = vms_get(v.cpu, "env.hflags", &hflags, reterr);
		if (!rc)
			rc = vms_get(v.cpu, "env.cr[4]", &cr4, reterr);
		if (rc)
			break;
		if (profile_is_kvm(run->to)) {
			if (hflags & CPU_HF_INHIBIT_IRQ)
				change_note(run, REPORT_KEPT, COST_APPROXIMATE, v.cpu, "env.hflags",
					    "the instruction after STI or MOV SS has not run yet, and QEMU "
					    "does not tell KVM: an interrupt may come one instruction early");
			rc = change_field(run, v.cpu, "env.hflags", hflags & ~(uint64_t)TCG_ONLY,
					  COST_LOSSLESS, reterr,
					  "KVM derives these bits itself and never sets them");
			continue;
		}
		hflags = (hflags & ~(uint64_t)TCG_ONLY) |
			 tcg_bits(cr4, vms_get_or(v.cpu, "env.xcr0", 0), vms_get_or(v.cpu, "env.efer", 0));
		rc = change_field(run, v.cpu, "env.hflags", hflags, COST_LOSSLESS, reterr,
				  "TCG does not derive AVX, SMAP, UMIP and SVME from CR4, XCR0 and EFER when "
				  "it loads");
	}
	return rc;
}

const struct filter filter_hflags = {
	.name = "hflags",
	.summary = "set the hflags bits that TCG does not rebuild",
	.wants = wants_hflags,
	.run = run_hflags,
};

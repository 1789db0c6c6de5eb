/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bits of CR4, XCR0 and EFER that TCG has no meaning for. Tried with `-accel tcg -cpu qemu64,+FEATURE`: QEMU 7.2.22
 * and 10.0.2 say of vmx, smx, pcid, avx512f, amx-tile, intel-pt and auto-ibrs, and 10.0.2 of lam, that TCG does
 * not support them. The others follow from its lists of CPUID features (target/i386/cpu.c, TCG_*_FEATURES).
 */
#include <string.h>

#include "filters/builtin.h"
#include "filters/change.h"

static const struct bit {
	const char *field, *reg, *name;
	unsigned int bit;
	enum report_cost cost;
	const char *what;
} bits[] = {
	{ "env.cr[4]", "CR4", "VMXE", 13, COST_FATAL, "VMX is on" },
	{ "env.cr[4]", "CR4", "SMXE", 14, COST_FATAL, "SMX is on" },
	{ "env.cr[4]", "CR4", "PCIDE", 17, COST_FATAL,
	  "a guest with PCIDs writes CR3 values that are #GP "
	  "there" },
	{ "env.cr[4]", "CR4", "KL", 19, COST_FATAL, "key locker is on" },
	{ "env.cr[4]", "CR4", "CET", 23, COST_FATAL, "shadow stacks or branch tracking are on" },
	{ "env.cr[4]", "CR4", "UINTR", 25, COST_FATAL, "user interrupts are on" },
	{ "env.cr[4]", "CR4", "LAM_SUP", 28, COST_FATAL, "addresses of the kernel carry tags" },
	{ "env.cr[4]", "CR4", "FRED", 32, COST_FATAL, "events are delivered by FRED" },
	{ "env.xcr0", "XCR0", "OPMASK", 5, COST_FATAL, "programs may use AVX-512" },
	{ "env.xcr0", "XCR0", "ZMM_Hi256", 6, COST_FATAL, "programs may use AVX-512" },
	{ "env.xcr0", "XCR0", "Hi16_ZMM", 7, COST_FATAL, "programs may use AVX-512" },
	{ "env.xcr0", "XCR0", "PT", 8, COST_FATAL, "XSAVE carries processor trace" },
	{ "env.xcr0", "XCR0", "XTILECFG", 17, COST_FATAL, "programs may use AMX" },
	{ "env.xcr0", "XCR0", "XTILEDATA", 18, COST_FATAL, "programs may use AMX" },
	{ "env.xcr0", "XCR0", "APX", 19, COST_FATAL, "programs may use APX" },
	{ "env.efer", "EFER", "LMSLE", 13, COST_FATAL, "segment limits hold in long mode" },
	{ "env.efer", "EFER", "TCE", 15, COST_LOSSLESS, "a hint: INVLPG may keep more in the TLB" },
	{ "env.efer", "EFER", "MCOMMIT", 17, COST_FATAL, "MCOMMIT is on" },
	{ "env.efer", "EFER", "INTWB", 18, COST_LOSSLESS, "a hint: WBINVD may be interrupted" },
	{ "env.efer", "EFER", "UAIE", 20, COST_FATAL, "addresses of programs carry tags" },
	{ "env.efer", "EFER", "AUTOIBRS", 21, COST_LOSSLESS, "a speculation control: it changes no result" },
	{ "env.cr[3]", "CR3", "LAM_U48", 62, COST_FATAL, "addresses of programs carry tags" },
	{ "env.cr[3]", "CR3", "LAM_U57", 61, COST_FATAL, "addresses of programs carry tags" },
};

#define NBITS (sizeof(bits) / sizeof(bits[0]))

static bool wants_cpu_state(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) && !profile_is_kvm(to);
}

static int run_cpu_state(struct filter_run *run, struct irqs_error *reterr)
{
	struct vcpu v = { 0 };

	(void)reterr;
	while (vcpu_next(run->tree->machine, &v)) {
		uint64_t value = 0;

		for (size_t i = 0; i < NBITS; i++) {
			const struct bit *b = &bits[i];

			if (!i || strcmp(b->field, b[-1].field) != 0)
				value = vms_get_or(v.cpu, b->field, 0);
			if (!(value >> b->bit & 1))
				continue;
			change_note(run, b->cost == COST_FATAL ? REPORT_REFUSED : REPORT_KEPT, b->cost, v.cpu,
				    b->field, "%s.%s: %s; TCG has no such thing", b->reg, b->name, b->what);
		}
	}
	return 0;
}

const struct filter filter_cpu_state = {
	.name = "cpu-state",
	.summary = "refuse CR4, XCR0 and EFER bits that TCG has not",
	.wants = wants_cpu_state,
	.run = run_cpu_state,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of one LAPIC: its banks, its priorities, its mode, its local vector table. SDM 3A chapter 11. */
#include "apic/lint_priv.h"

static void isr_above_ppr(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	int serving = lapic_bank_highest(l, LAPIC_ISR);
	uint32_t ppr = lapic_reg(l, LAPIC_PPR);

	if (serving >= 0 && (int)(ppr & 0xf0) < (serving & 0xf0))
		lint_apic(r, i, "isr", "vector %d is in service and PPR is only 0x%02x", serving, ppr);
}

static void ppr_blocks(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	int vector = lapic_deliverable(l);
	uint32_t ppr = lapic_reg(l, LAPIC_PPR);

	if (vector >= 0 && (uint32_t)(vector & 0xf0) <= (ppr & 0xf0))
		lint_apic(r, i, "ppr", "PPR is 0x%02x, TPR and ISR make it 0x%02x: it blocks vector %d", ppr, lapic_ppr(l),
			  vector);
}

/* A vector enters ISR only when its class is above that of all others there. */
static void isr_nesting(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (unsigned int c = 1; c < 16; c++) {
		uint32_t bits = lapic_reg(l, (uint16_t)(LAPIC_ISR + 16 * (c / 2))) >> (c % 2 * 16) & 0xffff;

		if (bits & (bits - 1))
			lint_apic(r, i, "isr", "two vectors of class %u are in service (0x%04x of 0x%x0)", c, bits, c);
	}
}

static void low_vectors(struct lint_run *r, unsigned int i)
{
	static const struct {
		const char *name;
		uint16_t offset;
	} banks[] = { { "irr", LAPIC_IRR }, { "isr", LAPIC_ISR } };

	for (size_t b = 0; b < REG_ARRAY_SIZE(banks); b++) {
		uint32_t low = lapic_reg(&r->s->lapics[i], banks[b].offset) & 0xffff;

		if (low)
			lint_apic(r, i, banks[b].name, "vectors 0 to 15 are not for interrupts: 0x%04x is set", low);
	}
}

static void disabled_requests(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	int vector = lapic_bank_highest(l, LAPIC_IRR);

	if (lapic_reg(l, LAPIC_SVR) & LAPIC_SVR_ENABLE)
		return;
	if (vector < 0)
		vector = lapic_bank_highest(l, LAPIC_ISR);
	if (vector >= 0)
		lint_apic(r, i, "svr", "the APIC is disabled by SVR and holds vector %d", vector);
}

static void eoi_suppression(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (lapic_reg(l, LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST && !(lapic_reg(l, LAPIC_LVR) & LAPIC_LVR_NO_BROADCAST))
		lint_apic(r, i, "svr", "EOI broadcast is suppressed (bit 12), which LVR does not offer (bit 24)");
}

static void base_mode(struct lint_run *r, unsigned int i)
{
	uint64_t base = r->s->lapics[i].apic_base;

	if (base & LAPIC_BASE_X2APIC && !(base & LAPIC_BASE_ENABLE))
		lint_apic(r, i, "apic_base", "x2APIC mode without the enable bit");
}

static void cr8_tpr(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	uint32_t tpr = lapic_reg(l, LAPIC_TPR);

	if (r->s->mode != IRQCHIP_NONE && l->cr8 != (tpr >> 4 & 15))
		lint_apic(r, i, "cr8", "CR8 is %u, TPR is 0x%02x", (unsigned int)l->cr8, tpr);
}

static const struct {
	const char *name;
	uint16_t offset;
	bool has_mode, is_lint;
} lvts[] = {
	{ "LVTT", LAPIC_LVTT, false, false },
	{ "LVTTHMR", LAPIC_LVTTHMR, true, false },
	{ "LVTPC", LAPIC_LVTPC, true, false },
	{ "LVT0", LAPIC_LVT0, true, true },
	{ "LVT1", LAPIC_LVT1, true, true },
	{ "LVTERR", LAPIC_LVTERR, false, false },
};

/* An entry that can interrupt: known, unmasked, in an APIC that is enabled. */
static bool entry_active(const struct lapic_state *l, uint16_t offset)
{
	return lapic_reg_known(l, offset) && !(lapic_reg(l, offset) & LAPIC_LVT_MASKED) && lapic_enabled(l);
}

static unsigned int entry_mode(const struct lapic_state *l, size_t n)
{
	return lvts[n].has_mode ? lapic_reg(l, lvts[n].offset) >> 8 & 7 : LAPIC_FIXED;
}

static void lvt_vectors(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (size_t n = 0; n < REG_ARRAY_SIZE(lvts); n++) {
		uint32_t vector = lapic_reg(l, lvts[n].offset) & 0xff;

		if (entry_active(l, lvts[n].offset) && entry_mode(l, n) == LAPIC_FIXED && vector < 16)
			lint_apic(r, i, lvts[n].name, "vector %u in an entry that is not masked", vector);
	}
}

static void lvt_modes(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (size_t n = 0; n < REG_ARRAY_SIZE(lvts); n++) {
		unsigned int mode = entry_mode(l, n);
		bool extint = mode == LAPIC_EXTINT && !lvts[n].is_lint;

		if (!entry_active(l, lvts[n].offset))
			continue;
		if (mode == LAPIC_LOWEST_PRIORITY || mode == LAPIC_DELIVERY_3 || mode == LAPIC_STARTUP || extint)
			lint_apic(r, i, lvts[n].name, "delivery mode %u is not for this entry", mode);
	}
}

const struct lint_check lint_lapic_checks[] = {
	{ .name = "isr-above-ppr", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.ISR apic.PPR",
	  .text = "PPR is below the class of a vector in service",
	  .guest = "a handler is interrupted by a vector that its priority should hold back", .run = isr_above_ppr },
	{ .name = "ppr-blocks-irr", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.PPR apic.TPR apic.ISR apic.IRR apic.SVR apic.apic_base",
	  .text = "PPR holds a vector back that TPR and ISR let through",
	  .guest = "the interrupt waits until something makes the LAPIC compute its priority anew", .run = ppr_blocks },
	{ .name = "isr-nesting", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.ISR",
	  .text = "two vectors of one class are in service, which cannot interrupt each other",
	  .guest = "an EOI ends another interrupt than the one whose handler wrote it", .run = isr_nesting },
	{ .name = "low-vectors", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.ISR apic.IRR",
	  .text = "a vector from 0 to 15 is requested or in service",
	  .guest = "the interrupt is never delivered, or arrives as an exception", .run = low_vectors },
	{ .name = "disabled-with-requests", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.SVR apic.ISR apic.IRR", .text = "an APIC that SVR disables holds requests",
	  .guest = "these interrupts wait until the guest enables the APIC", .run = disabled_requests },
	{ .name = "eoi-suppression", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.SVR apic.LVR",
	  .text = "SVR suppresses the EOI broadcast though the version register does not offer that",
	  .guest = "each level interrupt is ended twice, or never: a storm, or a device that falls silent",
	  .run = eoi_suppression },
	{ .name = "base-mode", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.apic_base",
	  .text = "x2APIC mode in an APIC that is off", .guest = "the state cannot be loaded: no CPU is in this mode",
	  .run = base_mode },
	{ .name = "cr8-tpr", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.cr8 apic.TPR",
	  .text = "CR8 and TPR differ while the LAPIC is in the kernel",
	  .guest = "interrupts come that the guest holds back, or stay away that it lets through", .run = cr8_tpr },
	{ .name = "lvt-vector", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.SVR apic.apic_base",
	  .text = "a local vector below 16 is not masked", .guest = "the local interrupt is never delivered",
	  .run = lvt_vectors },
	{ .name = "lvt-delivery", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.SVR apic.apic_base",
	  .text = "a local entry has a delivery mode that is reserved for it", .guest = "the local interrupt is dropped",
	  .run = lvt_modes },
	{ .name = NULL },
};

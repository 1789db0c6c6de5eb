/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the CPUs against each other. */
#include <inttypes.h>

#include "apic/lint_priv.h"

#define TSC_APART_S 1
#define KHZ_GUESS UINT64_C(4000000)

static unsigned int count_bsp(const struct irqchip_state *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->nlapics; i++)
		n += !!(s->lapics[i].apic_base & LAPIC_BASE_BSP);
	return n;
}

static void no_bsp(struct lint_run *r, unsigned int i)
{
	(void)i;
	if (!count_bsp(r->s))
		lint_chip(r, "apic", "none of %u CPUs is the bootstrap processor", r->s->nlapics);
}

static void many_bsp(struct lint_run *r, unsigned int i)
{
	(void)i;
	if (count_bsp(r->s) > 1)
		lint_chip(r, "apic", "%u CPUs are the bootstrap processor", count_bsp(r->s));
}

/* An 8-bit ID cannot tell CPUs from 255 on, which the guest numbers when it enters x2APIC mode. */
static bool has_own_id(const struct lapic_state *l)
{
	return l->apic_base & LAPIC_BASE_ENABLE &&
	       (lapic_x2apic(l) || !lint_knows(l, "initial_id") || l->initial_id < 255);
}

static void same_id(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (unsigned int k = 0; k < i; k++) {
		const struct lapic_state *o = &r->s->lapics[k];

		if (has_own_id(l) && has_own_id(o) && lapic_id(l) == lapic_id(o)) {
			lint_apic(r, i, "id", "CPU %u has the APIC ID %" PRIu32 ", too", lint_cpu(r, k), lapic_id(l));
			return;
		}
	}
}

/* A command that sends a vector or an NMI to one ID. */
static bool sends_to(const struct lapic_state *l, uint32_t id)
{
	uint32_t icr = lapic_reg(l, LAPIC_ICR), icr2 = lapic_reg(l, LAPIC_ICR2);
	unsigned int mode = icr >> 8 & 7;

	if (icr & (UINT32_C(3) << 18) || icr & (UINT32_C(1) << 11) || (mode != LAPIC_FIXED && mode != LAPIC_NMI))
		return false;
	return (mode == LAPIC_NMI || (icr & 0xff) >= 16) && (lapic_x2apic(l) ? icr2 : icr2 >> 24) == id;
}

static void off_addressed(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (l->apic_base & LAPIC_BASE_ENABLE || lint_not_started(l))
		return;
	for (unsigned int k = 0; k < r->s->nlapics; k++) {
		if (k != i && lapic_enabled(&r->s->lapics[k]) && sends_to(&r->s->lapics[k], lapic_id(l))) {
			lint_apic(r, i, "apic_base", "the APIC is off, and CPU %u sends to it", lint_cpu(r, k));
			return;
		}
	}
}

static uint64_t limit_of(const struct lapic_state *l)
{
	uint64_t khz = lint_knows(l, "tsc_khz") && l->tsc_khz > 0 ? (uint64_t)l->tsc_khz : KHZ_GUESS;

	return khz * 1000 * TSC_APART_S;
}

static void tsc_apart(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *first = &r->s->lapics[0], *l = &r->s->lapics[i];
	uint64_t apart = l->tsc > first->tsc ? l->tsc - first->tsc : first->tsc - l->tsc;

	if (lint_knows(first, "tsc") && apart > limit_of(l))
		lint_apic(r, i, "tsc", "the TSC is %" PRIu64 " ticks %s that of CPU %u", apart,
			  l->tsc > first->tsc ? "ahead of" : "behind", lint_cpu(r, 0));
}

const struct lint_check lint_cpu_checks[] = {
	{ .name = "bsp-none", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE, .needs = "apics.apic_base",
	  .text = "no CPU is the bootstrap processor", .guest = "after a reset no CPU starts", .run = no_bsp },
	{ .name = "bsp-many", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE, .needs = "apics.apic_base",
	  .text = "more than one CPU is the bootstrap processor",
	  .guest = "after a reset two CPUs run the firmware at once", .run = many_bsp },
	{ .name = "same-id", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apics.ID apics.apic_base",
	  .text = "two CPUs have one APIC ID", .guest = "what is sent to one of them arrives at both, or at the wrong one",
	  .run = same_id },
	{ .name = "off-addressed", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apics.ID apics.apic_base apics.SVR apics.ICR apics.ICR2",
	  .text = "an APIC is off, and another CPU sends to it", .guest = "the other CPU waits for an answer that never comes",
	  .run = off_addressed },
	{ .name = "tsc-apart", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.tsc",
	  .text = "the TSCs of two CPUs are more than a second apart",
	  .guest = "time jumps when a task moves between the CPUs; the guest may give up the TSC as its clock",
	  .run = tsc_apart },
	{ .name = NULL },
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of what is on its way into a CPU, and of its run state. */
#include "apic/cpu.h"
#include "apic/lint_priv.h"

static bool sleeps(const struct lapic_state *l)
{
	return (lint_knows(l, "mp_state") && l->mp_state == LAPIC_MP_HALTED) || (lint_knows(l, "halted") && l->halted);
}

/* A vector that a PIC gave: in service there, or in a mode in which no PIC keeps a record. */
static bool from_pic(const struct lint_run *r, uint8_t vector)
{
	for (unsigned int p = 0; p < 2; p++) {
		const struct pic_state *pic = &r->s->pics[p];
		uint8_t line = (uint8_t)(vector - pic->irq_base);

		/* Line 7 without its bit is the spurious interrupt. */
		if (line < 8 && (pic->auto_eoi || pic->isr >> line & 1 || line == 7))
			return true;
	}
	return false;
}

static void injected_unserved(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	uint8_t vector = (uint8_t)l->interrupt_injected;

	if (l->interrupt_injected < 0 || l->soft_interrupt || lapic_bank_test(l, LAPIC_ISR, vector))
		return;
	/* Without the PICs nobody can tell; the spurious vector of the LAPIC has no bit. */
	if (!lint_has_pics(r) || from_pic(r, vector) || vector == (lapic_reg(l, LAPIC_SVR) & 0xff))
		return;
	lint_apic(r, i, "interrupt_injected", "vector %u is on its way and neither in ISR nor in isr of a PIC", vector);
}

static void nmi_nested(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (l->nmi_injected && l->nmi_masked)
		lint_apic(r, i, "nmi_injected", "an NMI is on its way into the handler of another");
}

static void smi_lost(struct lint_run *r, unsigned int i)
{
	if (r->s->lapics[i].smi_pending && r->machine->smm == LINT_ABSENT)
		lint_apic(r, i, "smi_pending", "an SMI waits, and the host has no system management mode");
}

static void shadow_halted(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (l->interrupt_shadow && sleeps(l))
		lint_apic(r, i, "interrupt_shadow", "the shadow of STI or MOV SS outlived the HLT behind it");
}

static void triple_fault(struct lint_run *r, unsigned int i)
{
	if (r->s->lapics[i].triple_fault)
		lint_apic(r, i, "triple_fault", "a shutdown is pending");
}

/* A vector for a CPU that sleeps and would take it; -1: none. */
static int sleeper_vector(const struct lapic_state *l)
{
	bool shadow = lint_knows(l, "interrupt_shadow") && l->interrupt_shadow;

	return sleeps(l) && l->eflags & CPU_EFLAGS_IF && !shadow && !lint_not_started(l) ? lapic_deliverable(l) : -1;
}

static void halted_deliverable(struct lint_run *r, unsigned int i)
{
	int vector = sleeper_vector(&r->s->lapics[i]);

	if (r->s->mode != IRQCHIP_NONE && vector >= 0)
		lint_apic(r, i, "mp_state", "the CPU is halted, and vector %d is for it", vector);
}

/* Without a LAPIC in the kernel, the thread of a CPU sleeps until its VMM has asked for it. */
static void halted_unasked(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];
	int vector = sleeper_vector(l);

	if (r->s->mode == IRQCHIP_NONE && vector >= 0 && !(l->interrupt_request & CPU_INTERRUPT_HARD))
		lint_apic(r, i, "interrupt_request", "the CPU is halted, vector %d is for it, and nobody asked for it",
			  vector);
}

static void bsp_waits(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	if (l->apic_base & LAPIC_BASE_BSP && lint_not_started(l))
		lint_apic(r, i, "mp_state", "the bootstrap processor waits for a start-up IPI");
}

const struct lint_check lint_event_checks[] = {
	{ .name = "injected-unserved", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.interrupt_injected apic.ISR apic.SVR",
	  .text = "a vector on its way into the CPU is in service nowhere",
	  .guest = "the EOI of its handler ends another interrupt, or none", .run = injected_unserved },
	{ .name = "nmi-nested", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.nmi_injected apic.nmi_masked",
	  .text = "an NMI is on its way while NMIs are masked",
	  .guest = "its NMI handler is entered twice: the stack frame of the first is overwritten", .run = nmi_nested },
	{ .name = "smi-lost", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.smi_pending",
	  .text = "an SMI waits on a host without system management mode",
	  .guest = "the firmware's handler never runs: the caller of the SMI waits", .run = smi_lost },
	{ .name = "shadow-halted", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC, .needs = "apic.interrupt_shadow",
	  .text = "a halted CPU has an interrupt shadow",
	  .guest = "it is not woken by an interrupt, or the VM entry fails", .run = shadow_halted },
	{ .name = "triple-fault", .severity = LINT_NOTE, .scope = LINT_APIC, .needs = "apic.triple_fault",
	  .text = "a shutdown is pending", .guest = "the machine resets or stops", .run = triple_fault },
	{ .name = "halted-deliverable", .severity = LINT_NOTE, .scope = LINT_APIC,
	  .needs = "apic.eflags apic.IRR apic.ISR apic.TPR apic.SVR apic.apic_base",
	  .text = "a halted CPU has an interrupt that it would take, and its LAPIC is in the kernel",
	  .guest = "it wakes at once", .run = halted_deliverable },
	{ .name = "halted-unasked", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.interrupt_request apic.eflags apic.IRR apic.ISR apic.TPR apic.SVR apic.apic_base",
	  .text = "a halted CPU has an interrupt that it would take, and its VMM was not told",
	  .guest = "it sleeps on until another interrupt comes", .run = halted_unasked },
	{ .name = "bsp-waits", .severity = LINT_IMPOSSIBLE, .scope = LINT_APIC, .needs = "apic.apic_base",
	  .text = "the bootstrap processor waits to be started", .guest = "the machine does nothing", .run = bsp_waits },
	{ .name = NULL },
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the pair of PICs, and of the way of their INTR to a CPU. */
#include "apic/cpu.h"
#include "apic/lint_priv.h"

static unsigned int acceptors(const struct irqchip_state *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->nlapics; i++)
		n += lapic_accepts_pic(&s->lapics[i]) && !lint_not_started(&s->lapics[i]);
	return n;
}

/* IRQ 0 is pin 2; the cascade has none. */
static bool pin_serves(const struct lint_run *r, unsigned int irq)
{
	unsigned int pin = irq ? irq : 2;

	return !lint_has_ioapic(r) || !(r->s->ioapic.redirtbl[pin] & IOAPIC_RTE_MASKED);
}

/* A PIC without vectors was never initialised: no guest waits for it. A pin that is not masked serves its line. */
static void extint_none(struct lint_run *r, unsigned int i)
{
	int irq = pic_pair_pending(r->s->pics);

	(void)i;
	if (irq < 0 || !r->s->pics[PIC_MASTER].irq_base || pin_serves(r, (unsigned int)irq))
		return;
	if (!acceptors(r->s) && !lint_extint_pin(r))
		lint_chip(r, "i8259", "IRQ %d requests, LINT0 of no CPU takes it, and no entry of the IOAPIC is ExtINT", irq);
}

static void extint_many(struct lint_run *r, unsigned int i)
{
	(void)i;
	if (pic_pair_intr(r->s->pics) && acceptors(r->s) > 1)
		lint_chip(r, "i8259", "IRQ %d requests, and %u CPUs take INTR", pic_pair_pending(r->s->pics),
			  acceptors(r->s));
}

/* The guest serves other lines of the PICs: it means to use them. */
static void masked_request(struct lint_run *r, unsigned int i)
{
	const struct pic_state *p = &r->s->pics[i];

	if (!(p->elcr & p->irr & p->imr) || p->imr == 0xff || p->init_state)
		return;
	for (unsigned int line = 0; line < 8; line++)
		if (p->elcr >> line & p->irr >> line & p->imr >> line & 1 && !pin_serves(r, 8 * i + line))
			lint_pic(r, i, "irr", "IRQ %u is level-triggered, requests, and is masked here and in the IOAPIC",
				 8 * i + line);
}

static void auto_eoi_served(struct lint_run *r, unsigned int i)
{
	const struct pic_state *p = &r->s->pics[i];

	if (p->auto_eoi && p->isr)
		lint_pic(r, i, "isr", "0x%02x is in service in automatic end of interrupt mode", p->isr);
}

static void cascade_residue(struct lint_run *r, unsigned int i)
{
	const struct pic_state *m = &r->s->pics[PIC_MASTER];
	uint8_t bit = 1 << PIC_CASCADE;

	(void)i;
	if (m->irr & bit && !(m->imr & bit) && pic_pending(&r->s->pics[PIC_SLAVE], false) < 0 &&
	    pic_pair_pending(r->s->pics) == 15)
		lint_pic(r, PIC_MASTER, "irr", "the line of the slave requests, and the slave does not");
}

static void initialising(struct lint_run *r, unsigned int i)
{
	const struct pic_state *p = &r->s->pics[i];

	if (p->init_state)
		lint_pic(r, i, "init_state", "the guest wrote ICW1, and ICW%u is next", p->init_state + 1u);
}

/* A level-triggered line requests as long as it is high. ICW1 clears last_irr alone, so the other way is no fault. */
static void level_lines(struct lint_run *r, unsigned int i)
{
	const struct pic_state *p = &r->s->pics[i];
	uint8_t high = p->elcr & p->last_irr & (uint8_t)~p->irr;

	if (high)
		lint_pic(r, i, "last_irr", "level-triggered lines 0x%02x are high and do not request", high);
}

static bool protected_mode(const struct lapic_state *l)
{
	return lint_knows(l, "hflags") && lint_knows(l, "eflags") && l->hflags >> 7 & 1 && l->eflags & CPU_EFLAGS_IF;
}

static void base_in_exceptions(struct lint_run *r, unsigned int i)
{
	const struct pic_state *p = &r->s->pics[i];

	if (p->irq_base >= 16 || p->imr == 0xff)
		return;
	for (unsigned int k = 0; k < r->s->nlapics; k++) {
		if (!protected_mode(&r->s->lapics[k]) || !lapic_accepts_pic(&r->s->lapics[k]))
			continue;
		lint_pic(r, i, "irq_base", "vectors from %u on are exceptions, and CPU %u is in protected mode", p->irq_base,
			 lint_cpu(r, k));
		return;
	}
}

const struct lint_check lint_pic_checks[] = {
	{ .name = "extint-none", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE,
	  .needs = "pics.irr pics.imr pics.isr pics.irq_base apics.LVT0 apics.apic_base ioapic.RTE",
	  .text = "the PIC asserts INTR and nobody takes it", .guest = "interrupts of the PIC are lost", .run = extint_none },
	{ .name = "extint-many", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE,
	  .needs = "pics.irr pics.imr pics.isr apics.LVT0 apics.apic_base",
	  .text = "the PIC asserts INTR and more than one CPU takes it",
	  .guest = "two CPUs acknowledge one request: one of them gets a spurious IRQ 7", .run = extint_many },
	{ .name = "pic-masked", .severity = LINT_NOTE, .scope = LINT_PIC,
	  .needs = "pic.irr pic.imr pic.elcr pic.init_state",
	  .text = "a level-triggered line requests and is masked, in the IOAPIC, too",
	  .guest = "its device waits until a mask is taken away", .run = masked_request },
	{ .name = "pic-auto-eoi", .severity = LINT_IMPOSSIBLE, .scope = LINT_PIC, .needs = "pic.isr pic.auto_eoi",
	  .text = "a line is in service in automatic end of interrupt mode",
	  .guest = "no EOI will come: this line and those below it never interrupt again", .run = auto_eoi_served },
	{ .name = "pic-cascade", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE,
	  .needs = "pics.irr pics.imr pics.isr pics.priority_add pics.special_mask",
	  .text = "the master has a request of a slave that no longer requests", .guest = "one spurious IRQ 15",
	  .run = cascade_residue },
	{ .name = "pic-initialising", .severity = LINT_NOTE, .scope = LINT_PIC, .needs = "pic.init_state",
	  .text = "the guest is in the middle of initialising the PIC",
	  .guest = "its next write to the data port is taken as a command word, as it expects", .run = initialising },
	{ .name = "pic-level", .severity = LINT_SUSPICIOUS, .scope = LINT_PIC, .needs = "pic.irr pic.elcr pic.last_irr",
	  .text = "a level-triggered line is high and does not request",
	  .guest = "its device waits for an interrupt that does not come before the line falls and rises", .run = level_lines },
	{ .name = "pic-base", .severity = LINT_SUSPICIOUS, .scope = LINT_PIC, .needs = "pic.irq_base pic.imr apics.LVT0 apics.apic_base",
	  .text = "vectors of the PIC are those of exceptions, in protected mode with interrupts on",
	  .guest = "an interrupt arrives as an exception: double fault, or a crash", .run = base_in_exceptions },
	{ .name = NULL },
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the IOAPIC against the LAPICs. An entry in service is one with remote_irr. */
#include <inttypes.h>

#include "apic/lint_priv.h"

/* What a pin's vector can be found at. */
struct places {
	bool addressed, elsewhere;
};

static struct places find_vector(const struct lint_run *r, uint64_t rte)
{
	struct places p = { false, false };

	for (unsigned int i = 0; i < r->s->nlapics; i++) {
		const struct lapic_state *l = &r->s->lapics[i];

		if (!lint_has_vector(l, rte & IOAPIC_RTE_VECTOR))
			continue;
		if (lint_remapped(rte) || lint_addresses(rte, l))
			p.addressed = true;
		else
			p.elsewhere = true;
	}
	return p;
}

/* With the broadcast suppressed, an EOI in the LAPIC leaves remote_irr until the guest ends it in the IOAPIC. */
static bool broadcast_suppressed(const struct irqchip_state *s)
{
	for (unsigned int i = 0; i < s->nlapics; i++)
		if (lapic_reg(&s->lapics[i], LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST)
			return true;
	return false;
}

static bool in_service(uint64_t rte)
{
	return rte & IOAPIC_RTE_LEVEL && rte & IOAPIC_RTE_REMOTE_IRR && lint_carries_vector(rte);
}

static void remote_irr_lost(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];
	struct places p = find_vector(r, rte);

	if (in_service(rte) && !p.addressed && !p.elsewhere && !broadcast_suppressed(r->s))
		lint_pin(r, pin, "remote_irr is set, and vector %u is in IRR or ISR of no CPU",
			 (unsigned int)(rte & IOAPIC_RTE_VECTOR));
}

static void remote_irr_elsewhere(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];
	struct places p = find_vector(r, rte);

	if (in_service(rte) && !p.addressed && p.elsewhere)
		lint_pin(r, pin, "remote_irr is set, and vector %u is only at a CPU that the entry does not address",
			 (unsigned int)(rte & IOAPIC_RTE_VECTOR));
}

/* An entry of a vector, if there is one like that. */
struct wanted {
	uint8_t vector;
	bool level, in_service;
};

static int find_entry(const struct ioapic_state *s, struct wanted w, const struct lapic_state *l)
{
	for (int pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = s->redirtbl[pin];

		if ((rte & IOAPIC_RTE_VECTOR) != w.vector || !lint_carries_vector(rte) ||
		    !!(rte & IOAPIC_RTE_LEVEL) != w.level)
			continue;
		if (w.in_service ? !(rte & IOAPIC_RTE_REMOTE_IRR) : !!(rte & IOAPIC_RTE_MASKED))
			continue;
		if (!l || lint_remapped(rte) || lint_addresses(rte, l))
			return pin;
	}
	return -1;
}

static bool is_level(const struct lapic_state *l, uint8_t vector)
{
	return lapic_bank_test(l, LAPIC_TMR, vector);
}

static void level_orphan(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (unsigned int v = 16; v < 256; v++) {
		struct wanted level = { (uint8_t)v, true, true }, edge = { (uint8_t)v, false, false };

		if (!lint_has_vector(l, (uint8_t)v) || !is_level(l, (uint8_t)v))
			continue;
		if (find_entry(&r->s->ioapic, level, NULL) < 0 && find_entry(&r->s->ioapic, edge, l) < 0)
			lint_apic(r, i, lapic_bank_test(l, LAPIC_ISR, (uint8_t)v) ? "isr" : "irr",
				  "vector %u is level-triggered, and no entry of the IOAPIC has it in service", v);
	}
}

static void tmr_of_edge(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (unsigned int v = 16; v < 256; v++) {
		struct wanted level = { (uint8_t)v, true, true }, edge = { (uint8_t)v, false, false };
		int pin = find_entry(&r->s->ioapic, edge, l);

		if (pin >= 0 && lint_has_vector(l, (uint8_t)v) && is_level(l, (uint8_t)v) &&
		    find_entry(&r->s->ioapic, level, NULL) < 0)
			lint_apic(r, i, "tmr", "vector %u is level-triggered here and edge-triggered at pin %d", v, pin);
	}
}

static void tmr_clear(struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	for (unsigned int v = 16; v < 256; v++) {
		struct wanted level = { (uint8_t)v, true, true };
		int pin = find_entry(&r->s->ioapic, level, l);

		if (pin >= 0 && lint_has_vector(l, (uint8_t)v) && !is_level(l, (uint8_t)v))
			lint_apic(r, i, "tmr", "vector %u is edge-triggered here and in service at pin %d, which is level-triggered", v,
				  pin);
	}
}

static void pin_undelivered(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];

	if (ioapic_serviceable(&r->s->ioapic) >> pin & 1 && (rte & IOAPIC_RTE_VECTOR) >= 16 && lint_carries_vector(rte))
		lint_pin(r, pin, "the pin requests, nothing holds it back, and vector %u was not delivered",
			 (unsigned int)(rte & IOAPIC_RTE_VECTOR));
}

/* An entry that no guest programmed has vector 0: nobody waits for such a pin. */
static void pin_masked(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];

	if (r->s->ioapic.irr >> pin & 1 && rte & IOAPIC_RTE_MASKED && (rte & IOAPIC_RTE_VECTOR) >= 16)
		lint_pin(r, pin, "the pin requests, and its entry for vector %u is masked",
			 (unsigned int)(rte & IOAPIC_RTE_VECTOR));
}

static bool sends_vectors(uint64_t rte)
{
	return !(rte & IOAPIC_RTE_MASKED) && lint_carries_vector(rte) && !lint_remapped(rte);
}

static void entry_to_nobody(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];

	for (unsigned int i = 0; i < r->s->nlapics; i++)
		if (lint_addresses(rte, &r->s->lapics[i]))
			return;
	if (sends_vectors(rte))
		lint_pin(r, pin, "the entry is not masked, and no CPU has its %s destination %u",
			 rte & IOAPIC_RTE_LOGICAL ? "logical" : "physical", ioapic_dest(rte));
}

static void entry_to_off(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];
	unsigned int off = 0;

	for (unsigned int i = 0; i < r->s->nlapics; i++) {
		if (!lint_addresses(rte, &r->s->lapics[i]))
			continue;
		if (lapic_enabled(&r->s->lapics[i]))
			return;
		off++;
	}
	if (sends_vectors(rte) && off)
		lint_pin(r, pin, "the entry is not masked, and the APICs of all %u CPUs that it addresses are off", off);
}

static void entry_vector(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];

	if (sends_vectors(rte) && (rte & IOAPIC_RTE_VECTOR) < 16)
		lint_pin(r, pin, "vector %u in an entry that is not masked", (unsigned int)(rte & IOAPIC_RTE_VECTOR));
}

static void entry_delivery(struct lint_run *r, unsigned int pin)
{
	uint64_t rte = r->s->ioapic.redirtbl[pin];
	unsigned int mode = ioapic_delivery(rte);

	if (!(rte & IOAPIC_RTE_MASKED) && !lint_remapped(rte) && (mode == LAPIC_DELIVERY_3 || mode == LAPIC_STARTUP))
		lint_pin(r, pin, "delivery mode %u is reserved, and the entry is not masked", mode);
}

const struct lint_check lint_ioapic_checks[] = {
	{ .name = "remote-irr-lost", .severity = LINT_IMPOSSIBLE, .scope = LINT_PIN,
	  .needs = "ioapic.RTE apics.IRR apics.ISR apics.SVR apics.ID apics.LDR apics.DFR apics.apic_base",
	  .text = "an entry is in service and its vector is at no CPU",
	  .guest = "no EOI will come: the pin never interrupts again, its device hangs", .run = remote_irr_lost },
	{ .name = "remote-irr-elsewhere", .severity = LINT_NOTE, .scope = LINT_PIN,
	  .needs = "ioapic.RTE apics.IRR apics.ISR apics.ID apics.LDR apics.DFR apics.apic_base",
	  .text = "an entry is in service at a CPU that it no longer addresses",
	  .guest = "nothing: the EOI of that CPU ends it; it moved the interrupt in the middle", .run = remote_irr_elsewhere },
	{ .name = "level-orphan", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.IRR apic.ISR apic.TMR apic.ID apic.LDR apic.DFR apic.apic_base ioapic.RTE",
	  .text = "a level-triggered vector is requested or in service, and no entry waits for its EOI",
	  .guest = "the interrupt comes once more than its device asked, or the handler finds no cause", .run = level_orphan },
	{ .name = "tmr-of-edge", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.IRR apic.ISR apic.TMR apic.ID apic.LDR apic.DFR apic.apic_base ioapic.RTE",
	  .text = "TMR says level of a vector whose entry is edge-triggered",
	  .guest = "its EOI is broadcast for nothing, and may end an interrupt of another IOAPIC", .run = tmr_of_edge },
	{ .name = "tmr-clear", .severity = LINT_SUSPICIOUS, .scope = LINT_APIC,
	  .needs = "apic.IRR apic.ISR apic.TMR apic.ID apic.LDR apic.DFR apic.apic_base ioapic.RTE",
	  .text = "TMR says edge of a vector whose level-triggered entry is in service",
	  .guest = "its EOI is not broadcast: the pin never interrupts again", .run = tmr_clear },
	{ .name = "pin-undelivered", .severity = LINT_SUSPICIOUS, .scope = LINT_PIN, .needs = "ioapic.RTE ioapic.irr",
	  .text = "a pin requests and would be delivered, and was not",
	  .guest = "the interrupt comes when the state is loaded: late, and twice if it had come already", .run = pin_undelivered },
	{ .name = "pin-masked", .severity = LINT_NOTE, .scope = LINT_PIN, .needs = "ioapic.RTE ioapic.irr",
	  .text = "a pin that the guest programmed and masked requests",
	  .guest = "the interrupt waits until it unmasks the pin", .run = pin_masked },
	{ .name = "entry-to-nobody", .severity = LINT_SUSPICIOUS, .scope = LINT_PIN,
	  .needs = "ioapic.RTE apics.ID apics.LDR apics.DFR apics.apic_base",
	  .text = "an entry addresses no CPU", .guest = "interrupts of this pin are lost", .run = entry_to_nobody },
	{ .name = "entry-to-off", .severity = LINT_SUSPICIOUS, .scope = LINT_PIN,
	  .needs = "ioapic.RTE apics.ID apics.LDR apics.DFR apics.apic_base apics.SVR",
	  .text = "an entry addresses only CPUs whose APIC is off", .guest = "interrupts of this pin are lost",
	  .run = entry_to_off },
	{ .name = "entry-vector", .severity = LINT_SUSPICIOUS, .scope = LINT_PIN, .needs = "ioapic.RTE",
	  .text = "an entry has a vector below 16", .guest = "interrupts of this pin are never delivered", .run = entry_vector },
	{ .name = "entry-delivery", .severity = LINT_SUSPICIOUS, .scope = LINT_PIN, .needs = "ioapic.RTE",
	  .text = "an entry has a reserved delivery mode", .guest = "interrupts of this pin are dropped",
	  .run = entry_delivery },
	{ .name = NULL },
};

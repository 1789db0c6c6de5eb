/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The IOAPIC's pins. QEMU's own model services no pin when it is loaded, KVM services every one: for a target
 * with the IOAPIC in user space, what KVM would deliver is delivered here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apic/cpu.h"
#include "apic/ioapic.h"
#include "filters/builtin.h"
#include "filters/change.h"

/* Vectors below are exceptions: no LAPIC accepts a message with one (SDM 3A 11.5.2). */
#define FIRST_VECTOR 16

/* All LAPICs; read when the first pin concerns them, since most machines are saved without one that does. */
struct bus {
	struct filter_run *run;
	struct vcpu *vcpus;
	struct lapic_state *lapics; /* NULL: not read yet */
	size_t count;
};

static void bus_deinit(struct bus *b)
{
	free(b->vcpus);
	free(b->lapics);
}

static int bus_read(struct bus *b, struct irqs_error *reterr)
{
	const struct vms_node *machine = b->run->tree->machine;
	struct vcpu v = { 0 };
	size_t count = 0;
	int rc = 0;

	if (b->lapics)
		return 0;
	while (vcpu_next(machine, &v))
		count += v.apic != NULL;
	b->vcpus = calloc(count + 1, sizeof(*b->vcpus));
	b->lapics = calloc(count + 1, sizeof(*b->lapics));
	if (!b->vcpus || !b->lapics)
		rc = irqs_fail_nomem(reterr);
	v = (struct vcpu){ 0 };
	while (!rc && vcpu_next(machine, &v)) {
		if (!v.apic)
			continue;
		b->vcpus[b->count] = v;
		rc = vcpu_lapic(&v, &b->lapics[b->count++], reterr);
	}
	return rc;
}

static int write_rte(struct filter_run *run, struct vms_node *ioapic, unsigned int pin, uint64_t rte,
		     enum report_cost cost, const char *why, struct irqs_error *reterr)
{
	char path[32];

	snprintf(path, sizeof(path), "ioredtbl[%u]", pin);
	return change_field(run, ioapic, path, rte, cost, reterr, "%s", why);
}

/* ---- remote IRR ---- */

/*
 * An interrupt that is neither requested nor in service anywhere gets no EOI any more. That is normal for a
 * guest that ends it at the IOAPIC later (directed EOI).
 */
static bool still_in_flight(const struct bus *b, uint8_t vector)
{
	for (size_t i = 0; i < b->count; i++)
		if (lapic_bank_test(&b->lapics[i], LAPIC_ISR, vector) ||
		    lapic_bank_test(&b->lapics[i], LAPIC_IRR, vector) ||
		    lapic_reg(&b->lapics[i], LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST)
			return true;
	return false;
}

/* EOI reaches the IOAPIC only for a vector that the LAPIC took as a level. */
static int mark_level(struct bus *b, uint8_t vector, struct irqs_error *reterr)
{
	int rc = 0;

	for (size_t i = 0; i < b->count && !rc; i++) {
		struct lapic_state *s = &b->lapics[i];

		if (!lapic_bank_test(s, LAPIC_ISR, vector) && !lapic_bank_test(s, LAPIC_IRR, vector))
			continue;
		lapic_bank_set(s, LAPIC_TMR, vector);
		rc = change_bank(b->run, b->vcpus[i].apic, s, LAPIC_TMR, COST_APPROXIMATE, reterr,
				 "the IOAPIC waits for the EOI of vector 0x%02x: it must come as a level's",
				 vector);
	}
	return rc;
}

static bool wants_remote_irr(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind;
}

static int run_remote_irr(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *ioapic = NULL;
	struct bus b = { .run = run };
	int rc = 0;

	while (!rc && (ioapic = vms_next_section(run->tree->machine, ioapic, "ioapic"))) {
		struct ioapic_state s;

		rc = ioapic_from_tree(ioapic, &s, reterr);
		for (unsigned int pin = 0; pin < IOAPIC_PINS && !rc; pin++) {
			uint64_t rte = s.redirtbl[pin];
			uint8_t vector = rte & IOAPIC_RTE_VECTOR;

			if (!(rte & IOAPIC_RTE_LEVEL) || !(rte & IOAPIC_RTE_REMOTE_IRR))
				continue;
			rc = bus_read(&b, reterr);
			if (rc)
				break;
			if (still_in_flight(&b, vector))
				rc = mark_level(&b, vector, reterr);
			else
				rc = write_rte(run, ioapic, pin, rte & ~IOAPIC_RTE_REMOTE_IRR,
					       COST_APPROXIMATE,
					       "no LAPIC serves this vector: no EOI would ever free the pin",
					       reterr);
		}
	}
	bus_deinit(&b);
	return rc;
}

const struct filter filter_remote_irr = {
	.name = "remote-irr",
	.summary = "keep remote IRR of the IOAPIC consistent with the LAPICs",
	.after = (const char *const[]){ "unack", "directed-eoi", NULL },
	.wants = wants_remote_irr,
	.run = run_remote_irr,
};

/* ---- pending pins ---- */

static bool matches(const struct lapic_state *s, uint64_t rte)
{
	uint32_t dest = ioapic_dest(rte);

	/* 8 bits of destination: their broadcast is everybody's, in x2APIC mode too. */
	if (dest == 0xff && lapic_x2apic(s))
		dest = UINT32_MAX;
	return rte & IOAPIC_RTE_LOGICAL ? lapic_match_logical(s, dest) : lapic_match_physical(s, dest);
}

static int request(struct bus *b, size_t i, uint8_t vector, bool level, unsigned int pin,
		   struct irqs_error *reterr)
{
	struct lapic_state *s = &b->lapics[i];
	int rc;

	lapic_bank_set(s, LAPIC_IRR, vector);
	if (level)
		lapic_bank_set(s, LAPIC_TMR, vector);
	else
		lapic_bank_clear(s, LAPIC_TMR, vector);
	rc = change_bank(b->run, b->vcpus[i].apic, s, LAPIC_IRR, COST_LOSSLESS, reterr,
			 "IOAPIC pin %u asks: an IOAPIC in user space is not serviced when it is loaded",
			 pin);
	if (!rc)
		rc = change_bank(b->run, b->vcpus[i].apic, s, LAPIC_TMR, COST_LOSSLESS, reterr,
				 "IOAPIC pin %u is %s", pin, level ? "level-triggered" : "edge-triggered");
	return rc;
}

/* Messages that are no vector: the requests filter hands them to the kernel where that holds them. */
static int raise_event(struct bus *b, size_t i, uint32_t bit, unsigned int pin, struct irqs_error *reterr)
{
	struct vms_node *common = b->vcpus[i].common;

	if (!common)
		return 0;
	return change_field(b->run, common, "interrupt_request",
			    vms_get_or(common, "interrupt_request", 0) | bit, COST_LOSSLESS, reterr,
			    "IOAPIC pin %u asks for it", pin);
}

static uint32_t event_bit(unsigned int delivery)
{
	switch (delivery) {
	case LAPIC_SMI:
		return CPU_INTERRUPT_SMI;
	case LAPIC_NMI:
		return CPU_INTERRUPT_NMI;
	case LAPIC_INIT:
		return CPU_INTERRUPT_INIT;
	default:
		return 0;
	}
}

/* Of the LAPICs that match, the one with the lowest priority. */
static size_t lowest(const struct bus *b, uint64_t rte)
{
	size_t best = b->count;

	for (size_t i = 0; i < b->count; i++)
		if (lapic_enabled(&b->lapics[i]) && matches(&b->lapics[i], rte) &&
		    (best == b->count || lapic_ppr(&b->lapics[i]) < lapic_ppr(&b->lapics[best])))
			best = i;
	return best;
}

static int deliver(struct bus *b, uint64_t rte, unsigned int pin, bool *ret_done, struct irqs_error *reterr)
{
	unsigned int delivery = ioapic_delivery(rte);
	bool fixed = delivery == LAPIC_FIXED || delivery == LAPIC_LOWEST_PRIORITY;
	uint8_t vector = rte & IOAPIC_RTE_VECTOR;
	size_t only;
	int rc;

	*ret_done = false;
	if (fixed ? vector < FIRST_VECTOR : !event_bit(delivery))
		return 0;
	rc = bus_read(b, reterr);
	if (rc)
		return rc;
	only = delivery == LAPIC_LOWEST_PRIORITY ? lowest(b, rte) : b->count;
	for (size_t i = 0; i < b->count && !rc; i++) {
		if (delivery == LAPIC_LOWEST_PRIORITY ? i != only : !matches(&b->lapics[i], rte))
			continue;
		if (fixed && !lapic_enabled(&b->lapics[i]))
			continue;
		*ret_done = true;
		rc = fixed ? request(b, i, vector, rte & IOAPIC_RTE_LEVEL, pin, reterr)
			   : raise_event(b, i, event_bit(delivery), pin, reterr);
	}
	return rc;
}

static int service(struct bus *b, struct vms_node *ioapic, struct ioapic_state *s, struct irqs_error *reterr)
{
	uint32_t pins = ioapic_serviceable(s), irr = s->irr;
	int rc = 0;

	for (unsigned int pin = 0; pin < IOAPIC_PINS && !rc; pin++) {
		uint64_t rte = s->redirtbl[pin];
		uint32_t bit = UINT32_C(1) << pin;
		bool done;

		/* The kernel keeps an edge of a masked pin until the line falls, and ignores it. */
		if (irr & bit && rte & IOAPIC_RTE_MASKED && !(rte & IOAPIC_RTE_LEVEL))
			s->irr &= ~bit;
		if (!(pins & bit))
			continue;
		rc = deliver(b, rte, pin, &done, reterr);
		if (rc || !done)
			continue;
		if (rte & IOAPIC_RTE_LEVEL)
			rc = write_rte(b->run, ioapic, pin, rte | IOAPIC_RTE_REMOTE_IRR, COST_LOSSLESS,
				       "its interrupt was delivered and waits for its EOI", reterr);
		else
			s->irr &= ~bit;
	}
	if (!rc)
		rc = change_field(b->run, ioapic, "irr", s->irr, COST_LOSSLESS, reterr,
				  "an edge stays here only until it is delivered, and not at all while its "
				  "pin is masked");
	return rc;
}

static bool wants_ioapic(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind && !profile_kernel_ioapic(to);
}

static int run_ioapic(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *ioapic = NULL;
	struct bus b = { .run = run };
	int rc = 0;

	while (!rc && (ioapic = vms_next_section(run->tree->machine, ioapic, "ioapic"))) {
		struct ioapic_state s;

		rc = ioapic_from_tree(ioapic, &s, reterr);
		if (!rc)
			rc = service(&b, ioapic, &s, reterr);
	}
	bus_deinit(&b);
	return rc;
}

const struct filter filter_ioapic = {
	.name = "ioapic",
	.summary = "deliver pending pins that the target's IOAPIC would forget",
	.after = (const char *const[]){ "unack", "remote-irr", NULL },
	.wants = wants_ioapic,
	.run = run_ioapic,
};

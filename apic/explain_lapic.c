/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened at a LAPIC and its CPU. The timer is in explain_timer.c. */
#include <inttypes.h>
#include <stdio.h>

#include "apic/cpu.h"
#include "apic/explain_priv.h"

/* Where a vector was, and is. */
struct move {
	bool irr_a, irr_b, isr_a, isr_b;
};

static bool bank_known(const struct story *s, const char *row)
{
	for (unsigned int i = 0; i < 8; i++)
		if (!story_knows(s, row, i))
			return false;
	return true;
}

static void bank_done(struct story *s, const char *row, unsigned int vector)
{
	story_done_bits(s, row, vector / 32, UINT64_C(1) << vector % 32);
}

static void tell_vector(struct story *s, unsigned int vector, const struct move *m)
{
	const struct lapic_state *b = s->b;
	bool level = lapic_bank_test(b, LAPIC_TMR, (uint8_t)vector), has_tmr = bank_known(s, "TMR");

	if (m->isr_a && !m->isr_b && m->irr_a == m->irr_b) {
		story_say(s, "vector %u finished (left ISR)%s", vector, m->irr_b ? ", and is requested again" : "");
	} else if (m->irr_a && !m->irr_b && !m->isr_a && m->isr_b) {
		story_say(s, "vector %u moved from IRR to ISR", vector);
	} else if (!m->irr_a && m->irr_b && m->isr_a == m->isr_b) {
		story_say(s, "vector %u requested (entered IRR)%s", vector, has_tmr && level ? ", level-triggered" : "");
		bank_done(s, "TMR", vector);
	} else if (!m->irr_a && !m->irr_b && !m->isr_a && m->isr_b) {
		story_say(s, "vector %u taken (entered ISR)", vector);
		bank_done(s, "TMR", vector);
	} else {
		return;
	}
	bank_done(s, "IRR", vector);
	bank_done(s, "ISR", vector);
}

static void tell_vectors(struct story *s)
{
	const struct lapic_state *a = s->a, *b = s->b;

	if (!bank_known(s, "IRR") || !bank_known(s, "ISR"))
		return;
	for (unsigned int v = 0; v < 256; v++) {
		const struct move m = {
			.irr_a = lapic_bank_test(a, LAPIC_IRR, (uint8_t)v), .irr_b = lapic_bank_test(b, LAPIC_IRR, (uint8_t)v),
			.isr_a = lapic_bank_test(a, LAPIC_ISR, (uint8_t)v), .isr_b = lapic_bank_test(b, LAPIC_ISR, (uint8_t)v),
		};

		if (m.irr_a != m.irr_b || m.isr_a != m.isr_b)
			tell_vector(s, v, &m);
	}
}

/* PPR follows from what the other sentences say. Before them: they change @a. */
static void drop_ppr(struct story *s)
{
	const struct lapic_state *a = s->a, *b = s->b;

	if (lapic_reg(a, LAPIC_PPR) == lapic_ppr(a) && lapic_reg(b, LAPIC_PPR) == lapic_ppr(b))
		story_done(s, "PPR", 0);
}

static void tell_priority(struct story *s)
{
	uint64_t a, b;

	if (!story_values(s, "TPR", 0, &a, &b))
		return;
	story_say(s, "task priority %s to 0x%02" PRIx64, b > a ? "raised" : "lowered", b);
	story_done(s, "TPR", 0);
	story_done(s, "cr8", 0);
}

/* What became of a run state; NULL: nothing that has a sentence. */
static const char *run_sentence(uint64_t a, uint64_t b)
{
	bool waited = a == LAPIC_MP_UNINITIALIZED || a == LAPIC_MP_INIT_RECEIVED || a == LAPIC_MP_SIPI_RECEIVED;

	if (b == LAPIC_MP_HALTED)
		return "halted";
	if (b == LAPIC_MP_INIT_RECEIVED)
		return "got an INIT";
	if (b == LAPIC_MP_SIPI_RECEIVED)
		return "got a start-up IPI";
	if (b == LAPIC_MP_RUNNABLE)
		return a == LAPIC_MP_HALTED ? "woke from HLT" : waited ? "was started" : NULL;
	return NULL;
}

static void tell_run_state(struct story *s)
{
	const char *sentence = NULL;
	uint64_t a, b;

	if (story_values(s, "mp_state", 0, &a, &b))
		sentence = run_sentence(a, b);
	else if (story_values(s, "halted", 0, &a, &b))
		sentence = b ? "halted" : "woke from HLT";
	if (!sentence)
		return;
	story_say(s, "CPU %u %s", s->context->instance, sentence);
	story_done(s, "mp_state", 0);
	story_done(s, "halted", 0);
}

static void tell_if(struct story *s)
{
	uint64_t a, b;

	if (!story_values(s, "eflags", 0, &a, &b) || !((a ^ b) & CPU_EFLAGS_IF))
		return;
	story_say(s, "interrupts %s (IF)", b & CPU_EFLAGS_IF ? "on" : "off");
	story_done_bits(s, "eflags", 0, CPU_EFLAGS_IF);
}

static void tell_injected(struct story *s)
{
	uint64_t a, b;

	if (!story_values(s, "interrupt_injected", 0, &a, &b))
		return;
	if ((int64_t)b >= 0)
		story_say(s, "vector %" PRIu64 " is on its way into the CPU", b);
	else
		story_say(s, "vector %" PRIu64 " reached the CPU", a);
	story_done(s, "interrupt_injected", 0);
}

static void tell_nmi(struct story *s)
{
	static const struct {
		const char *row, *set, *cleared;
	} events[] = {
		{ "nmi_pending", "an NMI waits", "no NMI waits any more" },
		{ "nmi_injected", "an NMI is on its way into the CPU", "the NMI reached the CPU" },
		{ "nmi_masked", "an NMI is being served", "the NMI was served" },
		{ "smi_pending", "an SMI waits", "no SMI waits any more" },
		{ "smm", "the CPU entered system management mode", "the CPU left system management mode" },
	};
	uint64_t a, b;

	for (size_t i = 0; i < REG_ARRAY_SIZE(events); i++) {
		if (!story_values(s, events[i].row, 0, &a, &b) || !a == !b)
			continue;
		story_say(s, "%s", b ? events[i].set : events[i].cleared);
		story_done(s, events[i].row, 0);
	}
}

void explain_lapic(struct story *s)
{
	drop_ppr(s);
	tell_vectors(s);
	tell_priority(s);
	tell_run_state(s);
	tell_if(s);
	tell_injected(s);
	tell_nmi(s);
}

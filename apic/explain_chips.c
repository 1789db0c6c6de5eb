/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened at the IOAPIC, the PICs, the PIT and the clocks. */
#include <inttypes.h>
#include <stdio.h>

#include "apic/explain_priv.h"

/* Where a vector is, of the newer state: "in IRR of CPU 0", or "". */
static const char *find_vector(const struct story *s, uint8_t vector, char *buf, size_t size)
{
	const struct explain_context *c = s->context;

	buf[0] = '\0';
	for (unsigned int i = 0; i < c->ncpus; i++) {
		const struct lapic_state *l = &c->cpus[i];
		bool irr = lapic_bank_test(l, LAPIC_IRR, vector), isr = lapic_bank_test(l, LAPIC_ISR, vector);
		unsigned int id = reg_known(lapic_member("initial_id"), l, 0) ? l->initial_id : i;

		if (!irr && !isr)
			continue;
		snprintf(buf, size, " in %s of CPU %u", irr ? "IRR" : "ISR", id);
		break;
	}
	return buf;
}

static void tell_entry(struct story *s, unsigned int pin)
{
	uint64_t a, b, changed;
	char where[48];

	if (!story_values(s, "RTE", pin, &a, &b))
		return;
	changed = a ^ b;
	if (changed & IOAPIC_RTE_REMOTE_IRR && b & IOAPIC_RTE_REMOTE_IRR)
		story_say(s, "pin %u delivered: remote_irr set, vector 0x%02x%s", pin, (unsigned int)(b & IOAPIC_RTE_VECTOR),
			  find_vector(s, b & IOAPIC_RTE_VECTOR, where, sizeof(where)));
	else if (changed & IOAPIC_RTE_REMOTE_IRR)
		story_say(s, "pin %u finished: an EOI cleared remote_irr", pin);
	if (changed & IOAPIC_RTE_MASKED)
		story_say(s, "pin %u %s", pin, b & IOAPIC_RTE_MASKED ? "masked" : "unmasked");
	story_done_bits(s, "RTE", pin, IOAPIC_RTE_REMOTE_IRR | IOAPIC_RTE_MASKED);
}

static void tell_request(struct story *s, unsigned int pin, bool now)
{
	const struct ioapic_state *b = s->b;
	uint64_t rte = b->redirtbl[pin];

	if (now && rte & IOAPIC_RTE_MASKED)
		story_say(s, "pin %u requested, and is masked", pin);
	else
		story_say(s, "pin %u %s", pin, now ? "requested" : "requests no more");
}

void explain_ioapic(struct story *s)
{
	uint64_t a, b;

	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		tell_entry(s, pin);
	if (!story_values(s, "irr", 0, &a, &b))
		return;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		if ((a ^ b) >> pin & 1)
			tell_request(s, pin, b >> pin & 1);
	story_done(s, "irr", 0);
}

/* A line that moved; its level is part of the story. */
static void tell_line(struct story *s, unsigned int line)
{
	const struct pic_state *a = s->a, *b = s->b;
	unsigned int irq = 8 * s->context->instance + line, bit = 1U << line;
	bool irr = (a->irr ^ b->irr) & bit, isr = (a->isr ^ b->isr) & bit;

	if (isr && !(b->isr & bit))
		story_say(s, "IRQ %u finished (left isr)%s", irq, b->irr & bit ? ", and is requested again" : "");
	else if (isr)
		story_say(s, irr && a->irr & bit ? "IRQ %u moved from irr to isr" : "IRQ %u taken (entered isr)", irq);
	else if (irr)
		story_say(s, "IRQ %u %s", irq, b->irr & bit ? "requested (entered irr)" : "requests no more");
	else if ((a->last_irr ^ b->last_irr) & bit && story_knows(s, "last_irr", 0))
		story_say(s, "line of IRQ %u %s", irq, b->last_irr & bit ? "rose" : "fell");
	if (irr || isr)
		story_done_bits(s, "irr", 0, bit);
	story_done_bits(s, "isr", 0, bit);
	story_done_bits(s, "last_irr", 0, bit);
}

static void tell_masks(struct story *s)
{
	uint64_t a, b;

	if (!story_values(s, "imr", 0, &a, &b))
		return;
	for (unsigned int line = 0; line < 8; line++)
		if ((a ^ b) >> line & 1)
			story_say(s, "IRQ %u %s", 8 * s->context->instance + line, b >> line & 1 ? "masked" : "unmasked");
	story_done(s, "imr", 0);
}

static void tell_init(struct story *s)
{
	uint64_t a, b;

	if (!story_values(s, "init_state", 0, &a, &b) || !a == !b)
		return;
	story_say(s, "the guest %s initialising it", b ? "began" : "finished");
	story_done(s, "init_state", 0);
}

void explain_pic(struct story *s)
{
	if (story_knows(s, "irr", 0) && story_knows(s, "isr", 0))
		for (unsigned int line = 0; line < 8; line++)
			tell_line(s, line);
	tell_masks(s);
	tell_init(s);
}

static void drop_channel_time(struct story *s, unsigned int i)
{
	story_done(s, "count_load_time", i);
	story_done(s, "next_transition_time", i);
	if (!i)
		story_done(s, "irq_timer", 0);
}

static void tell_channel(struct story *s, unsigned int i)
{
	const struct pit_state *b = s->b;
	const struct pit_channel *c = &b->channels[i];
	bool mode = story_changed(s, "mode", i), count = story_changed(s, "count", i);
	uint64_t period = pit_period_ns(c);

	if (!story_knows(s, "mode", i) || !story_knows(s, "count", i))
		return;
	if ((mode || count) && period)
		story_say_ns(s, period, "", "channel %u set to mode %u, count %" PRId32 ": every ", i, c->mode, c->count);
	else if (mode || count)
		story_say(s, "channel %u set to mode %u, count %" PRId32, i, c->mode, c->count);
	else if (story_changed(s, "count_load_time", i))
		story_say(s, "channel %u loaded again", i);
	else if (!story_changed(s, "next_transition_time", i))
		return;
	else if (!s->context->events)
		story_say(s, "channel %u ran on", i);
	story_done(s, "mode", i);
	story_done(s, "count", i);
	drop_channel_time(s, i);
}

void explain_pit(struct story *s)
{
	uint64_t a, b;

	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		tell_channel(s, i);
		if (!story_values(s, "gate", i, &a, &b))
			continue;
		story_say(s, "gate of channel %u %s", i, b ? "rose" : "fell");
		story_done(s, "gate", i);
	}
	if (!story_values(s, "irq_disabled", 0, &a, &b))
		return;
	story_say(s, b ? "the HPET took IRQ 0" : "the HPET gave IRQ 0 back");
	story_done(s, "irq_disabled", 0);
}

void explain_clock(struct story *s)
{
	static const struct {
		const char *row, *what;
	} clocks[] = { { "cpu_clock_offset", "virtual time" }, { "kvmclock", "KVM clock" }, { "kvmclock_realtime", "wall clock" } };
	uint64_t a, b;

	for (size_t i = 0; i < REG_ARRAY_SIZE(clocks); i++) {
		if (!story_values(s, clocks[i].row, 0, &a, &b))
			continue;
		if (b < a)
			story_say_ns(s, a - b, "", "%s went back by ", clocks[i].what);
		else if (!s->context->events)
			story_say_ns(s, b - a, "", "%s advanced by ", clocks[i].what);
		story_done(s, clocks[i].row, 0);
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/irqchip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apic/explain.h"

struct comparison {
	const struct irqchip_state *a, *b;
	const struct cli_choice *choice;
	enum diff_what what;
	const struct reg_out *out;
	unsigned int lines;
	unsigned int only_a, only_b; /* elements of rows that one side knows */
};

static bool find_part(const struct irqchip_state *s, const struct irqchip_part *like, struct irqchip_part *ret)
{
	for (unsigned int i = 0; irqchip_part(s, i, ret); i++)
		if (ret->instance == like->instance && !strcmp(ret->name, like->name) && irqchip_part_known(ret))
			return true;
	return false;
}

/* Make unknown what the other side does not know. */
static unsigned int forget_unshared(const struct reg_chip *chip, void *state, const void *other)
{
	unsigned int forgotten = 0;

	for (uint16_t r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; i < chip->rows[r].count; i++) {
			const struct reg_row *row = &chip->rows[r];

			if (!reg_known(row, state, i) || reg_known(row, other, i))
				continue;
			reg_forget(row, state, i);
			forgotten++;
		}
	return forgotten;
}

/* General registers are the guest's computing; what of EFLAGS matters to interrupts has a sentence. */
static bool runs(const struct reg_chip *chip, const struct reg_row *row)
{
	return chip == &clock_chip || row->storage == REG_DERIVED || row->abi == REG_ABI_REGS || row == lapic_member("tsc");
}

static void forget_running(const struct reg_chip *chip, void *state)
{
	for (uint16_t r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; i < chip->rows[r].count; i++)
			if (runs(chip, &chip->rows[r]))
				reg_forget(&chip->rows[r], state, i);
}

/* Room for the state of any chip. */
union any_state {
	struct lapic_state lapic;
	struct ioapic_state ioapic;
	struct pic_state pic;
	struct pit_state pit;
	struct clock_state clock;
};

static void diff_part(struct comparison *c, const struct irqchip_part *a, const struct irqchip_part *b)
{
	const struct explain_context context = { .instance = b->instance, .cpus = c->b->lapics, .ncpus = c->b->nlapics, .events = c->what == DIFF_EVENTS };
	union any_state sa, sb;
	char prefix[64];

	memcpy(&sa, a->state, a->chip->state_size);
	memcpy(&sb, b->state, b->chip->state_size);
	if (c->what == DIFF_SHARED) {
		c->only_a += forget_unshared(a->chip, &sa, b->state);
		c->only_b += forget_unshared(a->chip, &sb, a->state);
	}
	snprintf(prefix, sizeof(prefix), "%s[%" PRIu32 "] ", a->name, a->instance);
	if (c->what == DIFF_EVENTS) {
		/* A timer that was armed anew shows in what runs. */
		c->lines += reg_explain(a->chip, &sa, &sb, &context, prefix, c->out);
		forget_running(a->chip, &sa);
		forget_running(a->chip, &sb);
	}
	c->lines += reg_diff_words(a->chip, &sa, &sb, &context, prefix, c->out);
}

static void only_in(struct comparison *c, const struct irqchip_part *p, const char *side)
{
	reg_emit(c->out, "%s[%" PRIu32 "]: only in %s\n", p->name, p->instance, side);
	c->lines++;
}

static void diff_parts(struct comparison *c)
{
	struct irqchip_part p, twin;

	for (unsigned int i = 0; irqchip_part(c->a, i, &p); i++) {
		if (!irqchip_part_known(&p) || !cli_chosen(c->choice, p.name, p.type, p.instance))
			continue;
		if (find_part(c->b, &p, &twin))
			diff_part(c, &p, &twin);
		else
			only_in(c, &p, "A");
	}
	for (unsigned int i = 0; irqchip_part(c->b, i, &p); i++)
		if (irqchip_part_known(&p) && cli_chosen(c->choice, p.name, p.type, p.instance) &&
		    !find_part(c->a, &p, &twin))
			only_in(c, &p, "B");
}

static bool same_route(const struct irq_route *a, const struct irq_route *b)
{
	return a->gsi == b->gsi && a->chip == b->chip && a->pin == b->pin && a->msi_data == b->msi_data &&
	       a->msi_address == b->msi_address;
}

static bool same_routes(const struct irqchip_state *a, const struct irqchip_state *b)
{
	for (unsigned int i = 0; i < a->nroutes && i < b->nroutes; i++)
		if (!same_route(&a->routes[i], &b->routes[i]))
			return false;
	return a->nroutes == b->nroutes;
}

/* What neither a stream nor a running VM carries is compared between two of a kind only. */
static void diff_head(struct comparison *c)
{
	const struct irqchip_state *a = c->a, *b = c->b;

	if (a->mode != b->mode) {
		reg_emit(c->out, "irqchip: %s -> %s\n", irqchip_mode_name(a->mode), irqchip_mode_name(b->mode));
		c->lines++;
	}
	if (c->what != DIFF_SHARED && a->lines != b->lines) {
		reg_emit(c->out, "lines: 0x%08" PRIx32 " -> 0x%08" PRIx32 "\n", a->lines, b->lines);
		c->lines++;
	}
	if (c->what != DIFF_SHARED && !same_routes(a, b)) {
		reg_emit(c->out, "routes: %u -> %u, not the same\n", a->nroutes, b->nroutes);
		c->lines++;
	}
}

unsigned int diff_irqchips(const struct irqchip_state *a, const struct irqchip_state *b,
			   const struct cli_choice *choice, enum diff_what what, const struct reg_out *out)
{
	struct comparison c = { .a = a, .b = b, .choice = choice, .what = what, .out = out };

	if (!choice->count)
		diff_head(&c);
	diff_parts(&c);
	if (c.only_a || c.only_b)
		reg_emit(out, "not compared: %u registers that only A has, %u that only B has\n", c.only_a, c.only_b);
	return c.lines;
}

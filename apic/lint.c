/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The linter's run: which check for what, with what known. The checks themselves are in lint_*.c. */
#include "apic/lint.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apic/lint_priv.h"

static const struct lint_check *const groups[] = {
	lint_lapic_checks,
	lint_timer_checks,
	lint_event_checks,
	lint_cpu_checks,
	lint_ioapic_checks,
	lint_pic_checks,
	lint_clock_checks,
};

const struct lint_check *lint_next_check(const struct lint_check *check)
{
	if (!check)
		return groups[0];
	if (check[1].name)
		return check + 1;
	for (size_t g = 0; g + 1 < REG_ARRAY_SIZE(groups); g++)
		for (const struct lint_check *c = groups[g]; c->name; c++)
			if (c == check)
				return groups[g + 1];
	return NULL;
}

const char *lint_severity_name(enum lint_severity severity)
{
	static const char *const names[] = { "note", "suspicious", "impossible" };

	return (unsigned int)severity < REG_ARRAY_SIZE(names) ? names[severity] : "?";
}

const char *lint_scope_name(enum lint_scope scope)
{
	static const char *const names[] = { "machine", "LAPIC", "IOAPIC pin", "PIC", "PIT channel" };

	return (unsigned int)scope < REG_ARRAY_SIZE(names) ? names[scope] : "?";
}

/* What the words before the dot stand for. */
enum need_chip { NEED_APIC, NEED_APICS, NEED_IOAPIC, NEED_PIC, NEED_PICS, NEED_PIT, NEED_CLOCK, NEED_NR };

static const struct {
	const char *word;
	const struct reg_chip *chip;
} need_chips[NEED_NR] = {
	[NEED_APIC] = { "apic.", &lapic_chip },
	[NEED_APICS] = { "apics.", &lapic_chip },
	[NEED_IOAPIC] = { "ioapic.", &ioapic_chip },
	[NEED_PIC] = { "pic.", &pic_chip },
	[NEED_PICS] = { "pics.", &pic_chip },
	[NEED_PIT] = { "pit.", &pit_chip },
	[NEED_CLOCK] = { "clock.", &clock_chip },
};

static const struct reg_row *parse_need(const char *word, enum need_chip *ret)
{
	char name[48];

	for (unsigned int i = 0; i < NEED_NR; i++) {
		size_t len = strlen(need_chips[i].word);

		if (strncmp(word, need_chips[i].word, len) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + len, " "), word + len);
		*ret = (enum need_chip)i;
		return reg_find_name(need_chips[i].chip, name);
	}
	return NULL;
}

const struct reg_row *lint_need(const char *word, const struct reg_chip **ret_chip)
{
	enum need_chip chip;
	const struct reg_row *row = parse_need(word, &chip);

	if (row)
		*ret_chip = need_chips[chip].chip;
	return row;
}

static bool row_known(const struct reg_row *row, const void *state)
{
	for (unsigned int i = 0; i < row->count; i++)
		if (!reg_known(row, state, i))
			return false;
	return true;
}

static bool need_met(const struct lint_run *r, const char *word, unsigned int i)
{
	const struct irqchip_state *s = r->s;
	enum need_chip chip;
	const struct reg_row *row = parse_need(word, &chip);

	if (!row)
		return false;
	switch (chip) {
	case NEED_APIC:
		return row_known(row, &s->lapics[i]);
	case NEED_APICS:
		for (unsigned int k = 0; k < s->nlapics; k++)
			if (!row_known(row, &s->lapics[k]))
				return false;
		return s->nlapics > 0;
	case NEED_IOAPIC:
		return row_known(row, &s->ioapic);
	case NEED_PIC:
		return row_known(row, &s->pics[i]);
	case NEED_PICS:
		return row_known(row, &s->pics[0]) && row_known(row, &s->pics[1]);
	case NEED_PIT:
		return row_known(row, &s->pit);
	default:
		return row_known(row, &s->clock);
	}
}

static bool needs_met(const struct lint_run *r, unsigned int i)
{
	const char *word = r->check->needs;

	while (*word) {
		if (!need_met(r, word, i))
			return false;
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
	return true;
}

static unsigned int subjects(const struct irqchip_state *s, enum lint_scope scope)
{
	switch (scope) {
	case LINT_APIC:
		return s->nlapics;
	case LINT_PIN:
		return IOAPIC_PINS;
	case LINT_PIC:
		return 2;
	case LINT_CHANNEL:
		return PIT_CHANNELS;
	default:
		return 1;
	}
}

unsigned int lint_state(const struct lint_machine *machine, lint_report_fn *report, void *ctx,
			enum lint_severity *ret_worst)
{
	struct lint_run r = { .machine = machine, .s = machine->state, .report = report, .ctx = ctx };

	while ((r.check = lint_next_check(r.check))) {
		unsigned int n = subjects(r.s, r.check->scope);

		for (unsigned int i = 0; i < n; i++)
			if (needs_met(&r, i))
				r.check->run(&r, i);
	}
	if (r.findings && ret_worst)
		*ret_worst = r.worst;
	return r.findings;
}

static void __attribute__((format(printf, 3, 0))) found(struct lint_run *r, const char *path, const char *fmt,
							va_list ap)
{
	struct lint_finding f = { .check = r->check };

	snprintf(f.path, sizeof(f.path), "%s", path);
	for (char *c = f.path; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	if (!r->findings || r->check->severity > r->worst)
		r->worst = r->check->severity;
	r->findings++;
	r->report(r->ctx, &f);
}

#define FOUND(...)                                              \
	do {                                                    \
		char path[64];                                  \
		va_list ap;                                     \
                                                                \
		snprintf(path, sizeof(path), __VA_ARGS__);      \
		va_start(ap, fmt);                              \
		found(r, path, fmt, ap);                        \
		va_end(ap);                                     \
	} while (0)

void lint_apic(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
{
	FOUND("apic[%u].%s", lint_cpu(r, i), row);
}

void lint_chip(struct lint_run *r, const char *path_text, const char *fmt, ...)
{
	FOUND("%s", path_text);
}

void lint_pin(struct lint_run *r, unsigned int pin, const char *fmt, ...)
{
	FOUND("ioapic.rte[%u]", pin);
}

void lint_pic(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
{
	FOUND("i8259[%u].%s", i, row);
}

void lint_channel(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
{
	FOUND("i8254.channels[%u].%s", i, row);
}

unsigned int lint_cpu(const struct lint_run *r, unsigned int i)
{
	const struct lapic_state *l = &r->s->lapics[i];

	return lint_knows(l, "initial_id") ? l->initial_id : i;
}

bool lint_knows(const struct lapic_state *l, const char *row)
{
	return row_known(lapic_member(row), l);
}

bool lint_has_pics(const struct lint_run *r)
{
	static const char *const rows[] = { "irr", "imr", "isr", "irq_base", "auto_eoi" };

	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++)
		for (unsigned int p = 0; p < 2; p++)
			if (!reg_known(reg_find_name(&pic_chip, rows[i]), &r->s->pics[p], 0))
				return false;
	return true;
}

bool lint_has_ioapic(const struct lint_run *r)
{
	return row_known(reg_find(&ioapic_chip, IOAPIC_RTE, NULL), &r->s->ioapic);
}

bool lint_has_vector(const struct lapic_state *l, uint8_t vector)
{
	return lapic_bank_test(l, LAPIC_IRR, vector) || lapic_bank_test(l, LAPIC_ISR, vector);
}

bool lint_remapped(uint64_t rte)
{
	return rte >> 48 & 1;
}

bool lint_carries_vector(uint64_t rte)
{
	return ioapic_delivery(rte) == LAPIC_FIXED || ioapic_delivery(rte) == LAPIC_LOWEST_PRIORITY;
}

/* Bits 8 to 14 of a destination are where the reserved bits begin (KVM_FEATURE_MSI_EXT_DEST_ID). */
bool lint_addresses(uint64_t rte, const struct lapic_state *l)
{
	uint32_t dest = (uint32_t)(rte >> 56 | (rte >> 49 & 0x7f) << 8);

	if (dest == 0xff)
		return true;
	return rte & IOAPIC_RTE_LOGICAL ? lapic_match_logical(l, dest) : lapic_match_physical(l, dest);
}

bool lint_extint_pin(const struct lint_run *r)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = r->s->ioapic.redirtbl[pin];

		if (!(rte & IOAPIC_RTE_MASKED) && ioapic_delivery(rte) == LAPIC_EXTINT)
			return true;
	}
	return false;
}

bool lint_not_started(const struct lapic_state *l)
{
	if (lint_knows(l, "wait_for_sipi") && l->wait_for_sipi)
		return true;
	return lint_knows(l, "mp_state") &&
	       (l->mp_state == LAPIC_MP_UNINITIALIZED || l->mp_state == LAPIC_MP_INIT_RECEIVED);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A linter for the interrupt state of a machine: small checks in one table, each with what it needs to know and
 * what the guest will feel. A check that needs a register which the source did not carry does not run.
 */
#ifndef IRQSHIFT_APIC_LINT_H
#define IRQSHIFT_APIC_LINT_H

#include "apic/irqchip.h"

enum lint_severity {
	LINT_NOTE,       /* legitimate, but worth knowing where the state goes on elsewhere */
	LINT_SUSPICIOUS, /* a guest can get there; a healthy one does not, or for a moment only */
	LINT_IMPOSSIBLE, /* no guest and no device gets there: the state is damaged or put together wrongly */
};

/* What a check is run for, once each. */
enum lint_scope { LINT_MACHINE, LINT_APIC, LINT_PIN, LINT_PIC, LINT_CHANNEL };

/* Whether the machine has something that its interrupt state does not tell. */
enum lint_presence { LINT_UNKNOWN, LINT_ABSENT, LINT_PRESENT };

/* What a check looks at. */
struct lint_machine {
	const struct irqchip_state *state;
	enum lint_presence hpet, smm;
};

struct lint_run;

struct lint_check {
	const char *name;
	enum lint_severity severity;
	enum lint_scope scope;
	const char *needs; /* CHIP.ROW words: apic and pic are the one it runs for, apics and pics all of them */
	const char *text;  /* what it finds */
	const char *guest; /* what the guest will feel */
	void (*run)(struct lint_run *run, unsigned int i); /* @i: index of LAPIC, pin, PIC or channel */
};

struct lint_finding {
	const struct lint_check *check;
	char path[64];  /* "apic[1].isr" */
	char text[192]; /* what is wrong, with its values */
};

typedef void lint_report_fn(void *ctx, const struct lint_finding *finding);

/* lint_next_check - the check after @check, NULL: the first; NULL after the last. */
const struct lint_check *lint_next_check(const struct lint_check *check);

/* lint_severity_name - "note", "suspicious", "impossible"; lint_scope_name - "machine", "LAPIC", "pin", ... */
const char *lint_severity_name(enum lint_severity severity);
const char *lint_scope_name(enum lint_scope scope);

/**
 * lint_need - a word of a check's needs, on its own
 * @word: "apics.ISR", ended by a space or the end of the string
 * @ret_chip: receives the table
 *
 * Return: the row, or NULL for a word that names none.
 */
const struct reg_row *lint_need(const char *word, const struct reg_chip **ret_chip);

/**
 * lint_state - run all checks
 * @report: called for each finding, in the order of the table
 *
 * Return: the number of findings; @ret_worst, unless NULL, receives the worst severity when there are any.
 */
unsigned int lint_state(const struct lint_machine *machine, lint_report_fn *report, void *ctx,
			enum lint_severity *ret_worst);

#endif

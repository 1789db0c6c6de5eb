/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happened between two states of a chip, in sentences across registers: "vector 236 finished", "timer
 * re-armed". What a sentence explains is not said again register by register.
 */
#ifndef IRQSHIFT_APIC_EXPLAIN_H
#define IRQSHIFT_APIC_EXPLAIN_H

#include "apic/print.h"

/* What a chip's neighbours tell. */
struct explain_context {
	unsigned int instance;          /* of the CPU; 0 and 1 of the PICs */
	const struct lapic_state *cpus; /* of the newer state, or NULL */
	unsigned int ncpus;
	bool events; /* what only goes on (clocks, counts, the TSC) is explained without a sentence */
};

/**
 * reg_explain - the sentences alone
 * @chip: one of the tables
 * @a: the older state; becomes like @b in what was explained, so that reg_diff() of the two gives the rest
 * @b: the newer state
 * @prefix: put before each line
 *
 * Registers that one of the two does not know are not looked at.
 *
 * Return: the number of lines.
 */
unsigned int reg_explain(const struct reg_chip *chip, void *a, const void *b, const struct explain_context *context,
			 const char *prefix, const struct reg_out *out);

/**
 * reg_diff_words - the sentences, and then register by register what they do not explain
 *
 * As reg_explain(), but @a stays as it is.
 */
unsigned int reg_diff_words(const struct reg_chip *chip, const void *a, const void *b,
			    const struct explain_context *context, const char *prefix, const struct reg_out *out);

#endif

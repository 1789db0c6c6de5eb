/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupt states of machines with anything in them, for tests of what carries them. */
#ifndef IRQSHIFT_TESTS_RANDOM_IRQCHIP_H
#define IRQSHIFT_TESTS_RANDOM_IRQCHIP_H

#include "apic/irqchip.h"

/* random_bits - the next 64 bits of a sequence; @seed moves on. */
uint64_t random_bits(uint64_t *seed);

/* random_seed - from the clock, or from the variable SEED; printed, so that a failure can be had again. */
uint64_t random_seed(void);

/*
 * random_irqchip - a state of which each element is known with probability @known / 8; 8: all of it. Up to 4
 * CPUs, up to 5 routes; the ids of the CPUs are known or not, never two alike. Ends with irqchip_deinit().
 */
void random_irqchip(uint64_t *seed, unsigned int known, struct irqchip_state *ret);

/* expect_irqchips_equal - the same is known, and has the same values; rows that are only actions do not count. */
void expect_irqchips_equal(const struct irqchip_state *a, const struct irqchip_state *b);

#endif

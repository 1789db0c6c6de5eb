/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repeatable random numbers for the differential tests, and how many sequences they run. */
#ifndef TESTS_KVM_DIFF_RANDOM_H
#define TESTS_KVM_DIFF_RANDOM_H

#include <stdint.h>

/* rnd_start - the sequence that follows from @seed. */
void rnd_start(uint64_t seed);

/* rnd64/rnd - any number; one below @n, which is not 0. */
uint64_t rnd64(void);
unsigned int rnd(unsigned int n);

/* diff_seed - DIFF_SEED, or the time. diff_sequences - DIFF_SEQUENCES, 100000 with IRQSHIFT_FULL=1, or @few. */
uint64_t diff_seed(void);
unsigned int diff_sequences(unsigned int few);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rate of this host's TSC, measured. */
#ifndef IRQSHIFT_BASE_TSC_H
#define IRQSHIFT_BASE_TSC_H

#include <stdint.h>

/**
 * tsc_measure_khz - how fast this host's TSC runs, in kHz
 *
 * Takes 0.1 s, against CLOCK_MONOTONIC_RAW. Where the kernel's clock is the TSC it is the rate that the kernel takes it for.
 *
 * Return: 0 when two measurements do not agree to two parts in a million, or the host has no TSC.
 */
uint64_t tsc_measure_khz(void);

#endif

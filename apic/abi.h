/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The register tables against the structures of the KVM ABI (<linux/kvm.h>): every row knows its place, so
 * that what an ioctl gives or takes is read, written and explained by the same walk. No ioctl is made here.
 */
#ifndef IRQSHIFT_APIC_ABI_H
#define IRQSHIFT_APIC_ABI_H

#include "apic/reg.h"

/* abi_size - bytes of the structure; 8 for a single register, 0 for REG_ABI_NONE. */
size_t abi_size(enum reg_abi abi);

/**
 * abi_get - take every row that a structure carries into a state
 * @chip: table
 * @abi: which structure it is
 * @data: abi_size() bytes
 * @state: its rows become known; rows of other structures stay
 *
 * Not for REG_ABI_MSR, whose rows each have an index: see abi_msr().
 */
void abi_get(const struct reg_chip *chip, enum reg_abi abi, const void *data, void *state);

/**
 * abi_put - write the known rows into a structure
 * @data: abi_size() bytes; rows that are not known keep what is there
 *
 * A value of -1 that means "none" becomes 0. REG_ACTION rows are not written.
 */
void abi_put(const struct reg_chip *chip, enum reg_abi abi, const void *state, void *data);

/* abi_msr - the next row of a chip after @row (NULL: the first) that is a model-specific register, or NULL. */
const struct reg_row *abi_msr(const struct reg_chip *chip, const struct reg_row *row);

#endif

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

/* One run of equal steps from a structure into a state: an element, a bank, or rows that lie side by side in both. */
struct abi_copy {
	uint16_t from, to, count;
	uint8_t from_step, to_step, from_size, to_size;
	uint8_t shift;
	uint8_t present[2]; /* 1 + offsets of the bytes that are 0 for -1; or 0 */
};

#define ABI_PLAN_MAX 64

/* abi_get() of one structure, walked once: for many vCPUs. */
struct abi_plan {
	uint64_t known[REG_KNOWN_WORDS];
	struct abi_copy copies[ABI_PLAN_MAX];
	unsigned int ncopies;
};

/* abi_plan_init - the plan of a structure; as abi_get(), not for REG_ABI_MSR. */
void abi_plan_init(struct abi_plan *plan, const struct reg_chip *chip, enum reg_abi abi);

/* abi_plan_get - the same as abi_get() with the chip and structure of the plan. */
void abi_plan_get(const struct abi_plan *plan, const void *data, void *state);

/* abi_msr - the next row of a chip after @row (NULL: the first) that is a model-specific register, or NULL. */
const struct reg_row *abi_msr(const struct reg_chip *chip, const struct reg_row *row);

#endif

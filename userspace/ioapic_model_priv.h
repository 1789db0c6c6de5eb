/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of the IOAPIC model. */
#ifndef IRQSHIFT_USERSPACE_IOAPIC_MODEL_PRIV_H
#define IRQSHIFT_USERSPACE_IOAPIC_MODEL_PRIV_H

#include "userspace/ioapic_model.h"

/* ioapic_entry - the entry of a pin below npins. */
uint64_t ioapic_entry(const struct ioapic_model *m, unsigned int pin);

/* ioapic_write_entry - the guest writes the bits of @mask. */
void ioapic_write_entry(struct ioapic_model *m, unsigned int pin, uint64_t value, uint64_t mask);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_APIC_ANY_STATE_PRIV_H
#define IRQSHIFT_APIC_ANY_STATE_PRIV_H

#include "apic/irqchip.h"

/* Room for the state of any chip. */
union any_state {
	uint64_t known[REG_KNOWN_WORDS];
	struct lapic_state lapic;
	struct ioapic_state ioapic;
	struct pic_state pic;
	struct pit_state pit;
	struct clock_state clock;
};

#endif

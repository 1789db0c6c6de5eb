/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All interrupt state of a machine. The caller owns the array of LAPICs. */
#ifndef IRQSHIFT_APIC_IRQCHIP_H
#define IRQSHIFT_APIC_IRQCHIP_H

#include "apic/clock.h"
#include "apic/ioapic.h"
#include "apic/lapic.h"
#include "apic/pic.h"
#include "apic/pit.h"

struct irqchip_state {
	struct lapic_state *lapics; /* one per vCPU */
	unsigned int nlapics;
	struct ioapic_state ioapic;
	struct pic_state pics[2];   /* master, slave */
	struct pit_state pit;
	struct clock_state clock;
};

#endif

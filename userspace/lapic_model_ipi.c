/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interprocessor interrupts: SDM 3A 11.6.1, 11.12.9, 11.12.11. */
#include "userspace/lapic_model_priv.h"

#define ICR_LOGICAL (UINT32_C(1) << 11)
#define ICR_ASSERT (UINT32_C(1) << 14)
#define ICR_LEVEL (UINT32_C(1) << 15)

enum shorthand { NONE,
		 SELF,
		 ALL,
		 OTHERS };

/* Combinations that the manual calls invalid are not sent (SDM 3A tables 11-3 and 11-4). */
static bool valid(uint32_t icr, enum lapic_delivery delivery, enum shorthand to)
{
	if (delivery == LAPIC_DELIVERY_3 || delivery == LAPIC_EXTINT)
		return false;
	/* The INIT level de-assert of older versions does nothing in this one. */
	if (delivery == LAPIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return false;
	return delivery == LAPIC_FIXED || to == NONE || to == OTHERS;
}

void lapic_send_icr(struct lapic_model *m)
{
	uint32_t icr = lapic_reg(&m->s, LAPIC_ICR), dest = lapic_reg(&m->s, LAPIC_ICR2);
	enum shorthand to = (enum shorthand)(icr >> 18 & 3);
	struct apic_message msg = {
		.dest = lapic_x2apic(&m->s) ? dest : dest >> 24,
		.vector = (uint8_t)icr,
		.delivery = icr >> 8 & 7,
		.logical = icr & ICR_LOGICAL,
	};

	if (!valid(icr, (enum lapic_delivery)msg.delivery, to))
		return;
	if (msg.delivery <= LAPIC_LOWEST_PRIORITY && msg.vector < LAPIC_FIRST_VECTOR) {
		lapic_error(m, LAPIC_ESR_SEND_VECTOR);
		return;
	}
	if ((to == NONE && !lapic_x2apic(&m->s) && msg.dest == 0xff) || to == ALL)
		msg.dest = APIC_BROADCAST;
	msg.one = msg.delivery == LAPIC_LOWEST_PRIORITY;
	if (to == SELF)
		lapic_model_accept(m, &msg);
	else if (to == OTHERS)
		apic_bus_send_others(m->bus, m->cpu, &msg);
	else
		apic_bus_send(m->bus, &msg);
}

void lapic_send_self(struct lapic_model *m, uint8_t vector)
{
	struct apic_message msg = { .vector = vector };

	if (vector < LAPIC_FIRST_VECTOR)
		lapic_error(m, LAPIC_ESR_SEND_VECTOR);
	else
		lapic_model_accept(m, &msg);
}

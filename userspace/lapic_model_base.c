/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IA32_APIC_BASE: modes, their transitions, and where the register page is. SDM 3A 11.4.3, 11.4.4, 11.12.5. */
#include <errno.h>

#include "userspace/lapic_model_priv.h"

#define BASE_MODE (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)

bool lapic_base_legal(const struct lapic_model *m, uint64_t value)
{
	uint64_t rsvd = lapic_member("apic_base")->rsvd | ~((UINT64_C(1) << m->config.phys_bits) - 1);

	if (!m->config.x2apic)
		rsvd |= LAPIC_BASE_X2APIC;
	return !(value & rsvd) && (value & BASE_MODE) != LAPIC_BASE_X2APIC;
}

/* From x2APIC only off, to x2APIC only from xAPIC (SDM 3A figure 11-27). */
static bool legal_transition(uint64_t from, uint64_t to)
{
	from &= BASE_MODE;
	to &= BASE_MODE;
	if (from == BASE_MODE)
		return to != LAPIC_BASE_ENABLE;
	return from || to != BASE_MODE;
}

uint64_t lapic_page(const struct lapic_state *s)
{
	if ((s->apic_base & BASE_MODE) != LAPIC_BASE_ENABLE)
		return LAPIC_MODEL_NOWHERE;
	return s->apic_base & ~UINT64_C(0xfff);
}

bool lapic_model_decodes(const struct lapic_model *m, uint64_t address)
{
	return (address & ~UINT64_C(0xfff)) == lapic_page(&m->s);
}

void lapic_base_changed(struct lapic_model *m)
{
	if (m->config.ops->moved)
		m->config.ops->moved(m->config.ctx, m->cpu, lapic_page(&m->s));
}

int lapic_base_write(struct lapic_model *m, uint64_t value)
{
	uint64_t old = m->s.apic_base;

	if (!lapic_base_legal(m, value) || !legal_transition(old, value))
		return -EINVAL;
	m->s.apic_base = value;
	if ((old & BASE_MODE) == (value & BASE_MODE)) {
		if (old != value)
			lapic_base_changed(m);
		return 0;
	}
	if (!(value & LAPIC_BASE_ENABLE)) {
		/* What was in it is lost, and it starts again as after power-up (SDM 3A 11.4.3, 11.12.5.1). */
		lapic_init_registers(m);
	} else if (!(old & BASE_MODE) || value & LAPIC_BASE_X2APIC) {
		lapic_set_reg(&m->s, LAPIC_ID, m->config.id << 24);
		lapic_set_reg(&m->s, LAPIC_ICR2, 0);
	}
	apic_bus_update(m->bus, m);
	lapic_base_changed(m);
	lapic_kick(m);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How interrupts get into a LAPIC, into its CPU, and out of service. SDM 3A 11.5, 11.8. */
#include "userspace/lapic_model_priv.h"

#define LVT_VECTOR(lvt) ((uint8_t)(lvt))
#define LVT_DELIVERY(lvt) ((enum lapic_delivery)((lvt) >> 8 & 7))

static bool on(const struct lapic_model *m)
{
	return m->s.apic_base & LAPIC_BASE_ENABLE;
}

void lapic_kick(struct lapic_model *m)
{
	m->config.ops->kick(m->config.ctx, m->cpu);
}

void lapic_error(struct lapic_model *m, uint8_t error)
{
	bool first = !m->s.esr_pending;

	m->s.esr_pending |= error;
	/* Once, until ESR is written (SDM 3A 11.5.3). */
	if (first)
		lapic_local(m, LAPIC_LVTERR);
}

void lapic_request(struct lapic_model *m, uint8_t vector, bool level)
{
	lapic_bank_set(&m->s, LAPIC_IRR, vector);
	if (level)
		lapic_bank_set(&m->s, LAPIC_TMR, vector);
	else
		lapic_bank_clear(&m->s, LAPIC_TMR, vector);
	/* What does not get past the priority now will when the vCPU's thread lowers that. */
	if (lapic_model_injectable(m) >= 0)
		lapic_kick(m);
}

static bool accept_fixed(struct lapic_model *m, uint8_t vector, bool level)
{
	if (!lapic_enabled(&m->s))
		return false;
	if (vector < LAPIC_FIRST_VECTOR) {
		lapic_error(m, LAPIC_ESR_RECEIVE_VECTOR);
		return false;
	}
	lapic_request(m, vector, level);
	return true;
}

static void accept_init(struct lapic_model *m)
{
	bool bsp = m->s.apic_base & LAPIC_BASE_BSP;

	lapic_init_registers(m);
	m->s.latched_init = 1;
	m->s.nmi_pending = 0;
	m->s.mp_state = bsp ? LAPIC_MP_RUNNABLE : LAPIC_MP_INIT_RECEIVED;
	lapic_kick(m);
}

static void accept_startup(struct lapic_model *m, uint8_t vector)
{
	if (m->s.mp_state != LAPIC_MP_INIT_RECEIVED && m->s.mp_state != LAPIC_MP_UNINITIALIZED)
		return;
	m->s.mp_state = LAPIC_MP_SIPI_RECEIVED;
	m->s.sipi_vector = vector;
	lapic_kick(m);
}

/* The delivery modes that messages and LVT entries share. */
static bool accept(struct lapic_model *m, enum lapic_delivery delivery, uint8_t vector, bool level)
{
	switch (delivery) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST_PRIORITY:
		return accept_fixed(m, vector, level);
	case LAPIC_SMI:
		m->s.smi_pending = 1;
		break;
	case LAPIC_NMI:
		m->s.nmi_pending += !m->s.nmi_pending;
		break;
	case LAPIC_INIT:
		accept_init(m);
		return true;
	case LAPIC_STARTUP:
		accept_startup(m, vector);
		return true;
	case LAPIC_EXTINT:
		if (!lapic_enabled(&m->s))
			return false;
		m->extint = true;
		break;
	case LAPIC_DELIVERY_3:
		return false;
	}
	lapic_kick(m);
	return true;
}

bool lapic_model_accept(struct lapic_model *m, const struct apic_message *msg)
{
	if (!on(m) || (msg->level && msg->deassert))
		return false;
	return accept(m, (enum lapic_delivery)msg->delivery, msg->vector, msg->level);
}

/* ---- local sources ---- */

static bool deliver_lvt(struct lapic_model *m, uint16_t offset, bool level)
{
	uint32_t lvt = lapic_reg(&m->s, offset);
	bool fixed = offset == LAPIC_LVTT || offset == LAPIC_LVTERR;
	enum lapic_delivery delivery = fixed ? LAPIC_FIXED : LVT_DELIVERY(lvt);

	if (!on(m) || lvt & LAPIC_LVT_MASKED)
		return false;
	/* Lowest priority and start-up have no meaning here (SDM 3A 11.5.1). */
	if (delivery == LAPIC_LOWEST_PRIORITY || delivery == LAPIC_STARTUP || delivery == LAPIC_EXTINT)
		return false;
	return accept(m, delivery, LVT_VECTOR(lvt), level);
}

bool lapic_local(struct lapic_model *m, uint16_t offset)
{
	return deliver_lvt(m, offset, false);
}

void lapic_model_local(struct lapic_model *m, uint16_t offset)
{
	if (offset != LAPIC_LVTPC && offset != LAPIC_LVTTHMR && (offset != LAPIC_LVTCMCI || !m->config.cmci))
		return;
	/* SDM 3B 20.6.3.5.8: it masks itself. */
	if (lapic_local(m, offset) && offset == LAPIC_LVTPC)
		lapic_set_reg(&m->s, offset, lapic_reg(&m->s, offset) | LAPIC_LVT_MASKED);
}

static uint16_t lint_offset(unsigned int pin)
{
	return pin ? LAPIC_LVT1 : LAPIC_LVT0;
}

static bool asserted(const struct lapic_model *m, unsigned int pin)
{
	uint32_t lvt = lapic_reg(&m->s, lint_offset(pin));
	bool inverts = m->config.electrical && LVT_DELIVERY(lvt) == LAPIC_FIXED && lvt & LAPIC_LVT_LOW;

	return m->line[pin] != inverts;
}

/* Only fixed delivery follows a level. */
static bool is_level(uint32_t lvt)
{
	return lvt & LAPIC_LVT_LEVEL && LVT_DELIVERY(lvt) == LAPIC_FIXED;
}

void lapic_lint_again(struct lapic_model *m, unsigned int pin)
{
	uint32_t lvt = lapic_reg(&m->s, lint_offset(pin));

	if (!is_level(lvt) || lvt & LAPIC_LVT_REMOTE_IRR || !asserted(m, pin))
		return;
	if (deliver_lvt(m, lint_offset(pin), true))
		lapic_set_reg(&m->s, lint_offset(pin), lvt | LAPIC_LVT_REMOTE_IRR);
}

void lapic_model_lint(struct lapic_model *m, unsigned int pin, bool level)
{
	bool before;

	if (pin > 1)
		return;
	before = asserted(m, pin);
	m->line[pin] = level;
	if (!on(m)) {
		/* INTR and NMI (SDM 3A 11.4.3). */
		if (pin && level && !before)
			m->s.nmi_pending += !m->s.nmi_pending;
		if (level)
			lapic_kick(m);
		return;
	}
	lapic_lint_again(m, pin);
	if (!before && asserted(m, pin) && !is_level(lapic_reg(&m->s, lint_offset(pin))))
		lapic_local(m, lint_offset(pin));
	if (lapic_model_extint(m))
		lapic_kick(m);
}

/* ---- into the CPU and out of service ---- */

bool lapic_model_extint(const struct lapic_model *m)
{
	uint32_t lvt1 = lapic_reg(&m->s, LAPIC_LVT1);

	if (m->extint || (m->line[0] && lapic_accepts_pic(&m->s)))
		return true;
	return on(m) && m->line[1] && !(lvt1 & LAPIC_LVT_MASKED) && LVT_DELIVERY(lvt1) == LAPIC_EXTINT;
}

void lapic_model_extint_taken(struct lapic_model *m)
{
	m->extint = false;
}

/* What was requested before SVR disabled it is still for the CPU to handle (SDM 3A 11.4.7.2). */
int lapic_model_injectable(const struct lapic_model *m)
{
	int vector = lapic_bank_highest(&m->s, LAPIC_IRR);

	return on(m) && vector >= 0 && (vector & 0xf0) > (lapic_ppr(&m->s) & 0xf0) ? vector : -1;
}

int lapic_model_acknowledge(struct lapic_model *m)
{
	int vector = lapic_model_injectable(m);

	if (!on(m))
		return -1;
	if (vector < 0)
		return lapic_reg(&m->s, LAPIC_SVR) & 0xff;
	lapic_bank_clear(&m->s, LAPIC_IRR, (uint8_t)vector);
	lapic_bank_set(&m->s, LAPIC_ISR, (uint8_t)vector);
	return vector;
}

static void end_lint(struct lapic_model *m, unsigned int pin, uint8_t vector)
{
	uint32_t lvt = lapic_reg(&m->s, lint_offset(pin));

	if (!(lvt & LAPIC_LVT_REMOTE_IRR) || LVT_VECTOR(lvt) != vector)
		return;
	lapic_set_reg(&m->s, lint_offset(pin), lvt & ~LAPIC_LVT_REMOTE_IRR);
	lapic_lint_again(m, pin);
}

void lapic_eoi(struct lapic_model *m)
{
	int vector = lapic_bank_highest(&m->s, LAPIC_ISR);

	if (vector < 0)
		return;
	lapic_bank_clear(&m->s, LAPIC_ISR, (uint8_t)vector);
	if (!lapic_bank_test(&m->s, LAPIC_TMR, (uint8_t)vector))
		return;
	end_lint(m, 0, (uint8_t)vector);
	end_lint(m, 1, (uint8_t)vector);
	if (!(lapic_reg(&m->s, LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST))
		apic_bus_eoi(m->bus, (uint8_t)vector);
}

static uint8_t class_of(int vector)
{
	return vector < 0 ? 0 : (uint8_t)vector & 0xf0;
}

/*
 * SDM 3A 11.6.2.4, with the highest of the three classes; the manual's formula combines TPR and ISR with AND, which
 * would prefer a CPU in the midst of an interrupt.
 */
uint8_t lapic_arbitration(const struct lapic_state *s)
{
	uint8_t tpr = (uint8_t)lapic_reg(s, LAPIC_TPR);
	uint8_t isr = class_of(lapic_bank_highest(s, LAPIC_ISR)), irr = class_of(lapic_bank_highest(s, LAPIC_IRR));
	uint8_t higher = isr > irr ? isr : irr;

	return (tpr & 0xf0) >= irr && (tpr & 0xf0) > isr ? tpr : (tpr & 0xf0) > higher ? tpr & 0xf0
										       : higher;
}

/* ---- events ---- */

bool lapic_model_take_init(struct lapic_model *m)
{
	bool init = m->s.latched_init;

	m->s.latched_init = 0;
	return init;
}

int lapic_model_take_sipi(struct lapic_model *m)
{
	if (m->s.mp_state != LAPIC_MP_SIPI_RECEIVED)
		return -1;
	m->s.mp_state = LAPIC_MP_RUNNABLE;
	return (int)(m->s.sipi_vector & 0xff);
}

bool lapic_model_runnable(const struct lapic_model *m)
{
	return m->s.mp_state == LAPIC_MP_RUNNABLE;
}

void lapic_model_set_halted(struct lapic_model *m, bool halted)
{
	if (m->s.mp_state == LAPIC_MP_RUNNABLE || m->s.mp_state == LAPIC_MP_HALTED)
		m->s.mp_state = halted ? LAPIC_MP_HALTED : LAPIC_MP_RUNNABLE;
}

bool lapic_model_take_smi(struct lapic_model *m)
{
	bool smi = m->s.smi_pending;

	m->s.smi_pending = 0;
	return smi;
}

bool lapic_model_take_nmi(struct lapic_model *m)
{
	if (!m->s.nmi_pending)
		return false;
	m->s.nmi_pending--; /* KVM counts to 2 */
	return true;
}

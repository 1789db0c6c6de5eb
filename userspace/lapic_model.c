/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The LAPIC model as a whole: making one, reset, save and restore. */
#include "userspace/lapic_model.h"

#include <errno.h>
#include <string.h>

#include "userspace/lapic_model_priv.h"

#define MAX_BUS_CYCLE_NS 1000000

/* LVR: the highest LVT entry without and with the one for corrected machine checks (SDM 3A 11.4.8). */
#define LVR_VERSION UINT32_C(0x14)
#define LVR_MAX_LVT (UINT32_C(5) << 16)
#define LVR_MAX_LVT_CMCI (UINT32_C(6) << 16)

#define LVT_EXTINT UINT32_C(0x700)

static uint32_t version_register(const struct lapic_model *m)
{
	return LVR_VERSION | (m->config.cmci ? LVR_MAX_LVT_CMCI : LVR_MAX_LVT) |
	       (m->config.eoi_suppression ? LAPIC_LVR_NO_BROADCAST : 0);
}

/* A member of the state that is no register becomes known with a value. */
static void put(struct lapic_state *s, const char *name, uint64_t value)
{
	reg_set(lapic_member(name), s, 0, value);
}

static bool starts_by_itself(const struct lapic_model *m)
{
	return m->s.apic_base & LAPIC_BASE_BSP;
}

void lapic_init_registers(struct lapic_model *m)
{
	uint32_t id = lapic_reg(&m->s, LAPIC_ID);

	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++)
		for (unsigned int i = 0; row->offset != REG_NO_OFFSET && i < row->count; i++)
			reg_set(row, &m->s, i, row->reset);
	lapic_set_reg(&m->s, LAPIC_ID, id);
	lapic_set_reg(&m->s, LAPIC_LVR, version_register(m));
	if (m->config.virtual_wire && m->config.bsp)
		lapic_set_reg(&m->s, LAPIC_LVT0, LVT_EXTINT);
	put(&m->s, "esr_pending", 0);
	put(&m->s, "tsc_deadline", 0);
	m->extint = false;
	lapic_timer_init(m);
	apic_bus_update(m->bus, m);
}

/* All that a reset sets, except what the bus and the timer are told. */
static void power_up(struct lapic_model *m)
{
	memset(&m->s, 0, sizeof(m->s));
	put(&m->s, "apic_base", lapic_member("apic_base")->reset | (m->config.bsp ? LAPIC_BASE_BSP : 0));
	put(&m->s, "initial_id", m->config.id);
	put(&m->s, "mp_state", m->config.bsp ? LAPIC_MP_RUNNABLE : LAPIC_MP_UNINITIALIZED);
	put(&m->s, "sipi_vector", 0);
	put(&m->s, "nmi_pending", 0);
	put(&m->s, "smi_pending", 0);
	put(&m->s, "latched_init", 0);
	lapic_set_reg(&m->s, LAPIC_ID, m->config.id << 24);
}

static void reset(struct lapic_model *m)
{
	power_up(m);
	lapic_init_registers(m);
}

void lapic_model_reset(struct lapic_model *m)
{
	reset(m);
	lapic_base_changed(m);
}

int lapic_model_init(struct lapic_model *m, struct apic_bus *bus, const struct lapic_model_config *config)
{
	int cpu;

	if (config->phys_bits < 36 || config->phys_bits > 52 || !config->bus_cycle_ns ||
	    config->bus_cycle_ns > MAX_BUS_CYCLE_NS || (config->id > 254 && !config->x2apic) ||
	    (config->tsc_deadline && (config->tsc_khz < 1 || !config->ops->tsc)))
		return -EINVAL;
	cpu = apic_bus_add_lapic(bus, m);
	if (cpu < 0)
		return cpu;
	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->bus = bus;
	m->cpu = (unsigned int)cpu;
	m->expiry_ns = m->armed_ns = LAPIC_MODEL_NEVER;
	lapic_index_rows(m);
	reset(m);
	return 0;
}

const struct lapic_state *lapic_model_state(const struct lapic_model *m)
{
	return &m->s;
}

void lapic_model_get(struct lapic_model *m, struct lapic_state *ret)
{
	lapic_timer_settle(m);
	*ret = m->s;
	lapic_set_reg(ret, LAPIC_PPR, lapic_ppr(&m->s));
	if (lapic_x2apic(&m->s))
		lapic_set_reg(ret, LAPIC_LDR, lapic_x2apic_ldr(&m->s));
	put(ret, "cr8", lapic_model_cr8(m));
	put(ret, "tsc_deadline", lapic_timer_read_deadline(m));
	if (m->config.ops->tsc)
		put(ret, "tsc", m->config.ops->tsc(m->config.ctx, m->cpu));
	if (m->config.tsc_khz)
		put(ret, "tsc_khz", (uint64_t)m->config.tsc_khz);
	lapic_timer_save(m, ret);
}

int lapic_model_check(const struct lapic_model *m, const struct lapic_state *s, struct irqs_error *reterr)
{
	if (reg_known(lapic_member("initial_id"), s, 0) && s->initial_id != m->config.id)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "initial_id", "%u: this LAPIC is that of CPU %u",
				 s->initial_id, m->config.id);
	if (reg_known(lapic_member("apic_base"), s, 0) && !lapic_base_legal(m, s->apic_base))
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "apic_base",
				 "0x%llx: a mode or an address that this CPU does not have",
				 (unsigned long long)s->apic_base);
	if (lapic_reg_known(s, LAPIC_LVTT) && !m->config.tsc_deadline &&
	    lapic_timer_mode(s) == LAPIC_TIMER_TSC_DEADLINE)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "LVTT", "TSC-deadline mode: this CPU has none");
	return 0;
}

/* Bits without a meaning get their reset value; those of the register page depend on the config, too. */
static uint64_t sane(const struct lapic_model *m, const struct reg_row *row, unsigned int i, uint64_t value)
{
	uint64_t rsvd = row->rsvd;

	if (row->offset != REG_NO_OFFSET)
		rsvd = (uint32_t)~m->defined[(row->offset + i * row->stride) / 16];
	/* In x2APIC mode the destination has 32 bits. */
	if (row->offset == LAPIC_ICR2 && lapic_x2apic(&m->s))
		rsvd = 0;
	return (value & ~rsvd) | (row->reset & rsvd);
}

static void load_rows(struct lapic_model *m, const struct lapic_state *s)
{
	/* First the mode: it says what the registers' bits mean. */
	if (reg_known(lapic_member("apic_base"), s, 0))
		put(&m->s, "apic_base", s->apic_base);
	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++)
		for (unsigned int i = 0; i < row->count; i++)
			if (reg_known(row, s, i))
				reg_set(row, &m->s, i, sane(m, row, i, reg_get(row, s, i)));
	lapic_set_reg(&m->s, LAPIC_LVR, version_register(m));
	/* A LAPIC that QEMU emulated keeps its start-up IPI apart. */
	if (reg_known(lapic_member("wait_for_sipi"), s, 0) && s->wait_for_sipi)
		put(&m->s, "mp_state", LAPIC_MP_INIT_RECEIVED);
	if (m->s.mp_state > LAPIC_MP_SIPI_RECEIVED)
		put(&m->s, "mp_state", starts_by_itself(m) ? LAPIC_MP_RUNNABLE : LAPIC_MP_UNINITIALIZED);
}

int lapic_model_set(struct lapic_model *m, const struct lapic_state *s, struct irqs_error *reterr)
{
	int rc = lapic_model_check(m, s, reterr);

	if (rc)
		return rc;
	reset(m);
	load_rows(m, s);
	lapic_timer_load(m);
	/* An INIT that nobody took yet has not reset the registers of a LAPIC in the kernel. */
	if (m->s.latched_init)
		lapic_init_registers(m);
	apic_bus_update(m->bus, m);
	lapic_base_changed(m);
	return 0;
}

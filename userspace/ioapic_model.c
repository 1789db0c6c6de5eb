/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins, entries and delivery of the IOAPIC; the window is in ioapic_window.c. */
#include "userspace/ioapic_model.h"

#include <errno.h>
#include <string.h>

#include "apic/lapic.h"
#include "userspace/ioapic_model_priv.h"

#define RTE_EXT_DEST (UINT64_C(0x7f) << 49)

/* How a message looks on the bus (SDM 3A 11.11). */
#define MSI_ADDRESS UINT64_C(0xfee00000)
#define MSI_LOGICAL UINT64_C(0x4)
#define MSI_ASSERT UINT32_C(0x4000)
#define MSI_LEVEL UINT32_C(0x8000)

static void put_bit(uint64_t *words, unsigned int bit, bool value)
{
	uint64_t mask = UINT64_C(1) << bit % 64;

	words[bit / 64] = value ? words[bit / 64] | mask : words[bit / 64] & ~mask;
}

static bool get_bit(const uint64_t *words, unsigned int bit)
{
	return words[bit / 64] >> bit % 64 & 1;
}

uint64_t ioapic_entry(const struct ioapic_model *m, unsigned int pin)
{
	return pin < IOAPIC_PINS ? m->s.redirtbl[pin] : m->more_redirtbl[pin - IOAPIC_PINS];
}

static void set_entry(struct ioapic_model *m, unsigned int pin, uint64_t rte)
{
	if (pin < IOAPIC_PINS)
		m->s.redirtbl[pin] = rte;
	else
		m->more_redirtbl[pin - IOAPIC_PINS] = rte;
}

static bool requests(const struct ioapic_model *m, unsigned int pin)
{
	return pin < IOAPIC_PINS ? m->s.irr >> pin & 1 : get_bit(m->more_irr, pin);
}

static void set_request(struct ioapic_model *m, unsigned int pin, bool irr)
{
	uint32_t mask = UINT32_C(1) << pin % 32;

	if (pin >= IOAPIC_PINS)
		put_bit(m->more_irr, pin, irr);
	else
		m->s.irr = irr ? m->s.irr | mask : m->s.irr & ~mask;
}

/* SMI, NMI, INIT and ExtINT are edges, whatever the trigger mode says (82093AA 3.2.4). */
static bool is_level(uint64_t rte)
{
	return rte & IOAPIC_RTE_LEVEL && ioapic_delivery(rte) <= LAPIC_LOWEST_PRIORITY;
}

static bool asserted(const struct ioapic_model *m, unsigned int pin)
{
	bool low = m->config.electrical && ioapic_entry(m, pin) & IOAPIC_RTE_LOW;

	return get_bit(m->lines, pin) != low;
}

static int send(struct ioapic_model *m, uint64_t rte)
{
	uint64_t address = MSI_ADDRESS | (uint64_t)ioapic_dest(rte) << 12 | (rte & IOAPIC_RTE_LOGICAL ? MSI_LOGICAL : 0);
	uint32_t data = (uint32_t)(rte & IOAPIC_RTE_VECTOR) | ioapic_delivery(rte) << 8;

	if (m->config.ext_dest_id)
		address |= (rte & RTE_EXT_DEST) >> 49 << 5;
	if (is_level(rte))
		data |= MSI_LEVEL | MSI_ASSERT;
	return m->config.msi(m->config.ctx, address, data);
}

static void service(struct ioapic_model *m, unsigned int pin)
{
	uint64_t rte = ioapic_entry(m, pin);
	bool level = is_level(rte);

	if (!requests(m, pin) || rte & IOAPIC_RTE_MASKED || (level && rte & IOAPIC_RTE_REMOTE_IRR))
		return;
	if (!level)
		set_request(m, pin, false);
	if (send(m, rte) > 0 && level)
		set_entry(m, pin, rte | IOAPIC_RTE_REMOTE_IRR);
}

void ioapic_write_entry(struct ioapic_model *m, unsigned int pin, uint64_t value, uint64_t mask)
{
	uint64_t old = ioapic_entry(m, pin), rte;

	mask &= m->writable;
	rte = (old & ~mask) | (value & mask);
	/* How software ends an interrupt where there is no EOI register: to edge and back. */
	if (!(rte & IOAPIC_RTE_LEVEL))
		rte &= ~IOAPIC_RTE_REMOTE_IRR;
	set_entry(m, pin, rte);
	if (is_level(rte))
		set_request(m, pin, asserted(m, pin));
	else if (is_level(old))
		set_request(m, pin, false);
	service(m, pin);
}

void ioapic_model_line(struct ioapic_model *m, unsigned int pin, bool level)
{
	uint64_t rte;
	bool before;

	if (pin >= m->config.npins)
		return;
	before = asserted(m, pin);
	put_bit(m->lines, pin, level);
	rte = ioapic_entry(m, pin);
	if (is_level(rte))
		set_request(m, pin, asserted(m, pin));
	/* An edge at a masked pin is not kept (82093AA 3.2.4, interrupt mask). */
	else if (!before && asserted(m, pin) && !(rte & IOAPIC_RTE_MASKED))
		set_request(m, pin, true);
	service(m, pin);
}

void ioapic_model_eoi(struct ioapic_model *m, uint8_t vector)
{
	for (unsigned int pin = 0; pin < m->config.npins; pin++) {
		uint64_t rte = ioapic_entry(m, pin);

		if ((uint8_t)rte != vector || !(rte & IOAPIC_RTE_REMOTE_IRR))
			continue;
		set_entry(m, pin, rte & ~IOAPIC_RTE_REMOTE_IRR);
		service(m, pin);
	}
}

/* ---- the state ---- */

static const struct reg_row *entry_row(void)
{
	unsigned int i;

	return reg_find(&ioapic_chip, IOAPIC_RTE, &i);
}

int ioapic_model_init(struct ioapic_model *m, const struct ioapic_model_config *config)
{
	const struct reg_row *row = entry_row();

	if (!config->npins || config->npins > IOAPIC_MODEL_PINS || config->id > 15 || !config->msi ||
	    (config->version != IOAPIC_VERSION_11 && config->version != IOAPIC_VERSION_20))
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->reserved = row->rsvd & ~(config->ext_dest_id ? RTE_EXT_DEST : 0);
	m->writable = ~(row->ro | m->reserved);
	ioapic_model_reset(m);
	return 0;
}

void ioapic_model_reset(struct ioapic_model *m)
{
	reg_state_reset(&ioapic_chip, &m->s, true);
	m->s.base_address = m->config.base;
	m->s.id = (uint32_t)m->config.id << 24;
	m->s.version = m->config.version | (m->config.npins - 1U) << 16;
	for (unsigned int pin = m->config.npins; pin < IOAPIC_PINS; pin++)
		reg_forget(entry_row(), &m->s, pin);
	for (unsigned int i = 0; i < REG_ARRAY_SIZE(m->more_redirtbl); i++)
		m->more_redirtbl[i] = entry_row()->reset;
	memset(m->more_irr, 0, sizeof(m->more_irr));
}

void ioapic_model_get(const struct ioapic_model *m, struct ioapic_state *ret)
{
	*ret = m->s;
}

/* A request that came with a state: of a level-triggered pin it is the line. */
static void load_pin(struct ioapic_model *m, unsigned int pin, uint64_t rte, bool irr)
{
	set_entry(m, pin, rte & ~m->reserved);
	set_request(m, pin, irr);
	if (is_level(rte))
		put_bit(m->lines, pin, irr != (m->config.electrical && rte & IOAPIC_RTE_LOW));
}

int ioapic_model_check(const struct ioapic_model *m, const struct ioapic_state *s, struct irqs_error *reterr)
{
	if (reg_known(reg_find_name(&ioapic_chip, "VER"), s, 0) && (s->version & 0xff) != m->config.version)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "VER", "version 0x%x: this IOAPIC is a 0x%x",
				 s->version & 0xffU, m->config.version + 0U);
	return 0;
}

int ioapic_model_set(struct ioapic_model *m, const struct ioapic_state *s, struct irqs_error *reterr)
{
	const struct reg_row *version = reg_find_name(&ioapic_chip, "VER");
	int rc = ioapic_model_check(m, s, reterr);

	if (rc)
		return rc;
	ioapic_model_reset(m);
	for (const struct reg_row *row = ioapic_chip.rows; row < ioapic_chip.rows + ioapic_chip.nrows; row++)
		for (unsigned int i = 0; i < row->count; i++)
			if (reg_known(row, s, i) && reg_known(row, &m->s, i) && row != version)
				reg_set(row, &m->s, i, reg_get(row, s, i) & (row == entry_row() ? UINT64_MAX : ~row->rsvd));
	for (unsigned int pin = 0; pin < IOAPIC_PINS && pin < m->config.npins; pin++)
		load_pin(m, pin, m->s.redirtbl[pin], requests(m, pin));
	m->s.irr &= m->config.npins < IOAPIC_PINS ? (UINT32_C(1) << m->config.npins) - 1 : UINT32_MAX >> (32 - IOAPIC_PINS);
	return 0;
}

int ioapic_model_pin(const struct ioapic_model *m, unsigned int pin, uint64_t *ret_rte, bool *ret_irr)
{
	if (pin >= m->config.npins)
		return -EINVAL;
	*ret_rte = ioapic_entry(m, pin);
	*ret_irr = requests(m, pin);
	return 0;
}

int ioapic_model_set_pin(struct ioapic_model *m, unsigned int pin, uint64_t rte, bool irr)
{
	if (pin >= m->config.npins)
		return -EINVAL;
	load_pin(m, pin, rte, irr);
	return 0;
}

void ioapic_model_hold(struct ioapic_model *m, unsigned int pin, bool level)
{
	if (pin >= m->config.npins)
		return;
	put_bit(m->lines, pin, level);
	if (is_level(ioapic_entry(m, pin)))
		set_request(m, pin, asserted(m, pin));
}

void ioapic_model_resume(struct ioapic_model *m)
{
	for (unsigned int pin = 0; pin < m->config.npins; pin++)
		service(m, pin);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IOAPIC's window in memory: IOREGSEL, IOWIN, EOI. */
#include <string.h>

#include "userspace/ioapic_model_priv.h"

/* 82093AA 3.1; ICH7 10.5. */
#define WINDOW_SELECT 0x00
#define WINDOW_DATA 0x10
#define WINDOW_EOI 0x40

bool ioapic_model_decodes(const struct ioapic_model *m, uint64_t address)
{
	return address >= m->s.base_address && address - m->s.base_address < IOAPIC_MODEL_SIZE;
}

static uint32_t read_selected(const struct ioapic_model *m)
{
	uint8_t reg = m->s.ioregsel;
	unsigned int pin = reg / 2U - IOAPIC_RTE / 2;

	switch (reg) {
	case IOAPIC_ID:
		return m->s.id;
	case IOAPIC_VER:
		return m->s.version;
	case IOAPIC_ARB:
		return m->s.arb;
	}
	if (reg < IOAPIC_RTE || pin >= m->config.npins)
		return UINT32_MAX;
	return (uint32_t)(ioapic_entry(m, pin) >> (reg & 1 ? 32 : 0));
}

static void write_selected(struct ioapic_model *m, uint32_t value)
{
	uint8_t reg = m->s.ioregsel;
	unsigned int pin = reg / 2U - IOAPIC_RTE / 2;

	if (reg == IOAPIC_ID) {
		unsigned int i;

		m->s.id = value & (uint32_t)~reg_find(&ioapic_chip, IOAPIC_ID, &i)->rsvd;
		m->s.arb = m->s.id; /* 82093AA 3.2.3 */
	} else if (reg >= IOAPIC_RTE && pin < m->config.npins) {
		if (reg & 1)
			ioapic_write_entry(m, pin, (uint64_t)value << 32, UINT64_C(0xffffffff) << 32);
		else
			ioapic_write_entry(m, pin, value, UINT64_C(0xffffffff));
	}
}

void ioapic_model_read(struct ioapic_model *m, uint32_t offset, void *data, unsigned int len)
{
	uint32_t value = 0;
	uint8_t *p = data;

	if (offset == WINDOW_SELECT)
		value = m->s.ioregsel;
	else if (offset == WINDOW_DATA)
		value = read_selected(m);
	for (unsigned int i = 0; i < len; i++)
		p[i] = i < 4 ? (uint8_t)(value >> 8 * i) : 0;
}

void ioapic_model_write(struct ioapic_model *m, uint32_t offset, const void *data, unsigned int len)
{
	const uint8_t *p = data;
	uint32_t value = 0;

	for (unsigned int i = 0; i < len && i < 4; i++)
		value |= (uint32_t)p[i] << 8 * i;
	if (!len)
		return;
	if (offset == WINDOW_SELECT)
		m->s.ioregsel = (uint8_t)value;
	else if (offset == WINDOW_DATA)
		write_selected(m, value);
	else if (offset == WINDOW_EOI && m->config.version >= IOAPIC_VERSION_20)
		ioapic_model_eoi(m, (uint8_t)value);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registers as the guest reads and writes them, in memory (xAPIC) and as MSRs (x2APIC). Which bits there are is
 * taken from the row table; SDM 3A tables 11-1 and 11-6.
 */
#include <errno.h>

#include "userspace/lapic_model_priv.h"

#define SVR_SUPPRESS LAPIC_SVR_NO_BROADCAST
#define LVTT_MODE_DEADLINE (UINT32_C(1) << 18)
#define ICR_PENDING (UINT32_C(1) << 12)

static const uint16_t lvts[] = { LAPIC_LVTCMCI, LAPIC_LVTT, LAPIC_LVTTHMR, LAPIC_LVTPC,
				 LAPIC_LVT0, LAPIC_LVT1, LAPIC_LVTERR };

void lapic_index_rows(struct lapic_model *m)
{
	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++)
		for (unsigned int i = 0; row->offset != REG_NO_OFFSET && i < row->count; i++) {
			unsigned int slot = (row->offset + i * row->stride) / 16U;

			m->defined[slot] = (uint32_t)~row->rsvd;
			m->writable[slot] = (uint32_t) ~(row->rsvd | row->ro);
			if (row->storage != REG_ACTION)
				m->readable |= UINT64_C(1) << slot;
		}
	if (!m->config.eoi_suppression) {
		m->defined[LAPIC_SVR / 16] &= ~SVR_SUPPRESS;
		m->writable[LAPIC_SVR / 16] &= ~SVR_SUPPRESS;
	}
	if (!m->config.tsc_deadline) {
		m->defined[LAPIC_LVTT / 16] &= ~LVTT_MODE_DEADLINE;
		m->writable[LAPIC_LVTT / 16] &= ~LVTT_MODE_DEADLINE;
	}
	if (!m->config.cmci) {
		m->defined[LAPIC_LVTCMCI / 16] = m->writable[LAPIC_LVTCMCI / 16] = 0;
		m->readable &= ~(UINT64_C(1) << LAPIC_LVTCMCI / 16);
	}
}

/* Registers of the page that are no MSRs (SDM 3A table 11-6). */
static bool only_xapic(uint16_t offset)
{
	return offset == LAPIC_APR || offset == LAPIC_RRD || offset == LAPIC_DFR || offset == LAPIC_ICR2;
}

static bool readable(const struct lapic_model *m, uint16_t offset)
{
	return m->readable >> offset / 16 & 1 && !(lapic_x2apic(&m->s) && only_xapic(offset));
}

static bool write_only(const struct lapic_model *m, uint16_t offset)
{
	return offset == LAPIC_EOI || (offset == LAPIC_SELF && lapic_x2apic(&m->s));
}

/* ---- reading ---- */

/* SDM 3A 11.12.10.2 */
uint32_t lapic_x2apic_ldr(const struct lapic_state *s)
{
	return lapic_id(s) >> 4 << 16 | UINT32_C(1) << (lapic_id(s) & 15);
}

static uint32_t read_register(struct lapic_model *m, uint16_t offset)
{
	bool x2apic = lapic_x2apic(&m->s);

	switch (offset) {
	case LAPIC_ID:
		return x2apic ? lapic_id(&m->s) : lapic_reg(&m->s, offset);
	case LAPIC_LDR:
		return x2apic ? lapic_x2apic_ldr(&m->s) : lapic_reg(&m->s, offset);
	case LAPIC_PPR:
		return lapic_ppr(&m->s);
	case LAPIC_APR: /* not in this version: SDM 3A table 11-1 */
	case LAPIC_RRD:
		return 0;
	case LAPIC_TMCCT:
		lapic_timer_settle(m);
		return lapic_timer_count(m, m->config.ops->now_ns(m->config.ctx));
	}
	return lapic_reg(&m->s, offset);
}

void lapic_model_read(struct lapic_model *m, uint32_t offset, void *data, unsigned int len)
{
	bool decodes = lapic_page(&m->s) != LAPIC_MODEL_NOWHERE;
	unsigned int byte = offset % 16;
	uint32_t value = 0;
	uint8_t *p = data;

	if (decodes && !m->s.latched_init && len && byte + len <= 4) {
		uint16_t reg = (uint16_t)(offset - byte);

		if (offset < 0x400 && readable(m, reg))
			value = read_register(m, reg);
		else
			lapic_error(m, LAPIC_ESR_REGISTER);
	}
	for (unsigned int i = 0; i < len; i++)
		p[i] = !decodes ? 0xff : byte + i < 4 ? (uint8_t)(value >> 8 * (byte + i))
						      : 0;
}

/* ---- writing ---- */

static void set_bits(struct lapic_model *m, uint16_t offset, uint32_t value)
{
	uint32_t mask = m->writable[offset / 16];

	lapic_set_reg(&m->s, offset, (lapic_reg(&m->s, offset) & ~mask) | (value & mask));
}

static void write_svr(struct lapic_model *m, uint32_t value)
{
	set_bits(m, LAPIC_SVR, value);
	if (!(lapic_reg(&m->s, LAPIC_SVR) & LAPIC_SVR_ENABLE)) {
		lapic_timer_settle(m);
		for (size_t i = 0; i < REG_ARRAY_SIZE(lvts); i++)
			if (readable(m, lvts[i]))
				lapic_set_reg(&m->s, lvts[i], lapic_reg(&m->s, lvts[i]) | LAPIC_LVT_MASKED);
		lapic_timer_arm(m);
	}
}

static void write_lvt(struct lapic_model *m, uint16_t offset, uint32_t value)
{
	uint32_t mask = m->writable[offset / 16];

	/* SDM 3A 11.4.7.2: they cannot be unmasked. */
	if (!(lapic_reg(&m->s, LAPIC_SVR) & LAPIC_SVR_ENABLE))
		value |= LAPIC_LVT_MASKED;
	value = (lapic_reg(&m->s, offset) & ~mask) | (value & mask);
	if (offset == LAPIC_LVTT) {
		lapic_timer_write_lvt(m, value);
		return;
	}
	if (!(value & LAPIC_LVT_LEVEL))
		value &= ~LAPIC_LVT_REMOTE_IRR;
	lapic_set_reg(&m->s, offset, value);
	if (offset == LAPIC_LVT0 || offset == LAPIC_LVT1)
		lapic_lint_again(m, offset == LAPIC_LVT1);
}

static void write_register(struct lapic_model *m, uint16_t offset, uint32_t value)
{
	switch (offset) {
	case LAPIC_EOI:
		lapic_eoi(m);
		break;
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_DFR:
		set_bits(m, offset, value);
		apic_bus_update(m->bus, m);
		break;
	case LAPIC_SVR:
		write_svr(m, value);
		break;
	case LAPIC_ESR:
		lapic_set_reg(&m->s, LAPIC_ESR, m->s.esr_pending);
		m->s.esr_pending = 0;
		break;
	case LAPIC_ICR:
		set_bits(m, offset, value);
		lapic_send_icr(m);
		break;
	case LAPIC_SELF:
		lapic_send_self(m, (uint8_t)value);
		break;
	case LAPIC_TMICT:
		lapic_timer_write_count(m, value);
		break;
	case LAPIC_TDCR:
		lapic_timer_write_divide(m, value & m->writable[offset / 16]);
		break;
	case LAPIC_LVTCMCI:
	case LAPIC_LVTT:
	case LAPIC_LVTTHMR:
	case LAPIC_LVTPC:
	case LAPIC_LVT0:
	case LAPIC_LVT1:
	case LAPIC_LVTERR:
		write_lvt(m, offset, value);
		break;
	default:
		set_bits(m, offset, value);
	}
}

void lapic_model_write(struct lapic_model *m, uint32_t offset, const void *data, unsigned int len)
{
	const uint8_t *p = data;
	uint16_t reg = (uint16_t)offset;

	if (lapic_page(&m->s) == LAPIC_MODEL_NOWHERE || m->s.latched_init || len != 4 || offset % 16)
		return;
	if (offset >= 0x400 || (!readable(m, reg) && !write_only(m, reg))) {
		lapic_error(m, LAPIC_ESR_REGISTER);
		return;
	}
	write_register(m, reg, p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

/* ---- MSRs ---- */

static bool is_x2apic_msr(uint32_t index)
{
	return index >= LAPIC_MSR_X2APIC && index <= LAPIC_MSR_X2APIC + 0xff;
}

static int read_x2apic(struct lapic_model *m, uint32_t index, uint64_t *ret)
{
	uint32_t offset = (index - LAPIC_MSR_X2APIC) * 16;

	if (!lapic_x2apic(&m->s) || offset >= 0x400 || !readable(m, (uint16_t)offset))
		return -EINVAL;
	*ret = read_register(m, (uint16_t)offset);
	if (offset == LAPIC_ICR)
		*ret |= (uint64_t)lapic_reg(&m->s, LAPIC_ICR2) << 32;
	return 0;
}

static bool x2apic_writable(const struct lapic_model *m, uint16_t offset)
{
	if (write_only(m, offset))
		return true;
	return readable(m, offset) && m->writable[offset / 16] && offset != LAPIC_ID && offset != LAPIC_LDR;
}

/* Bits that raise #GP when they are 1 (SDM 3A 11.12.1.2 and 11.12.9). */
static uint64_t x2apic_reserved(const struct lapic_model *m, uint16_t offset)
{
	if (offset == LAPIC_ICR)
		return (uint32_t)~m->defined[offset / 16];
	if (offset == LAPIC_EOI || offset == LAPIC_ESR)
		return UINT64_MAX;
	return ~(uint64_t)m->defined[offset / 16];
}

static int write_x2apic(struct lapic_model *m, uint32_t index, uint64_t value)
{
	uint32_t offset = (index - LAPIC_MSR_X2APIC) * 16;

	if (!lapic_x2apic(&m->s) || offset >= 0x400 || !x2apic_writable(m, (uint16_t)offset) ||
	    value & x2apic_reserved(m, (uint16_t)offset))
		return -EINVAL;
	if (offset == LAPIC_ICR)
		lapic_set_reg(&m->s, LAPIC_ICR2, (uint32_t)(value >> 32));
	write_register(m, (uint16_t)offset, (uint32_t)value);
	return 0;
}

static bool has_msr(const struct lapic_model *m, uint32_t index)
{
	return is_x2apic_msr(index) || index == LAPIC_MSR_APIC_BASE ||
	       (index == LAPIC_MSR_TSC_DEADLINE && m->config.tsc_deadline);
}

int lapic_model_rdmsr(struct lapic_model *m, uint32_t index, uint64_t *ret)
{
	if (!has_msr(m, index))
		return -ENOENT;
	*ret = 0;
	if (m->s.latched_init)
		return 0;
	if (is_x2apic_msr(index))
		return read_x2apic(m, index, ret);
	*ret = index == LAPIC_MSR_APIC_BASE ? m->s.apic_base : lapic_timer_read_deadline(m);
	return 0;
}

int lapic_model_wrmsr(struct lapic_model *m, uint32_t index, uint64_t value)
{
	if (!has_msr(m, index))
		return -ENOENT;
	if (m->s.latched_init)
		return 0;
	if (is_x2apic_msr(index))
		return write_x2apic(m, index, value);
	if (index == LAPIC_MSR_APIC_BASE)
		return lapic_base_write(m, value);
	lapic_timer_write_deadline(m, value);
	return 0;
}

uint8_t lapic_model_cr8(const struct lapic_model *m)
{
	return lapic_reg(&m->s, LAPIC_TPR) >> 4 & 0xf;
}

int lapic_model_set_cr8(struct lapic_model *m, uint64_t value)
{
	if (value > 15)
		return -EINVAL;
	if (!m->s.latched_init)
		lapic_set_reg(&m->s, LAPIC_TPR, (uint32_t)value << 4);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows from the registers of a local APIC. The table is in lapic_rows.c. */
#include "apic/lapic.h"

#include <string.h>

#include "apic/lapic_rows.h"

void lapic_set_reg(struct lapic_state *s, uint16_t offset, uint32_t value)
{
	unsigned int i = offset / 16 % 64;

	s->regs[i] = value;
	s->known[0] |= UINT64_C(1) << i;
}

bool lapic_reg_known(const struct lapic_state *s, uint16_t offset)
{
	return s->known[0] >> offset / 16 % 64 & 1;
}

const struct reg_row *lapic_member(const char *name)
{
	return reg_find_name(&lapic_chip, name);
}

int lapic_from_tree(const struct vms_node *section, struct lapic_state *ret, struct irqs_error *reterr)
{
	struct lapic_state s;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = lapic_add_tree(section, &s, reterr);
	if (!rc)
		*ret = s;
	return rc;
}

int lapic_add_tree(const struct vms_node *section, struct lapic_state *s, struct irqs_error *reterr)
{
	int rc = reg_from_tree(&lapic_chip, section, s, reterr);

	if (!rc && section->kind == VMS_SECTION && !strcmp(section->name, lapic_vms_desc.name)) {
		s->initial_id = section->instance;
		lapic_set_known(s, LAPIC_KNOWN_INITIAL_ID, true);
	}
	return rc;
}

int lapic_to_tree(const struct lapic_state *s, struct vms_node *section, struct irqs_error *reterr)
{
	return reg_to_tree(&lapic_chip, s, section, reterr);
}

unsigned int lapic_count_shift(uint32_t tdcr)
{
	return (((tdcr & 3) | (tdcr >> 1 & 4)) + 1) & 7;
}

unsigned int lapic_divide(uint32_t tdcr)
{
	return 1U << lapic_count_shift(tdcr);
}

int lapic_bank_highest(const struct lapic_state *s, uint16_t offset)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = lapic_reg(s, (uint16_t)(offset + 16 * i));

		if (word)
			return 32 * i + 31 - __builtin_clz(word);
	}
	return -1;
}

bool lapic_bank_test(const struct lapic_state *s, uint16_t offset, uint8_t vector)
{
	return lapic_reg(s, (uint16_t)(offset + 16 * (vector / 32))) >> vector % 32 & 1;
}

void lapic_bank_set(struct lapic_state *s, uint16_t offset, uint8_t vector)
{
	uint16_t word = (uint16_t)(offset + 16 * (vector / 32));

	lapic_set_reg(s, word, lapic_reg(s, word) | UINT32_C(1) << vector % 32);
}

void lapic_bank_clear(struct lapic_state *s, uint16_t offset, uint8_t vector)
{
	uint16_t word = (uint16_t)(offset + 16 * (vector / 32));

	lapic_set_reg(s, word, lapic_reg(s, word) & ~(UINT32_C(1) << vector % 32));
}

uint8_t lapic_ppr(const struct lapic_state *s)
{
	int isr = lapic_bank_highest(s, LAPIC_ISR);
	uint8_t tpr = (uint8_t)lapic_reg(s, LAPIC_TPR);
	uint8_t serving = isr < 0 ? 0 : (uint8_t)isr & 0xf0;

	return (tpr & 0xf0) >= serving ? tpr : serving;
}

bool lapic_enabled(const struct lapic_state *s)
{
	return s->apic_base & LAPIC_BASE_ENABLE && lapic_reg(s, LAPIC_SVR) & LAPIC_SVR_ENABLE;
}

bool lapic_x2apic(const struct lapic_state *s)
{
	return s->apic_base & LAPIC_BASE_ENABLE && s->apic_base & LAPIC_BASE_X2APIC;
}

int lapic_deliverable(const struct lapic_state *s)
{
	int irr = lapic_bank_highest(s, LAPIC_IRR);

	if (!lapic_enabled(s) || irr < 0 || (irr & 0xf0) <= (lapic_ppr(s) & 0xf0))
		return -1;
	return irr;
}

bool lapic_accepts_pic(const struct lapic_state *s)
{
	uint32_t lvt0 = lapic_reg(s, LAPIC_LVT0);

	if (!(s->apic_base & LAPIC_BASE_ENABLE))
		return true;
	return !(lvt0 & LAPIC_LVT_MASKED) && (lvt0 >> 8 & 7) == LAPIC_EXTINT;
}

bool lapic_unacknowledge(struct lapic_state *s, uint8_t vector)
{
	if (!lapic_bank_test(s, LAPIC_ISR, vector))
		return false;
	lapic_bank_clear(s, LAPIC_ISR, vector);
	lapic_bank_set(s, LAPIC_IRR, vector);
	return true;
}

uint32_t lapic_id(const struct lapic_state *s)
{
	if (lapic_x2apic(s) && lapic_knows(s, LAPIC_KNOWN_INITIAL_ID))
		return s->initial_id;
	return lapic_reg(s, LAPIC_ID) >> 24;
}

bool lapic_match_physical(const struct lapic_state *s, uint32_t dest)
{
	uint32_t broadcast = lapic_x2apic(s) ? UINT32_MAX : 0xff;

	return dest == broadcast || dest == lapic_id(s);
}

bool lapic_match_logical(const struct lapic_state *s, uint32_t dest)
{
	uint32_t ldr = lapic_reg(s, LAPIC_LDR) >> 24;

	if (lapic_x2apic(s)) {
		uint32_t id = lapic_id(s);
		uint32_t x2ldr = id >> 4 << 16 | UINT32_C(1) << (id & 15);

		if (dest == UINT32_MAX)
			return true;
		return dest >> 16 == x2ldr >> 16 && (dest & x2ldr & 0xffff);
	}
	if (dest == 0xff)
		return true;
	if (lapic_reg(s, LAPIC_DFR) >> 28 == 0xf)
		return (ldr & dest) != 0;
	return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
}

enum lapic_timer_mode lapic_timer_mode(const struct lapic_state *s)
{
	return (enum lapic_timer_mode)(lapic_reg(s, LAPIC_LVTT) >> 17 & 3);
}

uint64_t lapic_timer_period_ns(const struct lapic_state *s, enum lapic_timer_model model)
{
	uint64_t count = lapic_reg(s, LAPIC_TMICT);

	if (!count)
		return 0;
	return (count + (model == LAPIC_TIMER_QEMU)) << lapic_count_shift(lapic_reg(s, LAPIC_TDCR));
}

static bool counts(const struct lapic_state *s, uint64_t period)
{
	enum lapic_timer_mode mode = lapic_timer_mode(s);

	return period && (mode == LAPIC_TIMER_ONE_SHOT || mode == LAPIC_TIMER_PERIODIC);
}

bool lapic_timer_sample(struct lapic_state *s, int64_t now_ns, enum lapic_timer_model model)
{
	uint64_t period = lapic_timer_period_ns(s, model);
	unsigned int shift = lapic_count_shift(lapic_reg(s, LAPIC_TDCR));
	bool periodic = lapic_timer_mode(s) == LAPIC_TIMER_PERIODIC;
	uint64_t elapsed = 0, left, ticks;

	if (now_ns > s->initial_count_load_time)
		elapsed = (uint64_t)now_ns - (uint64_t)s->initial_count_load_time;
	if (!counts(s, period) || (!periodic && elapsed >= period)) {
		lapic_set_known(s, LAPIC_KNOWN_TIMER_REMAINING, false);
		s->timer_remaining_ns = 0;
		lapic_set_reg(s, LAPIC_TMCCT, 0);
		return false;
	}
	left = period - elapsed % period;
	s->timer_remaining_ns = left;
	lapic_set_known(s, LAPIC_KNOWN_TIMER_REMAINING, true);
	/* The count that a read would give: what is left, in ticks begun; QEMU's extra tick reads 0. */
	ticks = ((left - 1) >> shift) + (model == LAPIC_TIMER_KVM);
	lapic_set_reg(s, LAPIC_TMCCT, (uint32_t)ticks);
	return true;
}

void lapic_timer_rebase(struct lapic_state *s, int64_t now_ns, enum lapic_timer_model model)
{
	uint64_t period = lapic_timer_period_ns(s, model);
	uint64_t left = s->timer_remaining_ns;
	bool armed = counts(s, period) && lapic_knows(s, LAPIC_KNOWN_TIMER_REMAINING);

	if (left > period)
		left = period;
	s->count_shift = (int32_t)lapic_count_shift(lapic_reg(s, LAPIC_TDCR));
	lapic_set_known(s, LAPIC_KNOWN_COUNT_SHIFT, true);
	/* A timer that has fired: its load time lies a whole period back, so that nobody starts it again. */
	s->initial_count_load_time = (int64_t)((uint64_t)now_ns - (armed ? period - left : period));
	lapic_set_known(s, LAPIC_KNOWN_LOAD_TIME, true);
	s->timer_expiry = -1;
	if (armed) {
		s->next_time = (int64_t)((uint64_t)now_ns + left);
		lapic_set_known(s, LAPIC_KNOWN_NEXT_TIME, true);
		if (!(lapic_reg(s, LAPIC_LVTT) & LAPIC_LVT_MASKED))
			s->timer_expiry = s->next_time;
	}
	lapic_set_known(s, LAPIC_KNOWN_TIMER_EXPIRY, true);
}

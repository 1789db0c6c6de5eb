/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/abi.h"

#include <linux/kvm.h>
#include <string.h>

size_t abi_size(enum reg_abi abi)
{
	static const size_t sizes[] = {
		[REG_ABI_NONE] = 0,
		[REG_ABI_LAPIC] = sizeof(struct kvm_lapic_state),
		[REG_ABI_REGS] = sizeof(struct kvm_regs),
		[REG_ABI_SREGS] = sizeof(struct kvm_sregs),
		[REG_ABI_EVENTS] = sizeof(struct kvm_vcpu_events),
		[REG_ABI_MP_STATE] = sizeof(struct kvm_mp_state),
		[REG_ABI_MSR] = sizeof(uint64_t),
		[REG_ABI_TSC_KHZ] = sizeof(uint64_t),
		[REG_ABI_VCPU_ID] = sizeof(uint32_t),
		[REG_ABI_IOAPIC] = sizeof(struct kvm_ioapic_state),
		[REG_ABI_PIC] = sizeof(struct kvm_pic_state),
		[REG_ABI_PIT] = sizeof(struct kvm_pit_state2),
		[REG_ABI_CLOCK] = sizeof(struct kvm_clock_data),
	};

	return sizes[abi];
}

static uint64_t load(const uint8_t *at, uint8_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size); /* the ABI is x86's: little-endian */
	return value;
}

/* Bytes that say whether the value is one: the row's own flag, or rows of their own. */
static const uint8_t *flags_of(const struct reg_row *row, uint8_t ret[2])
{
	ret[0] = row->abi_if ? row->abi_if : row->abi_any[0];
	ret[1] = row->abi_any[1];
	return ret;
}

static bool is_none(const uint8_t flags[2], const uint8_t *bytes)
{
	return flags[0] && !bytes[flags[0] - 1] && (!flags[1] || !bytes[flags[1] - 1]);
}

static bool carried(const struct reg_row *row, enum reg_abi abi)
{
	return row->abi == abi && row->storage != REG_ACTION;
}

void abi_get(const struct reg_chip *chip, enum reg_abi abi, const void *data, void *state)
{
	const uint8_t *bytes = data;

	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];
		uint8_t flags[2];

		if (!carried(row, abi))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t value = load(bytes + row->abi_at + i * row->abi_step, row->abi_size);

			reg_set(row, state, i, is_none(flags_of(row, flags), bytes) ? UINT64_MAX : value << row->abi_shift);
		}
	}
}

void abi_put(const struct reg_chip *chip, enum reg_abi abi, const void *state, void *data)
{
	uint8_t *bytes = data;

	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (!carried(row, abi))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t value = reg_get(row, state, i);
			bool none = row->is_signed && row->size > row->abi_size && (int64_t)value < 0;

			if (!reg_known(row, state, i))
				continue;
			if (row->abi_if)
				bytes[row->abi_if - 1] = !none;
			value = none ? 0 : value >> row->abi_shift;
			memcpy(bytes + row->abi_at + i * row->abi_step, &value, row->abi_size);
		}
	}
}

/* Whether the row's elements go on where those of the copy end, in both. */
static bool continues(const struct abi_copy *c, const struct reg_row *row)
{
	return c->from_size == row->abi_size && c->to_size == row->size && c->shift == row->abi_shift && !c->present[0] &&
	       !row->abi_if && !row->abi_any[0] && c->from_step == row->abi_step && c->to_step == row->step && row->abi_step &&
	       c->from + (uint32_t)c->count * c->from_step == row->abi_at && c->to + c->count * c->to_step == row->at;
}

void abi_plan_init(struct abi_plan *plan, const struct reg_chip *chip, enum reg_abi abi)
{
	struct abi_copy *last = NULL;

	memset(plan, 0, sizeof(*plan));
	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (!carried(row, abi))
			continue;
		for (unsigned int bit = row->bit; bit < row->bit + row->count; bit++)
			plan->known[bit / 64] |= UINT64_C(1) << bit % 64;
		if (last && continues(last, row)) {
			last->count += row->count;
			continue;
		}
		last = &plan->copies[plan->ncopies++];
		*last = (struct abi_copy) {
			.from = (uint16_t)row->abi_at,
			.to = row->at,
			.count = row->count,
			.from_step = (uint8_t)row->abi_step,
			.to_step = (uint8_t)row->step,
			.from_size = row->abi_size,
			.to_size = row->size,
			.shift = row->abi_shift,
		};
		flags_of(row, last->present);
	}
}

static void copy_words(const struct abi_copy *c, const uint8_t *from, uint8_t *to)
{
	for (unsigned int i = 0; i < c->count; i++, from += c->from_step, to += c->to_step)
		memcpy(to, from, sizeof(uint32_t));
}

static void copy_any(const struct abi_copy *c, const uint8_t *data, uint8_t *state)
{
	for (unsigned int i = 0; i < c->count; i++) {
		uint64_t value = load(data + c->from + (size_t)i * c->from_step, c->from_size) << c->shift;

		if (is_none(c->present, data))
			value = UINT64_MAX;
		memcpy(state + c->to + (size_t)i * c->to_step, &value, c->to_size);
	}
}

void abi_plan_get(const struct abi_plan *plan, const void *data, void *state)
{
	uint64_t *known = state;

	for (unsigned int i = 0; i < plan->ncopies; i++) {
		const struct abi_copy *c = &plan->copies[i];

		if (c->from_size == 4 && c->to_size == 4 && !c->shift && !c->present[0])
			copy_words(c, (const uint8_t *)data + c->from, (uint8_t *)state + c->to);
		else
			copy_any(c, data, state);
	}
	for (unsigned int i = 0; i < REG_KNOWN_WORDS; i++)
		known[i] |= plan->known[i];
}

const struct reg_row *abi_msr(const struct reg_chip *chip, const struct reg_row *row)
{
	row = row ? row + 1 : chip->rows;
	for (; row < chip->rows + chip->nrows; row++)
		if (row->abi == REG_ABI_MSR)
			return row;
	return NULL;
}

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

static bool carried(const struct reg_row *row, enum reg_abi abi)
{
	return row->abi == abi && row->storage != REG_ACTION;
}

void abi_get(const struct reg_chip *chip, enum reg_abi abi, const void *data, void *state)
{
	const uint8_t *bytes = data;

	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (!carried(row, abi))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t value = load(bytes + row->abi_at + i * row->abi_step, row->abi_size);

			if (row->abi_if && !bytes[row->abi_if - 1])
				value = UINT64_MAX;
			reg_set(row, state, i, row->abi_if ? value : value << row->abi_shift);
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

const struct reg_row *abi_msr(const struct reg_chip *chip, const struct reg_row *row)
{
	row = row ? row + 1 : chip->rows;
	for (; row < chip->rows + chip->nrows; row++)
		if (row->abi == REG_ABI_MSR)
			return row;
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows' places in the structures of the KVM ABI. */
#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <string.h>

#include "apic/abi.h"
#include "apic/irqchip.h"

#define ABI_MAX 1024

static const struct reg_chip *const chips[] = { &lapic_chip, &ioapic_chip, &pic_chip, &pit_chip, &clock_chip };

/* Bytes that a row of the chip, or the flag of one, stands for. */
static void mark(const struct reg_chip *chip, enum reg_abi abi, uint8_t *owned)
{
	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (row->abi != abi || row->storage == REG_ACTION)
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			memset(owned + row->abi_at + i * row->abi_step, 1, row->abi_size);
			cr_expect_leq(row->abi_at + i * row->abi_step + row->abi_size, abi_size(abi), "%s", row->name);
		}
		if (row->abi_if)
			owned[row->abi_if - 1] = 1;
	}
}

Test(apic_abi, every_structure_comes_back_byte_for_byte)
{
	uint8_t in[ABI_MAX], out[ABI_MAX], owned[ABI_MAX], state[sizeof(struct lapic_state)];

	for (size_t c = 0; c < REG_ARRAY_SIZE(chips); c++) {
		for (enum reg_abi abi = REG_ABI_LAPIC; abi <= REG_ABI_CLOCK; abi++) {
			if (abi == REG_ABI_MSR)
				continue;
			memset(owned, 0, sizeof(owned));
			mark(chips[c], abi, owned);
			for (size_t i = 0; i < sizeof(in); i++)
				in[i] = (uint8_t)(i * 37 + 11) | 1;
			if (abi == REG_ABI_EVENTS)
				in[offsetof(struct kvm_vcpu_events, interrupt.injected)] = 1;
			if (abi == REG_ABI_IOAPIC) /* the register has room for the low byte */
				memset(in + offsetof(struct kvm_ioapic_state, ioregsel), 0, 8), in[12] = 0xa;
			memset(state, 0, sizeof(state));
			memset(out, 0, sizeof(out));
			abi_get(chips[c], abi, in, state);
			abi_put(chips[c], abi, state, out);
			for (size_t i = 0; i < abi_size(abi); i++)
				cr_expect_eq(out[i], owned[i] ? in[i] : 0, "%s, structure %d, byte %zu: %02x, not %02x",
					     chips[c]->name, abi, i, out[i], in[i]);
		}
	}
}

Test(apic_abi, all_of_the_small_chips_has_a_row)
{
	static const struct {
		const struct reg_chip *chip;
		enum reg_abi abi;
		size_t spare; /* padding, reserved bytes */
	} whole[] = {
		{ &ioapic_chip, REG_ABI_IOAPIC, 4 },
		{ &pic_chip, REG_ABI_PIC, 0 },
		{ &pit_chip, REG_ABI_PIT, 9 * 4 },
		{ &clock_chip, REG_ABI_CLOCK, 5 * 4 },
	};
	uint8_t owned[ABI_MAX];

	for (size_t i = 0; i < REG_ARRAY_SIZE(whole); i++) {
		size_t n = 0;

		memset(owned, 0, sizeof(owned));
		mark(whole[i].chip, whole[i].abi, owned);
		for (size_t j = 0; j < sizeof(owned); j++)
			n += owned[j];
		cr_expect_eq(n + whole[i].spare, abi_size(whole[i].abi), "%s: %zu bytes have no row", whole[i].chip->name,
			     abi_size(whole[i].abi) - n - whole[i].spare);
	}
}

Test(apic_abi, no_injected_interrupt_is_minus_one)
{
	struct kvm_vcpu_events events = { .interrupt = { .nr = 0x31 } };
	struct lapic_state s = { 0 };

	abi_get(&lapic_chip, REG_ABI_EVENTS, &events, &s);
	cr_expect_eq(s.interrupt_injected, -1);
	memset(&events, 0xff, sizeof(events));
	abi_put(&lapic_chip, REG_ABI_EVENTS, &s, &events);
	cr_expect_eq(events.interrupt.injected, 0);
	cr_expect_eq(events.interrupt.nr, 0);
	s.interrupt_injected = 0;
	abi_put(&lapic_chip, REG_ABI_EVENTS, &s, &events);
	cr_expect_eq(events.interrupt.injected, 1);
}

/* QEMU gives KVM 255 for it, and KVM gives that back. */
Test(apic_abi, an_exception_is_one_when_it_is_pending_or_injected)
{
	struct kvm_vcpu_events events = { .exception = { .nr = 255 } };
	struct lapic_state s = { 0 };

	abi_get(&lapic_chip, REG_ABI_EVENTS, &events, &s);
	cr_expect_eq(s.exception_nr, -1);
	events.exception.nr = 14;
	events.exception.pending = 1;
	abi_get(&lapic_chip, REG_ABI_EVENTS, &events, &s);
	cr_expect_eq(s.exception_nr, 14);
	events.exception.pending = 0;
	events.exception.injected = 1;
	abi_get(&lapic_chip, REG_ABI_EVENTS, &events, &s);
	cr_expect_eq(s.exception_nr, 14);
	/* The flags are rows, and are written as those. */
	s.exception_nr = -1;
	abi_put(&lapic_chip, REG_ABI_EVENTS, &s, &events);
	cr_expect_eq(events.exception.nr, 0);
	cr_expect_eq(events.exception.injected, 1);
}

Test(apic_abi, an_unknown_row_leaves_the_structure_as_it_is)
{
	struct kvm_pic_state pic = { .irr = 0x5a, .imr = 0x77 };
	struct pic_state s = { 0 };

	reg_set(reg_find_name(&pic_chip, "imr"), &s, 0, 0x11);
	abi_put(&pic_chip, REG_ABI_PIC, &s, &pic);
	cr_expect_eq(pic.irr, 0x5a);
	cr_expect_eq(pic.imr, 0x11);
}

Test(apic_abi, the_id_of_the_ioapic_is_the_bare_number)
{
	struct kvm_ioapic_state kvm = { .id = 9 };
	struct ioapic_state s = { 0 };

	abi_get(&ioapic_chip, REG_ABI_IOAPIC, &kvm, &s);
	cr_expect_eq(s.id, 0x09000000);
}

Test(apic_abi, each_model_specific_register_is_listed_once)
{
	const struct reg_row *row = NULL;
	unsigned int n = 0;

	while ((row = abi_msr(&lapic_chip, row))) {
		for (const struct reg_row *other = NULL; (other = abi_msr(&lapic_chip, other));)
			cr_expect(other == row || other->abi_at != row->abi_at, "%s", row->name);
		n++;
	}
	cr_expect_eq(n, 10);
}

Test(apic_abi, a_plan_takes_what_the_walk_of_the_rows_takes)
{
	uint8_t in[ABI_MAX], walked[sizeof(struct lapic_state)], planned[sizeof(struct lapic_state)];
	struct abi_plan plan;

	for (unsigned int pattern = 0; pattern < 3; pattern++) {
		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = pattern == 2 ? (uint8_t)(i * 89 + 7) : pattern ? 0xff
									       : 0;
		for (size_t c = 0; c < REG_ARRAY_SIZE(chips); c++) {
			for (enum reg_abi abi = REG_ABI_LAPIC; abi <= REG_ABI_CLOCK; abi++) {
				if (abi == REG_ABI_MSR)
					continue;
				memset(walked, 0x5a, sizeof(walked));
				memset(planned, 0x5a, sizeof(planned));
				memset(walked, 0, REG_KNOWN_WORDS * 8);
				memset(planned, 0, REG_KNOWN_WORDS * 8);
				abi_get(chips[c], abi, in, walked);
				abi_plan_init(&plan, chips[c], abi);
				cr_assert_leq(plan.ncopies, ABI_PLAN_MAX);
				abi_plan_get(&plan, in, planned);
				cr_expect_arr_eq(planned, walked, sizeof(planned), "%s, structure %d", chips[c]->name, abi);
			}
		}
	}
}

Test(apic_abi, the_register_page_is_a_few_runs)
{
	struct abi_plan plan;

	abi_plan_init(&plan, &lapic_chip, REG_ABI_LAPIC);
	cr_expect_leq(plan.ncopies, 8, "%u copies", plan.ncopies);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The LAPIC model's registers: xAPIC, x2APIC, modes, reset, errors, save and restore. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/apic_bed.h"

#define BASE UINT64_C(0xfee00000)

static struct apic_bed bed;

static int wrmsr(uint32_t index, uint64_t value)
{
	return lapic_model_wrmsr(&bed.cpu[0], index, value);
}

static int rdmsr(uint32_t index)
{
	uint64_t value;

	return lapic_model_rdmsr(&bed.cpu[0], index, &value);
}

static int set_base(uint64_t value)
{
	return wrmsr(LAPIC_MSR_APIC_BASE, value);
}

/* Errors seen by software: ESR after a write of it. */
static uint32_t errors(unsigned int cpu)
{
	bed_write(&bed, cpu, LAPIC_ESR, 0);
	return bed_read(&bed, cpu, LAPIC_ESR);
}

Test(lapic_model, power_up_is_that_of_the_manual)
{
	bed_init_with(&bed, 2, bed_config(&bed));
	cr_expect_eq(bed_read(&bed, 1, LAPIC_ID), 0x01000000);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVR), 0x01060014);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0xff);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_DFR), 0xffffffff);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVT0), 0x10000);
	cr_expect_eq(bed_rdmsr(&bed, 0, LAPIC_MSR_APIC_BASE), BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP);
	cr_expect_eq(bed_rdmsr(&bed, 1, LAPIC_MSR_APIC_BASE), BASE | LAPIC_BASE_ENABLE);
	cr_expect(lapic_model_runnable(&bed.cpu[0]));
	cr_expect(!lapic_model_runnable(&bed.cpu[1]));
}

Test(lapic_model, virtual_wire_opens_lint0_of_the_bsp_only)
{
	struct lapic_model_config config = bed_config(&bed);

	config.virtual_wire = true;
	bed_init_with(&bed, 2, config);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVT0), 0x700);
	cr_expect_eq(bed_read(&bed, 1, LAPIC_LVT0), 0x10000);
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect(lapic_model_extint(&bed.cpu[0]));
}

Test(lapic_model, configs_out_of_range_are_refused)
{
	struct lapic_model_config good = bed_config(&bed), c;
	struct lapic_model m;

	apic_bus_init(&bed.bus, false);
	c = good, c.phys_bits = 35;
	cr_expect_eq(lapic_model_init(&m, &bed.bus, &c), -EINVAL);
	c = good, c.bus_cycle_ns = 0;
	cr_expect_eq(lapic_model_init(&m, &bed.bus, &c), -EINVAL);
	c = good, c.tsc_khz = 0;
	cr_expect_eq(lapic_model_init(&m, &bed.bus, &c), -EINVAL);
	c = good, c.x2apic = false, c.id = 255;
	cr_expect_eq(lapic_model_init(&m, &bed.bus, &c), -EINVAL);
	cr_expect_eq(lapic_model_init(&m, &bed.bus, &good), 0);
}

/* The rows are the source: what a write leaves, register by register, bit by bit. */
Test(lapic_model, writes_change_what_the_rows_say_and_no_other_bit)
{
	static const uint32_t values[] = { 0xffffffff, 0xa5a5a5a5, 0x5a5a5a5a, 0x00010000 };

	for (size_t r = 0; r < lapic_chip.nrows; r++) {
		const struct reg_row *row = &lapic_chip.rows[r];
		uint16_t o = row->offset;

		if (o == REG_NO_OFFSET || row->storage == REG_ACTION || o == LAPIC_ICR || o == LAPIC_ESR)
			continue;
		for (size_t v = 0; v < REG_ARRAY_SIZE(values); v++) {
			uint32_t before, keep = (uint32_t)(row->ro | row->rsvd), want;

			bed_init(&bed, 1);
			before = bed_read(&bed, 0, o);
			bed_write(&bed, 0, o, values[v]);
			want = (values[v] & ~keep) | (before & keep);
			cr_expect_eq(bed_read(&bed, 0, o), want, "%s 0x%x: 0x%x, want 0x%x", row->name, values[v],
				     bed_read(&bed, 0, o), want);
		}
	}
}

Test(lapic_model, registers_that_the_cpu_lacks_have_no_bits)
{
	struct lapic_model_config config = bed_config(&bed);

	config.cmci = config.tsc_deadline = config.eoi_suppression = false;
	bed_init_with(&bed, 1, config);
	bed_write(&bed, 0, LAPIC_SVR, 0xffffffff);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0x3ff);
	bed_write(&bed, 0, LAPIC_LVTT, 0xffffffff);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVTT), 0x300ff);
	bed_write(&bed, 0, LAPIC_LVTCMCI, 0xfe);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVTCMCI), 0);
	cr_expect_eq(errors(0), 0x80);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVR), 0x00050014);
	cr_expect_eq(rdmsr(LAPIC_MSR_TSC_DEADLINE), -ENOENT);
}

Test(lapic_model, narrow_reads_give_parts_and_odd_ones_nothing)
{
	uint8_t b[16];
	uint16_t half;

	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LDR, 0xab000000);
	lapic_model_read(&bed.cpu[0], LAPIC_LDR + 3, b, 1);
	cr_expect_eq(b[0], 0xab);
	lapic_model_read(&bed.cpu[0], LAPIC_LDR + 2, &half, 2);
	cr_expect_eq(half, 0xab00);
	memset(b, 1, sizeof(b));
	lapic_model_read(&bed.cpu[0], LAPIC_LDR, b, 8);
	for (int i = 0; i < 8; i++)
		cr_expect_eq(b[i], 0);
	memset(b, 1, sizeof(b));
	lapic_model_read(&bed.cpu[0], LAPIC_LDR + 4, b, 4);
	cr_expect_eq(b[0] | b[1] | b[2] | b[3], 0);
}

Test(lapic_model, only_aligned_32_bit_writes_count)
{
	static const uint8_t bytes[16] = { 0x11, 0x22, 0x33, 0x44 };

	bed_init(&bed, 1);
	for (unsigned int len = 0; len <= 16; len++)
		for (uint32_t o = LAPIC_TPR; o < LAPIC_TPR + 16; o++)
			if (len != 4 || o != LAPIC_TPR)
				lapic_model_write(&bed.cpu[0], o, bytes, len);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TPR), 0);
	lapic_model_write(&bed.cpu[0], LAPIC_TPR, bytes, 4);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TPR), 0x11);
}

/* ---- ESR ---- */

Test(lapic_model, esr_shows_errors_only_after_a_write)
{
	bed_init(&bed, 1);
	bed_read(&bed, 0, 0x40);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_ESR), 0);
	cr_expect_eq(errors(0), 0x80, "illegal register");
	cr_expect_eq(bed_read(&bed, 0, LAPIC_ESR), 0x80, "it stays until the next write");
	cr_expect_eq(errors(0), 0);
}

Test(lapic_model, esr_tells_sent_from_received_illegal_vectors)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 15);
	cr_expect_eq(errors(0), 0x20);
	cr_expect_eq(errors(1), 0);
	cr_expect_eq(bed_send(&bed, 1, 15, false), 0);
	cr_expect_eq(errors(1), 0x40);
	cr_expect_eq(bed_send(&bed, 1, 16, false), 1);
	cr_expect_eq(errors(1), 0);
}

Test(lapic_model, an_illegal_vector_in_an_lvt_entry_is_received)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVTPC, 3);
	lapic_model_local(&bed.cpu[0], LAPIC_LVTPC);
	cr_expect_eq(errors(0), 0x40);
	cr_expect_eq(lapic_model_injectable(&bed.cpu[0]), -1);
}

Test(lapic_model, errors_interrupt_once_until_esr_is_written)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVTERR, 0xe0);
	bed_read(&bed, 0, 0x40);
	cr_expect_eq(lapic_model_acknowledge(&bed.cpu[0]), 0xe0);
	bed_write(&bed, 0, LAPIC_EOI, 0);
	bed_ipi(&bed, 0, 1);
	cr_expect_eq(lapic_model_injectable(&bed.cpu[0]), -1, "not armed");
	cr_expect_eq(errors(0), 0xa0);
	bed_read(&bed, 0, 0x40);
	cr_expect_eq(lapic_model_injectable(&bed.cpu[0]), 0xe0);
}

Test(lapic_model, an_illegal_error_vector_does_not_run_in_circles)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVTERR, 0x05);
	bed_read(&bed, 0, 0x40);
	cr_expect_eq(errors(0), 0xc0);
}

/* ---- modes ---- */

Test(lapic_model, answers_nothing_while_disabled)
{
	uint32_t value = 0;

	bed_init(&bed, 1);
	cr_expect_eq(set_base(BASE), 0);
	cr_expect(!lapic_model_decodes(&bed.cpu[0], BASE));
	lapic_model_read(&bed.cpu[0], LAPIC_LVR, &value, 4);
	cr_expect_eq(value, 0xffffffff);
	bed_write(&bed, 0, LAPIC_TPR, 0x20);
	cr_expect_eq(lapic_model_state(&bed.cpu[0])->regs[LAPIC_TPR / 16], 0);
	cr_expect_eq(bed_send(&bed, 0, 0x40, false), 0);
	cr_expect_eq(rdmsr(0x802), -EINVAL);
	cr_expect_eq(lapic_model_acknowledge(&bed.cpu[0]), -1);
	cr_expect_eq(bed.page[0], LAPIC_MODEL_NOWHERE);
}

Test(lapic_model, enabled_again_it_is_as_after_power_up)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_TPR, 0x20);
	bed_send(&bed, 0, 0x40, false);
	set_base(BASE);
	cr_expect_eq(set_base(BASE | LAPIC_BASE_ENABLE), 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TPR), 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0xff);
	cr_expect(!bed_requested(&bed, 0, 0x40));
}

Test(lapic_model, while_disabled_the_pins_are_intr_and_nmi)
{
	bed_init(&bed, 1);
	set_base(BASE);
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect(lapic_model_extint(&bed.cpu[0]));
	lapic_model_lint(&bed.cpu[0], 0, false);
	cr_expect(!lapic_model_extint(&bed.cpu[0]));
	lapic_model_lint(&bed.cpu[0], 1, true);
	cr_expect(lapic_model_take_nmi(&bed.cpu[0]));
	cr_expect(!lapic_model_take_nmi(&bed.cpu[0]));
}

Test(lapic_model, follows_a_relocated_base)
{
	bed_init(&bed, 1);
	cr_expect(lapic_model_decodes(&bed.cpu[0], BASE + 0x3f0));
	cr_expect_eq(set_base(UINT64_C(0x2345678000) | LAPIC_BASE_ENABLE), 0);
	cr_expect(!lapic_model_decodes(&bed.cpu[0], BASE));
	cr_expect(lapic_model_decodes(&bed.cpu[0], UINT64_C(0x2345678fff)));
	cr_expect_eq(bed.page[0], UINT64_C(0x2345678000));
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0x1ff, "nothing else changes");
	lapic_model_reset(&bed.cpu[0]);
	cr_expect(lapic_model_decodes(&bed.cpu[0], BASE));
	cr_expect_eq(bed.page[0], BASE);
}

Test(lapic_model, a_page_at_address_0_answers_like_any_other)
{
	bed_init(&bed, 1);
	cr_expect_eq(set_base(LAPIC_BASE_ENABLE), 0);
	cr_expect(lapic_model_decodes(&bed.cpu[0], LAPIC_SVR));
	cr_expect_eq(bed.page[0], 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0x1ff);
}

Test(lapic_model, apic_base_knows_legal_and_illegal_transitions)
{
	enum { OFF,
	       XAPIC,
	       X2APIC,
	       INVALID };
	static const uint64_t bits[] = { 0, LAPIC_BASE_ENABLE, LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC, LAPIC_BASE_X2APIC };
	static const bool legal[3][4] = {
		[OFF] = { true, true, false, false },
		[XAPIC] = { true, true, true, false },
		[X2APIC] = { true, false, true, false },
	};

	for (int from = OFF; from <= X2APIC; from++)
		for (int to = OFF; to <= INVALID; to++) {
			bed_init(&bed, 1);
			if (from == OFF)
				set_base(BASE);
			if (from == X2APIC)
				bed_x2apic(&bed, 0);
			cr_expect_eq(set_base(BASE | bits[to]), legal[from][to] ? 0 : -EINVAL, "%d to %d", from, to);
			cr_expect_eq(bed_rdmsr(&bed, 0, LAPIC_MSR_APIC_BASE) & 0xc00, bits[legal[from][to] ? to : from] & 0xc00);
		}
}

Test(lapic_model, apic_base_reserved_bits_fault)
{
	struct lapic_model_config config = bed_config(&bed);

	bed_init(&bed, 1);
	for (int bit = 0; bit < 64; bit++) {
		bool ok = bit == 8 || (bit >= 10 && bit < 46);

		cr_expect_eq(set_base(BASE | LAPIC_BASE_ENABLE | UINT64_C(1) << bit), ok ? 0 : -EINVAL, "%d", bit);
		if (bit == 10)
			bed_init(&bed, 1);
	}
	config.x2apic = false;
	bed_init_with(&bed, 1, config);
	cr_expect_eq(set_base(BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC), -EINVAL);
}

/* ---- x2APIC ---- */

Test(lapic_model, x2apic_has_its_own_registers)
{
	bed_init(&bed, 4);
	bed_x2apic(&bed, 3);
	cr_expect_eq(bed_rdmsr(&bed, 3, 0x802), 3);
	cr_expect_eq(bed_rdmsr(&bed, 3, 0x80d), 8, "the logical ID follows from the ID");
	cr_expect_eq(bed_rdmsr(&bed, 3, 0x80f), 0x1ff, "the rest is kept");
	cr_expect(!lapic_model_decodes(&bed.cpu[3], BASE));
}

Test(lapic_model, x2apic_cluster_ids_follow_large_ids)
{
	struct lapic_model_config config = bed_config(&bed);
	struct lapic_model m;
	uint64_t ldr;

	apic_bus_init(&bed.bus, false);
	config.id = 0x12345;
	cr_assert_eq(lapic_model_init(&m, &bed.bus, &config), 0);
	cr_assert_eq(lapic_model_wrmsr(&m, LAPIC_MSR_APIC_BASE, BASE | 0xc00), 0);
	cr_assert_eq(lapic_model_rdmsr(&m, 0x80d, &ldr), 0);
	cr_expect_eq(ldr, 0x12340020);
}

/* SDM 3A table 11-6: r, w, or both; all others fault. */
Test(lapic_model, x2apic_faults_where_the_manual_says_so)
{
	static const struct {
		uint8_t from, to;
		bool r, w;
	} msrs[] = {
		{ 0x02, 0x03, true, false },
		{ 0x08, 0x08, true, true },
		{ 0x0a, 0x0a, true, false },
		{ 0x0b, 0x0b, false, true },
		{ 0x0d, 0x0d, true, false },
		{ 0x0f, 0x0f, true, true },
		{ 0x10, 0x27, true, false },
		{ 0x28, 0x28, true, true },
		{ 0x2f, 0x30, true, true },
		{ 0x32, 0x38, true, true },
		{ 0x39, 0x39, true, false },
		{ 0x3e, 0x3e, true, true },
		{ 0x3f, 0x3f, false, true },
	};

	for (unsigned int i = 0; i <= 0xff; i++) {
		bool r = false, w = false;

		for (size_t k = 0; k < REG_ARRAY_SIZE(msrs); k++)
			if (i >= msrs[k].from && i <= msrs[k].to)
				r = msrs[k].r, w = msrs[k].w;
		bed_init(&bed, 1);
		cr_expect_eq(rdmsr(0x800 + i), -EINVAL, "in xAPIC mode");
		bed_x2apic(&bed, 0);
		cr_expect_eq(rdmsr(0x800 + i), r ? 0 : -EINVAL, "read of 0x%x", 0x800 + i);
		cr_expect_eq(wrmsr(0x800 + i, 0), w ? 0 : -EINVAL, "write of 0x%x", 0x800 + i);
	}
	cr_expect_eq(rdmsr(0x900), -ENOENT);
}

Test(lapic_model, x2apic_reserved_bits_fault)
{
	static const uint16_t offsets[] = { LAPIC_TPR, LAPIC_SVR, LAPIC_LVTCMCI, LAPIC_LVTT, LAPIC_LVTTHMR, LAPIC_LVTPC,
					    LAPIC_LVT0, LAPIC_LVT1, LAPIC_LVTERR, LAPIC_TDCR, LAPIC_SELF };

	for (size_t i = 0; i < REG_ARRAY_SIZE(offsets); i++) {
		unsigned int e;
		const struct reg_row *row = reg_find(&lapic_chip, offsets[i], &e);

		for (int bit = 0; bit < 64; bit++) {
			bool rsvd = bit >= 32 || row->rsvd >> bit & 1;

			bed_init(&bed, 1);
			bed_x2apic(&bed, 0);
			cr_expect_eq(wrmsr(0x800 + offsets[i] / 16U, UINT64_C(1) << bit), rsvd ? -EINVAL : 0, "%s bit %d",
				     row->name, bit);
		}
	}
	cr_expect_eq(wrmsr(0x80b, 1), -EINVAL, "EOI");
	cr_expect_eq(wrmsr(0x828, 1), -EINVAL, "ESR");
	cr_expect_eq(wrmsr(0x838, UINT32_MAX), 0, "TMICT has none");
	cr_expect_eq(wrmsr(0x830, UINT64_C(0xffffffff00000000) | 0x0c4fff), 0, "ICR, shorthand others");
	cr_expect_eq(wrmsr(0x830, 0x2000), -EINVAL);
	cr_expect_eq(wrmsr(0x830, 0x100000), -EINVAL);
}

Test(lapic_model, x2apic_icr_is_one_64_bit_register)
{
	bed_init(&bed, 2);
	bed_x2apic(&bed, 0);
	bed_x2apic(&bed, 1);
	cr_expect_eq(wrmsr(0x830, UINT64_C(1) << 32 | 0x55), 0);
	cr_expect_eq(bed_rdmsr(&bed, 0, 0x830), UINT64_C(1) << 32 | 0x55);
	cr_expect(bed_requested(&bed, 1, 0x55));
	cr_expect(!bed_requested(&bed, 0, 0x55));
}

Test(lapic_model, self_ipi_register_requests_its_vector)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_SELF, 0x50);
	cr_expect_eq(errors(0), 0x80, "xAPIC has none");
	bed_x2apic(&bed, 0);
	cr_expect_eq(wrmsr(0x83f, 0x50), 0);
	cr_expect_eq(lapic_model_acknowledge(&bed.cpu[0]), 0x50);
	cr_expect_eq(wrmsr(0x83f, 0x0f), 0);
	cr_expect_eq(wrmsr(0x828, 0), 0);
	cr_expect_eq(bed_rdmsr(&bed, 0, 0x828), 0x20);
}

/* ---- software disable ---- */

Test(lapic_model, disabled_by_svr_it_masks_every_lvt_and_keeps_them_so)
{
	static const uint16_t lvts[] = { LAPIC_LVTCMCI, LAPIC_LVTT, LAPIC_LVTTHMR, LAPIC_LVTPC,
					 LAPIC_LVT0, LAPIC_LVT1, LAPIC_LVTERR };

	bed_init(&bed, 1);
	for (size_t i = 0; i < REG_ARRAY_SIZE(lvts); i++)
		bed_write(&bed, 0, lvts[i], 0x40);
	bed_write(&bed, 0, LAPIC_SVR, 0xff);
	for (size_t i = 0; i < REG_ARRAY_SIZE(lvts); i++) {
		cr_expect_eq(bed_read(&bed, 0, lvts[i]), 0x10040);
		bed_write(&bed, 0, lvts[i], 0x41);
		cr_expect_eq(bed_read(&bed, 0, lvts[i]), 0x10041);
	}
	bed_write(&bed, 0, LAPIC_SVR, 0x1ff);
	for (size_t i = 0; i < REG_ARRAY_SIZE(lvts); i++)
		cr_expect_eq(bed_read(&bed, 0, lvts[i]), 0x10041, "it does not unmask");
}

Test(lapic_model, disabled_by_svr_it_takes_nmi_and_init_but_no_vector)
{
	bed_init(&bed, 2);
	bed_send(&bed, 1, 0x40, false);
	bed_write(&bed, 1, LAPIC_SVR, 0xff);
	cr_expect_eq(bed_send(&bed, 1, 0x41, false), 0);
	cr_expect(bed_requested(&bed, 1, 0x40), "what was there is held");
	bed_ipi(&bed, 1, 0x400);
	cr_expect(lapic_model_take_nmi(&bed.cpu[1]));
	bed_ipi(&bed, 1, 0x500);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
}

Test(lapic_model, disabled_by_svr_it_still_gives_what_was_requested)
{
	bed_init(&bed, 1);
	bed_send(&bed, 0, 0x40, false);
	bed_write(&bed, 0, LAPIC_SVR, 0xff);
	cr_expect_eq(lapic_model_injectable(&bed.cpu[0]), 0x40);
	bed_write(&bed, 0, LAPIC_TPR, 0x40);
	cr_expect_eq(lapic_model_injectable(&bed.cpu[0]), -1);
	bed_write(&bed, 0, LAPIC_TPR, 0);
	cr_expect_eq(lapic_model_acknowledge(&bed.cpu[0]), 0x40);
	bed_write(&bed, 0, LAPIC_EOI, 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_ISR + 0x20), 0);
}

/* ---- save and restore ---- */

Test(lapic_model, a_state_continues_in_another_model)
{
	struct lapic_state s, again;
	struct apic_bed other;

	bed_init(&bed, 2);
	bed_write(&bed, 0, LAPIC_TPR, 0x35);
	bed_write(&bed, 0, LAPIC_LDR, 0x04000000);
	bed_write(&bed, 0, LAPIC_LVTT, 0x20040);
	bed_write(&bed, 0, LAPIC_TDCR, 0xb);
	bed_write(&bed, 0, LAPIC_TMICT, 1000000);
	bed_send(&bed, 0, 0x80, true);
	lapic_model_acknowledge(&bed.cpu[0]);
	bed_send(&bed, 0, 0x70, false);
	bed_read(&bed, 0, 0x40);
	bed_pass(&bed, 400000);
	lapic_model_get(&bed.cpu[0], &s);
	cr_expect_eq(s.timer_remaining_ns, 600000);
	cr_expect_eq(lapic_reg(&s, LAPIC_TMCCT), 600000);
	cr_expect_eq(lapic_reg(&s, LAPIC_PPR), 0x80);
	bed_init(&other, 2);
	other.now_ns = 77;
	cr_assert_eq(lapic_model_set(&other.cpu[0], &s, NULL), 0);
	lapic_model_get(&other.cpu[0], &again);
	s.tsc = again.tsc;
	for (size_t r = 0; r < lapic_chip.nrows; r++)
		for (unsigned int i = 0; i < lapic_chip.rows[r].count; i++) {
			const struct reg_row *row = &lapic_chip.rows[r];

			cr_expect_eq(reg_known(row, &s, i), reg_known(row, &again, i), "%s", row->name);
			cr_expect_eq(reg_get(row, &s, i), reg_get(row, &again, i), "%s", row->name);
		}
	cr_expect_eq(other.armed_ns[0], 77 + 600000);
	bed_pass(&other, 600000);
	cr_expect(bed_requested(&other, 0, 0x40));
}

Test(lapic_model, a_state_of_another_cpu_or_mode_is_refused_and_nothing_changes)
{
	struct lapic_model_config config = bed_config(&bed);
	struct irqs_error err;
	struct lapic_state s;

	bed_init(&bed, 2);
	lapic_model_get(&bed.cpu[1], &s);
	cr_expect_eq(lapic_model_set(&bed.cpu[0], &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "initial_id");
	bed_x2apic(&bed, 0);
	lapic_model_get(&bed.cpu[0], &s);
	config.x2apic = config.tsc_deadline = false;
	bed_init_with(&bed, 1, config);
	cr_expect_eq(lapic_model_set(&bed.cpu[0], &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "apic_base");
	s.apic_base = BASE | LAPIC_BASE_ENABLE;
	lapic_set_reg(&s, LAPIC_LVTT, 0x40040);
	cr_expect_eq(lapic_model_set(&bed.cpu[0], &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "LVTT");
	cr_expect_eq(bed_read(&bed, 0, LAPIC_SVR), 0xff);
}

Test(lapic_model, an_unknown_register_is_as_after_reset)
{
	struct lapic_state s;

	bed_init(&bed, 1);
	memset(&s, 0, sizeof(s));
	lapic_set_reg(&s, LAPIC_TPR, 0x40);
	cr_assert_eq(lapic_model_set(&bed.cpu[0], &s, NULL), 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TPR), 0x40);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVT0), 0x10000);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_ID), 0);
	cr_expect(lapic_model_runnable(&bed.cpu[0]));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Priorities, acknowledge, EOI, local sources, INIT and start-up in the LAPIC model (SDM 3A 11.5, 11.8). */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/apic_bed.h"

static struct apic_bed bed;

static int acknowledge(void)
{
	return lapic_model_acknowledge(&bed.cpu[0]);
}

static int injectable(void)
{
	return lapic_model_injectable(&bed.cpu[0]);
}

static void eoi(void)
{
	bed_write(&bed, 0, LAPIC_EOI, 0);
}

Test(lapic_model_delivery, the_highest_vector_comes_first_and_nests)
{
	bed_init(&bed, 1);
	bed_send(&bed, 0, 0x41, false);
	bed_send(&bed, 0, 0x92, false);
	cr_expect_eq(acknowledge(), 0x92);
	cr_expect_eq(injectable(), -1);
	bed_send(&bed, 0, 0x9f, false);
	cr_expect_eq(injectable(), -1, "same class");
	bed_send(&bed, 0, 0xa0, false);
	cr_expect_eq(acknowledge(), 0xa0);
	eoi();
	eoi();
	cr_expect_eq(acknowledge(), 0x9f);
	eoi();
	cr_expect_eq(acknowledge(), 0x41);
	eoi();
	cr_expect_eq(lapic_bank_highest(lapic_model_state(&bed.cpu[0]), LAPIC_ISR), -1);
}

Test(lapic_model_delivery, one_vector_can_be_requested_and_in_service)
{
	bed_init(&bed, 1);
	bed_send(&bed, 0, 0x41, false);
	acknowledge();
	bed_send(&bed, 0, 0x41, false);
	bed_send(&bed, 0, 0x41, false);
	eoi();
	cr_expect_eq(acknowledge(), 0x41);
	eoi();
	cr_expect_eq(injectable(), -1);
}

Test(lapic_model_delivery, tpr_and_cr8_are_one_and_hold_back)
{
	bed_init(&bed, 1);
	bed_send(&bed, 0, 0x5f, false);
	cr_expect_eq(lapic_model_set_cr8(&bed.cpu[0], 5), 0);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_TPR), 0x50);
	cr_expect_eq(injectable(), -1);
	bed_write(&bed, 0, LAPIC_TPR, 0x4f);
	cr_expect_eq(lapic_model_cr8(&bed.cpu[0]), 4);
	cr_expect_eq(injectable(), 0x5f);
	cr_expect_eq(lapic_model_set_cr8(&bed.cpu[0], 16), -EINVAL);
	cr_expect_eq(lapic_model_cr8(&bed.cpu[0]), 4);
}

Test(lapic_model_delivery, processor_priority_follows_task_and_service)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_TPR, 0x27);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_PPR), 0x27);
	bed_send(&bed, 0, 0x41, false);
	acknowledge();
	cr_expect_eq(bed_read(&bed, 0, LAPIC_PPR), 0x40);
	eoi();
	cr_expect_eq(bed_read(&bed, 0, LAPIC_PPR), 0x27);
}

Test(lapic_model_delivery, a_request_that_went_away_is_spurious)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_SVR, 0x1ef);
	bed_send(&bed, 0, 0x41, false);
	bed_write(&bed, 0, LAPIC_TPR, 0x50);
	cr_expect_eq(acknowledge(), 0xef);
	cr_expect_eq(lapic_bank_highest(lapic_model_state(&bed.cpu[0]), LAPIC_ISR), -1, "not in service");
	bed_write(&bed, 0, LAPIC_TPR, 0);
	cr_expect_eq(acknowledge(), 0x41);
}

Test(lapic_model_delivery, only_what_can_be_taken_kicks)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_TPR, 0x80);
	bed_send(&bed, 0, 0x41, false);
	cr_expect_eq(bed.kicks[0], 0);
	bed_send(&bed, 0, 0x91, false);
	cr_expect_eq(bed.kicks[0], 1);
}

Test(lapic_model_delivery, tmr_tells_level_from_edge)
{
	const struct lapic_state *s = lapic_model_state(&bed.cpu[0]);

	bed_init(&bed, 1);
	bed_send(&bed, 0, 0x41, true);
	cr_expect(lapic_bank_test(s, LAPIC_TMR, 0x41));
	bed_send(&bed, 0, 0x41, false);
	cr_expect(!lapic_bank_test(s, LAPIC_TMR, 0x41));
}

/* ---- EOI ---- */

static void level_pin(unsigned int pin, uint8_t vector)
{
	uint32_t select = IOAPIC_RTE + 2 * pin, low = 0x8000 | vector;

	ioapic_model_write(&bed.ioapic, 0, &select, 4);
	ioapic_model_write(&bed.ioapic, 0x10, &low, 4);
}

static bool remote_irr(unsigned int pin)
{
	struct ioapic_state s;

	ioapic_model_get(&bed.ioapic, &s);
	return s.redirtbl[pin] & IOAPIC_RTE_REMOTE_IRR;
}

Test(lapic_model_delivery, eoi_of_a_level_vector_is_broadcast_to_ioapics)
{
	bed_init(&bed, 1);
	level_pin(5, 0x41);
	ioapic_model_line(&bed.ioapic, 5, true);
	cr_expect_eq(acknowledge(), 0x41);
	cr_expect(remote_irr(5));
	ioapic_model_line(&bed.ioapic, 5, false);
	eoi();
	cr_expect(!remote_irr(5));
}

Test(lapic_model_delivery, suppressed_broadcasts_need_the_ioapics_own_eoi)
{
	uint32_t vector = 0x41;

	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_SVR, 0x11ff);
	level_pin(5, 0x41);
	ioapic_model_line(&bed.ioapic, 5, true);
	acknowledge();
	eoi();
	cr_expect(remote_irr(5));
	cr_expect_eq(injectable(), -1);
	ioapic_model_write(&bed.ioapic, 0x40, &vector, 4);
	cr_expect_eq(acknowledge(), 0x41, "the line is still high");
}

Test(lapic_model_delivery, eoi_without_service_does_nothing)
{
	bed_init(&bed, 1);
	level_pin(5, 0x41);
	ioapic_model_line(&bed.ioapic, 5, true);
	eoi();
	cr_expect(remote_irr(5));
	cr_expect_eq(injectable(), 0x41);
}

/* ---- local sources ---- */

Test(lapic_model_delivery, lvt_entries_deliver_by_their_mode)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVTTHMR, 0x51);
	lapic_model_local(&bed.cpu[0], LAPIC_LVTTHMR);
	cr_expect_eq(acknowledge(), 0x51);
	bed_write(&bed, 0, LAPIC_LVTCMCI, 0x200);
	lapic_model_local(&bed.cpu[0], LAPIC_LVTCMCI);
	cr_expect(lapic_model_take_smi(&bed.cpu[0]));
	bed_write(&bed, 0, LAPIC_LVTTHMR, 0x10061);
	lapic_model_local(&bed.cpu[0], LAPIC_LVTTHMR);
	cr_expect_eq(injectable(), -1, "masked");
}

Test(lapic_model_delivery, the_performance_counter_masks_itself)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVTPC, 0x400);
	lapic_model_local(&bed.cpu[0], LAPIC_LVTPC);
	cr_expect(lapic_model_take_nmi(&bed.cpu[0]));
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVTPC), 0x10400);
}

Test(lapic_model_delivery, lint1_is_an_nmi_at_its_edge)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVT1, 0x400);
	lapic_model_lint(&bed.cpu[0], 1, true);
	cr_expect(lapic_model_take_nmi(&bed.cpu[0]));
	lapic_model_lint(&bed.cpu[0], 1, true);
	lapic_model_lint(&bed.cpu[0], 1, false);
	cr_expect(!lapic_model_take_nmi(&bed.cpu[0]));
	bed_write(&bed, 0, LAPIC_LVT1, 0x10400);
	lapic_model_lint(&bed.cpu[0], 1, true);
	cr_expect(!lapic_model_take_nmi(&bed.cpu[0]), "masked");
}

Test(lapic_model_delivery, lint0_as_extint_lets_the_pic_through)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVT0, 0x10700);
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect(!lapic_model_extint(&bed.cpu[0]));
	cr_expect_eq(bed.kicks[0], 0);
	bed_write(&bed, 0, LAPIC_LVT0, 0x700);
	cr_expect(lapic_model_extint(&bed.cpu[0]));
	lapic_model_lint(&bed.cpu[0], 0, false);
	cr_expect(!lapic_model_extint(&bed.cpu[0]));
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect_eq(bed.kicks[0], 1);
}

Test(lapic_model_delivery, a_level_lint_sets_remote_irr_and_comes_again)
{
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVT0, 0x8041);
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVT0), 0xc041);
	cr_expect_eq(acknowledge(), 0x41);
	eoi();
	cr_expect_eq(acknowledge(), 0x41, "the line is still high");
	lapic_model_lint(&bed.cpu[0], 0, false);
	eoi();
	cr_expect_eq(bed_read(&bed, 0, LAPIC_LVT0), 0x8041);
	cr_expect_eq(injectable(), -1);
}

Test(lapic_model_delivery, polarity_inverts_a_fixed_lint_where_pins_are_electrical)
{
	struct lapic_model_config config = bed_config(&bed);

	config.electrical = true;
	bed_init_with(&bed, 1, config);
	bed_write(&bed, 0, LAPIC_SVR, 0x1ff);
	lapic_model_lint(&bed.cpu[0], 0, true);
	bed_write(&bed, 0, LAPIC_LVT0, 0x2041);
	cr_expect_eq(injectable(), -1);
	lapic_model_lint(&bed.cpu[0], 0, false);
	cr_expect_eq(injectable(), 0x41);
	bed_init(&bed, 1);
	bed_write(&bed, 0, LAPIC_LVT0, 0x2041);
	lapic_model_lint(&bed.cpu[0], 0, true);
	cr_expect_eq(injectable(), 0x41, "else 1 is asserted");
}

Test(lapic_model_delivery, an_extint_message_waits_for_its_acknowledge)
{
	struct apic_message msg = { .dest = 0, .delivery = LAPIC_EXTINT };

	bed_init(&bed, 1);
	cr_expect_eq(apic_bus_send(&bed.bus, &msg), 1);
	cr_expect(lapic_model_extint(&bed.cpu[0]));
	lapic_model_extint_taken(&bed.cpu[0]);
	cr_expect(!lapic_model_extint(&bed.cpu[0]));
}

/* ---- INIT and start-up ---- */

Test(lapic_model_delivery, an_ap_starts_by_init_and_sipi)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 0x4500);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
	cr_expect_eq(lapic_model_state(&bed.cpu[1])->mp_state, LAPIC_MP_INIT_RECEIVED);
	cr_expect_eq(lapic_model_take_sipi(&bed.cpu[1]), -1);
	bed_ipi(&bed, 1, 0x4699);
	bed_ipi(&bed, 1, 0x4612);
	cr_expect_eq(lapic_model_take_sipi(&bed.cpu[1]), 0x99, "the first one counts");
	cr_expect(lapic_model_runnable(&bed.cpu[1]));
	bed_ipi(&bed, 1, 0x4612);
	cr_expect_eq(lapic_model_take_sipi(&bed.cpu[1]), -1, "a running CPU ignores it");
}

Test(lapic_model_delivery, a_sipi_right_after_init_is_not_lost)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 0x4500);
	bed_ipi(&bed, 1, 0x4699);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
	cr_expect_eq(lapic_model_take_sipi(&bed.cpu[1]), 0x99);
}

Test(lapic_model_delivery, init_resets_all_but_id_and_base)
{
	bed_init(&bed, 2);
	bed_write(&bed, 1, LAPIC_ID, 0x07000000);
	bed_write(&bed, 1, LAPIC_TPR, 0x33);
	bed_write(&bed, 1, LAPIC_LVTT, 0x20040);
	bed_write(&bed, 1, LAPIC_TMICT, 1000);
	bed_ipi(&bed, 7, 0x4500);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
	cr_expect_eq(bed_read(&bed, 1, LAPIC_ID), 0x07000000);
	cr_expect_eq(bed_read(&bed, 1, LAPIC_TPR), 0);
	cr_expect_eq(bed_read(&bed, 1, LAPIC_SVR), 0xff);
	cr_expect_eq(bed.armed_ns[1], LAPIC_MODEL_NEVER);
	cr_expect_eq(bed_rdmsr(&bed, 1, LAPIC_MSR_APIC_BASE), 0xfee00800);
}

Test(lapic_model_delivery, init_keeps_x2apic_mode)
{
	bed_init(&bed, 2);
	bed_x2apic(&bed, 1);
	bed_ipi(&bed, 1, 0x4500);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
	cr_expect_eq(bed_rdmsr(&bed, 1, 0x802), 1);
	cr_expect_eq(bed_rdmsr(&bed, 1, 0x80f), 0xff);
}

Test(lapic_model_delivery, what_the_old_code_writes_after_an_init_is_dropped)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 0x4500);
	bed_write(&bed, 1, LAPIC_SVR, 0x1ff);
	cr_expect_eq(bed_read(&bed, 1, LAPIC_LVR), 0);
	lapic_model_take_init(&bed.cpu[1]);
	cr_expect_eq(bed_read(&bed, 1, LAPIC_SVR), 0xff);
}

Test(lapic_model_delivery, the_bsp_runs_on_after_init)
{
	bed_init(&bed, 2);
	bed_write(&bed, 1, LAPIC_ICR2, 0);
	bed_write(&bed, 1, LAPIC_ICR, 0x4500);
	cr_expect(lapic_model_take_init(&bed.cpu[0]));
	cr_expect(lapic_model_runnable(&bed.cpu[0]));
}

Test(lapic_model_delivery, the_level_de_assert_of_init_does_nothing)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 0x8500);
	cr_expect(!lapic_model_take_init(&bed.cpu[1]));
	bed_ipi(&bed, 1, 0xc500);
	cr_expect(lapic_model_take_init(&bed.cpu[1]));
}

Test(lapic_model_delivery, a_halted_cpu_is_runnable_again_when_told)
{
	bed_init(&bed, 2);
	lapic_model_set_halted(&bed.cpu[0], true);
	cr_expect(!lapic_model_runnable(&bed.cpu[0]));
	bed_send(&bed, 0, 0x41, false);
	cr_expect_eq(bed.kicks[0], 1);
	lapic_model_set_halted(&bed.cpu[0], false);
	cr_expect(lapic_model_runnable(&bed.cpu[0]));
	lapic_model_set_halted(&bed.cpu[1], false);
	cr_expect(!lapic_model_runnable(&bed.cpu[1]), "it waits for a start-up IPI");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's controllers together: wires, routes, what a vCPU gets. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/irqchip_bed.h"

static struct irqchip_bed bed;

#define EXTINT UINT32_C(0x700)
#define OUTSIDE UINT64_C(0xfed00000)

/* The BSP takes INTR, lines 0, 1, 4 and the slave's are open. */
static void extint_bed(void)
{
	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVT0, EXTINT);
	irqchip_bed_pics(&bed, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 12);
}

Test(irqchip_model, a_gsi_reaches_pic_and_ioapic_by_the_default_routes)
{
	extint_bed();
	irqchip_bed_rte(&bed, 4, 0x44 | UINT64_C(1) << 56);
	irqchip_model_line(&bed.m, 4, true);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x24);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), 0x44);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), -1);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), -1);
}

Test(irqchip_model, gsi_0_is_pin_2_of_the_ioapic_and_gsi_2_is_nothing)
{
	extint_bed();
	irqchip_bed_rte(&bed, 0, 0x40);
	irqchip_bed_rte(&bed, 2, 0x42);
	irqchip_model_line(&bed.m, 2, true);
	cr_expect_not(irqchip_model_pending(&bed.m, 0));
	irqchip_model_line(&bed.m, 0, true);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x20, "the PIC first");
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x42);
}

Test(irqchip_model, routes_of_the_vmm_send_messages_each_time_the_line_is_told_high)
{
	static const struct irq_route routes[] = {
		{ .gsi = 40, .chip = IRQ_ROUTE_MSI, .msi_address = 0xfee01000, .msi_data = 0x51 },
		{ .gsi = 41, .chip = IRQ_ROUTE_IOAPIC, .pin = 7 },
	};
	struct irqchip_model_config config = irqchip_bed_config(&bed, IRQCHIP_NONE);

	config.routes = routes;
	config.nroutes = 2;
	cr_assert_eq(irqchip_model_init(&bed.m, bed.lapics, &config), 0);
	irqchip_bed_lapic(&bed, 0, LAPIC_SVR, 0x1ff);
	irqchip_bed_lapic(&bed, 1, LAPIC_SVR, 0x1ff);
	irqchip_bed_rte(&bed, 7, 0x57);
	irqchip_model_line(&bed.m, 40, false);
	cr_expect_not(irqchip_model_pending(&bed.m, 1));
	irqchip_model_line(&bed.m, 40, true);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), 0x51);
	irqchip_model_line(&bed.m, 41, true);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x57);
}

Test(irqchip_model, intr_reaches_only_a_cpu_whose_lint0_takes_it)
{
	extint_bed();
	irqchip_model_line(&bed.m, 12, true);
	cr_expect(irqchip_model_pending(&bed.m, 0));
	cr_expect_eq(bed.kicks[0], 1);
	cr_expect_eq(bed.kicks[1], 0);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), -1);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVT0, LAPIC_LVT_MASKED);
	cr_expect_not(irqchip_model_pending(&bed.m, 0));
	irqchip_bed_lapic(&bed, 1, LAPIC_LVT0, EXTINT);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), 0x2c);
}

Test(irqchip_model, a_halted_cpu_wakes_for_what_it_can_take)
{
	extint_bed();
	irqchip_model_halt(&bed.m, 0);
	cr_expect(irqchip_model_waits(&bed.m, 0, true));
	irqchip_model_line(&bed.m, 1, true);
	cr_expect(irqchip_model_waits(&bed.m, 0, false), "interrupts are off");
	cr_expect_not(irqchip_model_waits(&bed.m, 0, true));
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x21);
}

Test(irqchip_model, an_nmi_wakes_a_halted_cpu_whatever_it_takes)
{
	struct irqchip_events e;

	extint_bed();
	irqchip_model_halt(&bed.m, 0);
	cr_expect_not(irqchip_model_events(&bed.m, 0, &e));
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x400); /* to ID 0: itself */
	cr_expect(irqchip_model_events(&bed.m, 0, &e));
	cr_expect(e.nmi && !e.smi && !e.init && e.sipi == -1);
	cr_expect_not(irqchip_model_waits(&bed.m, 0, false));
	cr_expect_not(irqchip_model_events(&bed.m, 0, &e));
}

Test(irqchip_model, an_application_processor_waits_for_init_and_sipi)
{
	struct irqchip_events e;

	extint_bed();
	cr_expect(irqchip_model_waits(&bed.m, 1, true));
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR2, 1 << 24);
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x400); /* an NMI waits until it runs */
	cr_expect_not(irqchip_model_events(&bed.m, 1, &e));
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x500);
	cr_expect(irqchip_model_events(&bed.m, 1, &e));
	cr_expect(e.init && e.sipi == -1);
	cr_expect(irqchip_model_waits(&bed.m, 1, true));
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x608);
	cr_expect(irqchip_model_events(&bed.m, 1, &e));
	cr_expect(!e.init && e.sipi == 8);
	cr_expect_not(irqchip_model_waits(&bed.m, 1, true));
}

Test(irqchip_model, the_pit_ticks_by_the_pic)
{
	extint_bed();
	irqchip_bed_out(&bed, 0x43, 0x34); /* channel 0, mode 2 */
	irqchip_bed_out(&bed, 0x40, 0xa9);
	irqchip_bed_out(&bed, 0x40, 0x04); /* 1193: a millisecond */
	cr_assert(bed.armed_ns[IRQCHIP_BED_CPUS] > bed.now_ns);
	for (int tick = 0; tick < 3; tick++) {
		cr_expect_not(irqchip_model_pending(&bed.m, 0));
		bed.now_ns = bed.armed_ns[IRQCHIP_BED_CPUS];
		irqchip_model_expired(&bed.m, IRQCHIP_MODEL_PIT);
		cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x20);
		irqchip_bed_out(&bed, 0x20, 0x20);
	}
}

static void reinject_bed(void)
{
	struct irqchip_model_config config = irqchip_bed_config(&bed, IRQCHIP_NONE);

	config.catch_up = PIT_REINJECT;
	cr_assert_eq(irqchip_model_init(&bed.m, bed.lapics, &config), 0);
	irqchip_bed_lapic(&bed, 0, LAPIC_SVR, 0x1ff);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVT0, EXTINT);
	irqchip_bed_out(&bed, 0x43, 0x34);
	irqchip_bed_out(&bed, 0x40, 0xa9);
	irqchip_bed_out(&bed, 0x40, 0x04);
}

Test(irqchip_model, late_ticks_are_given_one_after_the_other_as_the_pic_ends_them)
{
	unsigned int ticks = 0;

	reinject_bed();
	irqchip_bed_pics(&bed, 1);
	bed.now_ns += 3500000;
	irqchip_model_expired(&bed.m, IRQCHIP_MODEL_PIT);
	while (irqchip_model_acknowledge(&bed.m, 0) == 0x20 && ticks < 10) {
		cr_expect_not(irqchip_model_pending(&bed.m, 0));
		irqchip_bed_out(&bed, 0x20, 0x20);
		ticks++;
	}
	cr_expect_eq(ticks, 3);
}

Test(irqchip_model, ticks_that_the_pic_masks_are_not_owed)
{
	reinject_bed();
	irqchip_bed_pics(&bed, 0);
	bed.now_ns += 3500000;
	irqchip_model_expired(&bed.m, IRQCHIP_MODEL_PIT);
	irqchip_bed_out(&bed, 0x21, 0xfe);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x20, "its edge was seen once");
	irqchip_bed_out(&bed, 0x20, 0x20);
	cr_expect_not(irqchip_model_pending(&bed.m, 0));
}

Test(irqchip_model, ports_and_addresses_of_others_are_left_to_them)
{
	uint32_t value = 0x12345678;

	extint_bed();
	cr_expect_not(irqchip_model_pio(&bed.m, 0x60, false, &value, 1));
	cr_expect_not(irqchip_model_pio(&bed.m, 0x22, true, &value, 1));
	cr_expect_not(irqchip_model_mmio(&bed.m, 0, OUTSIDE, false, &value, 4));
	cr_expect_eq(value, 0x12345678);
	cr_expect(irqchip_model_pio(&bed.m, 0x61, false, &value, 1));
	cr_expect(irqchip_model_mmio(&bed.m, 1, 0xfec00010, false, &value, 4));
}

Test(irqchip_model, each_cpu_finds_its_page_where_its_apic_base_is)
{
	uint32_t value;

	extint_bed();
	cr_assert_eq(lapic_model_wrmsr(irqchip_model_lapic(&bed.m, 1), LAPIC_MSR_APIC_BASE, OUTSIDE | LAPIC_BASE_ENABLE), 0);
	cr_expect_not(irqchip_model_mmio(&bed.m, 0, OUTSIDE + LAPIC_ID, false, &value, 4));
	cr_expect(irqchip_model_mmio(&bed.m, 1, OUTSIDE + LAPIC_ID, false, &value, 4));
	cr_expect_eq(value, 1U << 24);
	cr_expect_not(irqchip_model_mmio(&bed.m, 1, 0xfee00000 + LAPIC_ID, false, &value, 4));
}

/* ---- split ---- */

Test(irqchip_model, split_sends_the_ioapics_messages_after_the_routes_are_told)
{
	irqchip_bed_init(&bed, IRQCHIP_SPLIT);
	irqchip_model_line(&bed.m, 9, true);
	irqchip_bed_rte(&bed, 9, 0x49 | IOAPIC_RTE_LEVEL | UINT64_C(1) << 56);
	cr_assert_eq(bed.nmsis, 1);
	cr_expect_eq(bed.msis[0].address, 0xfee01000);
	cr_expect_eq(bed.msis[0].data, 0xc049);
	cr_expect_eq(bed.msis[0].routes, bed.nroutes, "told before the message");
	irqchip_model_eoi(&bed.m, 0x48);
	cr_expect_eq(bed.nmsis, 1);
	irqchip_model_eoi(&bed.m, 0x49);
	cr_expect_eq(bed.nmsis, 2, "the line is still high");
	irqchip_model_line(&bed.m, 9, false);
	irqchip_model_eoi(&bed.m, 0x49);
	cr_expect_eq(bed.nmsis, 2);
}

Test(irqchip_model, split_gives_the_pics_vector_to_who_asks_first)
{
	irqchip_bed_init(&bed, IRQCHIP_SPLIT);
	irqchip_bed_pics(&bed, 1 << 4);
	irqchip_model_line(&bed.m, 4, true);
	cr_expect(bed.kicks[0] && bed.kicks[1]);
	cr_expect(irqchip_model_pending(&bed.m, 0));
	cr_expect_eq(irqchip_model_vector(&bed.m), 0x24);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 0), 0x24);
	cr_expect_eq(irqchip_model_vector(&bed.m), -1);
	cr_expect_eq(irqchip_model_acknowledge(&bed.m, 1), -1);
}

Test(irqchip_model, configs_out_of_range_are_refused)
{
	struct irqchip_model_config config = irqchip_bed_config(&bed, IRQCHIP_FULL);

	cr_expect_eq(irqchip_model_init(&bed.m, bed.lapics, &config), -EINVAL);
	config = irqchip_bed_config(&bed, IRQCHIP_NONE);
	cr_expect_eq(irqchip_model_init(&bed.m, NULL, &config), -EINVAL);
	config.ncpus = 0;
	cr_expect_eq(irqchip_model_init(&bed.m, bed.lapics, &config), -EINVAL);
	config = irqchip_bed_config(&bed, IRQCHIP_NONE);
	config.ioapic_version = 0x12;
	cr_expect_eq(irqchip_model_init(&bed.m, bed.lapics, &config), -EINVAL);
}

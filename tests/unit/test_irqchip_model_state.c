/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's controllers out of one machine and into another. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/irqchip_bed.h"

static struct irqchip_bed bed, other;

#define EXTINT UINT32_C(0x700)
#define LEVEL_RTE(vector) ((vector) | IOAPIC_RTE_LEVEL)

/* What is on its way: a vector in IRR, a level in service with its line high, INTR of the PICs, a running timer. */
static void busy_bed(enum irqchip_mode mode)
{
	irqchip_bed_init(&bed, mode);
	irqchip_bed_pics(&bed, 1 << 4);
	irqchip_bed_rte(&bed, 9, LEVEL_RTE(0x49));
	irqchip_model_line(&bed.m, 9, true);
	irqchip_model_line(&bed.m, 4, true);
	if (mode != IRQCHIP_NONE)
		return;
	cr_assert_eq(irqchip_model_acknowledge(&bed.m, 0), 0x49);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVT0, EXTINT);
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x43);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVTT, 0x60);
	irqchip_bed_lapic(&bed, 0, LAPIC_TDCR, 0xb);
	irqchip_bed_lapic(&bed, 0, LAPIC_TMICT, 1000000);
}

static void same(const struct reg_chip *chip, const void *a, const void *b)
{
	for (unsigned int r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; i < chip->rows[r].count; i++) {
			const struct reg_row *row = &chip->rows[r];

			cr_expect_eq(reg_known(row, a, i), reg_known(row, b, i), "%s", row->name);
			cr_expect_eq(reg_get(row, a, i), reg_get(row, b, i), "%s[%u]: %#lx, %#lx", row->name, i,
				     (unsigned long)reg_get(row, a, i), (unsigned long)reg_get(row, b, i));
		}
}

static void expect_same_machine(struct irqchip_state *a, struct irqchip_state *b)
{
	for (unsigned int i = 0; i < a->nlapics && a->mode == IRQCHIP_NONE; i++)
		same(&lapic_chip, &a->lapics[i], &b->lapics[i]);
	same(&ioapic_chip, &a->ioapic, &b->ioapic);
	same(&pic_chip, &a->pics[0], &b->pics[0]);
	same(&pic_chip, &a->pics[1], &b->pics[1]);
	same(&pit_chip, &a->pit, &b->pit);
	cr_expect_eq(a->lines, b->lines);
}

static void carry(enum irqchip_mode mode)
{
	static struct lapic_state lapics[IRQCHIP_BED_CPUS];
	struct irqchip_state s, t;
	struct irqs_error err = { 0 };

	busy_bed(mode);
	s = irqchip_bed_state(&bed);
	memcpy(lapics, s.lapics, sizeof(lapics));
	s.lapics = lapics;
	irqchip_bed_init(&other, mode);
	other.now_ns = bed.now_ns;
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, &err), 0, "%s: %s", err.path, err.text);
	t = irqchip_bed_state(&other);
	expect_same_machine(&s, &t);
}

Test(irqchip_model_state, a_busy_machine_goes_on_in_another_one)
{
	carry(IRQCHIP_NONE);
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), 0x24, "INTR");
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), -1, "0x49 is in service");
	irqchip_bed_lapic(&other, 0, LAPIC_EOI, 0);
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), 0x49, "the line is high: again");
	irqchip_model_line(&other.m, 9, false);
	irqchip_bed_lapic(&other, 0, LAPIC_EOI, 0);
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), 0x43, "what was requested");
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), -1);
	cr_expect_eq(other.armed_ns[0], bed.armed_ns[0]);
}

Test(irqchip_model_state, a_split_machine_goes_on_in_another_one)
{
	carry(IRQCHIP_SPLIT);
	cr_expect_eq(other.nmsis, 0, "it is in service");
	cr_expect(other.nroutes > 0);
	irqchip_model_eoi(&other.m, 0x49);
	cr_expect_eq(other.nmsis, 1);
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), 0x24);
}

Test(irqchip_model_state, an_edge_that_was_delivered_does_not_come_again_while_its_line_is_high)
{
	struct irqchip_state s;

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_bed_rte(&bed, 4, 0x44);
	irqchip_model_line(&bed.m, 4, true);
	cr_assert_eq(irqchip_model_acknowledge(&bed.m, 0), 0x44);
	irqchip_bed_lapic(&bed, 0, LAPIC_EOI, 0);
	s = irqchip_bed_state(&bed);
	irqchip_bed_init(&other, IRQCHIP_NONE);
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, NULL), 0);
	irqchip_model_line(&other.m, 4, true);
	cr_expect_not(irqchip_model_pending(&other.m, 0));
	irqchip_model_line(&other.m, 4, false);
	irqchip_model_line(&other.m, 4, true);
	cr_expect_eq(irqchip_model_acknowledge(&other.m, 0), 0x44);
}

Test(irqchip_model_state, intr_as_an_edge_at_lint0_is_not_seen_twice)
{
	struct irqchip_state s;

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_bed_pics(&bed, 1 << 4);
	irqchip_bed_lapic(&bed, 0, LAPIC_LVT0, 0x70); /* fixed, edge */
	irqchip_model_line(&bed.m, 4, true);
	cr_assert_eq(irqchip_model_acknowledge(&bed.m, 0), 0x70);
	irqchip_bed_lapic(&bed, 0, LAPIC_EOI, 0);
	s = irqchip_bed_state(&bed);
	irqchip_bed_init(&other, IRQCHIP_NONE);
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, NULL), 0);
	cr_expect_not(irqchip_model_pending(&other.m, 0));
}

Test(irqchip_model_state, the_timers_go_on_by_another_clock)
{
	struct irqchip_state s;

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_bed_out(&bed, 0x43, 0x34);
	irqchip_bed_out(&bed, 0x40, 0x00);
	irqchip_bed_out(&bed, 0x40, 0x80);
	irqchip_bed_lapic(&bed, 1, LAPIC_LVTT, 0x20060); /* periodic */
	irqchip_bed_lapic(&bed, 1, LAPIC_TMICT, 100000);
	bed.now_ns += 50000;
	s = irqchip_bed_state(&bed);
	irqchip_bed_init(&other, IRQCHIP_NONE);
	other.now_ns = 77000000;
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, NULL), 0);
	cr_expect_eq(other.armed_ns[1] - other.now_ns, bed.armed_ns[1] - bed.now_ns);
	cr_expect_eq(other.armed_ns[IRQCHIP_BED_CPUS] - other.now_ns, bed.armed_ns[IRQCHIP_BED_CPUS] - bed.now_ns);
}

Test(irqchip_model_state, what_kvm_says_of_the_cpu_stays_and_nmis_of_both_are_one)
{
	static struct lapic_state lapics[2];
	struct irqchip_state s = { .lapics = lapics };

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	reg_set(lapic_member("interrupt_injected"), &lapics[0], 0, 0x55);
	reg_set(lapic_member("nmi_pending"), &lapics[0], 0, 1);
	reg_set(lapic_member("tsc"), &lapics[0], 0, 12345);
	reg_set(lapic_member("cr8"), &lapics[0], 0, 9);
	cr_assert_eq(irqchip_model_get(&bed.m, &s, NULL), 0);
	cr_expect_eq(lapics[0].interrupt_injected, 0x55);
	cr_expect_eq(lapics[0].nmi_pending, 1);
	cr_expect_eq(lapics[0].tsc, 12345);
	cr_expect_eq(lapics[0].cr8, 0, "that is the LAPIC's");
	cr_expect_eq(lapics[1].wait_for_sipi, 1);
	/* and what KVM takes is not given twice */
	irqchip_bed_init(&other, IRQCHIP_NONE);
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, NULL), 0);
	cr_expect_not(lapic_model_take_nmi(irqchip_model_lapic(&other.m, 0)));
	memset(lapics, 0, sizeof(lapics));
	cr_assert_eq(irqchip_model_get(&other.m, &s, NULL), 0);
	cr_expect_not(reg_known(lapic_member("interrupt_injected"), &lapics[0], 0));
}

Test(irqchip_model_state, who_sleeps_is_told_in_halted_too)
{
	struct irqchip_state s;

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_model_halt(&bed.m, 0);
	s = irqchip_bed_state(&bed);
	cr_expect_eq(s.lapics[0].mp_state, LAPIC_MP_HALTED);
	cr_expect_eq(s.lapics[0].halted, 1);
	cr_expect_eq(s.lapics[0].wait_for_sipi, 0);
	cr_expect_eq(s.lapics[1].wait_for_sipi, 1);
	/* as kvm_move() leaves it */
	s.lapics[0].mp_state = LAPIC_MP_RUNNABLE;
	irqchip_bed_init(&other, IRQCHIP_NONE);
	cr_assert_eq(irqchip_model_set(&other.m, &s, NULL, NULL), 0);
	cr_expect(irqchip_model_waits(&other.m, 0, true));
	cr_expect(irqchip_model_waits(&other.m, 1, true));
}

Test(irqchip_model_state, an_init_that_nobody_took_is_taken_first)
{
	struct irqchip_events e;
	struct lapic_state lapics[2] = { 0 };
	struct irqchip_state s = { .lapics = lapics };

	irqchip_bed_init(&bed, IRQCHIP_NONE);
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR2, 1 << 24);
	irqchip_bed_lapic(&bed, 0, LAPIC_ICR, 0x500);
	cr_expect_eq(irqchip_model_get(&bed.m, &s, NULL), -EBUSY);
	cr_expect_eq(lapics[0].known[0], 0, "nothing was written");
	irqchip_model_events(&bed.m, 1, &e);
	cr_expect_eq(irqchip_model_get(&bed.m, &s, NULL), 0);
}

Test(irqchip_model_state, a_refused_state_changes_nothing)
{
	static struct lapic_state lapics[IRQCHIP_BED_CPUS];
	static const char *const paths[] = { "LVTT", "VER", "pics", "pit", "lapics" };
	struct irqchip_state before, s, after;
	struct irqs_error err;

	for (unsigned int bad = 0; bad < REG_ARRAY_SIZE(paths); bad++) {
		struct irqchip_model_config config = irqchip_bed_config(&other, IRQCHIP_NONE);

		busy_bed(IRQCHIP_NONE);
		s = irqchip_bed_state(&bed);
		memcpy(lapics, s.lapics, sizeof(lapics));
		s.lapics = lapics;
		if (bad == 0)
			lapic_set_reg(&lapics[1], LAPIC_LVTT, 0x40060);
		else if (bad == 1)
			s.ioapic.version = IOAPIC_VERSION_20;
		else if (bad == 2)
			s.pics[1].priority_add = 8;
		else if (bad == 3)
			s.pit.channels[2].rw_mode = 4;
		else
			s.nlapics = 1;
		memset(&other, 0, sizeof(other));
		config.lapic.tsc_deadline = false;
		cr_assert_eq(irqchip_model_init(&other.m, other.lapics, &config), 0);
		before = irqchip_bed_state(&other);
		cr_expect(irqchip_model_set(&other.m, &s, NULL, &err) < 0, "%s", paths[bad]);
		cr_expect_str_eq(err.path, paths[bad]);
		memcpy(lapics, before.lapics, sizeof(lapics));
		before.lapics = lapics;
		after = irqchip_bed_state(&other);
		expect_same_machine(&before, &after);
	}
}

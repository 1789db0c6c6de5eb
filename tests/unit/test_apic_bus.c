/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Destinations, shorthands, lowest priority, MSIs (SDM 3A 11.6, 11.11, 11.12.10). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/apic_bed.h"

#define LOGICAL 0x800U

static struct apic_bed bed;

/* Which CPUs have a vector in IRR, as bits. */
static unsigned int who(uint8_t vector)
{
	unsigned int cpus = 0;

	for (unsigned int i = 0; i < bed.ncpus; i++)
		cpus |= (unsigned int)bed_requested(&bed, i, vector) << i;
	return cpus;
}

/* Flat: one bit per CPU. */
static void flat(void)
{
	bed_init(&bed, 4);
	for (unsigned int i = 0; i < 4; i++)
		bed_write(&bed, i, LAPIC_LDR, 0x01000000U << i);
}

Test(apic_bus, physical_destination_is_one_id_or_all)
{
	bed_init(&bed, 4);
	bed_ipi(&bed, 2, 0x41);
	cr_expect_eq(who(0x41), 4);
	bed_ipi(&bed, 9, 0x42);
	cr_expect_eq(who(0x42), 0);
	bed_ipi(&bed, 0xff, 0x43);
	cr_expect_eq(who(0x43), 0xf);
}

Test(apic_bus, a_written_id_is_the_one_that_counts)
{
	bed_init(&bed, 4);
	bed_write(&bed, 1, LAPIC_ID, 0x02000000);
	bed_ipi(&bed, 2, 0x41);
	cr_expect_eq(who(0x41), 6, "two CPUs with one ID");
	bed_ipi(&bed, 1, 0x42);
	cr_expect_eq(who(0x42), 0);
}

Test(apic_bus, flat_mode_matches_any_bit)
{
	flat();
	bed_ipi(&bed, 0x0a, LOGICAL | 0x41);
	cr_expect_eq(who(0x41), 0xa);
	bed_ipi(&bed, 0xff, LOGICAL | 0x42);
	cr_expect_eq(who(0x42), 0xf);
	bed_ipi(&bed, 0x10, LOGICAL | 0x43);
	cr_expect_eq(who(0x43), 0);
}

Test(apic_bus, cluster_mode_matches_cluster_and_bits)
{
	static const uint32_t ldr[] = { 0x11000000, 0x12000000, 0x21000000, 0x2f000000 };

	bed_init(&bed, 4);
	for (unsigned int i = 0; i < 4; i++) {
		bed_write(&bed, i, LAPIC_DFR, 0);
		bed_write(&bed, i, LAPIC_LDR, ldr[i]);
	}
	bed_ipi(&bed, 0x13, LOGICAL | 0x41);
	cr_expect_eq(who(0x41), 0x3);
	bed_ipi(&bed, 0x21, LOGICAL | 0x42);
	cr_expect_eq(who(0x42), 0xc);
	bed_ipi(&bed, 0x28, LOGICAL | 0x43);
	cr_expect_eq(who(0x43), 0x8);
	bed_ipi(&bed, 0x31, LOGICAL | 0x44);
	cr_expect_eq(who(0x44), 0);
	bed_ipi(&bed, 0xff, LOGICAL | 0x45);
	cr_expect_eq(who(0x45), 0xf);
}

Test(apic_bus, x2apic_clusters_are_sixteen_ids)
{
	bed_init(&bed, 4);
	for (unsigned int i = 0; i < 4; i++)
		bed_x2apic(&bed, i);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], 0x830, UINT64_C(0x0000000a) << 32 | LOGICAL | 0x41), 0);
	cr_expect_eq(who(0x41), 0xa);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], 0x830, UINT64_C(0x0001000f) << 32 | LOGICAL | 0x42), 0);
	cr_expect_eq(who(0x42), 0);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], 0x830, UINT64_C(0xffffffff) << 32 | 0x43), 0);
	cr_expect_eq(who(0x43), 0xf);
	cr_assert_eq(lapic_model_wrmsr(&bed.cpu[0], 0x830, UINT64_C(0x000000ff) << 32 | 0x44), 0);
	cr_expect_eq(who(0x44), 0, "255 is an ID here");
}

Test(apic_bus, shorthands_reach_self_all_and_others)
{
	bed_init(&bed, 4);
	bed_ipi(&bed, 3, 0x40041);
	cr_expect_eq(who(0x41), 1);
	bed_ipi(&bed, 3, 0x80042);
	cr_expect_eq(who(0x42), 0xf);
	bed_ipi(&bed, 3, 0xc0043);
	cr_expect_eq(who(0x43), 0xe);
	bed_ipi(&bed, 3, 0xc0400);
	cr_expect(!lapic_model_take_nmi(&bed.cpu[0]));
	cr_expect(lapic_model_take_nmi(&bed.cpu[3]));
}

Test(apic_bus, combinations_without_a_meaning_send_nothing)
{
	bed_init(&bed, 4);
	bed_ipi(&bed, 0, 0x40400);
	bed_ipi(&bed, 0, 0x80400);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect(!lapic_model_take_nmi(&bed.cpu[i]));
	bed_ipi(&bed, 1, 0x00741);
	bed_ipi(&bed, 1, 0x00341);
	cr_expect_eq(who(0x41), 0);
	cr_expect(!lapic_model_extint(&bed.cpu[1]));
}

Test(apic_bus, an_ipi_is_an_edge_whatever_its_trigger_mode)
{
	bed_init(&bed, 2);
	bed_ipi(&bed, 1, 0x8041);
	bed_ipi(&bed, 1, 0xc042);
	cr_expect_eq(who(0x41), 2);
	cr_expect(!lapic_bank_test(lapic_model_state(&bed.cpu[1]), LAPIC_TMR, 0x42));
}

Test(apic_bus, lowest_priority_goes_to_the_least_busy)
{
	flat();
	bed_write(&bed, 0, LAPIC_TPR, 0x30);
	bed_write(&bed, 1, LAPIC_TPR, 0x20);
	bed_send(&bed, 2, 0x90, false);
	lapic_model_acknowledge(&bed.cpu[2]);
	bed_write(&bed, 3, LAPIC_TPR, 0x80);
	bed_ipi(&bed, 0x0f, LOGICAL | 0x141);
	cr_expect_eq(who(0x41), 0x2);
}

Test(apic_bus, lowest_priority_takes_turns_among_equals)
{
	unsigned int count[4] = { 0 };

	flat();
	for (unsigned int i = 0; i < 40; i++) {
		bed_ipi(&bed, 0x0f, LOGICAL | 0x141);
		for (unsigned int k = 0; k < 4; k++)
			if (who(0x41) >> k & 1) {
				count[k]++;
				lapic_model_acknowledge(&bed.cpu[k]);
				bed_write(&bed, k, LAPIC_EOI, 0);
			}
	}
	for (unsigned int k = 0; k < 4; k++)
		cr_expect_eq(count[k], 10, "CPU %u", k);
}

Test(apic_bus, lowest_priority_stays_with_its_focus)
{
	flat();
	for (unsigned int i = 0; i < 4; i++)
		bed_write(&bed, i, LAPIC_SVR, 0x1ff);
	bed_send(&bed, 3, 0x41, false);
	lapic_model_acknowledge(&bed.cpu[3]);
	bed_ipi(&bed, 0x0f, LOGICAL | 0x141);
	cr_expect_eq(who(0x41), 8);
	bed_write(&bed, 3, LAPIC_SVR, 0x3ff);
	bed_ipi(&bed, 0x0f, LOGICAL | 0x141);
	cr_expect_neq(who(0x41), 8, "focus checking is off");
}

Test(apic_bus, lowest_priority_passes_disabled_cpus_by)
{
	flat();
	for (unsigned int i = 0; i < 3; i++)
		bed_write(&bed, i, LAPIC_SVR, 0xff);
	bed_write(&bed, 3, LAPIC_TPR, 0xf0);
	bed_ipi(&bed, 0x0f, LOGICAL | 0x141);
	cr_expect_eq(who(0x41), 8);
}

Test(apic_bus, an_msi_is_a_message)
{
	bed_init(&bed, 4);
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee02000, 0x41), 1);
	cr_expect_eq(who(0x41), 4);
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfeeff000, 0x42), 4, "broadcast");
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee02000, 0x8043), 0, "a de-assert");
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee02000, 0xc043), 1);
	cr_expect(lapic_bank_test(lapic_model_state(&bed.cpu[2]), LAPIC_TMR, 0x43));
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfed02000, 0x41), -EINVAL);
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee01000, 0x400), 1);
	cr_expect(lapic_model_take_nmi(&bed.cpu[1]));
}

Test(apic_bus, msi_destinations_have_up_to_32_bits)
{
	static struct lapic_model m[2];
	static const uint32_t ids[] = { 0x1234, 0x12345678 };
	struct lapic_model_config config = bed_config(&bed);

	apic_bus_init(&bed.bus, true);
	for (int i = 0; i < 2; i++) {
		config.id = ids[i];
		cr_assert_eq(lapic_model_init(&m[i], &bed.bus, &config), 0);
		cr_assert_eq(lapic_model_wrmsr(&m[i], LAPIC_MSR_APIC_BASE, 0xfee00c00), 0);
		cr_assert_eq(lapic_model_wrmsr(&m[i], 0x80f, 0x1ff), 0);
	}
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee00000 | 0x34 << 12 | 0x12 << 5, 0x41), 1);
	cr_expect_eq(lapic_model_injectable(&m[0]), 0x41);
	cr_expect_eq(apic_bus_msi(&bed.bus, UINT64_C(0x12345600fee00000) | 0x78 << 12, 0x42), 1);
	cr_expect_eq(lapic_model_injectable(&m[1]), 0x42);
}

Test(apic_bus, the_redirection_hint_wants_one_cpu)
{
	flat();
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee0f004, 0x41), 4);
	cr_expect_eq(apic_bus_msi(&bed.bus, 0xfee0f00c, 0x42), 1);
}

/* The bus finds by sets and chains what the pure functions match one by one. */
Test(apic_bus, finds_whom_the_match_functions_name)
{
	enum { CPUS = 300 };
	static struct lapic_model m[CPUS];
	struct lapic_model_config config = bed_config(&bed);
	unsigned int seed = (unsigned int)time(NULL);

	cr_log_info("seed %u", seed);
	srand(seed);
	apic_bus_init(&bed.bus, false);
	for (unsigned int i = 0; i < CPUS; i++) {
		config.id = i * 5;
		cr_assert_eq(lapic_model_init(&m[i], &bed.bus, &config), 0);
	}
	for (int round = 0; round < 20000; round++) {
		struct apic_message msg = { .logical = rand() & 1, .dest = (uint32_t)rand() % (rand() & 1 ? 256 : 2000) };
		struct lapic_model *one = &m[rand() % CPUS];
		static const uint16_t offsets[] = { LAPIC_ID, LAPIC_LDR, LAPIC_DFR };
		uint32_t value = (uint32_t)rand() << 4;
		static const uint32_t modes[] = { 0, LAPIC_BASE_ENABLE, LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC };
		struct apic_set found;

		lapic_model_write(one, offsets[rand() % 3], &value, 4);
		lapic_model_wrmsr(one, LAPIC_MSR_APIC_BASE, 0xfee00000 | modes[rand() % 3]);
		if (msg.logical && rand() & 1)
			msg.dest = (uint32_t)(rand() % 100) << 16 | (uint32_t)rand() % 65536;
		apic_bus_find(&bed.bus, &msg, &found);
		for (unsigned int i = 0; i < CPUS; i++) {
			const struct lapic_state *s = lapic_model_state(&m[i]);
			/* Wider destinations are for x2APIC mode only. */
			bool want = s->apic_base & LAPIC_BASE_ENABLE && (msg.dest <= 0xff || lapic_x2apic(s)) &&
				    (msg.logical ? lapic_match_logical(s, msg.dest) : lapic_match_physical(s, msg.dest));

			cr_assert_eq((found.words[i / 64] >> i % 64 & 1) != 0, want, "round %d: CPU %u, %s 0x%x", round, i,
				     msg.logical ? "logical" : "physical", msg.dest);
		}
	}
}

Test(apic_bus, holds_1024_cpus_and_no_more)
{
	struct lapic_model *m = calloc(APIC_BUS_CPUS + 1, sizeof(*m));
	struct lapic_model_config config = bed_config(&bed);
	struct apic_message msg = { .logical = true, .dest = 63 << 16 | 0xffff };
	struct apic_set found;

	cr_assert(m);
	apic_bus_init(&bed.bus, false);
	for (unsigned int i = 0; i < APIC_BUS_CPUS; i++) {
		config.id = i;
		cr_assert_eq(lapic_model_init(&m[i], &bed.bus, &config), 0);
	}
	cr_expect_eq(lapic_model_init(&m[APIC_BUS_CPUS], &bed.bus, &config), -ENOSPC);
	for (unsigned int i = 0; i < APIC_BUS_CPUS; i++)
		cr_assert_eq(lapic_model_wrmsr(&m[i], LAPIC_MSR_APIC_BASE, 0xfee00c00), 0);
	apic_bus_find(&bed.bus, &msg, &found);
	for (unsigned int w = 0; w < APIC_BUS_WORDS; w++)
		cr_expect_eq(found.words[w], w == 15 ? UINT64_C(0xffff000000000000) : 0);
	free(m);
}

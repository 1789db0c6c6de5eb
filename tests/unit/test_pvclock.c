/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock pages of a guest: what they say, what another TSC makes of it, and the repair that keeps the time true. */
#include "filters/pvclock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define SECOND UINT64_C(1000000000)

/* The bytes of a page, as KVM lays them out. */
static void make(uint8_t bytes[PVCLOCK_SIZE], uint64_t khz, uint64_t tsc, uint64_t time)
{
	struct pvclock p = { .version = 6, .tsc_timestamp = tsc, .system_time = time, .flags = 1 };

	memset(bytes, 0, PVCLOCK_SIZE);
	pvclock_set_khz(&p, khz);
	pvclock_put(&p, bytes);
}

Test(pvclock, fields_lie_where_the_abi_has_them)
{
	static const uint8_t bytes[PVCLOCK_SIZE] = { 0x02, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x22, 0x33,
						     0x44, 0x55, 0x66, 0x77, 0x08, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6,
						     0x07, 0x09, 0x78, 0x56, 0x34, 0x92, 0xff, 0x01, 0, 0 };
	uint8_t again[PVCLOCK_SIZE] = { 0 };
	struct pvclock p;

	pvclock_get(bytes, &p);
	cr_expect_eq(p.version, 2);
	cr_expect_eq(p.tsc_timestamp, UINT64_C(0x0877665544332211));
	cr_expect_eq(p.system_time, UINT64_C(0x0907f6e5d4c3b2a1));
	cr_expect_eq(p.mul, 0x92345678);
	cr_expect_eq(p.shift, -1);
	cr_expect_eq(p.flags, 1);
	pvclock_put(&p, again);
	cr_expect(!memcmp(again, bytes, sizeof(bytes)));
}

/* As KVM has them, with the multiplier's top bit set: nanoseconds a tick = mul / 2^32 * 2^shift. */
Test(pvclock, scales_have_the_most_digits)
{
	static const struct {
		uint64_t khz;
		uint32_t mul;
		int8_t shift;
	} known[] = {
		{ 1000000, 0x80000000, 1 }, /* 1 ns a tick */
		{ 2000000, 0x80000000, 0 },
		{ 4000000, 0x80000000, -1 },
		{ 500000, 0x80000000, 2 },
		{ 3000000, 0xaaaaaaaa, -1 },
		{ 2500000, 0xcccccccc, -1 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct pvclock p = { 0 };

		pvclock_set_khz(&p, known[i].khz);
		cr_expect(p.mul == known[i].mul && p.shift == known[i].shift, "%llu kHz: 0x%x, %d",
			  (unsigned long long)known[i].khz, p.mul, p.shift);
	}
}

Test(pvclock, a_scale_keeps_the_time_of_its_rate_for_a_year)
{
	static const uint64_t rates[] = { 1, 33, 1000, 99999, 999999, 1000000, 1000001, 2099988, 2593907, 3700123, 100000000 };

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct pvclock p = { .tsc_timestamp = 12345, .system_time = 99 };
		uint64_t seconds = 365 * 86400, got;

		pvclock_set_khz(&p, rates[i]);
		cr_expect_eq(pvclock_khz(&p), rates[i]);
		if (p.shift > 0 && rates[i] * 1000 * seconds >> (63 - p.shift))
			seconds = 1000;
		got = pvclock_time(&p, 12345 + rates[i] * 1000 * seconds) - 99;
		/* one part in 2^31 */
		cr_expect(llabs((long long)(got - seconds * SECOND)) <= (long long)(seconds * SECOND >> 31) + 1, "%llu kHz: %llu",
			  (unsigned long long)rates[i], (unsigned long long)got);
	}
}

/* -- the repair -- */

static void check_text(const struct report *r, size_t i, enum report_action action, const char *text)
{
	cr_assert_lt(i, r->count);
	cr_expect_eq(r->entries[i].action, action);
	cr_expect(strstr(r->entries[i].why, text), "%s", r->entries[i].why);
}

Test(pvclock, time_goes_on_where_it_was_at_the_rate_of_the_target)
{
	const uint64_t tsc = UINT64_C(5000000000000);
	struct pvclock_cpu cpu = { .index = 3, .tsc = tsc, .found = true };
	struct pvclock_plan plan = { .cpus = &cpu, .count = 1, .tsc = tsc };
	struct pvclock before, after;
	struct report report;

	report_init(&report);
	make(cpu.bytes, 2100000, tsc - 1000000, 77 * SECOND);
	pvclock_get(cpu.bytes, &before);
	pvclock_repair(&plan, 3500000, &report);
	cr_assert(cpu.changed);
	pvclock_get(cpu.bytes, &after);
	cr_expect_eq(pvclock_time(&after, tsc), pvclock_time(&before, tsc));
	/* an hour of the target's host later the guest is an hour older */
	cr_expect_eq((pvclock_time(&after, tsc + UINT64_C(3500000000) * 3600) - pvclock_time(&after, tsc)) / 1000, 3600 * SECOND / 1000 - 1);
	/* and would have been well over an hour and a half without */
	cr_expect_gt(pvclock_time(&before, tsc + UINT64_C(3500000000) * 3600) - pvclock_time(&before, tsc), 5900 * SECOND);
	cr_expect_eq(after.version, before.version + 2);
	cr_expect_eq(after.flags, before.flags);
	check_text(&report, 0, REPORT_DERIVED, "scale of the target's TSC");
	cr_expect_str_eq(report.entries[0].path, "cpu[3].pvclock");
	cr_expect_str_eq(report.entries[0].old_value, "2100000 kHz");
	cr_expect_str_eq(report.entries[0].new_value, "3500000 kHz");
	report_deinit(&report);
}

Test(pvclock, all_cpus_agree_on_the_latest_time_and_on_the_target_s_one_tsc)
{
	struct pvclock_cpu cpus[2] = { { .index = 0, .tsc = 1000000, .found = true }, { .index = 1, .tsc = 3000000, .found = true } };
	struct pvclock_plan plan = { .cpus = cpus, .count = 2, .tsc = 3000000 };
	struct pvclock a, b;
	struct report report;

	report_init(&report);
	make(cpus[0].bytes, 2000000, 900000, 10 * SECOND);
	make(cpus[1].bytes, 2000000, 2900000, 10 * SECOND + 500);
	pvclock_repair(&plan, 2400000, &report);
	pvclock_get(cpus[0].bytes, &a);
	pvclock_get(cpus[1].bytes, &b);
	cr_expect_eq(pvclock_time(&a, 3000000), 10 * SECOND + 500 + 50000);
	cr_expect_eq(pvclock_time(&b, 3000000), pvclock_time(&a, 3000000));
	cr_expect_eq(pvclock_time(&b, 9000000), pvclock_time(&a, 9000000));
	report_deinit(&report);
}

Test(pvclock, the_same_rate_changes_nothing)
{
	static const uint64_t rates[] = { 2100000, 2100001 };

	for (size_t i = 0; i < 2; i++) {
		struct pvclock_cpu cpu = { .tsc = 1000, .found = true };
		struct pvclock_plan plan = { .cpus = &cpu, .count = 1, .tsc = 1000 };
		uint8_t before[PVCLOCK_SIZE];
		struct report report;

		report_init(&report);
		make(cpu.bytes, 2100000, 10, SECOND);
		memcpy(before, cpu.bytes, sizeof(before));
		pvclock_repair(&plan, rates[i], &report);
		cr_expect(!cpu.changed && !memcmp(before, cpu.bytes, sizeof(before)));
		check_text(&report, 0, REPORT_KEPT, "has the scale");
		report_deinit(&report);
	}
}

Test(pvclock, a_page_that_was_not_found_is_told_and_left)
{
	struct pvclock_cpu cpus[2] = { { .index = 0 }, { .index = 1, .absent = "because" } };
	struct pvclock_plan plan = { .cpus = cpus, .count = 2 };
	struct report report;

	report_init(&report);
	pvclock_repair(&plan, 2400000, &report);
	check_text(&report, 0, REPORT_KEPT, "not where its MSR says");
	check_text(&report, 1, REPORT_KEPT, "because");
	cr_expect_eq(report_worst(&report), COST_APPROXIMATE);
	report_deinit(&report);
}

Test(pvclock, only_bytes_that_kvm_can_have_written_are_taken)
{
	const struct pvclock_cpu cpu = { .tsc = 10 * SECOND };
	struct pvclock_plan plan = { .clock = 1000 * SECOND };
	uint8_t good[PVCLOCK_SIZE], bad[PVCLOCK_SIZE], zeros[PVCLOCK_SIZE] = { 0 };
	static const struct {
		size_t at;
		uint8_t value;
	} damage[] = { { 0, 7 }, { 4, 1 }, { 7, 1 }, { 15, 1 }, { 27, 0x7f }, { 28, 40 }, { 28, 0xc0 }, { 29, 4 }, { 30, 1 }, { 31, 1 }, { 22, 1 }, { 21, 0 } };

	make(good, 2100000, 9 * SECOND, 1000 * SECOND);
	cr_expect(pvclock_is(&plan, &cpu, good));
	cr_expect(!pvclock_is(&plan, &cpu, zeros));
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		memcpy(bad, good, sizeof(bad));
		bad[damage[i].at] = damage[i].value;
		cr_expect_eq(pvclock_is(&plan, &cpu, bad), !memcmp(bad, good, sizeof(bad)), "byte %zu", damage[i].at);
	}
	/* the clock stood still while the guest was paused, its TSC did not */
	plan.clock = 1000 * SECOND - 5 * SECOND;
	cr_expect(pvclock_is(&plan, &cpu, good));
	plan.clock = 2000 * SECOND;
	cr_expect(!pvclock_is(&plan, &cpu, good));
	plan.clock = 900 * SECOND;
	cr_expect(!pvclock_is(&plan, &cpu, good));
	plan.clock = 0;
	cr_expect(pvclock_is(&plan, &cpu, good));
}

/* -- the search for one, before anything is known -- */

Test(pvclock, a_page_with_a_clock_at_any_place_of_a_guest_is_found)
{
	static const uint64_t rates[] = { 800000, 1000000, 1999999, 2000000, 2099988, 2593907, 3000000, 3700123, 5100000 };
	uint8_t page[4096];

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		for (size_t at = 0; at < sizeof(page); at += PVCLOCK_ALIGN) {
			memset(page, 0, sizeof(page));
			cr_expect(!pvclock_in_page(page));
			make(page + at, rates[i], 9 * SECOND, SECOND);
			cr_expect(pvclock_in_page(page), "%llu kHz at %zu", (unsigned long long)rates[i], at);
		}
}

Test(pvclock, bytes_that_are_not_quite_a_clock_are_not_taken_for_one)
{
	static const struct {
		size_t at;
		uint8_t value;
	} damage[] = { { 0, 7 }, { 4, 1 }, { 24, 0x77 }, { 25, 0x77 }, { 27, 0x7f }, { 28, 40 }, { 28, 0xc0 }, { 29, 4 }, { 30, 1 }, { 31, 1 }, { 23, 0xff } };
	uint8_t page[4096] = { 0 };

	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		make(page + 64, 2100000, 9 * SECOND, 1000 * SECOND);
		cr_expect(pvclock_in_page(page));
		page[64 + damage[i].at] = damage[i].value;
		cr_expect(!pvclock_in_page(page), "byte %zu", damage[i].at);
	}
	make(page + 64, 2100000, 1000, 1000 * SECOND);
	cr_expect(!pvclock_in_page(page), "young");
	make(page + 64, 2100000, 9 * SECOND, 1000);
	cr_expect(!pvclock_in_page(page), "young");
	memset(page, 0, sizeof(page));
	make(page + 68, 2100000, 9 * SECOND, 1000 * SECOND);
	cr_expect(!pvclock_in_page(page), "where no guest has it");
}

/* What a table of kept pages has room for depends on it: one page in many thousand, of bytes that mean nothing. */
Test(pvclock, noise_is_hardly_ever_taken_for_a_clock)
{
	uint64_t rnd = UINT64_C(0x9e3779b97f4a7c15);
	unsigned int found = 0;
	uint8_t page[4096];

	for (unsigned int i = 0; i < 50000; i++) {
		for (size_t at = 0; at < sizeof(page); at += 8) {
			rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407u;
			/* one word in four of what memory is full of: zeros, small numbers, pointers, text */
			put_le(page + at, 8, rnd >> 62 ? rnd >> 62 == 1 ? rnd >> 52 & 0x3ff : rnd >> 62 == 2 ? 0xffff888000000000u | rnd >> 40
													     : rnd
						       : 0);
		}
		found += pvclock_in_page(page);
	}
	cr_expect_lt(found, 3);
}

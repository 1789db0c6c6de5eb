/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The counting of the 8254 against a reference that walks tick by tick. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "apic/pit.h"

#define NS UINT64_C(1000000000)

static struct pit_channel channel(uint8_t mode, int32_t count, int64_t load)
{
	return (struct pit_channel){
		.mode = mode, .count = count, .count_load_time = load, .gate = 1, .rw_mode = 3
	};
}

/* The output, as KVM and QEMU have it: modes 1, 2, 4 and 5 upside down, by the data sheet. */
static bool reference_out(const struct pit_channel *c, uint64_t tick)
{
	uint64_t n = (uint64_t)c->count;

	switch (c->mode) {
	case 0:
		return tick >= n;
	case 1:
		return tick < n;
	case 2:
		return tick != 0 && tick % n == 0;
	case 3:
		return tick % n < n - n / 2;
	default:
		return tick == n;
	}
}

/* The first tick after @tick with another output; 0 when there is none in four periods. */
static uint64_t reference_edge(const struct pit_channel *c, uint64_t tick)
{
	bool out = reference_out(c, tick);

	for (uint64_t t = tick + 1; t < tick + 4 * (uint64_t)c->count + 4; t++)
		if (reference_out(c, t) != out)
			return t;
	return 0;
}

static int64_t tick_start(int64_t load, uint64_t tick)
{
	return load + (int64_t)((tick * NS + PIT_FREQ - 1) / PIT_FREQ);
}

static void check_at(const struct pit_channel *c, int64_t now)
{
	uint64_t tick = now > c->count_load_time ? (uint64_t)(now - c->count_load_time) * PIT_FREQ / NS : 0;
	uint64_t edge = reference_edge(c, tick);
	int64_t want = edge ? tick_start(c->count_load_time, edge) : PIT_NEVER, got = pit_next_edge(c, now);

	cr_expect(pit_out(c, now) == reference_out(c, tick), "mode %u count %d tick %llu", c->mode, c->count,
		  (unsigned long long)tick);
	cr_expect(got == want, "mode %u count %d tick %llu: got %lld want %lld", c->mode, c->count,
		  (unsigned long long)tick, (long long)got, (long long)want);
	cr_expect(got == PIT_NEVER || got > now);
	if (got != PIT_NEVER)
		cr_expect(pit_out(c, got) != pit_out(c, now) && pit_out(c, got - 1) == pit_out(c, now));
}

Test(apic_pit, next_edge_agrees_with_counting_tick_by_tick)
{
	static const int32_t counts[] = { 1, 2, 3, 4, 5, 7, 100, 1193 };
	static const int64_t loads[] = { 0, 1234567, -840822 };

	for (uint8_t mode = 0; mode < 6; mode++)
		for (size_t i = 0; i < REG_ARRAY_SIZE(counts); i++)
			for (size_t l = 0; l < REG_ARRAY_SIZE(loads); l++) {
				struct pit_channel c = channel(mode, counts[i], loads[l]);

				for (int64_t d = -900; d < 40000; d += 419)
					check_at(&c, loads[l] + d);
			}
}

Test(apic_pit, next_edge_agrees_on_both_sides_of_every_edge)
{
	for (uint8_t mode = 0; mode < 6; mode++) {
		struct pit_channel c = channel(mode, 1193, 77);

		for (uint64_t tick = 1190; tick < 2400; tick++) {
			check_at(&c, tick_start(77, tick) - 1);
			check_at(&c, tick_start(77, tick));
		}
	}
}

Test(apic_pit, next_edge_of_a_full_count_agrees_at_random_times)
{
	srand(8254);
	for (uint8_t mode = 0; mode < 6; mode++) {
		struct pit_channel c = channel(mode, 0x10000, 0);

		for (unsigned int i = 0; i < 40; i++)
			check_at(&c, rand() % 400000000);
	}
}

Test(apic_pit, next_edge_is_as_quick_and_exact_after_a_century)
{
	struct pit_channel c = channel(2, 0x10000, INT64_C(-100) * 365 * 86400 * (int64_t)NS);
	int64_t now = 0, edge = pit_next_edge(&c, now);

	cr_expect(edge > now && edge - now <= 55000000, "%lld", (long long)edge);
	cr_expect(pit_out(&c, edge) && !pit_out(&c, edge - 1));
}

Test(apic_pit, no_edge_comes_from_a_count_or_mode_that_cannot_be)
{
	static const int32_t counts[] = { 0, -1, 0x10001, INT32_MIN, INT32_MAX };

	for (size_t i = 0; i < REG_ARRAY_SIZE(counts); i++)
		for (unsigned int mode = 0; mode < 256; mode++) {
			struct pit_channel c = channel((uint8_t)mode, counts[i], 0);

			cr_expect(pit_next_edge(&c, 1000) == PIT_NEVER && !pit_out(&c, 1000) &&
				  !pit_count(&c, 1000));
		}
}

Test(apic_pit, times_at_the_ends_of_the_clock_do_not_overflow)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX };

	for (size_t l = 0; l < REG_ARRAY_SIZE(times); l++)
		for (size_t n = 0; n < REG_ARRAY_SIZE(times); n++)
			for (uint8_t mode = 0; mode < 6; mode++) {
				struct pit_channel c = channel(mode, 0x10000, times[l]);
				int64_t edge = pit_next_edge(&c, times[n]);

				cr_expect(edge == PIT_NEVER || edge > times[n]);
				pit_count(&c, times[n]);
			}
}

Test(apic_pit, the_count_runs_down_from_the_reload_value)
{
	struct pit_channel rate = channel(2, 1000, 0), shot = channel(0, 1000, 0),
			   square = channel(3, 1000, 0);

	cr_expect(pit_count(&rate, 0) == 1000 && pit_count(&rate, tick_start(0, 1)) == 999);
	cr_expect(pit_count(&rate, tick_start(0, 1000)) == 1000);
	cr_expect(pit_count(&shot, tick_start(0, 1001)) == 0xffff, "goes on below 0");
	cr_expect(pit_count(&square, tick_start(0, 1)) == 998, "by two");
}

Test(apic_pit, only_modes_2_and_3_have_a_period)
{
	for (uint8_t mode = 0; mode < 6; mode++) {
		struct pit_channel c = channel(mode, 0x10000, 0);

		cr_expect(pit_period_ns(&c) == (mode == 2 || mode == 3 ? 54925401U : 0U), "%u", mode);
	}
}

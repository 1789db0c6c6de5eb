/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TSC and LAPIC timer measured against the PM timer, between two tight readings of all three. */
#include "clock.h"

#include "apic.h"
#include "irq.h"
#include "pm_timer.h"

#define CALIBRATION_TICKS (PM_TIMER_HZ / 40)
#define TRIES 12
#define YOUNG_MS 20000

u32 clock_tsc_khz;
u32 clock_lapic_khz;
static u64 tsc_start;
static bool tsc_is_clock;

struct reading {
	u64 tsc;
	u64 pm;
	u32 lapic;
};

/* The PM timer is read between two TSC readings; of several tries the one that took the shortest is believed. */
static struct reading read_tight(void)
{
	struct reading best = { 0 };
	u64 best_width = ~0ull;

	for (u32 i = 0; i < TRIES; i++) {
		u64 before = rdtsc();
		u64 pm = pm_timer_ticks();
		u32 lapic = lapic_timer_count();
		u64 width = rdtsc() - before;

		if (width < best_width) {
			best_width = width;
			best.tsc = before + width / 2;
			best.pm = pm;
			best.lapic = lapic;
		}
	}
	return best;
}

void clock_init(bool by_tsc)
{
	struct reading first, last;
	u32 ticks;

	pm_timer_init();
	lapic_timer_set(TIMER_ONESHOT, LVT_MASKED | VEC_LAPIC);
	lapic_timer_start(~0u);
	first = read_tight();
	while (pm_timer_ticks() - first.pm < CALIBRATION_TICKS)
		;
	last = read_tight();
	lapic_timer_start(0);
	ticks = (u32)(last.pm - first.pm);
	clock_tsc_khz = (u32)div64(div64((last.tsc - first.tsc) * PM_TIMER_HZ, ticks), 1000);
	clock_lapic_khz = (u32)div64(div64((u64)(first.lapic - last.lapic) * PM_TIMER_HZ, ticks), 1000);
	tsc_start = rdtsc();
	pm_timer_init();
	tsc_is_clock = by_tsc;
}

u64 clock_tsc_us(void)
{
	return div64((rdtsc() - tsc_start) * 1000, clock_tsc_khz);
}

u64 clock_us(void)
{
	return tsc_is_clock ? clock_tsc_us() : div64(pm_timer_ticks() * 1000000, PM_TIMER_HZ);
}

bool clock_tsc_follows_vm(void)
{
	return div64(tsc_start, clock_tsc_khz) < YOUNG_MS;
}

u64 clock_tsc_after(u64 us)
{
	return rdtsc() + div64(us * clock_tsc_khz, 1000);
}

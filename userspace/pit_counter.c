/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The counting of one channel of the 8254, by arithmetic on the time since its count was loaded. */
#include "userspace/pit_counter_priv.h"

enum { ON_TERMINAL_COUNT,
       ONE_SHOT,
       RATE,
       SQUARE,
       SOFT_STROBE,
       HARD_STROBE };

#define FULL_COUNT 0x10000

bool pit_counter_stops(uint8_t mode)
{
	return mode != ONE_SHOT && mode != HARD_STROBE;
}

static bool periodic(struct pit_pair p)
{
	return p.c->mode == RATE || p.c->mode == SQUARE;
}

static uint64_t ticks_in(int64_t ns)
{
	struct pit_channel from_0 = { .count_load_time = 0 };

	return pit_ticks(&from_0, ns);
}

static int64_t time_of(struct pit_pair p, uint64_t tick)
{
	struct pit_channel from_load = { .count_load_time = p.x->load_ns };

	return pit_tick_time(&from_load, tick);
}

static int64_t minus(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return a < b ? INT64_MIN : INT64_MAX;
	return difference;
}

int64_t pit_counter_elapsed_ns(struct pit_pair p, int64_t now)
{
	if (p.x->frozen_ns != PIT_COUNTS)
		return p.x->frozen_ns;
	return now > p.x->load_ns ? minus(now, p.x->load_ns) : 0;
}

static uint64_t ticks(struct pit_pair p, int64_t now)
{
	return ticks_in(pit_counter_elapsed_ns(p, now));
}

/* Ticks that a count takes. */
static uint64_t length(struct pit_pair p)
{
	uint32_t count = (uint32_t)p.x->current;

	if (!p.c->bcd || p.x->simple)
		return count;
	if (count == FULL_COUNT)
		return 10000;
	return (count >> 12) * 1000 + (count >> 8 & 15) * 100 + (count >> 4 & 15) * 10 + (count & 15);
}

static uint16_t coded(struct pit_pair p, uint64_t value)
{
	uint16_t v;

	if (!p.c->bcd)
		return (uint16_t)value;
	v = (uint16_t)(value % 10000);
	return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* Ticks of a square wave's high half. */
static uint64_t high_half(uint64_t n)
{
	return (n + 1) / 2;
}

static bool waiting(struct pit_pair p)
{
	return p.x->loaded && p.x->null_count && periodic(p) && !p.x->simple;
}

static uint64_t rising(struct pit_pair p, uint64_t d)
{
	uint64_t n = length(p);

	if (!p.x->loaded || p.x->halted)
		return 0;
	switch (p.c->mode) {
	case ON_TERMINAL_COUNT:
	case ONE_SHOT:
		return d >= n;
	case RATE:
	case SQUARE:
		return n == 1 ? 0 : d / n;
	case SOFT_STROBE:
		return p.x->simple ? d >= n : d > n;
	case HARD_STROBE:
		return !p.x->simple && d > n;
	default:
		return 0;
	}
}

uint64_t pit_counter_edges(struct pit_pair p, int64_t now)
{
	return rising(p, ticks(p, now));
}

/* The tick after @d that ends the cycle, or the half of a square wave. */
static uint64_t cycle_end(struct pit_pair p, uint64_t d)
{
	uint64_t n = length(p), at = d % n;

	if (p.c->mode == SQUARE && n > 1 && at < high_half(n))
		return d - at + high_half(n);
	return d - at + n;
}

static void load(struct pit_pair p, int64_t at)
{
	p.x->current = p.c->count;
	p.x->load_ns = p.c->count_load_time = at;
	p.x->loaded = true;
	p.x->null_count = p.x->halted = false;
	p.x->edges = 0;
	p.x->frozen_ns = !p.c->gate && pit_counter_stops(p.c->mode) && !p.x->simple ? 0 : PIT_COUNTS;
}

/* The waiting count takes over; in the middle of a square wave it begins with its low half. */
static void take_over(struct pit_pair p)
{
	bool low = p.c->mode == SQUARE && length(p) > 1 && p.x->switch_tick % length(p);
	struct pit_channel from_0 = { .count_load_time = 0 };

	load(p, time_of(p, p.x->switch_tick));
	if (low && length(p) > 1)
		p.x->load_ns = minus(p.x->load_ns, pit_tick_time(&from_0, high_half(length(p))));
}

static uint64_t tell(struct pit_pair p, uint64_t edges)
{
	uint64_t fresh = edges > p.x->edges ? edges - p.x->edges : 0;

	p.x->edges = edges;
	return fresh;
}

uint64_t pit_counter_advance(struct pit_pair p, int64_t now)
{
	uint64_t fresh = 0;

	if (waiting(p) && p.x->frozen_ns == PIT_COUNTS && ticks(p, now) >= p.x->switch_tick) {
		fresh = tell(p, rising(p, p.x->switch_tick));
		take_over(p);
	}
	return fresh + tell(p, pit_counter_edges(p, now));
}

bool pit_counter_out(struct pit_pair p, int64_t now)
{
	uint64_t n = length(p), d = ticks(p, now);

	if (p.x->simple)
		return pit_out(p.c, now);
	if (!p.x->loaded || p.x->halted)
		return p.c->mode != ON_TERMINAL_COUNT;
	switch (p.c->mode) {
	case ON_TERMINAL_COUNT:
	case ONE_SHOT:
		return d >= n;
	case RATE:
		return !p.c->gate || n == 1 || d % n != n - 1;
	case SQUARE:
		return !p.c->gate || n == 1 || d % n < high_half(n);
	default:
		return d != n;
	}
}

/* Mode 3 counts by two, from an even number. */
static uint64_t square_value(uint64_t n, uint64_t d)
{
	uint64_t at = d % n;

	if (at >= high_half(n))
		at -= high_half(n);
	return n - n % 2 - 2 * at;
}

/* The counting element, before coding. Free-running modes go on below 0. */
static uint64_t value(struct pit_pair p, int64_t now)
{
	uint64_t n = length(p), d = ticks(p, now);
	uint64_t modulus = p.c->bcd ? 10000 : FULL_COUNT;

	if (!p.x->loaded)
		return p.x->held;
	if (periodic(p) && n == 1)
		return 1;
	if (p.c->mode == RATE)
		return n - d % n;
	if (p.c->mode == SQUARE)
		return square_value(n, d);
	return (n % modulus + modulus - d % modulus) % modulus;
}

uint16_t pit_counter_value(struct pit_pair p, int64_t now)
{
	if (p.x->simple)
		return pit_count(p.c, now);
	return coded(p, value(p, now));
}

/* The tick after @d at which the output rises; 0 for never. */
static uint64_t next_rising(struct pit_pair p, uint64_t d)
{
	uint64_t n = length(p), once = n;

	if (periodic(p))
		return n == 1 ? 0 : d - d % n + n;
	if (p.c->mode >= SOFT_STROBE && !p.x->simple)
		once++;
	return d < once ? once : 0;
}

int64_t pit_counter_switch_ns(struct pit_pair p)
{
	if (!waiting(p) || p.x->frozen_ns != PIT_COUNTS)
		return PIT_NEVER;
	return time_of(p, p.x->switch_tick);
}

int64_t pit_counter_deadline(struct pit_pair p, int64_t now)
{
	uint64_t tick;

	if (!p.x->loaded || p.x->frozen_ns != PIT_COUNTS || (p.x->simple && p.c->mode >= HARD_STROBE))
		return PIT_NEVER;
	if (waiting(p))
		return pit_counter_switch_ns(p);
	tick = next_rising(p, ticks(p, now));
	return tick ? time_of(p, tick) : PIT_NEVER;
}

void pit_counter_control(struct pit_pair p, uint8_t control, int64_t now)
{
	uint64_t held = p.x->simple ? 0 : value(p, now);

	p.c->mode = control >> 1 & 7;
	if (p.c->mode > HARD_STROBE)
		p.c->mode -= 4;
	p.c->bcd = control & 1;
	p.x->control = control & 0x3f;
	if (p.x->simple) {
		p.x->edges = pit_counter_edges(p, now);
		return;
	}
	p.x->held = (uint16_t)held;
	p.x->written = p.x->loaded = p.x->halted = false;
	p.x->null_count = true;
	p.x->frozen_ns = PIT_COUNTS;
	p.x->edges = 0;
}

void pit_counter_first_byte(struct pit_pair p, int64_t now)
{
	if (p.c->mode != ON_TERMINAL_COUNT || !p.x->loaded || p.x->simple)
		return;
	p.x->frozen_ns = pit_counter_elapsed_ns(p, now);
	p.x->halted = true;
}

void pit_counter_write(struct pit_pair p, uint16_t count, int64_t now)
{
	p.c->count = count ? count : FULL_COUNT;
	if (p.c->mode > HARD_STROBE && !p.x->simple)
		return;
	p.x->written = p.x->null_count = true;
	if (p.x->simple || (pit_counter_stops(p.c->mode) && !(periodic(p) && p.x->loaded)))
		load(p, now);
	else if (periodic(p))
		p.x->switch_tick = cycle_end(p, ticks(p, now));
}

static bool starts_at_gate(uint8_t mode)
{
	return mode == ONE_SHOT || mode == RATE || mode == SQUARE || mode == HARD_STROBE;
}

void pit_counter_gate(struct pit_pair p, bool level, int64_t now)
{
	bool rises = level && !p.c->gate, falls = !level && p.c->gate;

	p.c->gate = level;
	if (rises && starts_at_gate(p.c->mode) && (p.x->written || p.x->simple)) {
		load(p, now);
	} else if (rises && p.x->loaded && p.x->frozen_ns != PIT_COUNTS && !p.x->halted) {
		p.x->load_ns = minus(now, p.x->frozen_ns);
		p.x->frozen_ns = PIT_COUNTS;
	} else if (falls && p.x->loaded && pit_counter_stops(p.c->mode) && !p.x->simple) {
		p.x->frozen_ns = pit_counter_elapsed_ns(p, now);
	}
}

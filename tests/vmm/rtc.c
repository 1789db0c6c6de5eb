/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/rtc.h"

#include <time.h>

enum { SECONDS = 0x00,
       SECONDS_ALARM = 0x01,
       MINUTES = 0x02,
       MINUTES_ALARM = 0x03,
       HOURS = 0x04,
       HOURS_ALARM = 0x05,
       WEEKDAY = 0x06,
       DAY = 0x07,
       MONTH = 0x08,
       YEAR = 0x09,
       REG_A = 0x0a,
       REG_B = 0x0b,
       REG_C = 0x0c,
       REG_D = 0x0d,
       BASE_MEMORY = 0x15,     /* KiB */
       EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB */
       EXTENDED_AGAIN = 0x30,
       CENTURY = 0x32,
       HIGH_MEMORY = 0x34, /* 64 KiB above 16 MiB */
       LAST_CPU = 0x5f };  /* number of CPUs - 1, as QEMU's BIOS finds it */

enum { A_RATE = 0x0f,
       A_DIVIDER = 0x70,
       A_32768_HZ = 0x20,
       A_UIP = 0x80 };

enum { B_24H = 0x02,
       B_BINARY = 0x04,
       B_UIE = 0x10,
       B_SET = 0x80 };

/* The same bits enable in B and tell in C. */
enum { UPDATE = 0x10,
       ALARM = 0x20,
       PERIODIC = 0x40,
       CAUSES = 0x70,
       C_IRQF = 0x80 };

enum { D_VALID = 0x80 };

#define NS_PER_S INT64_C(1000000000)
#define CRYSTAL_HZ 32768
#define UIP_NS 244000                  /* before the update, table 6 */
#define FIRST_UPDATE_NS (NS_PER_S / 2) /* after the divider was let go, 3.3 */
#define DAY_S 86400
#define PM 0x80
#define ANY 0xc0 /* an alarm byte from here on matches everything */

static uint8_t encode(const struct rtc *r, unsigned int value)
{
	return (uint8_t)(r->ram[REG_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10);
}

static unsigned int decode(const struct rtc *r, uint8_t byte)
{
	return r->ram[REG_B] & B_BINARY ? byte : (byte >> 4) * 10U + (byte & 0xf);
}

static uint8_t encode_hour(const struct rtc *r, unsigned int hour)
{
	if (r->ram[REG_B] & B_24H)
		return encode(r, hour);
	return (uint8_t)(encode(r, (hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0));
}

static unsigned int decode_hour(const struct rtc *r, uint8_t byte)
{
	if (r->ram[REG_B] & B_24H)
		return decode(r, byte);
	return decode(r, byte & (uint8_t)~PM) % 12 + (byte & PM ? 12 : 0);
}

/* Seconds since 1970 that the registers show. */
static int64_t read_time(const struct rtc *r)
{
	struct tm tm = {
		.tm_sec = (int)decode(r, r->ram[SECONDS]),
		.tm_min = (int)decode(r, r->ram[MINUTES]),
		.tm_hour = (int)decode_hour(r, r->ram[HOURS]),
		.tm_mday = (int)decode(r, r->ram[DAY]),
		.tm_mon = (int)decode(r, r->ram[MONTH]) - 1,
		.tm_year = (int)(decode(r, r->ram[CENTURY]) * 100 + decode(r, r->ram[YEAR])) - 1900,
	};

	return timegm(&tm);
}

static void write_time(struct rtc *r, int64_t time)
{
	time_t t = time;
	struct tm tm;

	gmtime_r(&t, &tm);
	r->ram[SECONDS] = encode(r, (unsigned int)tm.tm_sec);
	r->ram[MINUTES] = encode(r, (unsigned int)tm.tm_min);
	r->ram[HOURS] = encode_hour(r, (unsigned int)tm.tm_hour);
	r->ram[DAY] = encode(r, (unsigned int)tm.tm_mday);
	r->ram[MONTH] = encode(r, (unsigned int)tm.tm_mon + 1);
	r->ram[YEAR] = encode(r, (unsigned int)(tm.tm_year + 1900) % 100);
	r->ram[CENTURY] = encode(r, (unsigned int)(tm.tm_year + 1900) / 100);
}

static bool matches(const struct rtc *r, unsigned int alarm, unsigned int value, unsigned int (*decoded)(const struct rtc *, uint8_t))
{
	return r->ram[alarm] >= ANY || decoded(r, r->ram[alarm]) == value;
}

/* Whether the alarm is at this second of a day. */
static bool alarm_at(const struct rtc *r, unsigned int second)
{
	return matches(r, SECONDS_ALARM, second % 60, decode) && matches(r, MINUTES_ALARM, second / 60 % 60, decode) &&
	       matches(r, HOURS_ALARM, second / 3600, decode_hour);
}

/* The registers go on by @n seconds, and the flags tell what came by. */
static void update(struct rtc *r, uint64_t n)
{
	int64_t old = read_time(r), now = old + (int64_t)n;
	int64_t days = now / DAY_S - old / DAY_S;

	write_time(r, now);
	r->ram[WEEKDAY] = encode(r, (unsigned int)(((int64_t)decode(r, r->ram[WEEKDAY]) + 6 + days) % 7) + 1);
	r->ram[REG_C] |= UPDATE;
	for (uint64_t i = 0; i < n && i < DAY_S; i++)
		if (alarm_at(r, (unsigned int)(((now - (int64_t)i) % DAY_S + DAY_S) % DAY_S)))
			r->ram[REG_C] |= ALARM;
}

static bool running(const struct rtc *r)
{
	return (r->ram[REG_A] & A_DIVIDER) <= A_32768_HZ;
}

/* Ticks of the crystal from one periodic interrupt to the next; 0: none (table 5). */
static uint64_t period(const struct rtc *r)
{
	unsigned int rate = r->ram[REG_A] & A_RATE;

	if (!rate)
		return 0;
	return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t elapsed(const struct rtc *r)
{
	return r->host->now_ns(r->host->ctx) - r->start_ns;
}

static void look(struct rtc *r)
{
	int64_t ns = elapsed(r);
	uint64_t seconds = (uint64_t)(ns / NS_PER_S), p = period(r);
	uint64_t crystal = seconds * CRYSTAL_HZ + (uint64_t)(ns % NS_PER_S) * CRYSTAL_HZ / NS_PER_S;

	if (!running(r))
		return;
	if (p && (crystal - r->periods) / p != (r->crystal - r->periods) / p)
		r->ram[REG_C] |= PERIODIC;
	if (seconds != r->seconds && !(r->ram[REG_B] & B_SET))
		update(r, seconds - r->seconds);
	r->crystal = crystal;
	r->seconds = seconds;
}

static void update_line(struct rtc *r)
{
	bool level = r->ram[REG_C] & r->ram[REG_B] & CAUSES;

	if (level == r->line)
		return;
	r->line = level;
	r->host->line(r->host->ctx, RTC_IRQ, level);
}

static uint8_t read_a(const struct rtc *r)
{
	bool soon = elapsed(r) % NS_PER_S >= NS_PER_S - UIP_NS;

	return (uint8_t)(r->ram[REG_A] | (soon && running(r) && !(r->ram[REG_B] & B_SET) ? A_UIP : 0));
}

static uint8_t take_c(struct rtc *r)
{
	uint8_t c = (uint8_t)(r->ram[REG_C] | (r->line ? C_IRQF : 0));

	r->ram[REG_C] = 0;
	return c;
}

static void write_a(struct rtc *r, uint8_t value)
{
	bool ran = running(r);

	if ((value ^ r->ram[REG_A]) & A_RATE)
		r->periods = r->crystal;
	r->ram[REG_A] = value & (uint8_t)~A_UIP;
	if (ran || !running(r))
		return;
	r->start_ns = r->host->now_ns(r->host->ctx) - (NS_PER_S - FIRST_UPDATE_NS);
	r->seconds = 0;
	r->crystal = (uint64_t)(NS_PER_S - FIRST_UPDATE_NS) * CRYSTAL_HZ / NS_PER_S;
	r->periods = r->crystal;
}

static void write_b(struct rtc *r, uint8_t value)
{
	if (value & ~r->ram[REG_B] & PERIODIC)
		r->periods = r->crystal;
	r->ram[REG_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
}

uint8_t rtc_read(struct rtc *r, unsigned int port)
{
	uint8_t value;

	if (!port)
		return 0xff;
	look(r);
	update_line(r);
	value = r->index == REG_A ? read_a(r) : r->index == REG_C ? take_c(r)
								  : r->ram[r->index];
	update_line(r);
	return value;
}

void rtc_write(struct rtc *r, unsigned int port, uint8_t value)
{
	if (!port) {
		r->index = value % RTC_BYTES; /* bit 7 masks NMIs */
		return;
	}
	look(r);
	if (r->index == REG_A)
		write_a(r, value);
	else if (r->index == REG_B)
		write_b(r, value);
	else if (r->index != REG_C && r->index != REG_D)
		r->ram[r->index] = value;
	update_line(r);
}

/* The first nanosecond of a tick of the crystal. */
static int64_t crystal_ns(uint64_t tick)
{
	uint64_t seconds = tick / CRYSTAL_HZ, rest = tick % CRYSTAL_HZ;

	return (int64_t)(seconds * NS_PER_S + (rest * NS_PER_S + CRYSTAL_HZ - 1) / CRYSTAL_HZ);
}

int64_t rtc_deadline(const struct rtc *r)
{
	uint8_t missing = r->ram[REG_B] & (uint8_t)~r->ram[REG_C];
	int64_t at = NEVER;
	uint64_t p = period(r);

	if (!running(r))
		return NEVER;
	if (missing & PERIODIC && p)
		at = r->start_ns + crystal_ns(r->periods + ((r->crystal - r->periods) / p + 1) * p);
	if (missing & (UPDATE | ALARM) && !(r->ram[REG_B] & B_SET)) {
		int64_t second = r->start_ns + (int64_t)(r->seconds + 1) * NS_PER_S;

		if (second < at)
			at = second;
	}
	return at;
}

void rtc_expired(struct rtc *r)
{
	look(r);
	update_line(r);
}

static void put_word(struct rtc *r, unsigned int at, uint64_t value)
{
	r->ram[at] = (uint8_t)value;
	r->ram[at + 1] = (uint8_t)(value >> 8);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static void put_memory(struct rtc *r, uint64_t memory)
{
	uint64_t kib = memory >> 10, extended = at_most(kib > 1024 ? kib - 1024 : 0, 0xffff);

	put_word(r, BASE_MEMORY, 640);
	put_word(r, EXTENDED_MEMORY, extended);
	put_word(r, EXTENDED_AGAIN, extended);
	put_word(r, HIGH_MEMORY, at_most(kib > 16384 ? (kib - 16384) >> 6 : 0, 0xffff));
}

void rtc_init(struct rtc *r, const struct host *host, int64_t time, uint64_t memory, unsigned int ncpus)
{
	*r = (struct rtc){ .host = host, .start_ns = host->now_ns(host->ctx) };
	r->ram[REG_A] = A_32768_HZ | 6; /* 1024 Hz, as a BIOS sets it */
	r->ram[REG_B] = B_24H;
	r->ram[REG_D] = D_VALID;
	r->ram[LAST_CPU] = (uint8_t)(ncpus - 1);
	put_memory(r, memory);
	write_time(r, time);
	r->ram[WEEKDAY] = encode(r, (unsigned int)((time / DAY_S + 4) % 7) + 1); /* 1970 began on a Thursday */
}

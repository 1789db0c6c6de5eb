/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock and CMOS RAM of the example VMM: Motorola MC146818A. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/vmm_bed.h"

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

enum { SECONDS = 0,
       SECONDS_ALARM = 1,
       MINUTES = 2,
       MINUTES_ALARM = 3,
       HOURS = 4,
       HOURS_ALARM = 5,
       WEEKDAY = 6,
       DAY = 7,
       MONTH = 8,
       YEAR = 9,
       A = 10,
       B = 11,
       C = 12,
       D = 13,
       CENTURY = 0x32 };

enum { SET = 0x80,
       PIE = 0x40,
       AIE = 0x20,
       UIE = 0x10,
       BINARY = 0x04,
       H24 = 0x02 };

static struct vmm_bed b;

static void begin(void)
{
	vmm_bed_init(&b);
}

static void end(void)
{
	vmm_bed_deinit(&b);
}

static uint8_t get(uint8_t reg)
{
	vmm_bed_out(&b, RTC_PORT, 1, reg);
	return (uint8_t)vmm_bed_in(&b, RTC_PORT + 1, 1);
}

static void set(uint8_t reg, uint8_t value)
{
	vmm_bed_out(&b, RTC_PORT, 1, reg);
	vmm_bed_out(&b, RTC_PORT + 1, 1, value);
}

static void expect_time(uint8_t h, uint8_t m, uint8_t s)
{
	cr_expect(get(HOURS) == h && get(MINUTES) == m && get(SECONDS) == s, "%02x:%02x:%02x, not %02x:%02x:%02x",
		  get(HOURS), get(MINUTES), get(SECONDS), h, m, s);
}

static void expect_date(uint8_t century, uint8_t year, uint8_t month, uint8_t day, uint8_t weekday)
{
	cr_expect(get(CENTURY) == century && get(YEAR) == year && get(MONTH) == month && get(DAY) == day &&
			  get(WEEKDAY) == weekday,
		  "%02x%02x-%02x-%02x, day %02x", get(CENTURY), get(YEAR), get(MONTH), get(DAY), get(WEEKDAY));
}

TestSuite(vmm_rtc, .init = begin, .fini = end);

Test(vmm_rtc, shows_the_time_of_the_machine_in_bcd)
{
	expect_time(0x04, 0x05, 0x06);
	expect_date(0x20, 0x01, 0x02, 0x03, 7);
	vmm_bed_run(&b, 19 * 3600 * S + 55 * 60 * S);
	expect_time(0x00, 0x00, 0x06);
	expect_date(0x20, 0x01, 0x02, 0x04, 1);
	cr_expect(get(D) == 0x80);
}

Test(vmm_rtc, counts_in_binary_and_in_twelve_hours_as_it_was_set)
{
	set(B, SET | BINARY);
	set(HOURS, 0x80 | 11);
	set(MINUTES, 59);
	set(SECONDS, 58);
	set(DAY, 28);
	set(CENTURY, 20);
	set(B, BINARY);
	vmm_bed_run(&b, 1 * S);
	expect_time(0x80 | 11, 59, 59);
	vmm_bed_run(&b, 2 * S);
	expect_time(12, 0, 0);
	expect_date(20, 1, 3, 1, 1);
	vmm_bed_run(&b, 2 * S + 3600 * S);
	expect_time(1, 0, 0);
	vmm_bed_run(&b, 2 * S + 12 * 3600 * S);
	expect_time(0x80 | 12, 0, 0);
}

Test(vmm_rtc, stands_still_while_it_is_being_set)
{
	set(B, SET | H24);
	vmm_bed_run(&b, 10 * S);
	expect_time(0x04, 0x05, 0x06);
	cr_expect(!(get(C) & UIE) && !(get(A) & 0x80));
	set(SECONDS, 0x30);
	set(B, H24);
	vmm_bed_run(&b, 11 * S - 1);
	expect_time(0x04, 0x05, 0x30);
	vmm_bed_run(&b, 11 * S);
	expect_time(0x04, 0x05, 0x31);
}

Test(vmm_rtc, tells_an_update_before_it_comes)
{
	vmm_bed_run(&b, S - 244001);
	cr_expect(get(A) == 0x26);
	vmm_bed_run(&b, S - 244000);
	cr_expect(get(A) == 0xa6);
	vmm_bed_run(&b, S);
	cr_expect(get(A) == 0x26);
}

Test(vmm_rtc, begins_half_a_second_before_an_update_when_the_divider_is_let_go)
{
	set(A, 0x76);
	vmm_bed_run(&b, 10 * S + 250 * MS);
	expect_time(0x04, 0x05, 0x06);
	set(A, 0x26);
	vmm_bed_run(&b, 10 * S + 750 * MS - 1);
	expect_time(0x04, 0x05, 0x06);
	vmm_bed_run(&b, 10 * S + 750 * MS);
	expect_time(0x04, 0x05, 0x07);
}

Test(vmm_rtc, periodic_interrupts_come_at_every_rate_and_only_when_the_last_one_was_taken)
{
	static const unsigned int hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	for (unsigned int rate = 0; rate < 16; rate++) {
		int64_t start = b.now;
		unsigned int n = 0;

		set(A, (uint8_t)(0x20 | rate));
		set(B, H24 | PIE);
		get(C);
		while (rtc_deadline(&b.board.rtc) <= start + S) {
			vmm_bed_run(&b, rtc_deadline(&b.board.rtc));
			cr_assert(b.lines[RTC_IRQ]);
			cr_assert((get(C) & 0xc0) == 0xc0 && !b.lines[RTC_IRQ] && ++n <= 8192);
		}
		cr_expect(n == hz[rate], "rate %u: %u", rate, n);
		vmm_bed_run(&b, start + S);
	}
}

Test(vmm_rtc, the_first_period_begins_when_it_is_asked_for)
{
	vmm_bed_run(&b, 300 * MS);
	set(A, 0x2c);
	vmm_bed_run(&b, 310 * MS);
	get(C);
	set(B, H24 | PIE);
	vmm_bed_run(&b, 372 * MS);
	cr_expect(!b.lines[RTC_IRQ]);
	vmm_bed_run(&b, 373 * MS);
	cr_expect(b.lines[RTC_IRQ], "16 Hz");
	get(C);
	set(A, 0x2d);
	vmm_bed_run(&b, 497 * MS);
	cr_expect(!b.lines[RTC_IRQ]);
	vmm_bed_run(&b, 498 * MS);
	cr_expect(b.lines[RTC_IRQ], "8 Hz");
}

Test(vmm_rtc, an_interrupt_that_is_not_taken_swallows_the_next_ones)
{
	set(A, 0x26);
	get(C);
	set(B, H24 | PIE);
	b.rises[RTC_IRQ] = 0;
	vmm_bed_run(&b, 5 * S);
	cr_expect(b.lines[RTC_IRQ] && b.rises[RTC_IRQ] == 1 && rtc_deadline(&b.board.rtc) == NEVER);
	cr_expect(get(C) == 0xd0 && !b.lines[RTC_IRQ], "updates came by, too");
	vmm_bed_run(&b, 5 * S + 2 * MS);
	cr_expect(b.rises[RTC_IRQ] == 2);
}

Test(vmm_rtc, the_alarm_comes_at_its_second_and_daily)
{
	set(SECONDS_ALARM, 0x08);
	set(MINUTES_ALARM, 0x05);
	set(HOURS_ALARM, 0x04);
	get(C);
	set(B, H24 | AIE);
	vmm_bed_run(&b, 2 * S - 1);
	cr_expect(!b.lines[RTC_IRQ]);
	vmm_bed_run(&b, 2 * S);
	cr_expect(b.lines[RTC_IRQ] && get(C) & AIE);
	vmm_bed_run(&b, (86400 + 2) * S - 1);
	cr_expect(b.rises[RTC_IRQ] == 1);
	vmm_bed_run(&b, (86400 + 2) * S);
	cr_expect(b.rises[RTC_IRQ] == 2);
}

Test(vmm_rtc, an_alarm_byte_from_c0_on_matches_everything)
{
	set(SECONDS_ALARM, 0x10);
	set(MINUTES_ALARM, 0xff);
	set(HOURS_ALARM, 0xc0);
	get(C);
	set(B, H24 | AIE);
	for (int64_t minute = 0; minute < 3; minute++) {
		vmm_bed_run(&b, (minute * 60 + 4) * S);
		cr_expect(b.rises[RTC_IRQ] == (unsigned int)minute + 1);
		get(C);
	}
}

Test(vmm_rtc, an_alarm_that_nobody_looked_at_is_told_late)
{
	set(SECONDS_ALARM, 0x08);
	set(MINUTES_ALARM, 0x05);
	set(HOURS_ALARM, 0x04);
	get(C);
	b.now = 100 * 86400 * S;
	cr_expect(get(C) & AIE);
	expect_date(0x20, 0x01, 0x05, 0x14, 2);
}

Test(vmm_rtc, update_interrupts_come_each_second_and_setting_turns_them_off)
{
	get(C);
	set(B, H24 | UIE);
	vmm_bed_run(&b, S);
	cr_expect(b.lines[RTC_IRQ] && get(C) & UIE && !b.lines[RTC_IRQ]);
	vmm_bed_run(&b, 2 * S);
	cr_expect(b.lines[RTC_IRQ]);
	set(B, SET | H24 | UIE);
	cr_expect(!b.lines[RTC_IRQ] && get(B) == (SET | H24));
}

Test(vmm_rtc, holds_the_memory_sizes_and_the_cpus_of_the_machine)
{
	cr_expect(get(0x15) == 0x80 && get(0x16) == 0x02, "640 KiB");
	cr_expect(get(0x17) == 0x00 && get(0x18) == 0xfc && get(0x30) == 0x00 && get(0x31) == 0xfc, "63 MiB");
	cr_expect(get(0x34) == 0x00 && get(0x35) == 0x03, "48 MiB");
	cr_expect(get(0x5f) == 2);
}

Test(vmm_rtc, is_ram_above_its_registers_and_bit_7_of_the_index_is_the_nmi_mask)
{
	set(0x80 | 0x0f, 0x55);
	cr_expect(get(0x0f) == 0x55);
	cr_expect(vmm_bed_in(&b, RTC_PORT, 1) == 0xff);
	set(C, 0x55);
	set(D, 0x55);
	cr_expect(get(D) == 0x80);
}

Test(vmm_rtc, any_bytes_as_a_time_are_taken)
{
	unsigned int seed = 1;

	for (unsigned int i = 0; i < 20000; i++) {
		set((uint8_t)(rand_r(&seed) % 14), (uint8_t)rand_r(&seed));
		if (i % 3 == 0)
			set(CENTURY, (uint8_t)rand_r(&seed));
		b.now += rand_r(&seed) % (3 * S);
		cr_assert(rtc_deadline(&b.board.rtc) > 0);
		get((uint8_t)(rand_r(&seed) % 14));
	}
}

static bool line_is_up(void)
{
	bool up;

	pthread_mutex_lock(&b.board.lock);
	up = b.lines[RTC_IRQ];
	pthread_mutex_unlock(&b.board.lock);
	return up;
}

Test(vmm_rtc, interrupts_come_by_themselves_once_the_board_was_started)
{
	cr_assert(!board_start(&b.board));
	set(A, 0x26);
	get(C);
	set(B, H24 | PIE);
	cr_expect(!line_is_up());
	pthread_mutex_lock(&b.board.lock);
	b.now = 2 * MS;
	pthread_mutex_unlock(&b.board.lock);
	for (unsigned int ms = 0; !line_is_up() && ms < 10000; ms++)
		usleep(1000);
	cr_expect(line_is_up());
}

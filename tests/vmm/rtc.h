/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock and the CMOS RAM of a PC: Motorola MC146818A, with the century at 0x32 and memory sizes where a BIOS leaves
 * them. Nothing runs between two calls: time and flags follow from the machine's clock. The first period of periodic
 * interrupts begins when they are enabled or get another rate, as in QEMU; the manual leaves its length open.
 */
#ifndef TESTS_VMM_RTC_H
#define TESTS_VMM_RTC_H

#include "tests/vmm/host.h"

#define RTC_PORT 0x70 /* index; data is the next one */
#define RTC_PORTS 2
#define RTC_IRQ 8
#define RTC_BYTES 128

struct rtc {
	const struct host *host;
	uint8_t ram[RTC_BYTES]; /* time and registers are its first bytes */
	uint8_t index;
	int64_t start_ns; /* when the divider began; seconds and periods end at multiples from there */
	uint64_t seconds; /* that have ended since, by the last look */
	uint64_t crystal; /* ticks of 32768 Hz since, by the last look */
	uint64_t periods; /* the tick with which periodic interrupts began */
	bool line;        /* level of IRQ 8 */
};

/**
 * rtc_init - after power-on, the clock running
 * @r: memory of the caller
 * @host: outlives it
 * @time: seconds since 1970, UTC
 * @memory: bytes from address 0 on; @ncpus: their number
 */
void rtc_init(struct rtc *r, const struct host *host, int64_t time, uint64_t memory, unsigned int ncpus);

/* rtc_read/rtc_write - an access to port 0x70 + @port; the index is written only. One at a time, rtc_expired() too. */
uint8_t rtc_read(struct rtc *r, unsigned int port);
void rtc_write(struct rtc *r, unsigned int port, uint8_t value);

/* rtc_deadline - when rtc_expired() is due, by what was read and written so far; NEVER: not at all. */
int64_t rtc_deadline(const struct rtc *r);

/* rtc_expired - look at the clock; raises the line when something ended. Too early and too late are no harm. */
void rtc_expired(struct rtc *r);

#endif

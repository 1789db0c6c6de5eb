/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/board.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* The machine's clock may stand still: after so long the deadline is looked at again. */
#define LONGEST_WAIT_NS INT64_C(100000000)
#define NS_PER_S INT64_C(1000000000)

/* The ports of a device. */
struct range {
	uint16_t first, count;
	/* A device of bytes gets each byte of an access at its own port; others get the access whole. */
	void (*byte)(struct board *b, unsigned int offset, bool write, uint8_t *data);
	void (*whole)(struct board *b, uint16_t port, bool write, uint8_t *data, unsigned int size);
};

static void serial_byte(struct board *b, unsigned int offset, bool write, uint8_t *data)
{
	if (write)
		serial_write(&b->serial, offset, *data);
	else
		*data = serial_read(&b->serial, offset);
}

static void rtc_byte(struct board *b, unsigned int offset, bool write, uint8_t *data)
{
	if (write)
		rtc_write(&b->rtc, offset, *data);
	else
		*data = rtc_read(&b->rtc, offset);
	pthread_cond_signal(&b->changed);
}

static void fw_cfg_whole(struct board *b, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	if (port == FW_CFG_PORT && write && size == 2)
		fw_cfg_select(&b->fw_cfg, (uint16_t)(data[0] | data[1] << 8));
	if (write)
		return;
	memset(data, 0xff, size);
	if (port == FW_CFG_PORT + 1)
		data[0] = fw_cfg_read(&b->fw_cfg);
}

static void chipset_whole(struct board *b, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	chipset_port(&b->chipset, port, write, data, size);
}

static void test_whole(struct board *b, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	test_device_port(&b->test, port, write, data, size);
}

static const struct range ranges[] = {
	{ SERIAL_PORT, SERIAL_PORTS, .byte = serial_byte },
	{ RTC_PORT, RTC_PORTS, .byte = rtc_byte },
	{ FW_CFG_PORT, FW_CFG_PORTS, .whole = fw_cfg_whole },
	{ CHIPSET_KEYBOARD_DATA, 1, .whole = chipset_whole },
	{ CHIPSET_KEYBOARD_COMMAND, 1, .whole = chipset_whole },
	{ CHIPSET_POST, 1, .whole = chipset_whole },
	{ CHIPSET_PORT_A, 1, .whole = chipset_whole },
	{ CHIPSET_ACPI, CHIPSET_ACPI_PORTS, .whole = chipset_whole },
	{ CHIPSET_PCI, CHIPSET_PCI_PORTS, .whole = chipset_whole },
	{ TEST_MEMORY_SIZE_PORT, 4, .whole = test_whole },
	{ TEST_LATCH_PORT, TEST_LATCH_PORTS, .whole = test_whole },
	{ TEST_OLD_CONSOLE_PORT, 1, .whole = test_whole },
	{ TEST_EXIT_PORT, TEST_EXIT_PORTS, .whole = test_whole },
	{ TEST_LINE_PORT, TEST_LINES, .whole = test_whole },
};

static const struct range *range_of(unsigned int port)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (port >= ranges[i].first && port - ranges[i].first < ranges[i].count)
			return &ranges[i];
	return NULL;
}

static void access_bytes(struct board *b, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++) {
		const struct range *r = range_of(port + i);

		if (r && r->byte)
			r->byte(b, port + i - r->first, write, data + i);
		else if (!write)
			data[i] = 0xff;
	}
}

bool board_pio(void *ctx, unsigned int cpu, uint16_t port, bool write, void *data, unsigned int size)
{
	const struct range *r = range_of(port);
	struct board *b = ctx;

	(void)cpu;
	/* What goes beyond the end of a device that takes it whole is none of its accesses. */
	if (!r || (r->whole && port + size > (unsigned int)r->first + r->count))
		return false;
	pthread_mutex_lock(&b->lock);
	if (r->whole)
		r->whole(b, port, write, data, size);
	else
		access_bytes(b, port, write, data, size);
	pthread_mutex_unlock(&b->lock);
	return true;
}

bool board_mmio(void *ctx, uint64_t address, bool write, void *data, unsigned int size)
{
	struct board *b = ctx;
	bool mine;

	pthread_mutex_lock(&b->lock);
	mine = test_device_window(&b->test, address, write, data, size);
	pthread_mutex_unlock(&b->lock);
	return mine;
}

/* Until the clock is due, something has changed, or it is time to look how far the machine's clock has come. */
static void wait_for_clock(struct board *b)
{
	int64_t now = b->host.now_ns(b->host.ctx), at = rtc_deadline(&b->rtc), ns;
	struct timespec until;

	if (at == NEVER) {
		pthread_cond_wait(&b->changed, &b->lock);
		return;
	}
	if (at <= now)
		return;
	ns = at - now < LONGEST_WAIT_NS ? at - now : LONGEST_WAIT_NS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / NS_PER_S;
	until.tv_nsec = ns % NS_PER_S;
	pthread_cond_timedwait(&b->changed, &b->lock, &until);
}

static void *clock_thread(void *arg)
{
	struct board *b = arg;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		wait_for_clock(b);
		rtc_expired(&b->rtc);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

void board_init(struct board *b, const struct host *host, uint64_t memory, unsigned int ncpus, int64_t time)
{
	pthread_condattr_t monotonic;

	b->host = *host;
	b->started = b->stop = false;
	serial_init(&b->serial, &b->host);
	rtc_init(&b->rtc, &b->host, time, memory, ncpus);
	fw_cfg_init(&b->fw_cfg, memory, ncpus);
	chipset_init(&b->chipset, &b->host);
	test_device_init(&b->test, &b->host, memory);
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void board_deinit(struct board *b)
{
	if (b->started) {
		pthread_mutex_lock(&b->lock);
		b->stop = true;
		pthread_cond_signal(&b->changed);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, NULL);
	}
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
}

int board_start(struct board *b)
{
	int rc = pthread_create(&b->thread, NULL, clock_thread, b);

	b->started = !rc;
	return -rc;
}

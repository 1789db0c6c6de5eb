/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's devices for test guests: pc-testdev (byte latches, page flush, interrupt lines, a window of memory that
 * exits), isa-debug-exit, isa-debugcon, and of the testdev before them its console and its memory size.
 */
#ifndef TESTS_VMM_TEST_DEVICE_H
#define TESTS_VMM_TEST_DEVICE_H

#include "tests/vmm/host.h"

#define TEST_MEMORY_SIZE_PORT 0xd1
#define TEST_LATCH_PORT 0xe0
#define TEST_LATCH_PORTS 12 /* the latch, the page to flush, the latch once more */
#define TEST_OLD_CONSOLE_PORT 0xf1
#define TEST_EXIT_PORT 0xf4
#define TEST_EXIT_PORTS 4
#define TEST_LINE_PORT 0x2000
#define TEST_LINES 24

#define TEST_WINDOW UINT64_C(0xff000000)
#define TEST_WINDOW_SIZE 0x10000U

struct test_device {
	const struct host *host;
	uint64_t memory;
	uint8_t latch[4];
	uint8_t window[TEST_WINDOW_SIZE];
};

/* test_device_init - @memory: bytes of the machine. @host outlives it. */
void test_device_init(struct test_device *t, const struct host *host, uint64_t memory);

/**
 * test_device_port - an access to one of the ports above
 * @data: @size bytes, little-endian; what is not there reads as all ones
 *
 * 0x2000 + n: line n is up when what is written is not 0. 0xf4: the machine ends with (what is written) * 2 + 1, of
 * which an exit status keeps 8 bits. A byte at 0xe9 is of the console; of a wider access it is of the latch. One at a
 * time.
 */
void test_device_port(struct test_device *t, uint16_t port, bool write, uint8_t *data, unsigned int size);

/* test_device_window - an access within the window. Return: false beyond it. */
bool test_device_window(struct test_device *t, uint64_t address, bool write, uint8_t *data, unsigned int size);

#endif

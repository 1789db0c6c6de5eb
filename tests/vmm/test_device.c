/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/test_device.h"

#include <string.h>

#include "base/endian.h"

#define FLUSH_PORT 0xe4
#define LATCH_AGAIN_PORT 0xe8
#define CONSOLE_PORT 0xe9
#define CONSOLE_IS_THERE 0xe9 /* what a read of it gives */

void test_device_init(struct test_device *t, const struct host *host, uint64_t memory)
{
	t->host = host;
	t->memory = memory;
	memset(t->latch, 0, sizeof(t->latch));
	memset(t->window, 0, sizeof(t->window));
}

static void latch(struct test_device *t, unsigned int at, bool write, uint8_t *data, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++) {
		if (write)
			t->latch[(at + i) % sizeof(t->latch)] = data[i];
		else
			data[i] = t->latch[(at + i) % sizeof(t->latch)];
	}
}

static void console(const struct test_device *t, bool write, uint8_t *data, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++) {
		if (write)
			t->host->put(t->host->ctx, data[i]);
		else
			data[i] = CONSOLE_IS_THERE;
	}
}

static void write_only(const struct test_device *t, uint16_t port, uint64_t value)
{
	const struct host *h = t->host;

	if (port == FLUSH_PORT)
		h->flush_page(h->ctx, (uint32_t)value);
	else if (port == TEST_EXIT_PORT)
		h->quit(h->ctx, (uint8_t)(value << 1 | 1));
	else if (port >= TEST_LINE_PORT)
		h->line(h->ctx, port - TEST_LINE_PORT, value != 0);
}

void test_device_port(struct test_device *t, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	bool latched = port < FLUSH_PORT || (port >= LATCH_AGAIN_PORT && port < LATCH_AGAIN_PORT + sizeof(t->latch));

	if (port == TEST_MEMORY_SIZE_PORT && !write)
		put_le(data, size, t->memory);
	else if (port == TEST_OLD_CONSOLE_PORT || (port == CONSOLE_PORT && size == 1))
		console(t, write, data, size);
	else if (port >= TEST_LATCH_PORT && latched)
		latch(t, port, write, data, size);
	else if (write)
		write_only(t, port, get_le(data, size));
	else
		memset(data, 0xff, size);
}

bool test_device_window(struct test_device *t, uint64_t address, bool write, uint8_t *data, unsigned int size)
{
	if (address < TEST_WINDOW || address - TEST_WINDOW > TEST_WINDOW_SIZE - size)
		return false;
	if (write)
		memcpy(t->window + (address - TEST_WINDOW), data, size);
	else
		memcpy(data, t->window + (address - TEST_WINDOW), size);
	return true;
}

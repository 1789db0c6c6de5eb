/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of the example VMM together: which port is whose, one lock around them, and a thread for the one device
 * that does something by itself, the clock. Nothing here knows KVM.
 */
#ifndef TESTS_VMM_BOARD_H
#define TESTS_VMM_BOARD_H

#include <pthread.h>

#include "tests/vmm/chipset.h"
#include "tests/vmm/fw_cfg.h"
#include "tests/vmm/host.h"
#include "tests/vmm/rtc.h"
#include "tests/vmm/serial.h"
#include "tests/vmm/test_device.h"

struct board {
	struct host host;
	struct serial serial;
	struct rtc rtc;
	struct fw_cfg fw_cfg;
	struct chipset chipset;
	struct test_device test;
	/* private: */
	pthread_mutex_t lock;   /* of all above */
	pthread_cond_t changed; /* the clock's deadline, or @stop */
	pthread_t thread;
	bool started, stop;
};

/**
 * board_init - all devices after power-on
 * @b: memory of the caller
 * @host: what they may ask for; called under the lock of the board
 * @memory: bytes of the machine; @ncpus: their number
 * @time: what the clock shows, seconds since 1970, UTC
 */
void board_init(struct board *b, const struct host *host, uint64_t memory, unsigned int ncpus, int64_t time);

/* board_deinit - ends the thread, too. */
void board_deinit(struct board *b);

/* board_start - from now on the clock's interrupts come by themselves. Return: 0 or -errno. */
int board_start(struct board *b);

/* board_pio/board_mmio - an access of the guest, for struct vmm_io: @ctx is the board. Any thread. */
bool board_pio(void *ctx, unsigned int cpu, uint16_t port, bool write, void *data, unsigned int size);
bool board_mmio(void *ctx, uint64_t address, bool write, void *data, unsigned int size);

#endif

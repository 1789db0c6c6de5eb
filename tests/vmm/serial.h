/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * COM1: a 16550A (National Semiconductor PC16550D) whose line takes each byte at once and never brings one. Its
 * interrupt does not need OUT2, as QEMU's does not.
 */
#ifndef TESTS_VMM_SERIAL_H
#define TESTS_VMM_SERIAL_H

#include "tests/vmm/host.h"

#define SERIAL_PORT 0x3f8
#define SERIAL_PORTS 8
#define SERIAL_IRQ 4

struct serial {
	const struct host *host;
	uint8_t ier, lcr, mcr, lsr, scr, dll, dlm;
	uint8_t rbr;    /* received: only what went round in loopback */
	bool fifo;      /* FCR bit 0 */
	bool thr_empty; /* the interrupt of an empty THR is due */
	bool line;      /* level of IRQ 4 */
};

/* serial_init - after reset. @host outlives it. */
void serial_init(struct serial *s, const struct host *host);

/* serial_read/serial_write - an access to register @reg, 0 to 7. One at a time. */
uint8_t serial_read(struct serial *s, unsigned int reg);
void serial_write(struct serial *s, unsigned int reg, uint8_t value);

#endif

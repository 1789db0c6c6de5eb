/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of the example VMM without a VM: a clock that the tests turn, and a record of what the devices asked for. */
#ifndef TESTS_UNIT_VMM_BED_H
#define TESTS_UNIT_VMM_BED_H

#include "tests/vmm/board.h"

#define BED_LINES 32

struct vmm_bed {
	struct board board;
	int64_t now;
	bool lines[BED_LINES];
	unsigned int rises[BED_LINES]; /* from down to up */
	char printed[256];             /* a string */
	unsigned int nprinted;
	int status; /* of the end; -1: it goes on */
	uint32_t flushed;
};

/* vmm_bed_init - devices after power-on: 64 MiB, three CPUs, 2001-02-03 04:05:06 UTC, a Saturday. vmm_bed_deinit() is due. */
void vmm_bed_init(struct vmm_bed *b);
void vmm_bed_deinit(struct vmm_bed *b);

/* vmm_bed_out/vmm_bed_in - an access to a port, which must be one of the board's. */
void vmm_bed_out(struct vmm_bed *b, uint16_t port, unsigned int size, uint32_t value);
uint32_t vmm_bed_in(struct vmm_bed *b, uint16_t port, unsigned int size);

/* vmm_bed_run - turn the clock; the RTC gets each of its deadlines on the way. */
void vmm_bed_run(struct vmm_bed *b, int64_t to_ns);

#endif

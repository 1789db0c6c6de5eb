/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the devices of the example VMM ask of the machine around them; a test has one of its own. */
#ifndef TESTS_VMM_HOST_H
#define TESTS_VMM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define NEVER INT64_MAX

struct host {
	/* The machine's clock in nanoseconds, from 0 at power-on; never goes back. */
	int64_t (*now_ns)(void *ctx);
	/* The level of an interrupt line has changed, or is told once more. */
	void (*line)(void *ctx, unsigned int gsi, bool level);
	/* The machine ends with this exit status. */
	void (*quit)(void *ctx, int status);
	/* A byte that the guest prints. */
	void (*put)(void *ctx, uint8_t byte);
	/* The guest wants its next access to this page to fault in the host. */
	void (*flush_page)(void *ctx, uint32_t address);
	void *ctx;
};

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two ways to a guest's RAM: in a file, or as it goes by. */
#ifndef IRQSHIFT_CLI_RAM_H
#define IRQSHIFT_CLI_RAM_H

#include "cli/cli.h"
#include "stream/relay.h"

/* Bytes of RAM by their offset in the machine's main block (stream/qemu_pages.h), in one page at a time. */
struct cli_ram {
	void *ctx;
	/* read - Return: 1; 0 when they are not there, with the reason in *@ret_why where there is one; -errno. */
	int (*read)(void *ctx, uint64_t at, void *bytes, size_t len, const char **ret_why, struct irqs_error *reterr);
	/* write - what was read, changed. Return: 0 or -errno. */
	int (*write)(void *ctx, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr);
	bool refuse; /* bytes that a reason keeps from being read: the source can still go on */
};

/* cli_pvclock_repair - repair the clock pages by the plan in @c. Return: c->rc; the reason is c->error, the rest is reported. */
int cli_pvclock_repair(struct cli_conversion *c, const struct cli_ram *ram);

/* cli_pvclock_in_file - the same in the RAM of a stream at rest. */
int cli_pvclock_in_file(struct cli_conversion *c, struct cli_input *in);

/* cli_pvclock_in_relay - the same, from the convert() of a relay with wants_page = pvclock_in_page. */
int cli_pvclock_in_relay(struct cli_conversion *c, struct relay *r);

#endif

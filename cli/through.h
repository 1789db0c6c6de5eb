/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream that is converted while it goes through the command: what convert does with a pipe, and proxy. */
#ifndef IRQSHIFT_CLI_THROUGH_H
#define IRQSHIFT_CLI_THROUGH_H

#include "cli/cli.h"
#include "stream/relay.h"
#include "stream/transport.h"

struct through {
	const struct cli_conversion_options *opt;
	struct cli_conversion conversion; /* its report is there once @converted */
	bool converted;                   /* the filters have run, whatever they said */
	struct relay *relay;
};

/**
 * through_init - load the filters and make the relay
 * @t: ends with through_deinit() if this succeeds
 * @opt: of the conversion; must stay
 * @twin: a twin's vmdescription or NULL; must stay
 * @live: as in struct relay_options
 *
 * Return: 0, or the exit status after the error was printed.
 */
int through_init(struct through *t, const struct cli_conversion_options *opt, const char *twin, size_t twin_size,
		 bool live);
void through_deinit(struct through *t);

/* through_pass - pass() of the way that the stream takes; its context is the struct through. */
int through_pass(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		 struct irqs_error *reterr);

/* through_is_wanted - whether neither end is a file: nothing has to be kept then, and nothing can be taken back. */
bool through_is_wanted(const char *input, const char *output);

/**
 * through_carry - convert from one pipe into another
 * @t: at its start
 * @input: its name, "-": standard input
 * @output: likewise
 *
 * Return: 0, or the exit status after the error was printed.
 */
int through_carry(struct through *t, const char *input, const char *output);

#endif

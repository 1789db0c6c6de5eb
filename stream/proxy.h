/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One live migration between two QEMU processes, converted on its way: what the source sends goes through a relay, what
 * the destination answers goes back as it is. Whatever fails ends both connections, so that the source fails its
 * migration and its guest runs on; a source that opened a return path is told by it, as a destination would.
 */
#ifndef IRQSHIFT_STREAM_PROXY_H
#define IRQSHIFT_STREAM_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/relay.h"

struct proxy_status {
	struct relay_progress relay;
	uint64_t written;   /* bytes that the destination took */
	int64_t elapsed_ms; /* since the start */
	int64_t held_us;    /* from the first byte of a device until all was converted; -1: not yet */
	bool switchover_ack;
	bool shut; /* the destination has said whether it took the machine: */
	uint32_t shut_value;
};

struct proxy_options {
	int source, destination; /* connected sockets, which stay the caller's */
	int listening;           /* where a source's further channels would come; -1: nowhere */
	int cancel;              /* ends it when it can be read from; -1: nothing does */
	struct relay *relay;     /* made with .live */
	/* status - called some ten times a second, when the phase changes, and at the end; or NULL */
	void (*status)(void *ctx, const struct proxy_status *status);
	void *ctx;
	bool plain; /* without io_uring */
};

/**
 * proxy_run - carry one migration from its first byte to its last
 * @opt: who with whom
 * @reterr: what failed, and on whose side
 *
 * Return: 0 when the destination said that it took the machine, or, without a return path, when all bytes were sent;
 * -EOPNOTSUPP when it was refused, -EBADMSG, -ECANCELED, another -errno.
 */
int proxy_run(const struct proxy_options *opt, struct irqs_error *reterr);

#endif

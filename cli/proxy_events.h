/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What proxy says while it works: lines for a person on standard error, or events on standard output. */
#ifndef IRQSHIFT_CLI_PROXY_EVENTS_H
#define IRQSHIFT_CLI_PROXY_EVENTS_H

#include "cli/cli.h"
#include "stream/proxy.h"

struct proxy_events {
	bool json, terminal;
	bool on_line; /* the cursor stands behind a progress line */
	struct proxy_status last;
	bool started, devices;
	int64_t printed_ms; /* when progress was printed last */
	uint64_t printed_bytes;
	double rate; /* bytes a second */
};

void proxy_events_listening(int fd, bool json);
void proxy_events_begin(struct proxy_events *e, bool json);
void proxy_events_connected(struct proxy_events *e);
void proxy_events_status(struct proxy_events *e, const struct proxy_status *status);
void proxy_events_converted(struct proxy_events *e, const struct cli_conversion *c);

/* proxy_events_end - @err: NULL when the migration is done. */
void proxy_events_end(struct proxy_events *e, const struct irqs_error *err);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that keep the module busy until they are killed, each in one way. */
#ifndef IRQSHIFT_TESTS_MODULE_CLIENT_H
#define IRQSHIFT_TESTS_MODULE_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "busy_vm.h"

enum client_kind {
	CLIENT_SUBSCRIBES, /* to all, and reads */
	CLIENT_SLEEPS,     /* the same, and never reads */
	CLIENT_JOINS,      /* the multicast group, and has the events sent there */
	CLIENT_LISTS,      /* LIST_VMS */
	CLIENT_ASKS,       /* GET_STATE of another process's VM */
	CLIENT_GATHERS,    /* batches of a VM of its own */
	CLIENT_CLOSES,     /* the same, while a second thread closes and opens the descriptors in use */
	CLIENT_KINDS
};

/* What they say, in shared memory. */
struct client_tally {
	_Atomic uint64_t tried, done, events, dropped;
	_Atomic int error; /* the last one */
};

/* client_start - in a process of its own; @vm is the VM that CLIENT_ASKS asks. Each goes on when the module is gone for a while. */
pid_t client_start(enum client_kind kind, const struct busy_child *vm, struct client_tally *tally);

/* client_where - prints where in the kernel each thread of a client is. */
void client_where(enum client_kind kind, pid_t pid);

const char *client_name(enum client_kind kind);

/* client_tallies/client_tallies_free - one per kind, shared with the processes. */
struct client_tally *client_tallies(void);
void client_tallies_free(struct client_tally *tallies);

/* client_tell - what they did, as lines for the suite's output. */
void client_tell(const struct client_tally *tallies);

#endif

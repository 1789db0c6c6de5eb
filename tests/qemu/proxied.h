/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two QEMUs and a proxy between them: what the tests of moves and of refusals share. One at a time. */
#ifndef TESTS_QEMU_PROXIED_H
#define TESTS_QEMU_PROXIED_H

#include "tests/qemu/guest_log.h"
#include "tests/qemu/vm.h"

/* Slow enough for a machine that runs two QEMUs beside whatever else it does, and patient with gaps. */
#define WORDS "route=pic dirty=256 lapic_us=60000 oneshot_us=50000 pit_us=50000 lost=1000"
#define LINES_AFTER 14
#define WAIT_MS 12000

enum net { NET_UNIX,
	   NET_TCP };

struct move {
	enum vm_kind from, to;
	enum vm_release release;
	enum net net;
	bool direct; /* without a proxy */
};

struct proxy {
	pid_t pid;
	char listen[128], said[128];
};

/* The two of a move, the source running for a while. */
struct pair {
	struct vm source, destination;
	char incoming[128];
	char why[640];
};

/* proxied_setup/proxied_teardown - of a suite: a folder for sockets and files, which is empty again at the end. */
void proxied_setup(void);
void proxied_teardown(void);

/* proxied_path - a file in that folder. */
void proxied_path(const char *name, char *buf, size_t size);

/** full - Are the long tests wanted? */
bool full(void);

/** skipped - Can this machine not run both kinds? Says so. */
bool skipped(const struct move *move);

/** start_proxy - Start `irqshift proxy --once --json -v` and wait until it listens. With @option when @value is there. 0 or -1. */
int start_proxy(struct proxy *p, enum net net, const char *connect, enum vm_kind to, const char *option, const char *value);

/** end_proxy - Wait for its end. Return: its exit status; @said gets what it printed, for free(). */
int end_proxy(struct proxy *p, char **said);

/** start_pair - Boot the source, wait for some lines, start the destination. 0, or -1 with pair->why. stop_pair() is due. */
int start_pair(struct pair *pair, const struct move *move, const char *words, const char *cpu);
void stop_pair(struct pair *pair);

/** limits_for - What a move may cost on a busy machine: runs of a timer, not a count, a page or a line. */
struct guest_limits limits_for(const struct move *move);

#endif

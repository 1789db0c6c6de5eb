/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process whose memory's lock nobody gets: it writes to a page of a file system that never ends to store the page's contents of
 * before. Any user may have such a file system.
 */
#ifndef IRQSHIFT_TESTS_MODULE_STUCK_MEMORY_H
#define IRQSHIFT_TESTS_MODULE_STUCK_MEMORY_H

#include <sys/types.h>

/* @server: serves the file system; when it ends, or after 20 s, all that waits goes on. */
struct stuck_memory {
	pid_t server;
	int file;
};

/* stuck_memory_open - makes the file system, as root; 0 or -errno: -ENODEV without FUSE. */
int stuck_memory_open(struct stuck_memory *s);

/* stuck_memory_hold - the calling process's memory is stuck in a moment; 0 or -errno. */
int stuck_memory_hold(const struct stuck_memory *s);

/* stuck_memory_close - what is stuck goes on; once or more often, also of a zeroed struct. */
void stuck_memory_close(struct stuck_memory *s);

#endif

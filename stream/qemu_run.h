/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU started to be asked, never to run a guest. It gets a time limit, is killed behind it and is always
 * reaped. What it complains about is kept for the message.
 */
#ifndef IRQSHIFT_STREAM_QEMU_RUN_H
#define IRQSHIFT_STREAM_QEMU_RUN_H

#include <sys/types.h>

#include "base/error.h"

/* Seconds that a QEMU gets when the caller does not say. */
#define QEMU_RUN_LIMIT 30

struct qemu_run_options {
	const char *binary; /* program, found as execvp() does; options may follow it, separated by blanks */
	unsigned int limit; /* seconds; 0: QEMU_RUN_LIMIT */
};

struct qemu_child {
	int talk; /* a socket: its standard input and output; owned */
	/* private: */
	int complaints;
	pid_t pid;
	int64_t deadline_ms;
};

/**
 * qemu_child_start - start a QEMU
 * @c: receives it; ends with qemu_child_stop()
 * @opt: program and limit
 * @args: further arguments, NULL-terminated
 * @inherit: a descriptor that it keeps as number 3, or -1
 *
 * Return: 0 or -errno (-ENOENT when there is no such program).
 */
int qemu_child_start(struct qemu_child *c, const struct qemu_run_options *opt, const char *const *args,
		     int inherit, struct irqs_error *reterr);

/**
 * qemu_child_wait - until it ends by itself
 *
 * Return: 0 when it ended with status 0; -ETIMEDOUT; -EIO with what it complained about last.
 */
int qemu_child_wait(struct qemu_child *c, struct irqs_error *reterr);

/* qemu_child_left_ms - milliseconds until its limit, 0 behind it. */
int qemu_child_left_ms(const struct qemu_child *c);

/* qemu_child_complaint - the last error that it signed, else the last line, else "". Return: @buf. */
char *qemu_child_complaint(const struct qemu_child *c, char *buf, size_t size);

/* qemu_child_stop - kill it if it still runs, reap it, close its descriptors. */
void qemu_child_stop(struct qemu_child *c);

/**
 * qemu_run_dump - what `-dump-vmstate` writes
 * @opt: program and limit
 * @machine: machine type, or NULL for its default
 *
 * Return: a descriptor at the start of the JSON, the caller's to close; -errno.
 */
int qemu_run_dump(const struct qemu_run_options *opt, const char *machine, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands to /dev/irqshift as bare submissions, right or wrong. */
#ifndef IRQSHIFT_TESTS_MODULE_URING_H
#define IRQSHIFT_TESTS_MODULE_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvm/module/uapi.h"

/* uring_command - makes @sqe a command with @batch as its payload; flags and fixed buffers are the caller's. */
void uring_command(struct io_uring_sqe *sqe, int device, uint32_t op, const struct irqshift_batch *batch);

/* uring_fix - has the command name a registered buffer. */
void uring_fix(struct io_uring_sqe *sqe, uint16_t index);

/* uring_wait - waits, at most 10 s, for one completion: its res; -ETIME without one. */
int uring_wait(struct io_uring *ring);

/* uring_run - submits what was prepared and waits for one completion so. */
int uring_run(struct io_uring *ring);

/* uring_batch - one batch from beginning to end; its res, or -errno. @flags are the SQE's. */
int uring_batch(struct io_uring *ring, int device, uint32_t op, struct irqshift_entry *entries, uint32_t count, uint16_t inl,
		unsigned int flags);

/* uring_size - what an entry's size must be for a command that is listed; KVM_GET_MSRS and KVM_SET_MSRS with @nmsrs. */
uint32_t uring_size(uint32_t command, uint32_t nmsrs);

#endif

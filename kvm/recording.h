/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events in a file, as docs/format-events.md describes it: written block by block as they come, so that a recording that
 * was cut short is good up to its last whole block; read as a source like any other.
 */
#ifndef IRQSHIFT_KVM_RECORDING_H
#define IRQSHIFT_KVM_RECORDING_H

#include <sys/types.h>

#include "base/error.h"
#include "kvm/event_source.h"

#define RECORDING_VERSION 1u

/* Moves up to @len bytes. Return: how many, 0 at the end of the input, -errno. */
typedef ssize_t recording_read_fn(void *ctx, void *data, size_t len);
typedef ssize_t recording_write_fn(void *ctx, const void *data, size_t len);

/* recording_read_fd/recording_write_fd - move bytes by read(2), write(2); @ctx points to the descriptor, an int. */
ssize_t recording_read_fd(void *ctx, void *data, size_t len);
ssize_t recording_write_fd(void *ctx, const void *data, size_t len);

/* A thread of the VM's process, so that a reader can name it. */
struct recording_thread {
	uint32_t tid;
	int vcpu;      /* identifier; -1: none that is known */
	char comm[16]; /* terminated */
};

struct recording_writer {
	/* private: */
	recording_write_fn *write;
	void *ctx;
	uint64_t events, lost;
};

/**
 * recording_begin - write the head
 * @w: nothing to release
 * @write: takes the bytes, and has taken them when it returns
 * @there: bit per event type that the source has
 * @note: for a person, such as what the source is; one line of at most 512 bytes; NULL: none
 *
 * Return: 0 or -errno of @write.
 */
int recording_begin(struct recording_writer *w, recording_write_fn *write, void *ctx, uint64_t there, const char *note,
		    struct irqs_error *reterr);

/* recording_threads, recording_events - a block of them. @lost: missing before them. Return: 0 or -errno. */
int recording_threads(struct recording_writer *w, const struct recording_thread *threads, size_t count,
		      struct irqs_error *reterr);
int recording_events(struct recording_writer *w, const struct event_batch *batch, struct irqs_error *reterr);

/* recording_end - without it a reader takes nothing for complete. Return: 0 or -errno. */
int recording_end(struct recording_writer *w, struct irqs_error *reterr);

/* A recording as a source. */
struct recording {
	struct event_source source;             /* first */
	uint64_t pos;                           /* bytes read */
	const struct recording_thread *threads; /* of the last block of them, and... */
	size_t nthreads;
	uint64_t threads_blocks; /* ... how many of these blocks there were */
	const char *note;        /* "" without one */
};

/**
 * recording_open - read the head
 * @read: gives the bytes
 * @ret: a source; event_source_close(&(*ret)->source)
 *
 * Events and fields are known by their names: what this version does not have is skipped, what the recording does not
 * have is 0. Whatever the bytes are, no more than 2 MiB are held of them.
 *
 * Return: 0; -EBADMSG; -EOPNOTSUPP for a newer version of the format; -errno of @read.
 */
int recording_open(recording_read_fn *read, void *ctx, struct recording **ret, struct irqs_error *reterr);

#endif

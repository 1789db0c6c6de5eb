/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The native format: the device sections of a machine as CBOR (RFC 8949), described byte by byte in
 * docs/format-native.md. It describes itself, so a generic CBOR tool reads it, and each section has its
 * length, its path and a CRC-32C. Written and read section by section, through a function that moves bytes:
 * the transport is the caller's.
 *
 * The format holds no RAM: what RAM is transferred by stays what it is.
 */
#ifndef IRQSHIFT_STREAM_NATIVE_H
#define IRQSHIFT_STREAM_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "vmstate/tree.h"

#define NATIVE_VERSION 1u

/* The longest record, and the longest machine type with its end, that is read or written. */
#define NATIVE_RECORD_MAX ((size_t)16 << 20)
#define NATIVE_MACHINE_MAX 256u

struct native_header {
	uint64_t capabilities; /* what the two sides agreed on; 0: nothing was agreed */
	char machine[NATIVE_MACHINE_MAX];
};

/* Moves up to @len bytes. Return: how many, 0 at the end of the input, -errno. */
typedef ssize_t native_read_fn(void *ctx, void *data, size_t len);
typedef ssize_t native_write_fn(void *ctx, const void *data, size_t len);

struct native_writer {
	/* private: */
	native_write_fn *write;
	void *ctx;
	uint64_t sections;
};

struct native_reader {
	struct native_header header;
	/* private: */
	native_read_fn *read;
	void *ctx;
	uint64_t pos, sections;
	uint64_t left; /* records to come, of an array of definite length */
	bool definite, ended;
	uint8_t *body;
	size_t capacity;
};

/* native_read_fd/native_write_fd - move bytes by read(2), write(2); @ctx points to the descriptor, an int. */
ssize_t native_read_fd(void *ctx, void *data, size_t len);
ssize_t native_write_fd(void *ctx, const void *data, size_t len);

/**
 * native_writer_init - start a file or a transfer: the header is written now
 * @w: writer; nothing to release
 * @write: takes the bytes
 * @ctx: handed to @write
 * @header: capability word and machine type
 *
 * Return: 0 or -errno of @write.
 */
int native_writer_init(struct native_writer *w, native_write_fn *write, void *ctx,
		       const struct native_header *header, struct irqs_error *reterr);

/* native_write_section - one section. Return: 0; -EOPNOTSUPP when it is above NATIVE_RECORD_MAX; -errno. */
int native_write_section(struct native_writer *w, const struct vms_node *section, struct irqs_error *reterr);

/* native_writer_finish - the end, without which a reader takes nothing for complete. Return: 0 or -errno. */
int native_writer_finish(struct native_writer *w, struct irqs_error *reterr);

/**
 * native_reader_init - read the header into @r->header
 * @r: reader; ends with native_reader_deinit()
 * @read: gives the bytes
 * @ctx: handed to @read
 * @reterr: what was wrong, with the offset from where reading began
 *
 * No more is read than has to be: behind the end of the format the input stands where it ends.
 *
 * Return: 0; -EBADMSG; -EOPNOTSUPP for a newer version of the format; -errno of @read.
 */
int native_reader_init(struct native_reader *r, native_read_fn *read, void *ctx, struct irqs_error *reterr);
void native_reader_deinit(struct native_reader *r);

/**
 * native_read_section - the next section
 * @t: receives it as its last section
 * @ret: the section; NULL at the end, which has then been checked
 *
 * Return: 0; -EBADMSG for a CRC or length that does not match, or for what is not as documented; -errno.
 */
int native_read_section(struct native_reader *r, struct vms_tree *t, struct vms_node **ret,
			struct irqs_error *reterr);

/* native_write_tree - a whole machine to a descriptor. Return: 0 or -errno. */
int native_write_tree(int fd, const struct vms_node *machine, uint64_t capabilities,
		      struct irqs_error *reterr);

/* native_read_tree - a machine into an empty tree; @ret_capabilities may be NULL. Return: 0 or -errno. */
int native_read_tree(int fd, struct vms_tree *t, uint64_t *ret_capabilities, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the codec do over and over: read a built stream, write it, compare. */
#ifndef TESTS_UNIT_STREAM_CHECK_H
#define TESTS_UNIT_STREAM_CHECK_H

#include "stream/qemu.h"
#include "tests/unit/stream_builder.h"

/* A stream that was read from a builder's bytes. */
struct opened {
	struct qemu_stream s;
	struct irqs_error err;
	int fd, rc;
};

/* sc_open - read what @b holds; sc_close() also after a failure. Return: the result of qemu_stream_read(). */
int sc_open(struct opened *o, const struct stream_builder *b, const struct qemu_read_options *opt);
int sc_open_bytes(struct opened *o, const void *data, size_t len, const struct qemu_read_options *opt);
void sc_close(struct opened *o);

/* sc_write - the bytes that the stream now has; free() them. NULL with @o->rc and @o->err set on failure. */
uint8_t *sc_write(struct opened *o, size_t *ret_len);

/* sc_expect_identity - reading and writing @data gives @data again. */
void sc_expect_identity(const void *data, size_t len, const char *what);

/* sc_expect_fails - @b is not read, with this result, this byte offset and this text in the message. */
void sc_expect_fails(const struct stream_builder *b, int rc, int64_t offset, const char *text);

/* The first section with this name. */
struct vms_node *sc_section(struct opened *o, const char *name, uint32_t instance);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the readers of a stream's parts share: a position in the input, and the pieces found so far. */
#ifndef IRQSHIFT_STREAM_QEMU_READ_PRIV_H
#define IRQSHIFT_STREAM_QEMU_READ_PRIV_H

#include "stream/qemu.h"
#include "stream/qemu_layout.h"
#include "stream/qemu_scan.h"
#include "stream/qemu_walk_priv.h"
#include "stream/vmdesc.h"

struct qemu_reader {
	struct qemu_stream *s;
	const struct qemu_read_options *opt;
	struct irqs_error *reterr;
	uint64_t pos;
	struct qemu_walk walk; /* of what is not a device */
	struct vmdesc vmdesc;  /* of the stream or of a twin */
	struct qemu_layouts layouts;
	bool have_vmdesc, twin;
	uint64_t vmdesc_offset; /* of the stream's own, or the end of the input */
	uint8_t *device_part;   /* without any vmdescription */
	struct qemu_scan scan;
};

/* The codec mark of a section of the stream: its entry in the vmdescription, or this when there is none. */
extern const char qemu_from_stream;

/* qemu_fail - the input is malformed at @at. Return: -EBADMSG. */
int qemu_fail(struct qemu_reader *r, uint64_t at, const char *what);

/* qemu_peek/qemu_take - a big-endian integer of @width bytes; taking it moves the position. */
int qemu_peek(struct qemu_reader *r, uint64_t offset, size_t width, uint64_t *ret);
int qemu_take(struct qemu_reader *r, size_t width, uint64_t *ret);

/* qemu_add_item - a new last piece, from @start to the position; NULL: no memory. */
struct qemu_item *qemu_add_item(struct qemu_reader *r, uint64_t start);

/* qemu_add_raw - bytes from @start to the position that stay as they are; neighbours become one piece. */
int qemu_add_raw(struct qemu_reader *r, uint64_t start);

/* qemu_add_ram - the same, of RAM. */
int qemu_add_ram(struct qemu_reader *r, uint64_t start);

/* qemu_add_node_item - a piece that is written from @n. */
int qemu_add_node_item(struct qemu_reader *r, uint64_t start, int kind, struct vms_node *n, uint32_t section_id);

/* qemu_read_configuration - the configuration section, where there is one. */
int qemu_read_configuration(struct qemu_reader *r);

/**
 * qemu_read_head - header and configuration of a stream that is still coming
 * @data: its first bytes
 * @len: how many are there
 * @ret_mode: receives what the configuration says of the RAM
 * @ret_size: receives how many of them the head has
 *
 * Return: 0; -EAGAIN when more bytes are needed to say anything; -EBADMSG; -ENOMEM.
 */
int qemu_read_head(const void *data, size_t len, struct qemu_ram_mode *ret_mode, size_t *ret_size,
		   struct irqs_error *reterr);

/* qemu_read_rest - as qemu_stream_read(), of a stream whose RAM was cut out; @before: where the walk over it ended. */
int qemu_read_rest(struct qemu_stream *s, int fd, const struct qemu_read_options *opt, const struct qemu_walk *before,
		   struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the pieces of a stream go when it is written: into another file, or into a plan of what changes in its own. */
#ifndef IRQSHIFT_STREAM_QEMU_SINK_PRIV_H
#define IRQSHIFT_STREAM_QEMU_SINK_PRIV_H

#include "stream/qemu.h"

/* Each returns 0 or -errno with @reterr filled; that ends the writing. */
struct qemu_sink {
	/* The next bytes. */
	int (*write)(struct qemu_sink *k, const uint8_t *data, size_t len, struct irqs_error *reterr);
	/* A raw piece of the input, which goes to @pos of the output. */
	int (*keep)(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr);
	/* All of @item was written, from @pos of the output on; not for raw pieces. May be NULL. */
	int (*end)(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr);
};

/* qemu_put_items - all pieces of @s as its tree now is, in their order; see qemu_stream_write(). */
int qemu_put_items(const struct qemu_stream *s, struct qemu_sink *sink, struct irqs_error *reterr);

#endif

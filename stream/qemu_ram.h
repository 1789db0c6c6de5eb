/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walking the "ram" sections of a QEMU stream (migration/ram.c, section version 4) without reading pages. */
#ifndef IRQSHIFT_STREAM_QEMU_RAM_H
#define IRQSHIFT_STREAM_QEMU_RAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/qemu.h"
#include "stream/source.h"

#define QEMU_RAM_VERSION 4

/* What the stream said so far of the RAM encoding. */
struct qemu_ram_mode {
	bool mapped_ram;       /* capability mapped-ram: pages lie at fixed file offsets */
	bool ignore_shared;    /* capability x-ignore-shared: block headers carry an address */
	bool postcopy_advised; /* block headers may carry a page size */
	bool block_named;      /* some page named its block: "continue" has a meaning */
};

/**
 * qemu_ram_walk - find the end of the data of one RAM section
 * @src: the input
 * @offset: behind the section's header; moved behind its end-of-section mark
 * @mode: what is known of the encoding
 * @ram: counted up
 *
 * Knows zero, normal, continued, XBZRLE and compressed pages, block lists with all their variants, multifd
 * flush and mapped-ram. Return: 0; -EBADMSG; -EOPNOTSUPP for RDMA hooks; -errno.
 */
int qemu_ram_walk(struct source *src, uint64_t *offset, struct qemu_ram_mode *mode, struct qemu_ram *ram,
		  struct irqs_error *reterr);

#endif

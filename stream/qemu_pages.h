/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Single pages of a guest's RAM in a stream: where they are, and other bytes in their place. Everything else of the RAM
 * stays what it is: bytes of the input that nobody looks at.
 */
#ifndef IRQSHIFT_STREAM_QEMU_PAGES_H
#define IRQSHIFT_STREAM_QEMU_PAGES_H

#include "stream/qemu.h"

#define QEMU_PAGE_SIZE 4096u

struct qemu_page {
	uint64_t offset; /* in the machine's main block of RAM: "pc.ram", else the largest; a multiple of the page size */
	enum {
		QEMU_PAGE_ABSENT, /* the stream does not have it */
		QEMU_PAGE_ZERO,
		QEMU_PAGE_PLAIN,  /* its bytes are at @at of the input */
		QEMU_PAGE_PACKED, /* compressed, or a difference to what came before (XBZRLE) */
	} kind;
	uint64_t at;
};

/**
 * qemu_pages_find - find pages
 * @s: a stream at rest
 * @pages: offsets are given, the rest is filled: a page that was sent more than once is where it came last
 * @n: how many; the time is linear in them for each page of the stream, so a handful
 *
 * Walks over all RAM, without looking at pages. Return: 0; -EBADMSG, -EOPNOTSUPP as qemu_stream_read(); -errno.
 */
int qemu_pages_find(struct qemu_stream *s, struct qemu_page *pages, size_t n, struct irqs_error *reterr);

/* More would be new kinds of machines. */
#define QEMU_PAGE_PLACES 4u

/**
 * qemu_page_places - where a guest-physical address can be in the main block of RAM
 * @address: below 4 GiB RAM and address are the same; above, QEMU's machines have the rest of the RAM, which begins at
 *           3.5, 3, 2.75 or 2 GiB of the block (hw/i386/pc_piix.c, pc_q35.c): what is there has to say which
 * @ret: receives the offsets
 *
 * Return: how many.
 */
size_t qemu_page_places(uint64_t address, uint64_t ret[QEMU_PAGE_PLACES]);

/**
 * qemu_stream_replace - write other bytes in the place of as many of the RAM
 * @s: the stream
 * @at: where in the input, inside of RAM that is kept
 * @bytes: copied
 * @len: how many
 *
 * Return: 0; -ERANGE when no piece of RAM holds them; -ENOMEM.
 */
int qemu_stream_replace(struct qemu_stream *s, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file that `virsh save` writes and `virsh restore` takes (libvirt src/qemu/qemu_saveimage.h): a header of 92 bytes,
 * the domain's XML and a cookie with room behind them, then QEMU's stream, possibly compressed.
 */
#ifndef IRQSHIFT_STREAM_LIBVIRT_IMAGE_H
#define IRQSHIFT_STREAM_LIBVIRT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/compression.h"
#include "stream/source.h"

#define LIBVIRT_IMAGE_HEADER_SIZE 92u
/* How many bytes of a file are enough to know it. */
#define LIBVIRT_IMAGE_MAGIC_SIZE 16u
/* The most that XML, cookie and their room may be; libvirt's own are some ten KiB and 64 KiB of room. */
#define LIBVIRT_IMAGE_DATA_MAX ((uint32_t)16 << 20)

struct libvirt_image {
	uint32_t version; /* 1 or 2 */
	bool was_running; /* restore lets it run */
	enum compression compression;
	bool sparse;   /* the stream has mapped RAM: it cannot be moved inside the file (libvirt 11.2) */
	char *xml;     /* the domain, one string; malloc() */
	char *cookie;  /* more XML, of libvirt alone; malloc() or NULL */
	uint64_t size; /* bytes before the stream */
	/* private: */
	bool swapped; /* written by a host of the other byte order */
	uint8_t head[LIBVIRT_IMAGE_HEADER_SIZE];
};

/* libvirt_image_is - whether @len bytes at the start of a file say that it is one, finished or not. */
bool libvirt_image_is(const uint8_t *head, size_t len);

/**
 * libvirt_image_read - read everything in front of the stream
 * @img: receives it; release with libvirt_image_deinit()
 * @src: the file
 *
 * Return: 0; -EBADMSG, with the offset; -EOPNOTSUPP for one that is unfinished, or of a version or compression that is
 * not known; -errno.
 */
int libvirt_image_read(struct libvirt_image *img, struct source *src, struct irqs_error *reterr);
void libvirt_image_deinit(struct libvirt_image *img);

/**
 * libvirt_image_fit - find the room for XML and cookie as they now are
 * @img: the image; its size grows, to whole 64 KiB more than is needed, when they do not fit
 *
 * Return: 0; -EOPNOTSUPP when a sparse image would have to grow; -EFBIG above LIBVIRT_IMAGE_DATA_MAX.
 */
int libvirt_image_fit(struct libvirt_image *img, struct irqs_error *reterr);

/**
 * libvirt_image_write_head - write everything in front of the stream
 * @img: the image, after libvirt_image_fit()
 * @fd: written from its position on
 *
 * Return: 0 or -errno.
 */
int libvirt_image_write_head(const struct libvirt_image *img, int fd, struct irqs_error *reterr);

#endif

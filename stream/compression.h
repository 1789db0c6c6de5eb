/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compressed forms that libvirt knows for save images, each as the program of its name reads and writes it. */
#ifndef IRQSHIFT_STREAM_COMPRESSION_H
#define IRQSHIFT_STREAM_COMPRESSION_H

#include "base/error.h"

/* The numbers are those of libvirt's header (enum virQEMUSaveFormat). */
enum compression {
	COMPRESSION_RAW,
	COMPRESSION_GZIP,
	COMPRESSION_BZIP2,
	COMPRESSION_XZ,
	COMPRESSION_LZOP,
	COMPRESSION_ZSTD,
	COMPRESSIONS,
};

/* compression_name - "raw", or the name of the program: "gzip". */
const char *compression_name(enum compression c);

/**
 * compression_unpack - unpack all that follows
 * @c: the form; COMPRESSION_RAW copies
 * @from: read from its position to its end. Several packed files behind each other count as one, zeros between and
 *        behind them as nothing
 * @to: written from its position on
 *
 * Memory is bounded whatever the input says (xz: 128 MiB, lzop: two blocks of 64 MiB, the others below 16 MiB); what
 * comes out is not.
 *
 * Return: 0; -EBADMSG (IRQS_MALFORMED, with the offset in @from's file); -errno.
 */
int compression_unpack(enum compression c, int from, int to, struct irqs_error *reterr);

/* compression_pack - pack all that follows, at the level that libvirt has its programs use. Return: 0 or -errno. */
int compression_pack(enum compression c, int from, int to, struct irqs_error *reterr);

#endif

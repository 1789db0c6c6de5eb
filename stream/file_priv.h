/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_STREAM_FILE_PRIV_H
#define IRQSHIFT_STREAM_FILE_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* file_write_all/file_write_all_at - write all bytes where @fd stands, or at @offset. Return: 0 or -errno. */
int file_write_all(int fd, const void *data, size_t len);
int file_write_all_at(int fd, const void *data, size_t len, uint64_t offset);

#endif

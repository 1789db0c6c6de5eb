/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files in memory. */
#ifndef TESTS_VMM_FILE_H
#define TESTS_VMM_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * file_read - a file, whole
 * @ret: its bytes, release with free()
 * @ret_size: their number, at most 4 GiB
 *
 * Return: 0 or -errno.
 */
int file_read(const char *path, uint8_t **ret, size_t *ret_size, struct irqs_error *reterr);

#endif

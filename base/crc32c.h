/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32C (Castagnoli), RFC 3720 appendix B.4. */
#ifndef IRQSHIFT_BASE_CRC32C_H
#define IRQSHIFT_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c - of @len bytes behind those whose CRC is @crc; 0 to start. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif

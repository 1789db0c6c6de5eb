/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages as differences to what they were (docs/devel/migration or docs/xbzrle.txt of QEMU). */
#ifndef IRQSHIFT_STREAM_XBZRLE_PRIV_H
#define IRQSHIFT_STREAM_XBZRLE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/qemu_pages.h"

/**
 * xbzrle_apply - make a page what it is now
 * @page: what it was
 * @p: the difference: how many bytes stay, how many are other, these, and so on
 * @size: bytes in it
 *
 * Return: whether it is a difference; the page is of no use when not.
 */
bool xbzrle_apply(uint8_t page[QEMU_PAGE_SIZE], const uint8_t *p, size_t size);

#endif

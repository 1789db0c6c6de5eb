/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/fw_cfg.h"

#include <string.h>

#include "base/endian.h"

enum { SIGNATURE = 0x00,
       ID = 0x01,
       RAM_SIZE = 0x03,
       NB_CPUS = 0x05,
       MAX_CPUS = 0x0f,
       FILE_DIR = 0x19 };

#define ID_TRADITIONAL 1 /* no DMA */

/* Return: the bytes that the item has. */
static unsigned int item_bytes(const struct fw_cfg *f, uint8_t *ret)
{
	switch (f->item) {
	case SIGNATURE:
		memcpy(ret, "QEMU", 4);
		return 4;
	case ID:
		put_le(ret, 4, ID_TRADITIONAL);
		return 4;
	case RAM_SIZE:
		put_le(ret, 8, f->memory);
		return 8;
	case NB_CPUS:
	case MAX_CPUS:
		put_le(ret, 2, f->ncpus);
		return 2;
	case FILE_DIR:
		put_be(ret, 4, 0); /* no files */
		return 4;
	default:
		return 0;
	}
}

void fw_cfg_init(struct fw_cfg *f, uint64_t memory, unsigned int ncpus)
{
	*f = (struct fw_cfg){ .memory = memory, .ncpus = ncpus, .item = SIGNATURE };
}

void fw_cfg_select(struct fw_cfg *f, uint16_t item)
{
	f->item = item;
	f->at = 0;
}

uint8_t fw_cfg_read(struct fw_cfg *f)
{
	uint8_t bytes[8] = { 0 };
	unsigned int n = item_bytes(f, bytes);

	return f->at < n ? bytes[f->at++] : 0;
}

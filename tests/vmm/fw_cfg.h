/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The items of QEMU's firmware configuration device that guests without firmware ask for: docs/specs/fw_cfg in QEMU.
 * A selector of 16 bits at 0x510, the bytes of the item at 0x511 one after another, zeros behind its end.
 */
#ifndef TESTS_VMM_FW_CFG_H
#define TESTS_VMM_FW_CFG_H

#include <stdint.h>

#define FW_CFG_PORT 0x510
#define FW_CFG_PORTS 2

struct fw_cfg {
	uint64_t memory;
	unsigned int ncpus;
	uint16_t item;
	uint32_t at; /* the next byte */
};

/* fw_cfg_init - of a machine with @memory bytes and @ncpus CPUs; the item with the signature is selected. */
void fw_cfg_init(struct fw_cfg *f, uint64_t memory, unsigned int ncpus);

/* fw_cfg_select - the guest wrote an item's number. fw_cfg_read - its next byte. One at a time. */
void fw_cfg_select(struct fw_cfg *f, uint16_t item);
uint8_t fw_cfg_read(struct fw_cfg *f);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest finds of a PC's chipset: an empty PCI bus behind 0xcf8 and 0xcfc, the ACPI registers of a PIIX4 at 0x600
 * (PM timer at 0x608), and the ways to reset or power off. Reset ends the machine, as QEMU's -no-reboot.
 */
#ifndef TESTS_VMM_CHIPSET_H
#define TESTS_VMM_CHIPSET_H

#include "tests/vmm/host.h"

#define CHIPSET_KEYBOARD_DATA 0x60
#define CHIPSET_KEYBOARD_COMMAND 0x64
#define CHIPSET_POST 0x80
#define CHIPSET_PORT_A 0x92
#define CHIPSET_ACPI 0x600
#define CHIPSET_ACPI_PORTS 12
#define CHIPSET_PCI 0xcf8
#define CHIPSET_PCI_PORTS 8

struct chipset {
	const struct host *host;
	uint32_t pci_address;
	uint16_t pm1_enable, pm1_control;
	uint8_t post;
};

/* chipset_init - after power-on. @host outlives it. */
void chipset_init(struct chipset *c, const struct host *host);

/**
 * chipset_port - an access to one of the ports above
 * @data: @size bytes, little-endian; what is not there reads as all ones
 *
 * One at a time.
 */
void chipset_port(struct chipset *c, uint16_t port, bool write, uint8_t *data, unsigned int size);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI 4.8.3; PIIX4 (290562), 7.2; PCI 3.0, 3.2.2.3.2; the keyboard controller's command 0xfe of the PC/AT. */
#include "tests/vmm/chipset.h"

#include <string.h>

#include "base/endian.h"

#define PM_TIMER_HZ 3579545
#define PM_TIMER_MASK 0xffffffU
#define NS_PER_S INT64_C(1000000000)

enum { PM1_STATUS = CHIPSET_ACPI,
       PM1_ENABLE = CHIPSET_ACPI + 2,
       PM1_CONTROL = CHIPSET_ACPI + 4,
       PM_TIMER = CHIPSET_ACPI + 8 };

enum { SCI_ENABLE = 0x0001,
       SLEEP_TYPE = 0x1c00, /* 0: soft off, as in QEMU */
       SLEEP_ENABLE = 0x2000 };

#define PCI_DATA (CHIPSET_PCI + 4)
#define RESET_CONTROL (CHIPSET_PCI + 1)
#define RESET_CPU 0x04

#define PORT_A_RESET 0x01
#define PORT_A_A20 0x02 /* always open */

#define KEYBOARD_RESET 0xfe
#define KEYBOARD_IDLE 0x00

void chipset_init(struct chipset *c, const struct host *host)
{
	*c = (struct chipset){ .host = host, .pm1_control = SCI_ENABLE };
}

static uint32_t pm_timer(const struct chipset *c)
{
	int64_t now = c->host->now_ns(c->host->ctx);

	return (uint32_t)(now / NS_PER_S * PM_TIMER_HZ + now % NS_PER_S * PM_TIMER_HZ / NS_PER_S) & PM_TIMER_MASK;
}

/* The 12 bytes at 0x600. */
static void read_acpi(const struct chipset *c, unsigned int at, uint8_t *data, unsigned int size)
{
	uint8_t all[CHIPSET_ACPI_PORTS] = { 0 };

	put_le(all + 2, 2, c->pm1_enable);
	put_le(all + 4, 2, c->pm1_control);
	put_le(all + 8, 4, pm_timer(c));
	memcpy(data, all + at, size);
}

static void read_port(const struct chipset *c, uint16_t port, uint8_t *data, unsigned int size)
{
	memset(data, 0xff, size);
	if (port >= CHIPSET_ACPI && port < CHIPSET_ACPI + CHIPSET_ACPI_PORTS)
		read_acpi(c, port - CHIPSET_ACPI, data, size);
	else if (port == CHIPSET_PCI && size == 4)
		put_le(data, size, c->pci_address);
	else if (port == CHIPSET_POST)
		put_le(data, size, c->post);
	else if (port == CHIPSET_PORT_A)
		put_le(data, size, PORT_A_A20);
	else if (port == CHIPSET_KEYBOARD_COMMAND)
		put_le(data, size, KEYBOARD_IDLE);
}

static void write_control(struct chipset *c, uint16_t value)
{
	c->pm1_control = (uint16_t)((value & ~SLEEP_ENABLE) | SCI_ENABLE);
	if (value & SLEEP_ENABLE && !(value & SLEEP_TYPE))
		c->host->quit(c->host->ctx, 0);
}

static bool resets(uint16_t port, uint64_t value, unsigned int size)
{
	return (port == CHIPSET_KEYBOARD_COMMAND && value == KEYBOARD_RESET) ||
	       (port == CHIPSET_PORT_A && value & PORT_A_RESET) ||
	       (port == RESET_CONTROL && size == 1 && value & RESET_CPU);
}

static void write_port(struct chipset *c, uint16_t port, uint64_t value, unsigned int size)
{
	if (resets(port, value, size))
		c->host->quit(c->host->ctx, 0);
	else if (port == PM1_ENABLE)
		c->pm1_enable = (uint16_t)value;
	else if (port == PM1_CONTROL && size >= 2)
		write_control(c, (uint16_t)value);
	else if (port == CHIPSET_PCI && size == 4)
		c->pci_address = (uint32_t)value;
	else if (port == CHIPSET_POST)
		c->post = (uint8_t)value;
}

void chipset_port(struct chipset *c, uint16_t port, bool write, uint8_t *data, unsigned int size)
{
	if (write)
		write_port(c, port, get_le(data, size), size);
	else
		read_port(c, port, data, size);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine's controllers, a clock that tests move, and what they told their VMM. */
#ifndef TESTS_UNIT_IRQCHIP_BED_H
#define TESTS_UNIT_IRQCHIP_BED_H

#include "userspace/irqchip_model.h"

#define IRQCHIP_BED_CPUS 4
#define IRQCHIP_BED_LOG 16

struct irqchip_bed {
	struct irqchip_model m;
	struct lapic_model lapics[IRQCHIP_BED_CPUS];
	int64_t now_ns;
	int64_t armed_ns[IRQCHIP_BED_CPUS + 1]; /* the PIT last */
	unsigned int kicks[IRQCHIP_BED_CPUS];
	struct {
		uint64_t address;
		uint32_t data;
		unsigned int routes; /* how often routes were told before */
	} msis[IRQCHIP_BED_LOG];
	unsigned int nmsis, nroutes;
};

/* irqchip_bed_config - two CPUs, LAPICs with everything, an IOAPIC 0x11. */
struct irqchip_model_config irqchip_bed_config(struct irqchip_bed *bed, enum irqchip_mode mode);

/* irqchip_bed_init - such a machine; of mode none the LAPICs are enabled (SVR 0x1ff). */
void irqchip_bed_init(struct irqchip_bed *bed, enum irqchip_mode mode);

/* irqchip_bed_out/irqchip_bed_in - one byte at a port. */
void irqchip_bed_out(struct irqchip_bed *bed, uint16_t port, uint8_t value);
uint8_t irqchip_bed_in(struct irqchip_bed *bed, uint16_t port);

/* irqchip_bed_lapic - write a register of the page at 0xfee00000. irqchip_bed_rte - an entry of the IOAPIC. */
void irqchip_bed_lapic(struct irqchip_bed *bed, unsigned int cpu, uint32_t offset, uint32_t value);
void irqchip_bed_rte(struct irqchip_bed *bed, unsigned int pin, uint64_t rte);

/* irqchip_bed_pics - initialise both: vectors 0x20 and 0x28, only @unmasked lines of 16 are open. */
void irqchip_bed_pics(struct irqchip_bed *bed, uint16_t unmasked);

/* irqchip_bed_state - what irqchip_model_get() gives; its lapics are a static array. */
struct irqchip_state irqchip_bed_state(struct irqchip_bed *bed);

#endif

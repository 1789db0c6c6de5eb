/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LAPIC models on a bus with an IOAPIC, a clock that tests move, and what the first few told their VMM. */
#ifndef TESTS_UNIT_APIC_BED_H
#define TESTS_UNIT_APIC_BED_H

#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"

#define BED_CPUS 4

/* The TSC runs at 2 GHz. */
#define BED_TSC_KHZ 2000000

struct apic_bed {
	struct apic_bus bus;
	struct lapic_model cpu[BED_CPUS];
	struct ioapic_model ioapic;
	int64_t now_ns;
	int64_t armed_ns[BED_CPUS];
	unsigned int arms[BED_CPUS], kicks[BED_CPUS];
	uint64_t page[BED_CPUS];
	uint64_t tsc_offset;
	uint8_t ncpus;
};

/* bed_config - what bed_init() uses for CPU 0: everything there is, IDs 0 to 3. */
struct lapic_model_config bed_config(struct apic_bed *bed);

/* bed_init - @ncpus enabled LAPICs (SVR 0x1ff), of which the first is the BSP, and an IOAPIC 0x20. */
void bed_init(struct apic_bed *bed, unsigned int ncpus);

/* bed_init_with - the same with another config and LAPICs as after power-up. */
void bed_init_with(struct apic_bed *bed, unsigned int ncpus, struct lapic_model_config config);

/* bed_x2apic - switch a CPU to x2APIC mode. */
void bed_x2apic(struct apic_bed *bed, unsigned int cpu);

/* bed_read/bed_write - a 32-bit register of the page. */
uint32_t bed_read(struct apic_bed *bed, unsigned int cpu, uint32_t offset);
void bed_write(struct apic_bed *bed, unsigned int cpu, uint32_t offset, uint32_t value);

/* bed_rdmsr - a register that can be read. */
uint64_t bed_rdmsr(struct apic_bed *bed, unsigned int cpu, uint32_t index);

/* bed_ipi - write ICR2 and ICR of CPU 0. */
void bed_ipi(struct apic_bed *bed, uint32_t dest, uint32_t icr);

/* bed_send - a fixed message to one APIC ID. */
unsigned int bed_send(struct apic_bed *bed, uint32_t id, uint8_t vector, bool level);

/* bed_requested - whether a vector is in IRR. */
bool bed_requested(const struct apic_bed *bed, unsigned int cpu, uint8_t vector);

/* bed_pass - let time pass; timers that were armed run out on the way. */
void bed_pass(struct apic_bed *bed, int64_t ns);

#endif

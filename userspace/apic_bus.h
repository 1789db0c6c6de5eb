/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interrupt bus of a machine with emulated LAPICs: it takes a message to the LAPICs that it is for, and an EOI
 * to the IOAPICs. Manual: Intel SDM volume 3A, 11.6.2 and 11.11.
 *
 * The locking rule, for apic_bus, lapic_model and ioapic_model: the caller has one lock per bus, and holds it around
 * every call that takes the bus or a chip of the bus. "Any thread" below means any thread that holds it; "the vCPU's
 * thread" means the thread that runs that vCPU, holding it too: what it asks or does is ordered with the guest's
 * instructions. Callbacks are made with the lock held and must not call back into the bus or a chip, except that an
 * IOAPIC's msi callback may be apic_bus_msi().
 *
 * Nothing here allocates, blocks or has threads. All structures belong to the caller and must not move while they are
 * in use; their members are private.
 */
#ifndef IRQSHIFT_USERSPACE_APIC_BUS_H
#define IRQSHIFT_USERSPACE_APIC_BUS_H

#include "apic/lapic.h"

#define APIC_BUS_CPUS 1024
#define APIC_BUS_WORDS (APIC_BUS_CPUS / 64)

/* A destination that is every LAPIC, whatever its mode. */
#define APIC_BROADCAST UINT32_MAX

struct ioapic_model;
struct lapic_model;

/* An interrupt message (SDM 3A 11.6.1, 11.11). */
struct apic_message {
	uint32_t dest; /* APIC ID or logical destination, or APIC_BROADCAST */
	uint8_t vector;
	uint8_t delivery; /* enum lapic_delivery */
	bool logical;     /* dest is a logical destination */
	bool level;       /* level-triggered */
	bool deassert;    /* with level: takes the request back, which no LAPIC does */
	bool one;         /* one of the destinations is enough: lowest priority, or the redirection hint */
};

/* A set of CPUs by their index. */
struct apic_set {
	uint64_t words[APIC_BUS_WORDS];
};

struct apic_bus {
	/* private: */
	struct lapic_model *cpus[APIC_BUS_CPUS];
	unsigned int ncpus;
	struct ioapic_model *ioapics;
	bool ext_dest_id;
	uint16_t last_lowest; /* index of the CPU that lowest priority chose last */

	/* Where the CPUs are found, kept in step with their registers. */
	struct {
		uint32_t id;
		uint8_t logical, cluster; /* as xAPIC: LDR, and whether the model is cluster */
		bool present, x2apic;
	} keys[APIC_BUS_CPUS];
	uint16_t by_id[APIC_BUS_CPUS];   /* first CPU, plus 1, of those whose id has these low bits */
	uint16_t next_id[APIC_BUS_CPUS]; /* the next one, plus 1 */
	struct apic_set present, xapic;
	struct apic_set flat[8];        /* by bit of the logical ID */
	struct apic_set cluster[16][4]; /* by cluster and bit */
};

/**
 * apic_bus_init - a bus without chips
 * @ext_dest_id: bits 5 to 11 of an MSI address are bits 8 to 14 of the destination (KVM_FEATURE_MSI_EXT_DEST_ID)
 *
 * Before any other thread knows the bus.
 */
void apic_bus_init(struct apic_bus *bus, bool ext_dest_id);

/**
 * apic_bus_add_lapic - connect a LAPIC; its index is the number of those that were connected before
 *
 * Any thread. Return: the index, or -ENOSPC.
 */
int apic_bus_add_lapic(struct apic_bus *bus, struct lapic_model *m);

/* apic_bus_add_ioapic - connect an IOAPIC, so that it sees EOIs. Any thread. */
void apic_bus_add_ioapic(struct apic_bus *bus, struct ioapic_model *m);

/**
 * apic_bus_send - take a message to its destinations
 *
 * Any thread. Return: how many LAPICs accepted it.
 */
unsigned int apic_bus_send(struct apic_bus *bus, const struct apic_message *msg);

/**
 * apic_bus_msi - the message that a device's write means
 * @address: SDM 3A 11.11.1; the upper half holds bits 8 to 31 of the destination, as in struct kvm_msi
 * @data: SDM 3A 11.11.2
 *
 * Any thread. Return: how many LAPICs accepted it; -EINVAL when @address is none of an interrupt message.
 */
int apic_bus_msi(struct apic_bus *bus, uint64_t address, uint32_t data);

/* apic_bus_eoi - tell the IOAPICs that a level-triggered vector is done. Any thread; LAPICs of the bus call it. */
void apic_bus_eoi(struct apic_bus *bus, uint8_t vector);

/*
 * apic_bus_find - the CPUs that a message is for, before lowest priority chooses and before any of them accepts
 * it. Any thread.
 */
void apic_bus_find(const struct apic_bus *bus, const struct apic_message *msg, struct apic_set *ret);

#endif

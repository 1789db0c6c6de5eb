/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "userspace/apic_bus.h"

#include <errno.h>
#include <string.h>

#include "userspace/ioapic_model.h"
#include "userspace/lapic_model_priv.h"

/* The ID whose destination is every LAPIC in xAPIC mode. */
#define XAPIC_BROADCAST 0xff

/* SDM 3A figures 11-26 and 11-27. */
#define MSI_ADDRESS_MASK UINT64_C(0xfff00000)
#define MSI_ADDRESS UINT64_C(0xfee00000)
#define MSI_REDIRECTION UINT64_C(0x8)
#define MSI_LOGICAL UINT64_C(0x4)
#define MSI_ASSERT UINT32_C(0x4000)
#define MSI_LEVEL UINT32_C(0x8000)

/* SVR: focus processor checking is off (SDM 3A 11.9). */
#define SVR_NO_FOCUS UINT32_C(0x200)

static void set_add(struct apic_set *set, unsigned int cpu)
{
	set->words[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static void set_remove(struct apic_set *set, unsigned int cpu)
{
	set->words[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
}

static void set_join(struct apic_set *set, const struct apic_set *other)
{
	for (unsigned int w = 0; w < APIC_BUS_WORDS; w++)
		set->words[w] |= other->words[w];
}

/* The first CPU of a set that is not below @from, or -1. */
static int set_next(const struct apic_set *set, unsigned int from)
{
	for (unsigned int w = from / 64; w < APIC_BUS_WORDS; w++) {
		uint64_t word = set->words[w];

		if (w == from / 64)
			word &= UINT64_MAX << from % 64;
		if (word)
			return (int)(64 * w) + __builtin_ctzll(word);
	}
	return -1;
}

void apic_bus_init(struct apic_bus *bus, bool ext_dest_id)
{
	memset(bus, 0, sizeof(*bus));
	bus->ext_dest_id = ext_dest_id;
}

int apic_bus_add_lapic(struct apic_bus *bus, struct lapic_model *m)
{
	if (bus->ncpus == APIC_BUS_CPUS)
		return -ENOSPC;
	bus->cpus[bus->ncpus] = m;
	return (int)bus->ncpus++;
}

void apic_bus_add_ioapic(struct apic_bus *bus, struct ioapic_model *m)
{
	m->next = bus->ioapics;
	bus->ioapics = m;
}

/* ---- where the CPUs are found ---- */

static void unchain(struct apic_bus *bus, unsigned int cpu)
{
	uint16_t *link = &bus->by_id[bus->keys[cpu].id % APIC_BUS_CPUS];

	while (*link != cpu + 1)
		link = &bus->next_id[*link - 1];
	*link = bus->next_id[cpu];
}

static void chain(struct apic_bus *bus, unsigned int cpu)
{
	uint16_t *head = &bus->by_id[bus->keys[cpu].id % APIC_BUS_CPUS];

	bus->next_id[cpu] = *head;
	*head = (uint16_t)(cpu + 1);
}

/* What a logical destination is compared with in xAPIC mode: one set per bit of LDR. */
static struct apic_set *logical_set(struct apic_bus *bus, unsigned int cpu, unsigned int bit)
{
	uint8_t ldr = bus->keys[cpu].logical;

	if (!(ldr >> bit & 1) || bus->keys[cpu].x2apic)
		return NULL;
	if (!bus->keys[cpu].cluster)
		return &bus->flat[bit];
	return bit < 4 ? &bus->cluster[ldr >> 4][bit] : NULL;
}

static void forget_keys(struct apic_bus *bus, unsigned int cpu)
{
	if (!bus->keys[cpu].present)
		return;
	unchain(bus, cpu);
	for (unsigned int bit = 0; bit < 8; bit++) {
		struct apic_set *set = logical_set(bus, cpu, bit);

		if (set)
			set_remove(set, cpu);
	}
	set_remove(&bus->present, cpu);
	set_remove(&bus->xapic, cpu);
	bus->keys[cpu].present = false;
}

void apic_bus_update(struct apic_bus *bus, const struct lapic_model *m)
{
	unsigned int cpu = m->cpu;

	forget_keys(bus, cpu);
	if (!(m->s.apic_base & LAPIC_BASE_ENABLE))
		return;
	bus->keys[cpu].present = true;
	bus->keys[cpu].id = lapic_id(&m->s);
	bus->keys[cpu].x2apic = lapic_x2apic(&m->s);
	bus->keys[cpu].logical = (uint8_t)(lapic_reg(&m->s, LAPIC_LDR) >> 24);
	bus->keys[cpu].cluster = lapic_reg(&m->s, LAPIC_DFR) >> 28 != 0xf;
	chain(bus, cpu);
	for (unsigned int bit = 0; bit < 8; bit++) {
		struct apic_set *set = logical_set(bus, cpu, bit);

		if (set)
			set_add(set, cpu);
	}
	set_add(&bus->present, cpu);
	if (!bus->keys[cpu].x2apic)
		set_add(&bus->xapic, cpu);
}

static void find_id(const struct apic_bus *bus, uint32_t id, bool x2apic_only, struct apic_set *ret)
{
	for (unsigned int next = bus->by_id[id % APIC_BUS_CPUS]; next; next = bus->next_id[next - 1])
		if (bus->keys[next - 1].id == id && (bus->keys[next - 1].x2apic || !x2apic_only))
			set_add(ret, next - 1);
}

static void find_logical(const struct apic_bus *bus, uint32_t dest, struct apic_set *ret)
{
	/* x2APIC: a cluster is 16 IDs in a row (SDM 3A 11.12.10.2). */
	for (uint32_t bits = dest & 0xffff; bits; bits &= bits - 1)
		find_id(bus, dest >> 16 << 4 | (uint32_t)__builtin_ctz(bits), true, ret);
	if (dest > 0xff)
		return;
	for (unsigned int bit = 0; bit < 8; bit++)
		if (dest >> bit & 1)
			set_join(ret, &bus->flat[bit]);
	for (unsigned int bit = 0; bit < 4; bit++)
		if (dest >> bit & 1)
			set_join(ret, &bus->cluster[dest >> 4][bit]);
}

void apic_bus_find(const struct apic_bus *bus, const struct apic_message *msg, struct apic_set *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (msg->dest == APIC_BROADCAST) {
		*ret = bus->present;
		return;
	}
	if (msg->logical)
		find_logical(bus, msg->dest, ret);
	else
		find_id(bus, msg->dest, false, ret);
	if (msg->dest == XAPIC_BROADCAST)
		set_join(ret, &bus->xapic);
}

/* ---- sending ---- */

static bool has_focus(const struct lapic_state *s, uint8_t vector)
{
	return !(lapic_reg(s, LAPIC_SVR) & SVR_NO_FOCUS) &&
	       (lapic_bank_test(s, LAPIC_ISR, vector) || lapic_bank_test(s, LAPIC_IRR, vector));
}

/*
 * SDM 3A 11.6.2.4: the focus processor, else the lowest arbitration priority; among equals the next one after the
 * CPU that was chosen last.
 */
static int choose(struct apic_bus *bus, const struct apic_set *set, uint8_t vector)
{
	unsigned int distance = 0, best_distance = 0;
	int best = -1, lowest = 0;

	for (int cpu = set_next(set, 0); cpu >= 0; cpu = set_next(set, (unsigned int)cpu + 1)) {
		const struct lapic_state *s = &bus->cpus[cpu]->s;
		int priority = lapic_arbitration(s);

		if (!lapic_enabled(s))
			continue;
		if (has_focus(s, vector))
			return cpu;
		distance = ((unsigned int)cpu + APIC_BUS_CPUS - 1 - bus->last_lowest) % APIC_BUS_CPUS;
		if (best < 0 || priority < lowest || (priority == lowest && distance < best_distance)) {
			best = cpu;
			lowest = priority;
			best_distance = distance;
		}
	}
	if (best >= 0)
		bus->last_lowest = (uint16_t)best;
	return best;
}

static unsigned int deliver(struct apic_bus *bus, const struct apic_set *set, const struct apic_message *msg)
{
	unsigned int accepted = 0;

	for (unsigned int w = 0; w < APIC_BUS_WORDS; w++)
		for (uint64_t word = set->words[w]; word; word &= word - 1)
			accepted += lapic_model_accept(bus->cpus[64 * w + (unsigned int)__builtin_ctzll(word)], msg);
	return accepted;
}

static unsigned int send_to(struct apic_bus *bus, const struct apic_set *set, const struct apic_message *msg)
{
	int cpu;

	if (!msg->one)
		return deliver(bus, set, msg);
	cpu = choose(bus, set, msg->vector);
	return cpu >= 0 && lapic_model_accept(bus->cpus[cpu], msg);
}

unsigned int apic_bus_send(struct apic_bus *bus, const struct apic_message *msg)
{
	struct apic_set set;

	apic_bus_find(bus, msg, &set);
	return send_to(bus, &set, msg);
}

void apic_bus_send_others(struct apic_bus *bus, unsigned int cpu, const struct apic_message *msg)
{
	struct apic_set set = bus->present;

	set_remove(&set, cpu);
	send_to(bus, &set, msg);
}

int apic_bus_msi(struct apic_bus *bus, uint64_t address, uint32_t data)
{
	struct apic_message msg = {
		.dest = (uint32_t)(address >> 12 & 0xff) | ((uint32_t)(address >> 32) & 0xffffff00),
		.vector = (uint8_t)data,
		.delivery = data >> 8 & 7,
		.logical = address & MSI_LOGICAL,
		.level = data & MSI_LEVEL,
		.deassert = data & MSI_LEVEL && !(data & MSI_ASSERT),
	};

	if ((address & MSI_ADDRESS_MASK) != MSI_ADDRESS)
		return -EINVAL;
	if (bus->ext_dest_id)
		msg.dest |= (uint32_t)(address >> 5 & 0x7f) << 8;
	/* The field has 8 bits, whatever mode the CPUs are in. */
	if (msg.dest == XAPIC_BROADCAST)
		msg.dest = APIC_BROADCAST;
	msg.one = msg.delivery == LAPIC_LOWEST_PRIORITY || (address & MSI_REDIRECTION && msg.delivery == LAPIC_FIXED);
	return (int)apic_bus_send(bus, &msg);
}

void apic_bus_eoi(struct apic_bus *bus, uint8_t vector)
{
	for (struct ioapic_model *m = bus->ioapics; m; m = m->next)
		ioapic_model_eoi(m, vector);
}

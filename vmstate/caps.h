/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Capabilities: what one side of a migration can hold, as a word of bits. Both sides are asked, and both then
 * keep to the intersection. A side that says nothing has the word zero: the old protocol. A bit, once given,
 * keeps its number and its meaning.
 */
#ifndef IRQSHIFT_VMSTATE_CAPS_H
#define IRQSHIFT_VMSTATE_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum caps_bit {
	/* How state is encoded. */
	CAPS_NATIVE_FORMAT = 0,
	CAPS_JSON_FORMAT = 1,
	CAPS_VMDESCRIPTION = 2,
	CAPS_SECTION_FOOTERS = 3,
	CAPS_CONFIGURATION = 4,
	CAPS_MAPPED_RAM = 5,
	CAPS_MULTIFD = 6,
	CAPS_XBZRLE = 7,
	CAPS_POSTCOPY_RAM = 8,
	CAPS_COMPRESS = 9,
	CAPS_IGNORE_SHARED = 10,
	CAPS_SWITCHOVER_ACK = 11,

	/* Who runs the CPU, and where the interrupt controllers can be. */
	CAPS_KVM = 16,
	CAPS_TCG = 17,
	CAPS_IRQCHIP_KERNEL = 18,
	CAPS_IRQCHIP_SPLIT = 19,
	CAPS_IRQCHIP_OFF = 20,

	/* What the kernel's irqchip can do. */
	CAPS_PIT2 = 21,
	CAPS_PIT_STATE2 = 22,
	CAPS_REINJECT_CONTROL = 23,
	CAPS_X2APIC_API = 24,
	CAPS_APIC_BUS_CYCLES = 25,
	CAPS_VCPU_EVENTS = 26,
	CAPS_MP_STATE = 27,
	CAPS_ADJUST_CLOCK = 28,
	CAPS_IRQ_ROUTING = 29,
	CAPS_SIGNAL_MSI = 30,

	/* What a guest under KVM can have. */
	CAPS_KVM_X2APIC = 32,
	CAPS_KVM_TSC_DEADLINE = 33,
	CAPS_KVM_INVARIANT_TSC = 34,
	CAPS_KVM_TSC_SCALING = 35,
	CAPS_KVM_CLOCK = 36,
	CAPS_KVM_PV_EOI = 37,
	CAPS_KVM_STEAL_TIME = 38,
	CAPS_KVM_ASYNC_PF = 39,
	CAPS_KVM_HYPERV_SYNIC = 40,
	CAPS_KVM_XEN = 41,
	CAPS_KVM_NESTED_STATE = 42,
	CAPS_KVM_TRIPLE_FAULT = 43,
	CAPS_KVM_EXCEPTION_PAYLOAD = 44,
	CAPS_KVM_SMM = 45,

	/* What a guest under TCG can have, and what the emulated chips know. */
	CAPS_TCG_X2APIC = 48,
	CAPS_TCG_TSC_DEADLINE = 49,
	CAPS_PIC_LTIM = 52,
};

/* The most that the rate of a TSC can be, in kHz: above any real one by far. */
#define CAPS_TSC_KHZ_MAX 100000000

#define CAPS_MASK(bit) (UINT64_C(1) << (bit))

/* One bit. */
struct caps_row {
	const char *name;
	enum caps_bit bit;
	const char *meaning;
};

/* By rising bit, NULL name last. */
extern const struct caps_row caps_rows[];

/* Names, in no particular order; copied into the arena of their owner. */
struct caps_list {
	const char **names;
	size_t count;
	/* private: */
	size_t capacity;
};

struct caps {
	uint64_t word;                       /* bits of caps_rows, and perhaps of newer versions of it */
	const char *source;                  /* "host", "qemu"..., "" when it said nothing */
	const char *version;                 /* of that, in its own words, or "" */
	unsigned int qemu_major, qemu_minor; /* 0, 0: no QEMU, or not stated */
	uint64_t tsc_khz;                    /* rate of the TSC that a guest has there by default; 0: not stated */
	struct caps_list machines;           /* machine types */
	struct caps_list migration;          /* migration capabilities by QEMU's names */
	/* private: */
	struct arena arena;
};

/* caps_init/caps_deinit - a side that says nothing. */
void caps_init(struct caps *c);
void caps_deinit(struct caps *c);

/* caps_set - give it a bit. */
void caps_set(struct caps *c, enum caps_bit bit);

/* caps_has - whether it has a bit. */
bool caps_has(const struct caps *c, enum caps_bit bit);

/* caps_find_name/caps_find_bit - a row by name or by bit, or NULL. */
const struct caps_row *caps_find_name(const char *name);
const struct caps_row *caps_find_bit(unsigned int bit);

/* caps_string - a copy that lives as long as @c, or NULL when out of memory. */
const char *caps_string(struct caps *c, const char *text);

/* caps_list_add - one more name, copied. Return: 0 or -ENOMEM. */
int caps_list_add(struct caps *c, struct caps_list *list, const char *name);

/**
 * caps_common - what both can
 * @a: one side
 * @b: the other
 * @ret: receives the bits, machine types and migration capabilities of both, the older of two stated QEMU versions, and a
 *       rate of the TSC that both have; release with caps_deinit()
 *
 * Return: 0 or -ENOMEM.
 */
int caps_common(const struct caps *a, const struct caps *b, struct caps *ret, struct irqs_error *reterr);

/**
 * caps_combine - one side of two halves: a QEMU on a host
 * @qemu: what the program can
 * @host: what the kernel under it can
 * @ret: receives the irqchips that both can, what only the kernel decides from @host, all else from @qemu; the rate of the
 *       TSC from @host where it says one. Release with caps_deinit()
 *
 * Return: 0 or -ENOMEM.
 */
int caps_combine(const struct caps *qemu, const struct caps *host, struct caps *ret,
		 struct irqs_error *reterr);

/* caps_set_migration - a migration capability by QEMU's name: listed, and its bit set where it has one. */
int caps_set_migration(struct caps *c, const char *name);

#endif

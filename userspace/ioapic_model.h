/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An emulated IOAPIC: Intel 82093AA (version 0x11), and with the EOI register of its successors (0x20, ICH7 data sheet
 * 10.5). Any number per machine, each with 1 to 240 pins. The first 24 pins are kept in a struct ioapic_state. The locking
 * rule is in userspace/apic_bus.h; "any thread" is any thread that holds the bus's lock, or a lock of its own when the
 * IOAPIC is on no bus (a split irqchip).
 */
#ifndef IRQSHIFT_USERSPACE_IOAPIC_MODEL_H
#define IRQSHIFT_USERSPACE_IOAPIC_MODEL_H

#include "apic/ioapic.h"
#include "base/error.h"

#define IOAPIC_MODEL_PINS 240
#define IOAPIC_MODEL_SIZE 0x100 /* bytes of the window */

struct ioapic_model_config {
	/*
	 * Send a message: apic_bus_msi(), KVM_SIGNAL_MSI. Bits 5 to 11 of the address are set with ext_dest_id
	 * only. Return: how many LAPICs accepted it, 0 or less when none did.
	 */
	int (*msi)(void *ctx, uint64_t address, uint32_t data);
	void *ctx;
	uint64_t base;    /* guest-physical address of the window */
	uint8_t version;  /* IOAPIC_VERSION_11 or IOAPIC_VERSION_20 */
	uint8_t npins;    /* 1 to 240 */
	uint8_t id;       /* at reset, 0 to 15 */
	bool ext_dest_id; /* bits 49 to 55 of an entry are bits 8 to 14 of the destination */
	bool electrical;  /* lines are voltages, asserted when they differ from the polarity bit; else 1 is asserted */
};

struct ioapic_model {
	/* private: */
	struct ioapic_state s;
	uint64_t more_redirtbl[IOAPIC_MODEL_PINS - IOAPIC_PINS];
	uint64_t more_irr[4], lines[4]; /* by pin; the first 24 of irr are in s */
	struct ioapic_model_config config;
	uint64_t writable, reserved; /* bits of an entry */
	struct ioapic_model *next;   /* on its bus */
};

/* ioapic_model_init - as after reset, all lines low. Any thread. Return: 0, or -EINVAL for a config out of range. */
int ioapic_model_init(struct ioapic_model *m, const struct ioapic_model_config *config);

/* ioapic_model_reset - as after RESET; lines keep their level. Any thread. */
void ioapic_model_reset(struct ioapic_model *m);

/**
 * ioapic_model_get - the state; pins beyond the 24th are read with ioapic_model_pin()
 *
 * Any thread. Pins that there are not are unknown.
 */
void ioapic_model_get(const struct ioapic_model *m, struct ioapic_state *ret);

/**
 * ioapic_model_set - continue from a state; what is unknown in it is as after reset
 * @reterr: IRQS_REFUSED: which member this IOAPIC cannot represent
 *
 * Any thread, after all LAPICs are set. A bit of irr of a level-triggered pin is the line's level, until
 * ioapic_model_hold() says otherwise; nothing is delivered by this call: see ioapic_model_resume().
 *
 * Return: 0; -EOPNOTSUPP for another version, then nothing changed.
 */
int ioapic_model_set(struct ioapic_model *m, const struct ioapic_state *s, struct irqs_error *reterr);

/* ioapic_model_check - only the checks of ioapic_model_set(). Any thread. */
int ioapic_model_check(const struct ioapic_model *m, const struct ioapic_state *s, struct irqs_error *reterr);

/* ioapic_model_pin/ioapic_model_set_pin - entry and request of one pin, as in struct ioapic_state. -EINVAL: no such pin. */
int ioapic_model_pin(const struct ioapic_model *m, unsigned int pin, uint64_t *ret_rte, bool *ret_irr);
int ioapic_model_set_pin(struct ioapic_model *m, unsigned int pin, uint64_t rte, bool irr);

/* ioapic_model_hold - after a restore: the level that a line has had. No edge. Nothing for a pin that is not there. */
void ioapic_model_hold(struct ioapic_model *m, unsigned int pin, bool level);

/* ioapic_model_resume - deliver what waits and can be delivered; the last step of a restore. Any thread. */
void ioapic_model_resume(struct ioapic_model *m);

/* ioapic_model_decodes - whether the window is at a guest-physical address. Any thread. */
bool ioapic_model_decodes(const struct ioapic_model *m, uint64_t address);

/**
 * ioapic_model_read/ioapic_model_write - access to the window
 * @offset: in the window; anything is defined
 * @data: @len bytes, little-endian
 *
 * Any thread. Registers are at 0x00, 0x10 and 0x40; reads elsewhere give 0 and writes do nothing. Bytes that a narrow
 * write lacks are 0, bytes that a wide read has too many are 0. A register that IOREGSEL names in vain reads all ones.
 */
void ioapic_model_read(struct ioapic_model *m, uint32_t offset, void *data, unsigned int len);
void ioapic_model_write(struct ioapic_model *m, uint32_t offset, const void *data, unsigned int len);

/* ioapic_model_line - a device sets the level of a pin. Any thread. Nothing for a pin that is not there. */
void ioapic_model_line(struct ioapic_model *m, unsigned int pin, bool level);

/**
 * ioapic_model_eoi - a LAPIC's EOI message, or KVM_EXIT_IOAPIC_EOI. Any thread.
 *
 * Level-triggered pins with that vector that are in service are done; the line, when it still is asserted, requests
 * again at once. One message per call and pin: how often that happens is up to the guest.
 */
void ioapic_model_eoi(struct ioapic_model *m, uint8_t vector);

#endif

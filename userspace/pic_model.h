/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pair of 8259A of a PC, emulated: ports 0x20, 0x21, 0xa0, 0xa1, and ELCR at 0x4d0, 0x4d1. Manual: Intel 8259A
 * (231468); ELCR: Intel 82371 (PIIX).
 *
 * What a guest or a device can change is struct pic_state, so saving and restoring are copies. The model holds no lock,
 * starts nothing and allocates nothing: every function that takes a model that is not const is called under one lock
 * of the caller, whoever calls it (vCPU, device, timer). Callbacks run inside of these calls, under that lock, and must
 * not call the model again.
 *
 * An edge that was seen stays requested until it is acknowledged, also when its line falls before (as in KVM and QEMU):
 * the 8259A would give line 7 instead, but a VMM's devices pulse their lines. ICW3 is taken and ignored, the wiring is
 * that of a PC; so are ICW1's call interval and ICW4's buffered and MCS-80 modes.
 */
#ifndef IRQSHIFT_USERSPACE_PIC_MODEL_H
#define IRQSHIFT_USERSPACE_PIC_MODEL_H

#include "apic/pic.h"

/* Where KVM's chips differ from the manual: with these bits the model does as they do. See docs/userspace.md. */
enum pic_quirk {
	PIC_QUIRK_SPECIAL_MASK = 1 << 0, /* special mask mode changes nothing */
	PIC_QUIRK_POLL = 1 << 1,         /* a poll ends its interrupt: no in-service bit, on the master neither */
	PIC_QUIRK_ICW1 = 1 << 2,         /* ICW1 forgets which lines are high, ends the service of requested edges */
	PIC_QUIRK_WIRING = 1 << 3,       /* single mode and level triggering by ICW1 are ignored */
	PIC_QUIRK_INIT = 1 << 4,         /* a chip asks between its ICWs */
	PIC_QUIRK_CASCADE = 1 << 5,      /* the slave's request pulses line 2 of the master again and again */
	PIC_QUIRK_ELCR = 1 << 6,         /* ELCR changes what a line does next, not what it requests now */
	PIC_QUIRK_WIDTH = 1 << 7,        /* words are ignored, and read as 0 */
};

#define PIC_QUIRKS 8
#define PIC_QUIRKS_KVM ((1U << PIC_QUIRKS) - 1)

struct pic_model_ops {
	/* The INTR output of the pair changed. */
	void (*intr)(void *opaque, bool level);
	/* IRQ @irq, 0 to 15, is no longer in service: by EOI, or at once when that is automatic. May be NULL. */
	void (*eoi)(void *opaque, unsigned int irq);
};

struct pic_model {
	struct pic_state pics[2];
	/* private: */
	bool intr;
	uint32_t quirks;
	const struct pic_model_ops *ops;
	void *opaque;
};

/**
 * pic_model_init - a pair after power-on, all lines low
 * @m: memory of the caller, of any content
 * @ops: outlives the model
 * @opaque: first argument of the callbacks
 * @quirks: bits of enum pic_quirk; 0: as the manual says
 *
 * Called before anybody else knows the model; no callback.
 */
void pic_model_init(struct pic_model *m, const struct pic_model_ops *ops, void *opaque, uint32_t quirks);

/* pic_model_save - the state of the pair; every register is known. Under the caller's lock. */
void pic_model_save(const struct pic_model *m, struct pic_state ret_pics[2]);

/**
 * pic_model_restore - go on from a state
 * @m: model
 * @pics: master, slave; a register that is not known gets its reset value
 *
 * Called under the caller's lock; calls ops->intr when INTR differs from what was last told. The line of the slave
 * on the master follows the slave's output; all others are as last_irr says.
 *
 * Return: 0; -EINVAL when init_state or priority_add cannot be, and then nothing changed.
 */
int pic_model_restore(struct pic_model *m, const struct pic_state pics[2]);

/* pic_model_check - only the checks of pic_model_restore(). Any thread. */
int pic_model_check(const struct pic_state pics[2]);

/* pic_model_owns - whether a port is one of the six. Any thread. */
bool pic_model_owns(uint16_t port);

/**
 * pic_model_read/pic_model_write - an access of the guest
 * @m: model
 * @port: first port
 * @size: 1 to 4 bytes; each goes to its own port, lowest first; 0xff comes from, and nothing happens at foreign ones
 *
 * From the vCPU's thread, under the caller's lock.
 */
uint32_t pic_model_read(struct pic_model *m, uint16_t port, unsigned int size);
void pic_model_write(struct pic_model *m, uint16_t port, unsigned int size, uint32_t value);

/**
 * pic_model_set_line - an input changes, or is told again
 * @irq: 0 to 15; 2 is the slave's and ignored, as are others
 *
 * From any thread, under the caller's lock.
 */
void pic_model_set_line(struct pic_model *m, unsigned int irq, bool level);

/* pic_model_intr - the INTR output. Under the caller's lock. */
bool pic_model_intr(const struct pic_model *m);

/**
 * pic_model_ack - the interrupt acknowledge cycle of a CPU
 *
 * From the thread of the vCPU that takes the interrupt, under the caller's lock.
 *
 * Return: the vector. With nothing to give it is that of line 7 of the master (spurious 7, without in-service bit), or
 * line 7 of the slave (spurious 15, with line 2 of the master in service).
 */
uint8_t pic_model_ack(struct pic_model *m);

#endif

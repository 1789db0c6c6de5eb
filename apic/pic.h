/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One 8259A, and the pair of them in a PC: [0] the master, [1] the slave on its line 2. Manual: Intel
 * 8259A.
 */
#ifndef IRQSHIFT_APIC_PIC_H
#define IRQSHIFT_APIC_PIC_H

#include "apic/reg.h"

#define PIC_MASTER  0
#define PIC_SLAVE   1
#define PIC_CASCADE 2 /* the slave's line on the master */

struct pic_state {
	uint64_t known[REG_KNOWN_WORDS]; /* first: see apic/reg.h */
	uint8_t irr, imr, isr;
	uint8_t elcr;         /* level-triggered lines */
	uint8_t last_irr;     /* line levels, for edge detection */
	uint8_t priority_add; /* the line with the highest priority */
	uint8_t irq_base;     /* vector of line 0 */
	uint8_t read_reg_select, poll, special_mask, init_state, auto_eoi, rotate_on_auto_eoi;
	uint8_t special_fully_nested_mode, init4, single_mode;
	uint8_t ltim;         /* ICW1 asked for level triggering of all lines */
	uint8_t elcr_mask;    /* lines that ELCR can change; KVM */
};

/* Fields of the section `i8259` (QEMU hw/intc/i8259_common.c). */
enum pic_vms {
	PIC_VMS_LAST_IRR, PIC_VMS_IRR, PIC_VMS_IMR, PIC_VMS_ISR, PIC_VMS_PRIORITY_ADD, PIC_VMS_IRQ_BASE,
	PIC_VMS_READ_REG_SELECT, PIC_VMS_POLL, PIC_VMS_SPECIAL_MASK, PIC_VMS_INIT_STATE, PIC_VMS_AUTO_EOI,
	PIC_VMS_ROTATE_ON_AUTO_EOI, PIC_VMS_SFNM, PIC_VMS_INIT4, PIC_VMS_SINGLE_MODE, PIC_VMS_ELCR, PIC_VMS_NR
};

extern const struct vms_desc pic_vms_desc, pic_ltim_vms_desc;
extern const struct vms_field pic_vms_fields[PIC_VMS_NR];
extern const struct reg_chip pic_chip;

/* pic_from_tree - a state from a section `i8259`; see lapic_from_tree(). Instance 0 is the master. */
int pic_from_tree(const struct vms_node *section, struct pic_state *ret, struct irqs_error *reterr);

/* pic_to_tree - write what is known into the fields of a section `i8259`; see reg_to_tree(). */
int pic_to_tree(const struct pic_state *s, struct vms_node *section, struct irqs_error *reterr);

/**
 * pic_pending - the line that one chip would ask for
 * @s: the chip
 * @master: whether it is the master of a pair, for special fully nested mode
 *
 * Return: 0 to 7; -1 when its INT output is low.
 */
int pic_pending(const struct pic_state *s, bool master);

/**
 * pic_pair_pending - the IRQ that the pair would give a CPU now
 * @pics: master, slave
 *
 * The slave's output counts as the master's line 2, whatever the master's irr says of it.
 *
 * Return: 0 to 15, never 2; 15 also when the slave no longer knows why it asked (spurious); -1 when INTR is
 * low.
 */
int pic_pair_pending(const struct pic_state pics[2]);

/* pic_pair_intr - the INTR output of the pair. */
bool pic_pair_intr(const struct pic_state pics[2]);

/* pic_pair_vector - the vector of an IRQ, 0 to 15. */
uint8_t pic_pair_vector(const struct pic_state pics[2], unsigned int irq);

/**
 * pic_pair_unacknowledge - take back that a vector was given to the CPU: from isr to irr
 * @pics: master, slave
 * @vector: the vector that was given
 *
 * A chip in automatic end of interrupt mode has no isr bit: its request is made again when
 * the line is not masked, so look into the LAPIC's ISR for the vector first; a rotation that the acknowledge
 * made is not taken back.
 *
 * Return: the IRQ, 0 to 15; -ENOENT when the vector is of neither chip or not in service there, and then
 * nothing changed.
 */
int pic_pair_unacknowledge(struct pic_state pics[2], uint8_t vector);

#endif

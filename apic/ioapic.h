/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The IOAPIC: 82093AA (version 0x11) and its successor with an EOI register (0x20). 24 pins, as in KVM
 * and QEMU.
 */
#ifndef IRQSHIFT_APIC_IOAPIC_H
#define IRQSHIFT_APIC_IOAPIC_H

#include "apic/reg.h"

#define IOAPIC_PINS 24

/* Offsets through IOREGSEL and IOWIN. */
#define IOAPIC_ID  0x00
#define IOAPIC_VER 0x01
#define IOAPIC_ARB 0x02
#define IOAPIC_RTE 0x10 /* two per pin */

#define IOAPIC_VERSION_11 0x11
#define IOAPIC_VERSION_20 0x20 /* has the EOI register */

/* Bits of an entry (82093AA 3.2.4). */
#define IOAPIC_RTE_VECTOR     UINT64_C(0xff)
#define IOAPIC_RTE_LOGICAL    (UINT64_C(1) << 11)
#define IOAPIC_RTE_PENDING    (UINT64_C(1) << 12)
#define IOAPIC_RTE_LOW        (UINT64_C(1) << 13)
#define IOAPIC_RTE_REMOTE_IRR (UINT64_C(1) << 14)
#define IOAPIC_RTE_LEVEL      (UINT64_C(1) << 15)
#define IOAPIC_RTE_MASKED     (UINT64_C(1) << 16)

struct ioapic_state {
	uint64_t known[REG_KNOWN_WORDS]; /* first: see apic/reg.h */
	uint64_t base_address;           /* where it is mapped; KVM */
	uint32_t id;                     /* the register: ID in bits 24 to 27 */
	uint32_t version;                /* the register: 0x11 or 0x20 in bits 0 to 7 */
	uint32_t arb;
	uint8_t ioregsel;
	/* a request per pin that was not delivered: level, or edge while masked */
	uint32_t irr;
	uint64_t redirtbl[IOAPIC_PINS];
};

/* Fields of the section `ioapic` (QEMU hw/intc/ioapic_common.c). */
enum ioapic_vms { IOAPIC_VMS_ID, IOAPIC_VMS_IOREGSEL, IOAPIC_VMS_UNUSED, IOAPIC_VMS_IRR, IOAPIC_VMS_REDIRTBL,
		  IOAPIC_VMS_NR };

extern const struct vms_desc ioapic_vms_desc;
extern const struct vms_field ioapic_vms_fields[IOAPIC_VMS_NR];
extern const struct reg_chip ioapic_chip;

/* ioapic_from_tree - a state from a section `ioapic`; see lapic_from_tree(). */
int ioapic_from_tree(const struct vms_node *section, struct ioapic_state *ret, struct irqs_error *reterr);

/* ioapic_to_tree - write what is known into the fields of a section `ioapic`; see reg_to_tree(). */
int ioapic_to_tree(const struct ioapic_state *s, struct vms_node *section, struct irqs_error *reterr);

/* ioapic_delivery/ioapic_dest - delivery mode (enum lapic_delivery) and destination of an entry. */
unsigned int ioapic_delivery(uint64_t rte);
uint8_t ioapic_dest(uint64_t rte);

/*
 * ioapic_serviceable - pins whose request would be delivered now: not masked, and no level interrupt in
 * service.
 */
uint32_t ioapic_serviceable(const struct ioapic_state *s);

#endif

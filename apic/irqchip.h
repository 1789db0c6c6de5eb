/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All interrupt state of a machine. Who fills one allocates the two arrays with malloc(3). */
#ifndef IRQSHIFT_APIC_IRQCHIP_H
#define IRQSHIFT_APIC_IRQCHIP_H

#include "apic/clock.h"
#include "apic/ioapic.h"
#include "apic/lapic.h"
#include "apic/pic.h"
#include "apic/pit.h"

/* Where the interrupt controllers are (Documentation/virt/kvm/api.rst 4.24, 7.5). */
enum irqchip_mode {
	IRQCHIP_NONE,  /* all in user space */
	IRQCHIP_SPLIT, /* LAPICs in the kernel; IOAPIC, PICs, PIT in user space */
	IRQCHIP_FULL,  /* all in the kernel */
};

/* Chips that a route leads to: KVM_IRQCHIP_PIC_MASTER and its sisters. */
enum irq_route_chip { IRQ_ROUTE_PIC_MASTER, IRQ_ROUTE_PIC_SLAVE, IRQ_ROUTE_IOAPIC, IRQ_ROUTE_MSI };

/* One way from a GSI to a pin of a chip, or to a message (struct kvm_irq_routing_entry). */
struct irq_route {
	uint32_t gsi;
	enum irq_route_chip chip;
	uint32_t pin;         /* of a chip */
	uint32_t msi_data;    /* of a message */
	uint64_t msi_address; /* of a message; the upper half holds bits 8 to 31 of an x2APIC destination */
};

struct irqchip_state {
	enum irqchip_mode mode;
	struct lapic_state *lapics; /* one per vCPU; in mode IRQCHIP_NONE only the CPU's part of it is known */
	unsigned int nlapics;
	struct ioapic_state ioapic; /* this and the next: a chip of which no row is known is not there */
	struct pic_state pics[2];   /* master, slave */
	struct pit_state pit;
	struct clock_state clock;
	struct irq_route *routes;   /* as the caller declared them: KVM has no ioctl that reads them */
	unsigned int nroutes;
	uint32_t lines;             /* GSIs 0 to 31 whose line a device holds high, as the caller declared them */
};

/* irqchip_mode_name - "none", "split", "full". */
const char *irqchip_mode_name(enum irqchip_mode mode);

/**
 * irqchip_from_stream - all that the sections of a QEMU stream say of the interrupt controllers
 * @machine: as read; the irqshift types of its sections ("kvm-apic" or "apic") tell the mode
 * @ret: receives the state; ends with irqchip_deinit()
 * @reterr: IRQS_MALFORMED with the path
 *
 * One LAPIC per section `cpu`, in the order of the stream, with what `cpu_common` and `apic` add; without such
 * sections one per `apic`. A chip that the machine has not stays unknown. A stream carries neither routes nor
 * lines.
 *
 * Return: 0, -EBADMSG, -ENOMEM; @ret is empty after an error.
 */
int irqchip_from_stream(const struct vms_node *machine, struct irqchip_state *ret, struct irqs_error *reterr);

/* One CPU or chip of a machine, by the names that the tree gives it. */
struct irqchip_part {
	const char *name; /* "apic", "ioapic", "i8259", "i8254", "clock" */
	const char *type; /* "kvm-apic" where it is in the kernel; else the name */
	uint32_t instance; /* of a LAPIC the vCPU's id; the index where that is unknown. 1 is the slave PIC */
	const struct reg_chip *chip;
	void *state;
};

/**
 * irqchip_part - the parts of a machine, the LAPICs first
 * @s: the machine
 * @i: 0, 1 ...
 * @ret: receives the part; its state is in @s. A chip that is not there is one of which no row is known
 *
 * Return: false when there are no more.
 */
bool irqchip_part(const struct irqchip_state *s, unsigned int i, struct irqchip_part *ret);

/* irqchip_part_known - whether any row of it is known. */
bool irqchip_part_known(const struct irqchip_part *p);

/* irqchip_deinit - release the arrays. A zeroed state is empty. */
void irqchip_deinit(struct irqchip_state *s);

#endif

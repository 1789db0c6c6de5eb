/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same machine with its interrupt controllers elsewhere: from the kernel (full) over split to user space (none), and
 * back. A pure function on a state: what leaves the kernel stays in the state as that of a chip in user space, on whose
 * side the VMM or a model takes it up; nothing is asked of KVM. Every change and every refusal is told.
 *
 * What differs between the two sides (arch/x86/kvm):
 * - LVR bit 24 (EOI broadcasts can be suppressed) is there with a userspace IOAPIC only, and SVR bit 12 uses it. The
 *   kernel's IOAPIC is version 0x11 and has no EOI register; with bit 12 set it would wait for ever.
 * - ioapic.irr: in the kernel an edge bit stays until its line falls, and a level bit is the line. In user space a bit is
 *   a request that was not delivered. An edge that was delivered, the gather of KVM hides already.
 * - PIC line 2 is a pulse in the kernel, a level in user space.
 * - Routes: with a full irqchip GSIs lead to pins. With a split one only messages exist: GSI n is the message that the
 *   redirection entry of pin n makes, which KVM also needs for the EOIs of level entries.
 * - With nothing in the kernel a HLT, a SIPI and the timer are the VMM's.
 */
#ifndef IRQSHIFT_KVM_MOVES_H
#define IRQSHIFT_KVM_MOVES_H

#include "apic/irqchip.h"
#include "base/error.h"

enum move_cost {
	MOVE_LOSSLESS,    /* the guest cannot tell */
	MOVE_APPROXIMATE, /* time shifts, or an interrupt may come twice */
	MOVE_REFUSED,     /* the target cannot hold it */
};

struct move_note {
	char path[48]; /* "lapic[3].SVR", "ioapic.RTE[5]" */
	enum move_cost cost;
	uint64_t from, to;
	const char *why;
};

#define MOVE_NOTES_MAX 256

/* What routes a move may add: those of 16 lines of the PICs and of the IOAPIC's pins. */
#define MOVE_ROUTES (16 + IOAPIC_PINS)

/* What happened; notes beyond the room are counted only. */
struct move_report {
	struct move_note notes[MOVE_NOTES_MAX];
	unsigned int nnotes, count, refused;
};

struct move_target {
	enum irqchip_mode mode;
	bool pit;             /* full: the VM has a PIT in the kernel */
	bool eoi_suppression; /* split: LVR bit 24 of its LAPICs; none: of the userspace model's */
	bool x2apic;          /* none: the userspace model has x2APIC mode */
	bool tsc_deadline;    /* none: the userspace model has TSC-deadline mode */
	/*
	 * From split: the vector that user space gave to KVM_INTERRUPT and the guest did not take; no ioctl shows it, and it
	 * does not outlive the VM. 0: none.
	 */
	uint8_t external_vector;
	uint8_t ioapic_version; /* split and none: IOAPIC_VERSION_11 or IOAPIC_VERSION_20; 0: as it is */
};

/**
 * kvm_move - a state for another irqchip mode
 * @from: stays as it is
 * @target: what it is for
 * @to: receives the state; its lapics must be an array of from->nlapics, its routes one of MOVE_ROUTES + from->nroutes:
 *      both the caller's. Changed in any case; of no use when refused.
 * @report: receives every change and refusal
 * @reterr: the first refusal
 *
 * To split and none: load times of the PIT are on clock.cpu_clock_offset; with PIT channel 0's phase unknown to the
 * kernel a period begins. To none: interrupt_injected, when it came from a LAPIC or PIC that user space now has, stays
 * injected; timers are in timer_remaining and QEMU's four fields on clock.cpu_clock_offset (LAPIC_TIMER_QEMU).
 * To full from split: the messages of pins go; where other routes stay, those of the pins that KVM starts with join them.
 *
 * Return: 0; -EOPNOTSUPP when anything is refused: the report has all of it.
 */
int kvm_move(const struct irqchip_state *from, const struct move_target *target, struct irqchip_state *to,
	     struct move_report *report, struct irqs_error *reterr);

/* kvm_move_route - the message of a redirection entry, as KVM_SET_GSI_ROUTING takes it for a split irqchip. */
struct irq_route kvm_move_route(unsigned int pin, uint64_t rte);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the events of a VM's interrupt controllers come to, by vCPU and vector: how many, how fast, how long from the
 * line to the EOI, EOIs that did not come, storms. From the events alone: nothing is printed and no clock is read, so a
 * recording gives what the live events gave.
 *
 * An interrupt is followed as SDM 3A 11.8.4 has it: accepted it waits (IRR), injected it is in service (ISR), its EOI
 * ends it. A host shows injection and EOI only where software does them; a processor that does (AVIC, APICv) is silent.
 * So an EOI that does not come is one of three:
 *
 * - lost: the vector is in service, something that it blocks (of its priority class or a lower one) has waited for
 *   lost_ns, and the vCPU's own thread has been heard of after that. When the EOI comes after all, it is late, and
 *   no longer lost.
 * - unseen: a vector of the same or a lower class was injected while this one was in service, so this one was ended
 *   without an event (auto-EOI of Hyper-V's SynIC, a state that was loaded).
 * - unknown: no injection was seen, so nothing is judged: monitor_judged().
 *
 * A storm is a vector that comes storm_rate times a second (over 100 ms), or that the IOAPIC delivers again at its own
 * EOI storm_successive times without another cause, or that KVM itself holds back (kvm_ioapic_delayed_eoi_inj).
 *
 * Cost: constant time for an event, and a look at every vCPU each 100 ms of event time. Memory: 80 KiB, 2 KiB for a vCPU,
 * 3 KiB for a row, MONITOR_ROWS_MAX rows (24 MiB) at most; what has no room is counted in untabled.
 */
#ifndef IRQSHIFT_KVM_MONITOR_H
#define IRQSHIFT_KVM_MONITOR_H

#include "base/error.h"
#include "kvm/event.h"
#include "kvm/latency.h"

#define MONITOR_VCPUS_MAX 4096u /* identifiers, as KVM's own limit */
#define MONITOR_VECTORS 256u
#define MONITOR_ROWS_MAX 8192u
#define MONITOR_GSIS 24u /* pins of the IOAPIC, and IRQs of the PIC pair below them */

struct monitor_options {
	uint64_t storm_rate;       /* acceptances a second; 0: 20000 */
	uint64_t storm_successive; /* 0: 1000; KVM's own is 10000 */
	uint64_t lost_ns;          /* 0: 1 s */
};

/* Where an accepted interrupt came from, as far as the events tell. */
enum monitor_origin {
	MONITOR_LINE,
	MONITOR_MSI,
	MONITOR_IPI,
	MONITOR_LOCAL, /* its own LAPIC: timer, LVT */
	MONITOR_UNKNOWN,
	MONITOR_ORIGINS,
};

struct monitor_row {
	uint32_t vcpu;
	uint8_t vector;
	int pin;           /* of the IOAPIC, that raised it last; -1: none */
	uint64_t accepted; /* fixed and lowest priority */
	uint64_t origins[MONITOR_ORIGINS];
	uint64_t coalesced;   /* of them, accepted while one waited already */
	uint64_t redelivered; /* of them, by the IOAPIC at the EOI, because the line is still high */
	uint64_t posted;      /* of them, handed to the processor: its injection and mostly its EOI make no event */
	uint64_t injected, reinjected;
	uint64_t eois;
	uint64_t pv_eois; /* of them, seen only at the next exit */
	uint64_t lost, late, unseen;
	uint64_t storms; /* how often one began */
	bool storming;   /* at the last event or call of monitor_interval() */
	double rate;     /* acceptances a second, between the last two calls of monitor_interval() */
	/* To the EOI: from the acceptance; from the change of the line, the message or the IPI, where that is known. */
	struct latency from_accept, from_source;
};

/* A pin of the IOAPIC or an IRQ of the PIC pair. */
struct monitor_pin {
	uint64_t raised, coalesced, acked;
	uint64_t held; /* IOAPIC: KVM paused a line that did not go down */
};

struct monitor_vcpu {
	uint32_t id;
	int tid;             /* its thread; 0: not known */
	uint64_t accepts[8]; /* by delivery mode, SDM 3A 11.5.1 */
	uint64_t idle_eois;  /* with nothing in service */
};

struct monitor_totals {
	uint64_t events, by_type[IRQSHIFT_EVENT_TYPES];
	uint64_t lost;        /* events that the source lost */
	uint64_t untabled;    /* events of vCPUs or rows beyond the limits, or of no known type */
	uint64_t unassigned;  /* injections in a thread of which the vCPU is not known */
	uint64_t first, last; /* time of events, ns; 0: none */
};

/* One interrupt that was ended: times in ns, 0 where unknown. */
struct monitor_interrupt {
	uint32_t vcpu;
	uint8_t vector;
	enum monitor_origin origin;
	int gsi;                              /* whose line or route raised it; -1: none that is known */
	int raiser;                           /* the vCPU that sent an IPI or a message; -1: none that is known */
	uint64_t source, accept, inject, eoi; /* eoi 0: it has not been ended yet */
};

typedef void monitor_hook(void *ctx, const struct monitor_interrupt *i);

struct monitor;

/* monitor_create - empty tables; @options may be NULL. monitor_destroy() takes NULL. Return: 0 or -ENOMEM. */
int monitor_create(const struct monitor_options *options, struct monitor **ret);
void monitor_destroy(struct monitor *m);

/* monitor_event - take one, in the order of time; one that is older than the last counts as being of the last one's time. */
void monitor_event(struct monitor *m, const struct irqshift_event *e);

/* monitor_lost - @n events are missing here: what was on its way is forgotten, not judged. */
void monitor_lost(struct monitor *m, uint64_t n);

/* monitor_interval - the time is @now: rates are of what came since the last call. */
void monitor_interval(struct monitor *m, uint64_t now);

/* monitor_hook_interrupts - call @hook at each EOI of an interrupt whose acceptance was seen; NULL: no more. */
void monitor_hook_interrupts(struct monitor *m, monitor_hook *hook, void *ctx);

/* monitor_each_pending - the same for those that have not been ended. */
void monitor_each_pending(const struct monitor *m, monitor_hook *hook, void *ctx);

/* monitor_name_thread - a thread is that of a vCPU: what its name says. Events that say otherwise prevail. */
void monitor_name_thread(struct monitor *m, uint32_t tid, uint32_t vcpu);

/* monitor_vcpu_of - the vCPU whose thread raised an event. Return: its identifier, or -1. */
int monitor_vcpu_of(const struct monitor *m, const struct irqshift_event *e);

/* monitor_next_row, monitor_next_vcpu - by vCPU, then by vector; NULL begins, and ends. */
const struct monitor_row *monitor_next_row(const struct monitor *m, const struct monitor_row *row);
const struct monitor_vcpu *monitor_next_vcpu(const struct monitor *m, const struct monitor_vcpu *vcpu);

/* monitor_ioapic_pin - a pin below MONITOR_GSIS. monitor_pic_irq - an IRQ below 16. */
const struct monitor_pin *monitor_ioapic_pin(const struct monitor *m, unsigned int pin);
const struct monitor_pin *monitor_pic_irq(const struct monitor *m, unsigned int irq);

const struct monitor_totals *monitor_totals(const struct monitor *m);

/* monitor_judged - whether lost says something: injections were seen, and the processor ended none by itself. */
bool monitor_judged(const struct monitor_row *row);

/* monitor_origin_name - "line", "message", "IPI", "own LAPIC", "unknown". */
const char *monitor_origin_name(enum monitor_origin origin);

#endif

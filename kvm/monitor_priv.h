/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of kvm/monitor.h, shared by its files. */
#ifndef IRQSHIFT_KVM_MONITOR_PRIV_H
#define IRQSHIFT_KVM_MONITOR_PRIV_H

#include "kvm/monitor.h"

#define MONITOR_LOOK_NS UINT64_C(100000000) /* between two looks at what is lost; a storm is counted over as long */

/* One interrupt on its way. */
struct instance {
	uint64_t source, accept, inject; /* ns; 0: not known, accept: there is none */
	enum monitor_origin origin;
	int gsi, raiser; /* of the source; -1 */
	bool judged_lost;
};

struct row {
	struct monitor_row pub; /* first */
	struct instance waiting, service;
	uint64_t accepted_before;   /* at the last monitor_interval() */
	uint64_t window, in_window; /* storms: the time divided by MONITOR_LOOK_NS, and acceptances in it */
	uint64_t storm_until, successive;
	bool maybe_queued; /* a coalesced one may be a second one: no injection tells */
};

struct vcpu {
	struct monitor_vcpu pub; /* first */
	struct row *rows[MONITOR_VECTORS];
	uint64_t waiting[4], service[4]; /* bit per vector */
	uint64_t heard;                  /* time of the last event of its thread */
};

enum cause {
	CAUSE_NONE,
	CAUSE_LINE,
	CAUSE_MSI,
	CAUSE_IPI,
	CAUSE_EOI,
	CAUSE_REDELIVERY, /* an EOI that has reached the IOAPIC */
};

/*
 * What a thread is about: KVM delivers an interrupt within the call that raised it, so an acceptance belongs to what
 * its thread said before.
 */
struct thread {
	uint32_t key;
	int vcpu;      /* -1 */
	uint64_t used; /* number of its last event; 0: the entry is free */
	enum cause cause;
	uint64_t since;
	int gsi, raiser; /* CAUSE_LINE, CAUSE_MSI, CAUSE_IPI: of the cause; -1 */
	uint32_t vector, eoi_vcpu;
	bool raised;   /* CAUSE_LINE: not lowered */
	bool served;   /* CAUSE_LINE: the IOAPIC has had it; the PIC may come before or after */
	bool wired;    /* CAUSE_LINE: a chip has had it, so its route is no message */
	bool accepted; /* since the cause */
	uint32_t accepted_vcpu;
	uint8_t accepted_vector;
	bool accepted_unposted; /* the last event: an APICV_ACCEPT_IRQ that follows is of the same interrupt */
};

/* Sets of THREAD_WAYS; the one that was silent longest makes room. */
#define THREAD_SETS 256u
#define THREAD_WAYS 4u

struct monitor {
	struct monitor_options options;
	struct monitor_totals totals;
	struct vcpu **vcpus; /* MONITOR_VCPUS_MAX */
	uint32_t ids;        /* one more than the highest identifier */
	unsigned int nrows;
	struct monitor_pin ioapic[MONITOR_GSIS], pic[16];
	uint64_t pin_waits[MONITOR_GSIS]; /* since when a level pin is high without an acceptance; 0: it is not */
	int pin_gsis[MONITOR_GSIS];       /* the line that did that */
	struct thread threads[THREAD_SETS][THREAD_WAYS];
	uint64_t interval, next_look;
	bool injections; /* this host shows them */
	monitor_hook *hook;
	void *hook_ctx;
};

/* monitor_vcpu, monitor_row - make it where it is missing. Return: it, or NULL without room, which is counted. */
struct vcpu *monitor_vcpu(struct monitor *m, uint64_t id);
struct row *monitor_row(struct monitor *m, struct vcpu *v, uint8_t vector);

/* monitor_tell - hand an interrupt to a hook. */
void monitor_tell(const struct row *r, const struct instance *i, uint64_t eoi, monitor_hook *hook, void *ctx);

/* One function for each step of an interrupt; the time is m->totals.last. */
void step_accept(struct monitor *m, struct thread *t, const struct irqshift_event *e);
void step_inject(struct monitor *m, struct thread *t, const struct irqshift_event *e);
void step_eoi(struct monitor *m, struct thread *t, const struct irqshift_event *e);
void step_forget(struct vcpu *v);

/* judge_accept - an acceptance, for storms. judge_storm - KVM says so. judge_look - EOIs that do not come. */
void judge_accept(struct monitor *m, struct row *r, bool again);
void judge_storm(struct monitor *m, struct row *r);
void judge_look(struct monitor *m);
bool judge_storms(const struct row *r, uint64_t now);

/* vector_highest - the highest of a set, or -1. */
int vector_highest(const uint64_t set[4]);

static inline void vector_set(uint64_t set[4], uint8_t vector)
{
	set[vector >> 6] |= UINT64_C(1) << (vector & 63);
}

static inline void vector_clear(uint64_t set[4], uint8_t vector)
{
	set[vector >> 6] &= ~(UINT64_C(1) << (vector & 63));
}

static inline bool vector_is_set(const uint64_t set[4], uint8_t vector)
{
	return set[vector >> 6] >> (vector & 63) & 1;
}

#endif

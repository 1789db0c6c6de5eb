/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock pages that KVM keeps in a guest's memory (pvclock, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW):
 * time = system_time + (TSC - tsc_timestamp) * scale. Under TCG nobody writes them any more, and the guest goes on with the
 * last one. Where the target's TSC has another rate, its scale is repaired here, or the guest's time would run fast or slow
 * for ever. Nothing here knows where the bytes come from.
 */
#ifndef IRQSHIFT_FILTERS_PVCLOCK_H
#define IRQSHIFT_FILTERS_PVCLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "filters/profile.h"
#include "filters/report.h"
#include "vmstate/tree.h"

#define PVCLOCK_SIZE 32u

/* The clock of one CPU, little-endian in memory. */
struct pvclock {
	uint32_t version; /* even; odd while KVM writes it */
	uint64_t tsc_timestamp, system_time;
	uint32_t mul; /* nanoseconds of a tick of the TSC shifted by @shift, in 2^-32 */
	int8_t shift;
	uint8_t flags;
};

/* pvclock_get/pvclock_put - from and to the guest's bytes; what is between the fields stays. */
void pvclock_get(const uint8_t bytes[PVCLOCK_SIZE], struct pvclock *ret);
void pvclock_put(const struct pvclock *p, uint8_t bytes[PVCLOCK_SIZE]);

/* pvclock_time - what the guest reads from it, in nanoseconds; @tsc is not before its timestamp. */
uint64_t pvclock_time(const struct pvclock *p, uint64_t tsc);

/* pvclock_set_khz - the scale of a TSC of @khz, 1 to 2^32. */
void pvclock_set_khz(struct pvclock *p, uint64_t khz);

/* pvclock_khz - the rate of the TSC that its scale belongs to, rounded; 0: none. */
uint64_t pvclock_khz(const struct pvclock *p);

/* One CPU whose guest enabled its clock page. */
struct pvclock_cpu {
	uint32_t index;   /* of the CPU */
	uint64_t address; /* guest-physical, of its bytes */
	uint64_t tsc;     /* of this CPU at the save */
	bool found;       /* by the caller, who then gives: */
	uint8_t bytes[PVCLOCK_SIZE];
	const char *absent; /* when not @found: why, or NULL */
	bool changed;       /* @bytes are to be written back */
};

struct pvclock_plan {
	struct pvclock_cpu *cpus;
	size_t count;
	uint64_t tsc;   /* of all CPUs on the target at the same moment: TCG has one */
	uint64_t clock; /* what KVM's clock said at the save, nanoseconds; 0: the machine does not say */
	uint64_t khz;   /* rate of the source's TSC; 0: the machine does not say, or the CPUs differ */
};

/**
 * pvclock_plan - which pages a conversion has to look at
 * @machine: before any filter ran
 * @from: host that saved it
 * @to: host that shall load it
 * @ret: receives them: none unless the move is from KVM to TCG; release with pvclock_plan_deinit()
 *
 * Return: 0; -EBADMSG; -ENOMEM.
 */
int pvclock_plan(const struct vms_node *machine, const struct profile *from, const struct profile *to,
		 struct pvclock_plan *ret, struct irqs_error *reterr);
void pvclock_plan_deinit(struct pvclock_plan *p);

/**
 * pvclock_is - whether bytes can be the page of a CPU
 * @p: the plan
 * @cpu: one of its CPUs
 * @bytes: PVCLOCK_SIZE of them
 *
 * They must be as KVM writes them, from before the save, and agree with what KVM's clock said then.
 */
bool pvclock_is(const struct pvclock_plan *p, const struct pvclock_cpu *cpu, const uint8_t *bytes);

/* Guests have them at multiples of it: Linux of 64, FreeBSD of 32. KVM takes any multiple of 4. */
#define PVCLOCK_ALIGN 32u

/**
 * pvclock_in_page - whether a page may have a clock in it, before anything is known of the machine
 * @page: 4096 bytes
 *
 * True for every page with one as KVM writes it, at a multiple of PVCLOCK_ALIGN, of a TSC of a whole number of kHz, and older
 * than a millisecond. Hardly ever true for another: of the memory of a Linux guest for one page in many thousand.
 */
bool pvclock_in_page(const uint8_t *page);

/**
 * pvclock_repair - give the pages that were found the scale of the target's TSC
 * @p: the plan, bytes filled in
 * @khz: rate of the target's TSC
 * @report: receives an entry for each CPU: what was changed, or why nothing was
 *
 * At the moment of the save the new page says what the old one said; all CPUs agree on the latest time of any of them, so
 * that no time is seen twice. Rates that differ by less than one part in a million are the same.
 */
void pvclock_repair(struct pvclock_plan *p, uint64_t khz, struct report *report);

/* pvclock_same_khz - whether two rates are the same. */
bool pvclock_same_khz(uint64_t a, uint64_t b);

#endif

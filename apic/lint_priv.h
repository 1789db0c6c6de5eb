/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to the lint_*.c: a run, its findings, and questions that several checks ask. */
#ifndef IRQSHIFT_APIC_LINT_PRIV_H
#define IRQSHIFT_APIC_LINT_PRIV_H

#include "apic/lint.h"

struct lint_run {
	const struct lint_machine *machine;
	const struct irqchip_state *s; /* machine->state */
	const struct lint_check *check;
	lint_report_fn *report;
	void *ctx;
	unsigned int findings;
	enum lint_severity worst;
};

/* The tables, in the order in which they run; NULL name last. */
extern const struct lint_check lint_lapic_checks[], lint_timer_checks[], lint_event_checks[], lint_cpu_checks[],
	lint_ioapic_checks[], lint_pic_checks[], lint_clock_checks[];

/* A finding about a register of a LAPIC, an entry, a PIC, a channel of the PIT, or of the machine. */
void lint_apic(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void lint_chip(struct lint_run *r, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void lint_pin(struct lint_run *r, unsigned int pin, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void lint_pic(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void lint_channel(struct lint_run *r, unsigned int i, const char *row, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* How a LAPIC is called in a path and in a text: its initial ID, or its index. */
unsigned int lint_cpu(const struct lint_run *r, unsigned int i);

/* Whether a row of a LAPIC, the machine's PICs, its IOAPIC is known. */
bool lint_knows(const struct lapic_state *l, const char *row);
bool lint_has_pics(const struct lint_run *r);
bool lint_has_ioapic(const struct lint_run *r);

/* Whether a vector is requested or in service at a LAPIC. */
bool lint_has_vector(const struct lapic_state *l, uint8_t vector);

/* The entry has the format of an interrupt remapping unit: destination and delivery are elsewhere. */
bool lint_remapped(uint64_t rte);

/* Whether an entry carries a vector (fixed, lowest priority), and addresses a LAPIC. */
bool lint_carries_vector(uint64_t rte);
bool lint_addresses(uint64_t rte, const struct lapic_state *l);

/* Whether an unmasked entry gives the PIC's INTR to a CPU. */
bool lint_extint_pin(const struct lint_run *r);

/* Whether a CPU waits to be started. */
bool lint_not_started(const struct lapic_state *l);

#endif

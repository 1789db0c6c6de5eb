/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The events of KVM's interrupt controllers by name, as kvm/module/uapi.h lists them: the one list, here as structs, rows
 * and words. Nothing is read or watched here.
 */
#ifndef IRQSHIFT_KVM_EVENT_H
#define IRQSHIFT_KVM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/module/uapi.h"

/* struct irq_event_EOI { apicid, vector } and its sisters: what arg[] of an event holds. */
#define IRQ_EVENT_MEMBER(field) __u64 field;
#define IRQ_EVENT_STRUCT(name, tracepoint, fields) \
	struct irq_event_##name {                  \
		fields                             \
	};
IRQSHIFT_EVENTS(IRQ_EVENT_STRUCT, IRQ_EVENT_MEMBER)

/* irq_event_args - arg[] of an event of type NAME by the names of its fields: irq_event_args(e, EOI)->vector. */
#define irq_event_args(event, NAME) ((const struct irq_event_##NAME *)(const void *)(event)->arg)

struct irq_event_row {
	const char *tracepoint; /* "kvm_eoi" */
	const char *name;       /* "eoi" */
	unsigned int nfields;
	const char *fields[IRQSHIFT_EVENT_ARGS];
};

/* By enum irqshift_event_type. */
extern const struct irq_event_row irq_event_rows[IRQSHIFT_EVENT_TYPES];

#define IRQ_EVENTS_ALL ((UINT64_C(1) << IRQSHIFT_EVENT_TYPES) - 1)

/* irq_event_find - the type with this tracepoint, of @len bytes. Return: it, or -1. */
int irq_event_find(const char *tracepoint, size_t len);

/* irq_event_arg - which of its arguments a field is. Return: the index, or -1. */
int irq_event_arg(unsigned int type, const char *field, size_t len);

/* irq_event_delivered - whether an acceptance goes through IRR and ISR: fixed or lowest priority. */
bool irq_event_delivered(uint64_t dm);

/* irq_event_text - what happened, in words: "LAPIC 0 accepts vector 64, fixed, edge"; cut to @size. */
void irq_event_text(const struct irqshift_event *e, char *buf, size_t size);

/* irq_delivery_name - "fixed", "lowest priority", ..., of a delivery mode, SDM 3A 11.5.1; the low 3 bits count. */
const char *irq_delivery_name(unsigned int mode);

/* irq_linux_vector - what Linux has a vector of its own for: "local timer"; NULL: one that it gives to devices. */
const char *irq_linux_vector(unsigned int vector);

#endif

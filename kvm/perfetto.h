/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events as a timeline for ui.perfetto.dev and chrome://tracing: the Chrome trace event format in JSON, written as the
 * events come. Of each vCPU a group of tracks: what its thread did, what its LAPIC got, and for each vector slices
 * from acceptance to EOI. Below them a group each for lines, which are slices while they are
 * high, IOAPIC, PIC, and the rest. Arrows lead from what raised an interrupt to its slice. Times are CLOCK_MONOTONIC in us.
 */
#ifndef IRQSHIFT_KVM_PERFETTO_H
#define IRQSHIFT_KVM_PERFETTO_H

#include "kvm/monitor.h"

struct perfetto;

/**
 * perfetto_begin - write the beginning
 * @emit: takes text in pieces
 * @m: gets the same events, each before perfetto_event() has it; its hook is taken. It must outlive the timeline
 *
 * Return: 0 or -ENOMEM.
 */
int perfetto_begin(void (*emit)(void *ctx, const char *text), void *ctx, struct monitor *m, struct perfetto **ret);

/* perfetto_name_vectors - what a vector is for, as irq_linux_vector() tells it, or NULL; for tracks that come after this. */
void perfetto_name_vectors(struct perfetto *p, const char *(*name)(unsigned int vector));

void perfetto_event(struct perfetto *p, const struct irqshift_event *e);

/* perfetto_lost - @n events are missing between the last one and @time: a slice, and a mark over all tracks. */
void perfetto_lost(struct perfetto *p, uint64_t time, uint64_t n);

/* perfetto_end - slices for what has not been ended, the end of the document; releases. NULL is accepted. */
void perfetto_end(struct perfetto *p);

#endif

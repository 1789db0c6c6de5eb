/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the events of a VM's interrupt controllers come from: the kernel module, tracefs (kvm/tracefs.h), a recording
 * (kvm/recording.h). All give the same events in the same order; what one of them cannot see it says.
 *
 * Of one thread at a time.
 */
#ifndef IRQSHIFT_KVM_EVENT_SOURCE_H
#define IRQSHIFT_KVM_EVENT_SOURCE_H

#include <sys/types.h>

#include "base/error.h"
#include "kvm/event.h"

/* Events in the order of time; borrowed until the next call for the source. */
struct event_batch {
	const struct irqshift_event *events;
	size_t count;
	uint64_t lost; /* events that came, before these, and are missing */
};

struct event_source;

struct event_source_ops {
	int (*read)(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr);
	int (*stop)(struct event_source *s, struct irqs_error *reterr);
	void (*close)(struct event_source *s);
};

struct event_source {
	const struct event_source_ops *ops;
	const char *name; /* "module", "tracefs", "recording" */
	const char *less; /* what it does not show, or not as exactly, for a person; NULL: nothing */
	uint64_t there;   /* bit per event type that this host has */
};

/* What to watch. */
struct event_scope {
	pid_t pid;
	const pid_t *tasks; /* these too; tracefs only */
	unsigned int ntasks;
	bool all;            /* whatever raised it, of other VMs too */
	unsigned int buffer; /* events that wait for the reader; 0: the source's default. tracefs: about, on each CPU */
};

/**
 * event_source_read - wait for events
 * @timeout_ms: at most so long
 * @ret: receives what is there, perhaps nothing
 *
 * Return: 0; -ENODATA when there will be no more: a recording has ended, a source that was stopped is empty; -EBADMSG for
 * a recording that is not as documented (what came before is good); other -errno.
 */
int event_source_read(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr);

/* event_source_stop - no new ones: what has come is still to be read. Return: 0 or -errno. */
int event_source_stop(struct event_source *s, struct irqs_error *reterr);

/* event_source_close - NULL is accepted. */
void event_source_close(struct event_source *s);

#endif

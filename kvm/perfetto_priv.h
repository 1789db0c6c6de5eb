/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The timeline of kvm/perfetto.h, shared by its files. */
#ifndef IRQSHIFT_KVM_PERFETTO_PRIV_H
#define IRQSHIFT_KVM_PERFETTO_PRIV_H

#include "kvm/perfetto.h"

/* A group is a process to the viewer, a track a thread. */
struct track {
	uint32_t group, id;
};

/* Groups that are of no vCPU. */
enum place {
	PLACE_MISSING,
	PLACE_GSI,
	PLACE_IOAPIC,
	PLACE_PIC,
	PLACE_OTHERS,
	PLACES,
};

#define PLACE_TRACKS_MAX 4096u /* KVM_MAX_IRQ_ROUTES GSIs */

enum vcpu_track {
	VCPU_THREAD,
	VCPU_LAPIC,
	VCPU_VECTORS, /* and the vector */
	VCPU_TRACKS = VCPU_VECTORS + MONITOR_VECTORS,
};

/* What is drawn of a vCPU. */
struct drawn_vcpu {
	uint8_t named[(VCPU_TRACKS + 7) / 8];
	uint64_t ends[MONITOR_VECTORS]; /* of the last slice */
};

/* A GSI's line. */
struct drawn_line {
	uint64_t sources; /* bit per one that holds it high */
	uint64_t since;   /* it is, and by whom: */
	uint32_t tid;
	uint16_t cpu;
};

struct perfetto {
	void (*emit)(void *ctx, const char *text);
	void *ctx;
	struct monitor *m;
	const char *(*vector_name)(unsigned int vector); /* or NULL */
	bool first;
	uint64_t arrows;
	struct drawn_line lines[PLACE_TRACKS_MAX];
	bool groups[PLACES]; /* that have their names */
	uint8_t named[PLACES][PLACE_TRACKS_MAX / 8];
	struct drawn_vcpu *vcpus[MONITOR_VCPUS_MAX];
};

/* perfetto_say - a piece of the document. perfetto_next - what comes is the next event of it. */
void perfetto_say(const struct perfetto *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void perfetto_next(struct perfetto *p);

/* track_of_place - its track number @n, of PLACE_OTHERS where there is none. track_of_vcpu - whether there is room for it. */
struct track track_of_place(struct perfetto *p, enum place place, uint64_t n);
bool track_of_vcpu(struct perfetto *p, uint64_t vcpu, unsigned int kind, struct track *ret);

#endif

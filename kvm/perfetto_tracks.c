/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups and tracks of the timeline: numbers, names and order. Each is named when something is first drawn on it. */
#include <stdio.h>
#include <stdlib.h>

#include "kvm/perfetto_priv.h"

/*
 * Viewers show the numbers behind the names, and those that know of no other order sort by them: so they are in the order
 * wanted and end in those of the vCPU and the vector. No two of them are the same: to a viewer a thread with the number
 * of a process is its first one.
 */
#define VCPU_GROUP UINT32_C(10000)
#define VCPU_EACH UINT32_C(1000)
#define VCPU_FIRST (UINT32_C(1000000) - VCPU_VECTORS)

struct place_row {
	const char *group, *track;
	uint32_t group_id, first;
	unsigned int tracks; /* 0: one, without a number */
};

static const struct place_row places[PLACES] = {
	[PLACE_MISSING] = { "events missing", "events missing", 9000, 9001, 0 },
	[PLACE_GSI] = { "lines", "GSI", 20000, 100000, PLACE_TRACKS_MAX },
	[PLACE_IOAPIC] = { "IOAPIC", "IOAPIC pin", 20001, 110000, MONITOR_GSIS },
	[PLACE_PIC] = { "PIC", "PIC IRQ", 20002, 120000, 16 },
	[PLACE_OTHERS] = { "messages and others", "messages and others", 20003, 130000, 0 },
};

/* Return: whether the bit was clear. */
static bool mark(uint8_t *bits, unsigned int n)
{
	bool was = bits[n / 8] >> n % 8 & 1;

	bits[n / 8] |= (uint8_t)(1u << n % 8);
	return !was;
}

static void name_group(struct perfetto *p, uint32_t group, const char *name)
{
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":\"%s\"}}", group, name);
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":%u,\"args\":{\"sort_index\":%u}}", group, group);
}

static void name_track(struct perfetto *p, struct track t, const char *name)
{
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"%s\"}}", t.group, t.id, name);
	perfetto_next(p);
	perfetto_say(p, "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%u,\"tid\":%u,\"args\":{\"sort_index\":%u}}", t.group, t.id,
		     t.id);
}

struct track track_of_place(struct perfetto *p, enum place place, uint64_t n)
{
	const struct place_row *row = &places[place];
	struct track t = { row->group_id, row->first + (uint32_t)n };
	char name[32];

	if (n && n >= row->tracks)
		return track_of_place(p, PLACE_OTHERS, 0);
	if (!p->groups[place])
		name_group(p, t.group, row->group);
	p->groups[place] = true;
	if (!mark(p->named[place], (unsigned int)n))
		return t;
	if (row->tracks)
		snprintf(name, sizeof(name), "%s %u", row->track, (unsigned int)n);
	else
		snprintf(name, sizeof(name), "%s", row->track);
	name_track(p, t, name);
	return t;
}

static void name_of_vcpu_track(const struct perfetto *p, char name[48], unsigned int vcpu, unsigned int kind)
{
	const char *use = kind >= VCPU_VECTORS && p->vector_name ? p->vector_name(kind - VCPU_VECTORS) : NULL;

	if (kind == VCPU_THREAD)
		snprintf(name, 48, "thread of vCPU %u", vcpu);
	else if (kind == VCPU_LAPIC)
		snprintf(name, 48, "LAPIC %u", vcpu);
	else
		snprintf(name, 48, "vector %u%s%s", kind - VCPU_VECTORS, use ? ", " : "", use ? use : "");
}

bool track_of_vcpu(struct perfetto *p, uint64_t vcpu, unsigned int kind, struct track *ret)
{
	char name[48];

	if (vcpu >= MONITOR_VCPUS_MAX)
		return false;
	ret->group = VCPU_GROUP + (uint32_t)vcpu;
	ret->id = VCPU_FIRST + (uint32_t)vcpu * VCPU_EACH + kind;
	if (!p->vcpus[vcpu]) {
		p->vcpus[vcpu] = calloc(1, sizeof(*p->vcpus[vcpu]));
		if (!p->vcpus[vcpu])
			return false;
		snprintf(name, sizeof(name), "vCPU %u", (unsigned int)vcpu);
		name_group(p, ret->group, name);
	}
	if (!mark(p->vcpus[vcpu]->named, kind))
		return true;
	name_of_vcpu_track(p, name, (unsigned int)vcpu, kind);
	name_track(p, *ret, name);
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filters/pvclock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/sections.h"
#include "base/endian.h"

#define NAME "pvclock"
#define MSR_ENABLED UINT64_C(1)
#define FLAGS_KNOWN 0x03u /* TSC is stable; the guest was stopped */
#define SHIFT_MAX 31
/* Scales of any TSC that there is: 62 MHz to 128 GHz. */
#define SHIFT_SLOWEST 4
#define SHIFT_FASTEST (-6)
#define TIME_MAX (UINT64_C(1) << 62) /* nanoseconds; a century */
/* How far a page may be from KVM's clock. The TSC of a guest that was paused before it was saved runs on, the clock does not. */
#define APART_NS (UINT64_C(60) * 1000000000)
#define MUL_LEAST (UINT32_C(1) << 31) /* KVM's multipliers have their top bit set */
#define MUL_ROUNDING 2u
/* Ticks and nanoseconds of the first millisecond: no guest sets its clock up so early. */
#define YOUNG (UINT64_C(1) << 20)
#define PAGE_SIZE 4096u

/* Where the fields are. */
enum { AT_VERSION = 0,
       AT_PAD = 4,
       AT_TIMESTAMP = 8,
       AT_TIME = 16,
       AT_MUL = 24,
       AT_SHIFT = 28,
       AT_FLAGS = 29,
       AT_END = 30 };

typedef unsigned __int128 u128;

void pvclock_get(const uint8_t bytes[PVCLOCK_SIZE], struct pvclock *ret)
{
	*ret = (struct pvclock){
		.version = (uint32_t)get_le(bytes + AT_VERSION, 4),
		.tsc_timestamp = get_le(bytes + AT_TIMESTAMP, 8),
		.system_time = get_le(bytes + AT_TIME, 8),
		.mul = (uint32_t)get_le(bytes + AT_MUL, 4),
		.shift = (int8_t)bytes[AT_SHIFT],
		.flags = bytes[AT_FLAGS],
	};
}

void pvclock_put(const struct pvclock *p, uint8_t bytes[PVCLOCK_SIZE])
{
	put_le(bytes + AT_VERSION, 4, p->version);
	put_le(bytes + AT_TIMESTAMP, 8, p->tsc_timestamp);
	put_le(bytes + AT_TIME, 8, p->system_time);
	put_le(bytes + AT_MUL, 4, p->mul);
	bytes[AT_SHIFT] = (uint8_t)p->shift;
	bytes[AT_FLAGS] = p->flags;
}

uint64_t pvclock_time(const struct pvclock *p, uint64_t tsc)
{
	uint64_t delta = tsc - p->tsc_timestamp;

	delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
	return p->system_time + (uint64_t)((u128)delta * p->mul >> 32);
}

/* A multiplier with its top bit set has the most digits. */
void pvclock_set_khz(struct pvclock *p, uint64_t khz)
{
	u128 scale = ((u128)1000000 << 64) / khz; /* nanoseconds a tick, in 2^-64 */
	int shift = 0;

	while (scale >> 64) {
		scale >>= 1;
		shift++;
	}
	while (!(scale >> 63)) {
		scale <<= 1;
		shift--;
	}
	p->mul = (uint32_t)(scale >> 32);
	p->shift = (int8_t)shift;
}

uint64_t pvclock_khz(const struct pvclock *p)
{
	u128 ticks = (u128)1000000 << 32;

	if (!p->mul || p->shift > SHIFT_MAX || p->shift < -SHIFT_MAX)
		return 0;
	if (p->shift < 0)
		ticks <<= -p->shift;
	else
		ticks >>= p->shift;
	return (uint64_t)((ticks + p->mul / 2) / p->mul);
}

static size_t count_enabled(const struct vms_node *machine)
{
	struct vcpu v = { 0 };
	size_t n = 0;

	while (vcpu_next(machine, &v))
		n += vms_get_or(v.cpu, "env.system_time_msr", 0) & MSR_ENABLED;
	return n;
}

int pvclock_plan(const struct vms_node *machine, const struct profile *from, const struct profile *to,
		 struct pvclock_plan *ret, struct irqs_error *reterr)
{
	const struct vms_node *clock = vms_find_section(machine, "kvmclock", 0);
	size_t n = profile_is_kvm(from) && !profile_is_kvm(to) ? count_enabled(machine) : 0;
	struct vcpu v = { 0 };
	uint32_t index = 0;
	int rc = 0;

	*ret = (struct pvclock_plan){ .clock = clock ? vms_get_or(clock, "clock", 0) : 0 };
	ret->cpus = calloc(n + 1, sizeof(*ret->cpus));
	if (!ret->cpus)
		return irqs_fail_nomem(reterr);
	for (; n && !rc && vcpu_next(machine, &v); index++) {
		uint64_t msr = vms_get_or(v.cpu, "env.system_time_msr", 0), tsc = 0, khz;

		rc = vms_get(v.cpu, "env.tsc", &tsc, reterr);
		if (tsc > ret->tsc)
			ret->tsc = tsc;
		khz = vms_get_or(v.cpu, "cpu/tsc_khz.env.tsc_khz", 0);
		ret->khz = !index || khz == ret->khz ? khz : 0;
		if (!rc && msr & MSR_ENABLED)
			ret->cpus[ret->count++] = (struct pvclock_cpu){ .index = index, .address = msr & ~MSR_ENABLED, .tsc = tsc };
	}
	if (rc)
		pvclock_plan_deinit(ret);
	return rc;
}

void pvclock_plan_deinit(struct pvclock_plan *p)
{
	free(p->cpus);
	*p = (struct pvclock_plan){ 0 };
}

/* As KVM writes them, whatever the machine. */
static bool has_shape(const uint8_t *bytes, struct pvclock *ret)
{
	pvclock_get(bytes, ret);
	return !(ret->version & 1) && ret->version && !get_le(bytes + AT_PAD, 4) && !get_le(bytes + AT_END, 2) &&
	       !(ret->flags & ~FLAGS_KNOWN) && ret->mul >= MUL_LEAST && ret->shift >= SHIFT_FASTEST &&
	       ret->shift <= SHIFT_SLOWEST && ret->system_time < TIME_MAX;
}

/* A TSC whose rate is a number of kHz has one multiplier in some two thousand. KVM rounds, and so do we. */
static bool has_rate(const struct pvclock *p)
{
	struct pvclock same = { 0 };

	pvclock_set_khz(&same, pvclock_khz(p));
	return same.shift == p->shift && same.mul - p->mul + MUL_ROUNDING <= 2 * MUL_ROUNDING;
}

static bool can_be_one(const uint8_t *bytes)
{
	struct pvclock p;

	/* Three words, which hardly anything else has. */
	if (get_le(bytes + AT_SHIFT, 4) > (FLAGS_KNOWN << 8 | 0xff) || get_le(bytes + AT_MUL, 4) < MUL_LEAST ||
	    get_le(bytes + AT_PAD, 4))
		return false;
	return has_shape(bytes, &p) && has_rate(&p) && p.tsc_timestamp >= YOUNG && p.system_time >= YOUNG;
}

bool pvclock_in_page(const uint8_t *page)
{
	for (size_t at = 0; at < PAGE_SIZE; at += PVCLOCK_ALIGN)
		if (can_be_one(page + at))
			return true;
	return false;
}

bool pvclock_is(const struct pvclock_plan *p, const struct pvclock_cpu *cpu, const uint8_t *bytes)
{
	struct pvclock c;

	if (!has_shape(bytes, &c) || c.tsc_timestamp > cpu->tsc)
		return false;
	return !p->clock || (c.system_time < p->clock + APART_NS && pvclock_time(&c, cpu->tsc) + APART_NS > p->clock);
}

/* The latest time that any CPU reads at the save. */
static uint64_t latest(const struct pvclock_plan *p)
{
	uint64_t time = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct pvclock c;
		uint64_t now;

		if (!p->cpus[i].found)
			continue;
		pvclock_get(p->cpus[i].bytes, &c);
		now = pvclock_time(&c, p->cpus[i].tsc);
		time = now > time ? now : time;
	}
	return time;
}

static bool are_close(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= b / 1000000;
}

bool pvclock_same_khz(uint64_t a, uint64_t b)
{
	return are_close(a, b);
}

static bool same_rate(const struct pvclock *a, const struct pvclock *b)
{
	return a->shift == b->shift ? are_close(a->mul, b->mul) : pvclock_same_khz(pvclock_khz(a), pvclock_khz(b));
}

static void tell(const struct pvclock_cpu *cpu, struct report *report, enum report_action action, const struct pvclock *old,
		 const struct pvclock *new, const char *why)
{
	char path[64], was[32] = "", is[32] = "";

	snprintf(path, sizeof(path), "cpu[%" PRIu32 "].pvclock", cpu->index);
	if (old)
		snprintf(was, sizeof(was), "%" PRIu64 " kHz", pvclock_khz(old));
	if (new)
		snprintf(is, sizeof(is), "%" PRIu64 " kHz", pvclock_khz(new));
	report_add(report, NAME, action, action == REPORT_DERIVED ? COST_LOSSLESS : COST_APPROXIMATE, path, old ? was : NULL,
		   new ? is : NULL, "%s", why);
}

static void repair(struct pvclock_cpu *cpu, uint64_t khz, uint64_t tsc, uint64_t time, struct report *report)
{
	struct pvclock old, new;

	pvclock_get(cpu->bytes, &old);
	new = old;
	pvclock_set_khz(&new, khz);
	if (same_rate(&old, &new)) {
		report_add(report, NAME, REPORT_KEPT, COST_LOSSLESS, "pvclock", NULL, NULL,
			   "the clock page of CPU %" PRIu32 " has the scale of the target's TSC", cpu->index);
		return;
	}
	new.version += 2;
	new.tsc_timestamp = tsc;
	new.system_time = time;
	pvclock_put(&new, cpu->bytes);
	cpu->changed = true;
	tell(cpu, report, REPORT_DERIVED, &old, &new,
	     "the guest computes its time from the TSC and this page in its memory, which KVM does not write any more: it "
	     "gets the scale of the target's TSC, and goes on from the time of the save");
}

void pvclock_repair(struct pvclock_plan *p, uint64_t khz, struct report *report)
{
	uint64_t time = latest(p);

	for (size_t i = 0; i < p->count; i++) {
		struct pvclock_cpu *cpu = &p->cpus[i];

		if (cpu->found)
			repair(cpu, khz, p->tsc, time, report);
		else
			tell(cpu, report, REPORT_KEPT, NULL, NULL,
			     cpu->absent ? cpu->absent : "its clock page is not where its MSR says: it keeps its scale");
	}
}

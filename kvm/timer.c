/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers while they are read. KVM: arch/x86/kvm/lapic.c, apic_timer_expired() and what it leads to. */
#include "apic/lapic_rows.h"
#include "kvm/gather.h"
#include "kvm/timer_priv.h"

__extension__ typedef unsigned __int128 uint128;

static uint8_t timer_vector(const struct lapic_state *s)
{
	return (uint8_t)lapic_reg(s, LAPIC_LVTT);
}

static bool masked(const struct lapic_state *s)
{
	return lapic_reg(s, LAPIC_LVTT) & LAPIC_LVT_MASKED;
}

static bool injected(const struct lapic_state *s)
{
	return lapic_knows(s, LAPIC_KNOWN_INTERRUPT_INJECTED) && s->interrupt_injected == timer_vector(s);
}

/* Requested, in service or injected: how a timer without a second read is known to have interrupted. */
static bool seen(const struct lapic_state *s)
{
	uint8_t vector = timer_vector(s);

	return lapic_bank_test(s, LAPIC_IRR, vector) || lapic_bank_test(s, LAPIC_ISR, vector) || injected(s);
}

/* An APIC that its base switches off has no timer that counts. */
static bool delivers(const struct lapic_state *s)
{
	return !masked(s) && timer_vector(s) >= 16 && lapic_reg(s, LAPIC_SVR) & LAPIC_SVR_ENABLE;
}

static bool counts(const struct lapic_state *s)
{
	enum lapic_timer_mode mode = lapic_timer_mode(s);

	return lapic_reg(s, LAPIC_TMICT) && (mode == LAPIC_TIMER_ONE_SHOT || mode == LAPIC_TIMER_PERIODIC);
}

bool kvm_timer_may_be_late(const struct lapic_state *s)
{
	return counts(s) && delivers(s) && !lapic_reg(s, LAPIC_TMCCT) && !lapic_bank_test(s, LAPIC_IRR, timer_vector(s));
}

struct kvm_timer_before kvm_timer_before(const struct lapic_state *s, int64_t ns)
{
	return (struct kvm_timer_before){
		.ns = ns,
		.count = lapic_reg(s, LAPIC_TMCCT),
		.in_service = lapic_bank_test(s, LAPIC_ISR, timer_vector(s)),
	};
}

/* In service since before, it is that of an earlier time: a handler can arm the timer before its EOI. */
static bool came_since(const struct lapic_state *s, const struct kvm_timer_before *before)
{
	uint8_t vector = timer_vector(s);

	return lapic_bank_test(s, LAPIC_IRR, vector) || injected(s) || (lapic_bank_test(s, LAPIC_ISR, vector) && !before->in_service);
}

/* Less is left, and that can be of another period: when the reads lie further apart than the counts. */
static bool period_over(const struct lapic_state *s, const struct kvm_timer_before *before, uint64_t cycles)
{
	unsigned int shift = lapic_count_shift(lapic_reg(s, LAPIC_TDCR));
	uint32_t now = lapic_reg(s, LAPIC_TMCCT);

	if (!now || now > before->count)
		return true;
	return cycles >= ((uint64_t)(before->count - now) << shift) + ((uint64_t)lapic_reg(s, LAPIC_TMICT) << shift) / 2;
}

void kvm_timer_merge_count(struct lapic_state *s, const struct kvm_timer_before *before, int64_t ns, uint32_t bus_cycle_ns)
{
	bool ran_out;

	if (!counts(s) || !delivers(s))
		return;
	if (lapic_timer_mode(s) == LAPIC_TIMER_ONE_SHOT)
		ran_out = before->count && !lapic_reg(s, LAPIC_TMCCT);
	else
		ran_out = period_over(s, before, (uint64_t)(ns - before->ns) / bus_cycle_ns);
	if (ran_out && !came_since(s, before))
		lapic_bank_set(s, LAPIC_IRR, timer_vector(s));
}

/* The guest does not run in between: what is in service was so before the deadline was over. */
void kvm_timer_merge_deadline(struct lapic_state *s, uint64_t before, uint64_t after)
{
	uint64_t deadline = after;

	if (before && !after && !masked(s) && !lapic_bank_test(s, LAPIC_IRR, timer_vector(s)))
		deadline = before;
	s->tsc_deadline = deadline;
	lapic_set_known(s, LAPIC_KNOWN_TSC_DEADLINE, true);
}

static bool deadline_remaining(const struct lapic_state *s, uint64_t *ret)
{
	if (!lapic_knows(s, LAPIC_KNOWN_TSC_DEADLINE) || !s->tsc_deadline)
		return false;
	if (lapic_knows(s, LAPIC_KNOWN_TSC) && s->tsc_deadline > s->tsc) {
		if (!lapic_knows(s, LAPIC_KNOWN_TSC_KHZ) || s->tsc_khz <= 0)
			return false;
		*ret = (uint64_t)((uint128)(s->tsc_deadline - s->tsc) * 1000000 / (uint64_t)s->tsc_khz);
	}
	return true;
}

static bool count_remaining(const struct lapic_state *s, uint32_t bus_cycle_ns, bool settled, uint64_t *ret)
{
	uint32_t count = lapic_reg(s, LAPIC_TMCCT);
	uint32_t initial = lapic_reg(s, LAPIC_TMICT);

	if (!initial)
		return false;
	if (!count && lapic_timer_mode(s) == LAPIC_TIMER_PERIODIC)
		count = initial;
	if (!count && (settled || masked(s) || seen(s)))
		return false;
	*ret = (uint64_t)count * lapic_divide(lapic_reg(s, LAPIC_TDCR)) * bus_cycle_ns;
	return true;
}

void kvm_gather_timer(struct lapic_state *s, uint32_t bus_cycle_ns, bool settled)
{
	enum lapic_timer_mode mode = lapic_timer_mode(s);
	uint64_t ns = 0;
	bool comes = false;

	if (mode == LAPIC_TIMER_TSC_DEADLINE)
		comes = deadline_remaining(s, &ns);
	else if (mode != LAPIC_TIMER_RESERVED)
		comes = count_remaining(s, bus_cycle_ns, settled, &ns);
	s->timer_remaining_ns = ns;
	lapic_set_known(s, LAPIC_KNOWN_TIMER_REMAINING, comes);
}

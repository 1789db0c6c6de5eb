/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The APIC timer (SDM 3A 11.5.4). What counts is a time of expiry: registers are computed from it when they are read,
 * and the VMM's timer is armed only for interrupts that somebody will see.
 */
#include "userspace/lapic_model_priv.h"

#define NS_PER_MS UINT64_C(1000000)

static int64_t now(const struct lapic_model *m)
{
	return m->config.ops->now_ns(m->config.ctx);
}

static uint64_t tick_ns(const struct lapic_model *m)
{
	return (uint64_t)m->config.bus_cycle_ns << lapic_count_shift(lapic_reg(&m->s, LAPIC_TDCR));
}

static uint64_t period_ns(const struct lapic_model *m)
{
	return lapic_reg(&m->s, LAPIC_TMICT) * tick_ns(m);
}

static int64_t add_ns(int64_t at, uint64_t ns)
{
	return ns >= (uint64_t)LAPIC_MODEL_NEVER - (uint64_t)at ? LAPIC_MODEL_NEVER : at + (int64_t)ns;
}

static bool masked(const struct lapic_model *m)
{
	return lapic_reg(&m->s, LAPIC_LVTT) & LAPIC_LVT_MASKED;
}

static bool running(const struct lapic_model *m)
{
	return m->expiry_ns != LAPIC_MODEL_NEVER;
}

/* ---- TSC-deadline mode ---- */

static uint64_t tsc(const struct lapic_model *m)
{
	return m->config.ops->tsc(m->config.ctx, m->cpu);
}

/* How long so many ticks of the TSC take, rounded up, so that the TSC has passed the deadline by then. */
static uint64_t tsc_ns(const struct lapic_model *m, uint64_t ticks)
{
	uint64_t khz = (uint64_t)m->config.tsc_khz;

	if (ticks / khz >= (uint64_t)LAPIC_MODEL_NEVER / NS_PER_MS)
		return (uint64_t)LAPIC_MODEL_NEVER;
	return ticks / khz * NS_PER_MS + (ticks % khz * NS_PER_MS + khz - 1) / khz;
}

static void schedule_deadline(struct lapic_model *m)
{
	uint64_t at = m->s.tsc_deadline, t = at ? tsc(m) : 0;

	m->expiry_ns = at ? add_ns(now(m), at > t ? tsc_ns(m, at - t) : 0) : LAPIC_MODEL_NEVER;
}

/* ---- expiry ---- */

static void expire_deadline(struct lapic_model *m)
{
	if (tsc(m) < m->s.tsc_deadline) {
		schedule_deadline(m);
		return;
	}
	m->s.tsc_deadline = 0;
	m->expiry_ns = LAPIC_MODEL_NEVER;
	lapic_local(m, LAPIC_LVTT);
}

void lapic_timer_settle(struct lapic_model *m)
{
	int64_t t;
	uint64_t period;

	if (!running(m))
		return;
	t = now(m);
	if (t < m->expiry_ns)
		return;
	if (lapic_timer_mode(&m->s) == LAPIC_TIMER_TSC_DEADLINE) {
		expire_deadline(m);
		return;
	}
	period = period_ns(m);
	if (lapic_timer_mode(&m->s) == LAPIC_TIMER_PERIODIC && period)
		m->expiry_ns = add_ns(t, period - (uint64_t)(t - m->expiry_ns) % period);
	else
		m->expiry_ns = LAPIC_MODEL_NEVER;
	lapic_local(m, LAPIC_LVTT);
}

void lapic_timer_arm(struct lapic_model *m)
{
	int64_t at = masked(m) ? LAPIC_MODEL_NEVER : m->expiry_ns;

	if (at != LAPIC_MODEL_NEVER && lapic_timer_mode(&m->s) == LAPIC_TIMER_PERIODIC &&
	    period_ns(m) < m->config.min_period_ns) {
		int64_t soonest = add_ns(now(m), m->config.min_period_ns);

		/* Armed already: it stays, or accesses to the registers would push it away. */
		if (m->armed_ns <= soonest)
			return;
		at = at > soonest ? at : soonest;
	}
	if (at == m->armed_ns)
		return;
	m->armed_ns = at;
	m->config.ops->arm(m->config.ctx, m->cpu, at);
}

void lapic_model_timer(struct lapic_model *m)
{
	m->armed_ns = LAPIC_MODEL_NEVER;
	lapic_timer_settle(m);
	lapic_timer_arm(m);
}

void lapic_timer_init(struct lapic_model *m)
{
	m->expiry_ns = LAPIC_MODEL_NEVER;
	lapic_timer_arm(m);
}

/* ---- registers ---- */

uint32_t lapic_timer_count(const struct lapic_model *m, int64_t now_ns)
{
	uint64_t tick = tick_ns(m);

	if (!running(m) || now_ns >= m->expiry_ns || lapic_timer_mode(&m->s) == LAPIC_TIMER_TSC_DEADLINE)
		return 0;
	return (uint32_t)(((uint64_t)(m->expiry_ns - now_ns) + tick - 1) / tick);
}

static bool counts(const struct lapic_model *m)
{
	return lapic_timer_mode(&m->s) <= LAPIC_TIMER_PERIODIC;
}

void lapic_timer_write_count(struct lapic_model *m, uint32_t value)
{
	if (lapic_timer_mode(&m->s) == LAPIC_TIMER_TSC_DEADLINE)
		return; /* SDM 3A 11.5.4.1 */
	lapic_timer_settle(m);
	lapic_set_reg(&m->s, LAPIC_TMICT, value);
	m->expiry_ns = value && counts(m) ? add_ns(now(m), period_ns(m)) : LAPIC_MODEL_NEVER;
	lapic_timer_arm(m);
}

/* The count stays, the ticks get longer or shorter. */
void lapic_timer_write_divide(struct lapic_model *m, uint32_t value)
{
	uint64_t old = tick_ns(m), left;
	int64_t t;

	lapic_timer_settle(m);
	lapic_set_reg(&m->s, LAPIC_TDCR, value);
	if (!running(m) || !counts(m) || tick_ns(m) == old)
		return;
	t = now(m);
	left = t < m->expiry_ns ? (uint64_t)(m->expiry_ns - t) : 0;
	m->expiry_ns = add_ns(t, left / old * tick_ns(m) + left % old * tick_ns(m) / old);
	lapic_timer_arm(m);
}

void lapic_timer_write_lvt(struct lapic_model *m, uint32_t value)
{
	enum lapic_timer_mode before, after;

	lapic_timer_settle(m);
	before = lapic_timer_mode(&m->s);
	lapic_set_reg(&m->s, LAPIC_LVTT, value);
	after = lapic_timer_mode(&m->s);
	/* Into TSC-deadline mode and out of it disarms (SDM 3A 11.5.4.1); the count with it. */
	if (before != after && (before == LAPIC_TIMER_TSC_DEADLINE || after == LAPIC_TIMER_TSC_DEADLINE)) {
		lapic_set_reg(&m->s, LAPIC_TMICT, 0);
		m->s.tsc_deadline = 0;
	}
	if (before != after && (!counts(m) || before == LAPIC_TIMER_TSC_DEADLINE))
		m->expiry_ns = LAPIC_MODEL_NEVER;
	lapic_timer_arm(m);
}

uint64_t lapic_timer_read_deadline(struct lapic_model *m)
{
	if (lapic_timer_mode(&m->s) != LAPIC_TIMER_TSC_DEADLINE)
		return 0;
	lapic_timer_settle(m);
	return m->s.tsc_deadline;
}

void lapic_timer_write_deadline(struct lapic_model *m, uint64_t value)
{
	if (lapic_timer_mode(&m->s) != LAPIC_TIMER_TSC_DEADLINE || !(m->s.apic_base & LAPIC_BASE_ENABLE))
		return;
	lapic_timer_settle(m);
	m->s.tsc_deadline = value;
	lapic_model_tsc_changed(m);
}

void lapic_model_tsc_changed(struct lapic_model *m)
{
	if (lapic_timer_mode(&m->s) != LAPIC_TIMER_TSC_DEADLINE)
		return;
	schedule_deadline(m);
	lapic_timer_settle(m);
	lapic_timer_arm(m);
}

/* ---- save and restore ---- */

static const char *const qemu_times[] = { "count_shift", "initial_count_load_time", "next_time", "timer_expiry" };

void lapic_timer_save(struct lapic_model *m, struct lapic_state *s)
{
	const struct reg_row *remaining = lapic_member("timer_remaining");
	int64_t t = now(m);

	for (size_t i = 0; i < REG_ARRAY_SIZE(qemu_times); i++)
		reg_forget(lapic_member(qemu_times[i]), s, 0);
	lapic_set_reg(s, LAPIC_TMCCT, lapic_timer_count(m, t));
	if (running(m) && counts(m)) {
		reg_set(remaining, s, 0, t < m->expiry_ns ? (uint64_t)(m->expiry_ns - t) : 0);
	} else {
		reg_set(remaining, s, 0, 0);
		reg_forget(remaining, s, 0);
	}
}

/* What is left of a count that the state says is running, or 0. */
static uint64_t left_ns(const struct lapic_model *m)
{
	uint64_t period = period_ns(m), left;

	if (!period || !counts(m))
		return 0;
	if (reg_known(lapic_member("timer_remaining"), &m->s, 0))
		left = m->s.timer_remaining_ns ? m->s.timer_remaining_ns : 1;
	else
		left = lapic_reg(&m->s, LAPIC_TMCCT) * tick_ns(m);
	if (!left && lapic_timer_mode(&m->s) == LAPIC_TIMER_PERIODIC)
		return period;
	return left < period ? left : period;
}

void lapic_timer_load(struct lapic_model *m)
{
	uint64_t left = left_ns(m);

	lapic_set_reg(&m->s, LAPIC_TMCCT, 0);
	m->expiry_ns = left ? add_ns(now(m), left) : LAPIC_MODEL_NEVER;
	if (lapic_timer_mode(&m->s) == LAPIC_TIMER_TSC_DEADLINE && m->config.tsc_deadline)
		schedule_deadline(m);
	lapic_timer_arm(m);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The phase of the PIT in the kernel. KVM begins a period when it is given a state, and tells nobody when its periods
 * begin. So the VMM remembers: the rest of the period that a move came into ends by a tick that is made here, with which
 * the kernel begins the next one; and when the state leaves the kernel with the same count, its period began a whole
 * number of periods after that. A guest that wrote the count anew in the kernel is not seen to do so when it is the same.
 *
 * Ticks are made by a thread of the kernel, which may be late: writing the state waits for it (arch/x86/kvm/i8254.c,
 * destroy_pit_timer), so that all ticks up to then are in the chips, and none after it.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "tests/vmm/engine.h"

#define GSI 0
#define LATE 16 /* part of a period that a tick may be late */

/* The machine's time, which goes on until all is read. */
static int64_t now_ns(const struct kvm_side *side)
{
	return timer_host_ns() - side->vmm->clock_offset;
}

static bool same_period(const struct kvm_side *side, const struct kvm_pit_state2 *pit)
{
	return pit->channels[0].mode == side->pit_mode && pit->channels[0].count == side->pit_count;
}

static const struct reg_row *load_time(void)
{
	return reg_find_name(&pit_chip, "count_load_time");
}

/* How far a period of channel 0 is, at the time that the state was read. */
static int64_t into_period(const struct irqchip_state *s, int64_t period)
{
	return (s->clock.cpu_clock_offset - s->pit.channels[0].count_load_time) % period;
}

static void tick_at(struct kvm_side *side, int64_t at)
{
	timer_arm(side->vmm, VMM_MAX_CPUS, at);
}

void kernel_pit_begin(struct kvm_side *side, const struct irqchip_state *s)
{
	int64_t period = (int64_t)pit_period_ns(&s->pit.channels[0]), into;

	side->pit_mode = s->pit.channels[0].mode;
	side->pit_count = (uint32_t)s->pit.channels[0].count;
	side->pit_period = 0;
	if (!period || s->pit.irq_disabled || !reg_known(load_time(), &s->pit, 0))
		return;
	into = into_period(s, period);
	if (into < 0)
		return;
	side->pit_period = period;
	side->pit_began = now_ns(side);
	side->pit_given = side->pit_began - into;
	tick_at(side, side->pit_given + period);
}

/* All ticks that KVM owes are in the chips, and its period begins now. Return: how many there were since it began last. */
static int64_t flush(struct kvm_side *side)
{
	struct kvm_pit_state2 pit;
	int64_t ticks = side->pit_period ? (now_ns(side) - side->pit_began) / side->pit_period : 0;

	if (!side->pit_period || ioctl(side->vm, KVM_GET_PIT2, &pit) || !same_period(side, &pit) ||
	    ioctl(side->vm, KVM_SET_PIT2, &pit)) {
		side->pit_period = 0;
		return -1;
	}
	side->pit_began = now_ns(side);
	side->pit_given += ticks * side->pit_period;
	return ticks;
}

/* When this thread is late KVM may have been first; when it is very late, the next tick is made here again. */
void kernel_pit_tick(struct kvm_side *side)
{
	int64_t ticks = flush(side), late;

	if (ticks < 0)
		return;
	if (!ticks) {
		kvm_side_line(side, GSI, true);
		kvm_side_line(side, GSI, false);
		side->pit_given += side->pit_period;
	}
	late = side->pit_began - side->pit_given;
	if (late > side->pit_period / LATE)
		tick_at(side, side->pit_given + side->pit_period);
}

/* Should the state stay here after all, the period ends as if nothing had been. */
void kernel_pit_flush(struct kvm_side *side)
{
	if (flush(side) >= 0)
		tick_at(side, side->pit_given + side->pit_period);
}

void kernel_pit_end(const struct kvm_side *side, const struct irqchip_state *from, struct irqchip_state *to)
{
	struct pit_channel *c = &to->pit.channels[0];
	int64_t state_now = to->clock.cpu_clock_offset, since = vmm_now_ns(side->vmm) - side->pit_given;

	if (!side->pit_period || from->pit.channels[0].mode != side->pit_mode ||
	    (uint32_t)from->pit.channels[0].count != side->pit_count)
		return;
	reg_set(load_time(), &to->pit, 0, (uint64_t)(state_now - since % side->pit_period));
	reg_set(reg_find_name(&pit_chip, "next_transition_time"), &to->pit, 0,
		(uint64_t)(since >= side->pit_period ? state_now - since + side->pit_period : pit_next_edge(c, state_now)));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The LAPIC timer. In user space the section says when it was loaded; from the kernel QEMU never reads the
 * current count, so that the section says only the period, and never writes one, so that a periodic timer
 * starts again there.
 */
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_lapic_timer(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind && !(profile_kernel_lapic(from) && profile_kernel_lapic(to));
}

static int write_times(struct filter_run *run, struct vms_node *apic, const struct lapic_state *s,
		       enum report_cost cost, const char *why, struct irqs_error *reterr)
{
	int rc = change_field(run, apic, "count_shift", (uint64_t)s->count_shift, COST_LOSSLESS, reterr,
			      "follows from the divide configuration");

	if (!rc)
		rc = change_field(run, apic, "initial_count_load_time", (uint64_t)s->initial_count_load_time,
				  cost, reterr, "%s", why);
	if (!rc)
		rc = change_field(run, apic, "next_time", (uint64_t)s->next_time, cost, reterr, "%s", why);
	if (!rc)
		rc = change_field(run, apic, "timer_expiry", (uint64_t)s->timer_expiry, cost, reterr, "%s",
				  why);
	return rc;
}

/*
 * A one-shot of the kernel whose count is not in the stream is due at once, as it is where KVM loads a current
 * count of 0 (since Linux 6.3): early or once too often, but no sleeper wakes late. Its load time lies one
 * nanosecond before where the arithmetic puts it, which nobody reads and by which the way back knows it.
 */
static int64_t phase_lost_load_time(const struct lapic_state *s, int64_t now_ns)
{
	return now_ns - (int64_t)lapic_timer_period_ns(s, LAPIC_TIMER_QEMU) - 1;
}

static void expire_now(struct lapic_state *s, int64_t now_ns)
{
	s->initial_count_load_time = phase_lost_load_time(s, now_ns);
	s->next_time = now_ns;
	s->timer_expiry = now_ns;
}

static bool has_lost_phase(const struct lapic_state *s, int64_t now_ns)
{
	return lapic_timer_mode(s) == LAPIC_TIMER_ONE_SHOT && lapic_reg(s, LAPIC_TMICT) && s->timer_expiry == now_ns &&
	       s->initial_count_load_time == phase_lost_load_time(s, now_ns);
}

static int from_kernel(struct filter_run *run, struct vms_node *apic, struct lapic_state *s,
		       struct irqs_error *reterr)
{
	/* QEMU wrote "just loaded", by its own arithmetic: then its times stand. */
	bool by_qemu = s->initial_count_load_time == run->now_ns;
	bool running = lapic_timer_sample(s, run->now_ns, by_qemu ? LAPIC_TIMER_QEMU : LAPIC_TIMER_KVM);

	lapic_timer_rebase(s, run->now_ns, LAPIC_TIMER_QEMU);
	if (!running || !by_qemu || s->timer_expiry == -1)
		return write_times(run, apic, s, COST_LOSSLESS, "the timer goes on in phase", reterr);
	if (lapic_timer_mode(s) == LAPIC_TIMER_ONE_SHOT) {
		expire_now(s, run->now_ns);
		return write_times(run, apic, s, COST_APPROXIMATE,
				   "how far the timer had counted, or whether it has fired, is not in the stream: it "
				   "fires at once, early or once too often but never late",
				   reterr);
	}
	change_note(run, REPORT_KEPT, COST_APPROXIMATE, apic, "initial_count",
		    "how far the timer had counted is not in the stream: it starts a new period, up to one late");
	return write_times(run, apic, s, COST_LOSSLESS, "a new period starts", reterr);
}

/* An expiry that has passed and whose interrupt was not raised: the kernel does not know of it. */
static int raise_due(struct filter_run *run, struct vms_node *apic, struct lapic_state *s,
		     struct irqs_error *reterr)
{
	uint32_t lvt = lapic_reg(s, LAPIC_LVTT);
	uint8_t vector = lvt & 0xff;
	int rc;

	if (s->timer_expiry == -1 || s->timer_expiry > run->now_ns || lvt & LAPIC_LVT_MASKED ||
	    (lvt >> 8 & 7) != LAPIC_FIXED)
		return 0;
	lapic_bank_set(s, LAPIC_IRR, vector);
	lapic_bank_clear(s, LAPIC_TMR, vector);
	rc = change_bank(run, apic, s, LAPIC_IRR, COST_LOSSLESS, reterr,
			 "the timer was due and had not raised its interrupt yet");
	if (!rc)
		rc = change_bank(run, apic, s, LAPIC_TMR, COST_LOSSLESS, reterr,
				 "the timer's interrupt is edge-triggered");
	return rc;
}

static int to_kernel(struct filter_run *run, struct vms_node *apic, struct lapic_state *s,
		     struct irqs_error *reterr)
{
	bool lost_phase = has_lost_phase(s, run->now_ns);
	bool running = lapic_timer_sample(s, run->now_ns, LAPIC_TIMER_QEMU);
	unsigned int shift = lapic_count_shift(lapic_reg(s, LAPIC_TDCR));
	bool one_shot = lapic_timer_mode(s) == LAPIC_TIMER_ONE_SHOT;
	uint64_t left = s->timer_remaining_ns;
	int rc = lost_phase ? 0 : raise_due(run, apic, s, reterr);

	if (lost_phase) {
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, apic, "initial_count",
			    "the timer came from a kernel without its count: KVM lets it fire at once or, before Linux "
			    "6.3, count from the start");
	} else if (!rc && one_shot && lapic_reg(s, LAPIC_TMICT)) {
		uint64_t ticks = running ? (left + (UINT64_C(1) << shift) - 1) >> shift : 0;

		if (ticks > lapic_reg(s, LAPIC_TMICT))
			ticks = lapic_reg(s, LAPIC_TMICT);
		lapic_set_reg(s, LAPIC_TMICT, (uint32_t)ticks);
		rc = change_field(run, apic, "initial_count", ticks, COST_APPROXIMATE, reterr,
				  running ? "KVM counts from the initial count: what is left of it becomes "
					    "that"
					  : "the timer has fired: with an initial count KVM would let it "
					    "fire again");
	} else if (!rc && running && !(lapic_reg(s, LAPIC_LVTT) & LAPIC_LVT_MASKED)) {
		change_note(run, REPORT_KEPT, COST_APPROXIMATE, apic, "initial_count",
			    "KVM starts a new period when QEMU loads the timer: up to one late");
	}
	if (rc)
		return rc;
	s->initial_count_load_time = run->now_ns;
	(void)lapic_timer_sample(s, run->now_ns, LAPIC_TIMER_KVM);
	lapic_timer_rebase(s, run->now_ns, LAPIC_TIMER_KVM);
	return write_times(run, apic, s, COST_LOSSLESS, "KVM counts from the moment of the load", reterr);
}

/* User space to user space: times are absolute. A timer that is periods behind is brought to its last edge. */
static int skip_old_edges(struct filter_run *run, struct vms_node *apic, struct lapic_state *s,
			  struct irqs_error *reterr)
{
	uint64_t period = lapic_timer_period_ns(s, LAPIC_TIMER_QEMU), behind;

	if (s->timer_expiry == -1 || s->timer_expiry >= run->now_ns || !period ||
	    lapic_timer_mode(s) != LAPIC_TIMER_PERIODIC)
		return 0;
	behind = (uint64_t)run->now_ns - (uint64_t)s->timer_expiry;
	if (behind < period)
		return 0;
	s->timer_expiry = (int64_t)((uint64_t)s->timer_expiry + behind / period * period);
	s->next_time = s->timer_expiry;
	return write_times(run, apic, s, COST_APPROXIMATE,
			   "the timer is periods behind: the last edge is raised, the older ones would come "
			   "in a storm",
			   reterr);
}

static int run_lapic_timer(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *apic = NULL;
	int rc = 0;

	while (!rc && (apic = vms_next_section(run->tree->machine, apic, "apic"))) {
		struct lapic_state s;

		rc = lapic_from_tree(apic, &s, reterr);
		if (rc || lapic_timer_mode(&s) >= LAPIC_TIMER_TSC_DEADLINE)
			continue;
		if (profile_kernel_lapic(run->to))
			rc = to_kernel(run, apic, &s, reterr);
		else if (profile_kernel_lapic(run->from))
			rc = from_kernel(run, apic, &s, reterr);
		else
			rc = skip_old_edges(run, apic, &s, reterr);
	}
	return rc;
}

const struct filter filter_lapic_timer = {
	.name = "lapic-timer",
	.summary = "set the LAPIC timer against the time of the save",
	.wants = wants_lapic_timer,
	.run = run_lapic_timer,
};

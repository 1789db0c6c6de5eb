/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PIT's channel 0, the only one with an interrupt. The kernel never keeps when it was loaded; user space
 * keeps the next edge in two places of the section, of which the last one wins.
 */
#include "apic/pit.h"
#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_pit(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind;
}

static bool repeats(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Both copies have the same path, which leads to the section's own field; the channel's is below it. */
static int write_next(struct filter_run *run, struct vms_node *pit, int64_t next, enum report_cost cost,
		      const char *why, struct irqs_error *reterr)
{
	struct vms_node *channel = vms_lookup(pit, "channels[0]");
	int rc = change_field(run, pit, "channels[0].next_transition_time", (uint64_t)next, cost, reterr,
			      "%s", why);

	return rc || !channel ? rc : vms_set(channel, "next_transition_time", (uint64_t)next, reterr);
}

static int from_kernel(struct filter_run *run, struct vms_node *pit, struct pit_channel *c, bool silent,
		       struct irqs_error *reterr)
{
	int64_t next;
	int rc;

	/* Half a period back: wrong by half a period at most. A single count is never cut short. */
	c->count_load_time = (int64_t)((uint64_t)run->now_ns - (repeats(c) ? pit_period_ns(c) / 2 : 0));
	next = silent ? PIT_NEVER : pit_next_edge(c, run->now_ns);
	rc = change_field(run, pit, "channels[0].count_load_time", (uint64_t)c->count_load_time,
			  silent ? COST_LOSSLESS : COST_APPROXIMATE, reterr,
			  silent ? "KVM does not keep when channel 0 was loaded; the HPET makes its "
				   "interrupts"
			  : repeats(c)
				  ? "KVM does not keep when channel 0 was loaded: the next edge is half a "
				    "period away, early or late by less than that"
				  : "KVM does not keep when channel 0 was loaded: the count starts again");
	if (!rc)
		rc = write_next(run, pit, next, COST_LOSSLESS,
				silent ? "no interrupt comes from the PIT while the HPET has taken it over"
				       : "the next edge from the new load time on; the old one is long past",
				reterr);
	return rc;
}

/* Periods behind: the last rising edge at or before now is raised, then the timer is in phase again. */
static int skip_old_edges(struct filter_run *run, struct vms_node *pit, const struct pit_channel *c,
			  int64_t next, struct irqs_error *reterr)
{
	uint64_t period = pit_period_ns(c), ticks, count = (uint64_t)c->count;

	if (!period || next == PIT_NEVER || next >= run->now_ns ||
	    (uint64_t)run->now_ns - (uint64_t)next < period)
		return 0;
	ticks = pit_ticks(c, run->now_ns) / count * count;
	return write_next(run, pit, ticks ? pit_tick_time(c, ticks) : pit_next_edge(c, run->now_ns),
			  COST_APPROXIMATE,
			  "the timer is periods behind: the last edge is raised, the older ones would come "
			  "in a storm",
			  reterr);
}

static int run_pit(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *section = vms_find_section(run->tree->machine, "i8254", 0);
	bool to_kernel = profile_kernel_ioapic(run->to);
	struct pit_channel *c;
	struct pit_state s;
	int rc;

	if (!section)
		return 0;
	rc = pit_from_tree(section, &s, reterr);
	if (rc)
		return rc;
	c = &s.channels[0];
	if (to_kernel) {
		if (!s.irq_disabled)
			change_note(run, REPORT_KEPT, COST_APPROXIMATE, section, "channels[0].count_load_time", "%s",
				    repeats(c) ? "KVM starts a new period when the PIT is loaded: up to one late" : "KVM starts the count again when the PIT is loaded: its interrupt "
														    "comes late, or once more");
		return 0;
	}
	if (profile_kernel_ioapic(run->from))
		return from_kernel(run, section, c, s.irq_disabled, reterr);
	return s.irq_disabled ? 0 : skip_old_edges(run, section, c, s.irq_timer, reterr);
}

const struct filter filter_pit = {
	.name = "pit",
	.summary = "set the PIT against the time of the save",
	.wants = wants_pit,
	.run = run_pit,
};

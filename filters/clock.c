/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clocks outside the CPUs: kvmclock, and TCG's instruction counter. */
#include <errno.h>

#include "apic/clock.h"
#include "filters/builtin.h"
#include "filters/change.h"

#define MSR_ENABLED UINT64_C(1)

static bool uses_kvmclock(const struct vms_node *machine)
{
	const struct vms_node *cpu = NULL;

	while ((cpu = vms_next_section(machine, cpu, "cpu")))
		if (vms_get_or(cpu, "env.system_time_msr", 0) & MSR_ENABLED)
			return true;
	return false;
}

static bool wants_kvmclock(const struct profile *from, const struct profile *to)
{
	return profile_is_kvm(from) != profile_is_kvm(to);
}

static void drop_kvmclock(struct filter_run *run)
{
	bool used = uses_kvmclock(run->tree->machine);
	struct vms_node *clock;

	while ((clock = vms_find_section(run->tree->machine, "kvmclock", 0))) {
		if (used)
			change_drop(run, clock, COST_APPROXIMATE,
				    "TCG has no such device; the guest goes on computing its clock from the "
				    "TSC and the page that KVM wrote last, at the rate of the target's TSC");
		else
			change_drop(run, clock, COST_LOSSLESS,
				    "TCG has no such device, and the guest does "
				    "not use it");
	}
}

/*
 * A guest that came from KVM once still reads KVM's page. Without the section QEMU would set KVM's clock to 0
 * and the guest's time would stand still for as long as it has been up. With the section, and without its
 * subsection clock_is_reliable, QEMU (hw/i386/kvm/clock.c) computes the clock from the page and the TSC.
 */
static int add_kvmclock(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *last = NULL, *s = NULL, *clock;

	while ((s = vms_next_section(run->tree->machine, s, "apic")))
		last = s;
	clock = vms_node_create(run->tree, VMS_SECTION, "kvmclock", "kvmclock");
	if (!clock || vms_desc_instantiate(run->tree, &kvmclock_vms_desc, clock))
		return irqs_fail_nomem(reterr);
	if (last)
		vms_insert_after(last, clock);
	else
		vms_append(run->tree->machine, clock);
	if (vms_set(clock, "clock", (uint64_t)run->now_ns, reterr))
		return -EBADMSG;
	change_added(run, clock, COST_APPROXIMATE,
		     "the guest's clock page was enabled before it came to TCG: QEMU continues that clock "
		     "from the page and the TSC, because the section does not claim to be reliable");
	return 0;
}

static int run_kvmclock(struct filter_run *run, struct irqs_error *reterr)
{
	if (!profile_is_kvm(run->to)) {
		drop_kvmclock(run);
		return 0;
	}
	if (vms_find_section(run->tree->machine, "kvmclock", 0))
		return 0;
	if (uses_kvmclock(run->tree->machine))
		return add_kvmclock(run, reterr);
	report_add(run->report, run->self->name, REPORT_KEPT, COST_LOSSLESS, "kvmclock", NULL, NULL,
		   "no section is added: the guest does not use kvm-clock, and QEMU loads without it");
	return 0;
}

const struct filter filter_kvmclock = {
	.name = "kvmclock",
	.summary = "drop the kvmclock section for TCG, add one for a guest that still uses it",
	.wants = wants_kvmclock,
	.run = run_kvmclock,
};

static bool wants_icount(const struct profile *from, const struct profile *to)
{
	return from->kind == PROFILE_TCG && profile_is_kvm(to);
}

static int run_icount(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *timer = vms_find_section(run->tree->machine, "timer", 0);
	struct vms_node *icount = timer ? vms_subsection(timer, "timer/icount") : NULL;

	(void)reterr;
	if (icount)
		change_note(run, REPORT_REFUSED, COST_FATAL, icount, NULL,
			    "virtual time counts instructions (-icount): KVM cannot, and every timer of the "
			    "machine is on that clock");
	return 0;
}

const struct filter filter_icount = {
	.name = "icount",
	.summary = "refuse -icount where the target is KVM",
	.wants = wants_icount,
	.run = run_icount,
};

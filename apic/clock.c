/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/clock.h"

#include <linux/kvm.h>
#include <string.h>

const struct vms_field timer_vms_fields[TIMER_VMS_NR] = {
	[TIMER_VMS_CPU_TICKS_OFFSET] = { .name = "cpu_ticks_offset", .type = "int64" },
	[TIMER_VMS_UNUSED] = { .name = "unused", .type = "unused_buffer", .size = 8 },
	[TIMER_VMS_CPU_CLOCK_OFFSET] = { .name = "cpu_clock_offset", .type = "int64", .since = 2 },
};

#define SUB(id, n, v, ...)                                                              \
	static const struct vms_field id##_fields[] = { __VA_ARGS__ };                  \
	static const struct vms_desc id##_desc = {                                      \
		.name = (n), .version = (v), .minimum_version = (v), .fields = id##_fields, \
		.nfields = REG_ARRAY_SIZE(id##_fields),                                 \
	}

/* Only with -icount. */
SUB(warp_timer, "timer/icount/warp_timer", 1, { .name = "vm_clock_warp_start", .type = "int64" },
    { .name = "icount_warp_timer", .type = "timer" });
SUB(icount_timers, "timer/icount/timers", 1, { .name = "icount_rt_timer", .type = "timer" },
    { .name = "icount_vm_timer", .type = "timer" });
SUB(icount_shift, "timer/icount/shift", 2, { .name = "icount_time_shift", .type = "int16" },
    { .name = "last_delta", .type = "int64" });

static const struct vms_desc *const icount_subs[] = { &warp_timer_desc, &icount_timers_desc,
						     &icount_shift_desc,
						      NULL };
static const struct vms_field icount_fields[] = { { .name = "qemu_icount_bias", .type = "int64" },
						  { .name = "qemu_icount", .type = "int64" } };
static const struct vms_desc icount_desc = {
	.name = "timer/icount", .version = 1, .minimum_version = 1, .fields = icount_fields,
	.nfields = REG_ARRAY_SIZE(icount_fields), .subsections = icount_subs,
};

static const struct vms_desc *const timer_subs[] = { &icount_desc, NULL };

const struct vms_desc timer_vms_desc = {
	.name = "timer",
	.version = 2,
	.minimum_version = 1,
	.fields = timer_vms_fields,
	.nfields = TIMER_VMS_NR,
	.subsections = timer_subs,
};

static const struct vms_field reliable_fields[] = { { .name = "clock_is_reliable", .type = "bool" } };

const struct vms_desc kvmclock_reliable_vms_desc = {
	.name = "kvmclock/clock_is_reliable", .version = 1, .minimum_version = 1, .fields = reliable_fields,
	.nfields = 1,
};

static const struct vms_desc *const kvmclock_subs[] = { &kvmclock_reliable_vms_desc, NULL };
static const struct vms_field kvmclock_fields[] = { { .name = "clock", .type = "uint64" } };

const struct vms_desc kvmclock_vms_desc = {
	.name = "kvmclock",
	.version = 1,
	.minimum_version = 1,
	.fields = kvmclock_fields,
	.nfields = 1,
	.subsections = kvmclock_subs,
};

enum clock_known { KNOWN_TICKS, KNOWN_CLOCK, KNOWN_KVMCLOCK, KNOWN_RELIABLE, KNOWN_REALTIME, KNOWN_HOST_TSC,
		   KNOWN_FLAGS };

#define MEMBER(m, known) .offset = REG_NO_OFFSET, .width = sizeof(((struct clock_state *)0)->m), \
	REG_AT(struct clock_state, m, known)

static const struct reg_row clock_rows[] = {
	{ .name = "cpu_ticks_offset", .text = "TSC of an emulated CPU", MEMBER(cpu_ticks_offset, KNOWN_TICKS),
	  .format = REG_DEC, .is_signed = true, .desc = &timer_vms_desc,
	  .vms = &timer_vms_fields[TIMER_VMS_CPU_TICKS_OFFSET], .manual = "QEMU system/cpu-timers.c" },
	{ .name = "cpu_clock_offset", .text = "virtual time: now", MEMBER(cpu_clock_offset, KNOWN_CLOCK),
	  .format = REG_NS, .is_signed = true, .desc = &timer_vms_desc,
	  .vms = &timer_vms_fields[TIMER_VMS_CPU_CLOCK_OFFSET], .manual = "QEMU system/cpu-timers.c" },
	{ .name = "kvmclock", .text = "time that kvm-clock shows", MEMBER(kvmclock, KNOWN_KVMCLOCK),
	  .format = REG_NS, .desc = &kvmclock_vms_desc, .vms = &kvmclock_fields[0],
	  REG_KVM(REG_ABI_CLOCK, kvm_clock_data, clock), .manual = "KVM_GET_CLOCK" },
	{ .name = "kvmclock_reliable", .text = "read in the kernel",
	  MEMBER(kvmclock_reliable, KNOWN_RELIABLE),
	  .format = REG_DEC, .desc = &kvmclock_vms_desc, .sub = &kvmclock_reliable_vms_desc,
	  .vms = &reliable_fields[0], .kvm = "kvm_clock_data.flags, KVM_CLOCK_TSC_STABLE",
	  .manual = "KVM_GET_CLOCK" },
	{ .name = "kvmclock_realtime", .text = "wall clock at that time",
	  MEMBER(kvmclock_realtime, KNOWN_REALTIME), .format = REG_NS, REG_KVM(REG_ABI_CLOCK, kvm_clock_data, realtime),
	  .manual = "KVM_GET_CLOCK" },
	{ .name = "kvmclock_host_tsc", .text = "host TSC at that time",
	  MEMBER(kvmclock_host_tsc, KNOWN_HOST_TSC),
	  .format = REG_DEC, REG_KVM(REG_ABI_CLOCK, kvm_clock_data, host_tsc), .manual = "KVM_GET_CLOCK" },
	{ .name = "kvmclock_flags", .text = "what of it is valid", MEMBER(kvmclock_flags, KNOWN_FLAGS),
	  REG_KVM(REG_ABI_CLOCK, kvm_clock_data, flags), .manual = "KVM_GET_CLOCK" },
};

const struct reg_chip clock_chip = {
	.name = "clock",
	.line = "bit",
	.rows = clock_rows,
	.nrows = REG_ARRAY_SIZE(clock_rows),
	.state_size = sizeof(struct clock_state),
};

_Static_assert(offsetof(struct clock_state, known) == 0, "apic/reg.c finds the known bits there");

int clock_from_tree(const struct vms_node *section, struct clock_state *ret, struct irqs_error *reterr)
{
	struct clock_state s;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = reg_from_tree(&clock_chip, section, &s, reterr);
	if (!rc)
		*ret = s;
	return rc;
}

int clock_add_tree(const struct vms_node *section, struct clock_state *s, struct irqs_error *reterr)
{
	return reg_from_tree(&clock_chip, section, s, reterr);
}

int clock_to_tree(const struct clock_state *s, struct vms_node *section, struct irqs_error *reterr)
{
	return reg_to_tree(&clock_chip, s, section, reterr);
}

int64_t clock_now(const struct vms_node *machine)
{
	uint64_t now;

	if (vms_get(machine, "timer.cpu_clock_offset", &now, NULL))
		return REG_NO_TIME;
	return (int64_t)now;
}

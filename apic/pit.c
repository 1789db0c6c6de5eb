/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the 8254, and its counting as QEMU does it. */
#include "apic/pit.h"

#include <linux/kvm.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

__extension__ typedef unsigned __int128 uint128;

const struct vms_field pit_channel_vms_fields[PIT_CHANNEL_VMS_NR] = {
	[PIT_CHANNEL_VMS_COUNT] = { .name = "count", .type = "int32" },
	[PIT_CHANNEL_VMS_LATCHED_COUNT] = { .name = "latched_count", .type = "uint16" },
	[PIT_CHANNEL_VMS_COUNT_LATCHED] = { .name = "count_latched", .type = "uint8" },
	[PIT_CHANNEL_VMS_STATUS_LATCHED] = { .name = "status_latched", .type = "uint8" },
	[PIT_CHANNEL_VMS_STATUS] = { .name = "status", .type = "uint8" },
	[PIT_CHANNEL_VMS_READ_STATE] = { .name = "read_state", .type = "uint8" },
	[PIT_CHANNEL_VMS_WRITE_STATE] = { .name = "write_state", .type = "uint8" },
	[PIT_CHANNEL_VMS_WRITE_LATCH] = { .name = "write_latch", .type = "uint8" },
	[PIT_CHANNEL_VMS_RW_MODE] = { .name = "rw_mode", .type = "uint8" },
	[PIT_CHANNEL_VMS_MODE] = { .name = "mode", .type = "uint8" },
	[PIT_CHANNEL_VMS_BCD] = { .name = "bcd", .type = "uint8" },
	[PIT_CHANNEL_VMS_GATE] = { .name = "gate", .type = "uint8" },
	[PIT_CHANNEL_VMS_LOAD_TIME] = { .name = "count_load_time", .type = "int64" },
	[PIT_CHANNEL_VMS_NEXT_TRANSITION] = { .name = "next_transition_time", .type = "int64" },
};

static const struct vms_desc pit_channel_vms_desc = {
	.name = "pit channel",
	.version = 2,
	.minimum_version = 2,
	.fields = pit_channel_vms_fields,
	.nfields = PIT_CHANNEL_VMS_NR,
};

const struct vms_field pit_vms_fields[PIT_VMS_NR] = {
	[PIT_VMS_IRQ_DISABLED] = { .name = "channels[0].irq_disabled", .type = "uint32", .since = 3 },
	[PIT_VMS_CHANNELS] = { .name = "channels", .type = "struct", .count = PIT_CHANNELS,
			       .desc = &pit_channel_vms_desc },
	[PIT_VMS_IRQ_TIMER] = { .name = "channels[0].next_transition_time", .type = "int64" },
};

const struct vms_desc pit_vms_desc = {
	.name = "i8254",
	.version = 3,
	.minimum_version = 2,
	.fields = pit_vms_fields,
	.nfields = PIT_VMS_NR,
};

static const char *const rw_modes[] = { NULL, "low byte", "high byte", "low, high" };
static const char *const modes[] = { "interrupt on terminal count", "one-shot", "rate generator",
				    "square wave",
				     "software strobe", "hardware strobe" };
static const char *const rw_states[] = { NULL, "low byte", "high byte", "word, low first",
					"word, high next" };

static const struct reg_field rw_fields[] = { { .name = "access", .lsb = 0, .width = 8,
					       REG_VALUES(rw_modes) } };
static const struct reg_field mode_fields[] = { { .name = "mode", .lsb = 0, .width = 8, REG_VALUES(modes) } };
static const struct reg_field state_fields[] = { { .name = "next", .lsb = 0, .width = 8,
						  REG_VALUES(rw_states) } };

/* Three known bits for each row of channels. */
enum pit_known { KNOWN_IRQ_DISABLED = 3 * PIT_CHANNEL_VMS_NR, KNOWN_IRQ_TIMER, KNOWN_FLAGS };

#define CHANNEL(m, f)                                                                                  \
	.offset = REG_NO_OFFSET, .width = sizeof(((struct pit_channel *)0)->m), .count = PIT_CHANNELS, \
	.at = offsetof(struct pit_state, channels[0].m), .size = sizeof(((struct pit_channel *)0)->m), \
	.step = sizeof(struct pit_channel), .bit = 3 * PIT_CHANNEL_VMS_##f, .desc = &pit_vms_desc,      \
	.in = &pit_vms_fields[PIT_VMS_CHANNELS], .vms = &pit_channel_vms_fields[PIT_CHANNEL_VMS_##f]
#define MEMBER(m, known) .offset = REG_NO_OFFSET, .width = sizeof(((struct pit_state *)0)->m), \
	REG_AT(struct pit_state, m, known)
#define VMS(f) .desc = &pit_vms_desc, .vms = &pit_vms_fields[PIT_VMS_##f]
#define KVM(m)                                                                                       \
	.kvm = "kvm_pit_channel_state." #m, .abi = REG_ABI_PIT,                                        \
	.abi_at = offsetof(struct kvm_pit_state2, channels[0].m),                                      \
	.abi_step = sizeof(struct kvm_pit_channel_state),                                              \
	.abi_size = sizeof(((struct kvm_pit_channel_state *)0)->m)

static const struct reg_row pit_rows[] = {
	{ .name = "mode", .text = "mode", CHANNEL(mode, MODE), REG_FIELDS(mode_fields), KVM(mode),
	  .manual = "8254, control word" },
	{ .name = "count", .text = "reload value", CHANNEL(count, COUNT), .reset = 0x10000, .format = REG_DEC,
	  .is_signed = true, .guest_read = "the running count", KVM(count), .manual = "8254, counters" },
	{ .name = "bcd", .text = "counts in decimal", CHANNEL(bcd, BCD), .format = REG_DEC, KVM(bcd),
	  .manual = "8254, control word" },
	{ .name = "gate", .text = "gate input", CHANNEL(gate, GATE), .format = REG_DEC, KVM(gate),
	  .manual = "8254, gate; port 0x61 bit 0 for channel 2" },
	{ .name = "rw_mode", .text = "access", CHANNEL(rw_mode, RW_MODE), REG_FIELDS(rw_fields),
	  KVM(rw_mode),
	  .manual = "8254, control word" },
	{ .name = "read_state", .text = "next byte read", CHANNEL(read_state, READ_STATE),
	  REG_FIELDS(state_fields), KVM(read_state), .manual = "8254, read operations" },
	{ .name = "write_state", .text = "next byte written", CHANNEL(write_state, WRITE_STATE),
	  REG_FIELDS(state_fields), KVM(write_state), .manual = "8254, write operations" },
	{ .name = "write_latch", .text = "low byte written", CHANNEL(write_latch, WRITE_LATCH),
	  KVM(write_latch), .manual = "8254, write operations" },
	{ .name = "latched_count", .text = "latched count", CHANNEL(latched_count, LATCHED_COUNT),
	  .format = REG_DEC, KVM(latched_count), .manual = "8254, counter latch" },
	{ .name = "count_latched", .text = "how the latched count is read",
	  CHANNEL(count_latched, COUNT_LATCHED),
	  .format = REG_DEC, KVM(count_latched), .manual = "8254, counter latch" },
	{ .name = "status", .text = "latched status", CHANNEL(status, STATUS), KVM(status),
	  .manual = "8254, read-back" },
	{ .name = "status_latched", .text = "status is latched", CHANNEL(status_latched, STATUS_LATCHED),
	  .format = REG_DEC, KVM(status_latched), .manual = "8254, read-back" },
	{ .name = "count_load_time", .text = "when the count was loaded", CHANNEL(count_load_time, LOAD_TIME),
	  .storage = REG_DERIVED, .from = "the running count; the kernel does not keep it for channel 0",
	  .format = REG_NS, .is_signed = true, .guest_read = "not readable", KVM(count_load_time),
	  .manual = "QEMU hw/timer/i8254_common.c" },
	{ .name = "next_transition_time", .text = "next change of the output",
	  CHANNEL(next_transition_time, NEXT_TRANSITION), .storage = REG_DERIVED,
	  .from = "count_load_time, count and mode", .format = REG_NS, .is_signed = true,
	  .guest_read = "not readable", .manual = "QEMU hw/timer/i8254_common.c" },
	{ .name = "irq_disabled", .text = "the HPET has IRQ 0", MEMBER(irq_disabled, KNOWN_IRQ_DISABLED),
	  VMS(IRQ_DISABLED), .format = REG_DEC, .guest_read = "not readable",
	  .kvm = "kvm_pit_state2.flags, KVM_PIT_FLAGS_HPET_LEGACY", .manual = "HPET 2.3.4" },
	{ .name = "irq_timer", .text = "next change of channel 0, second copy: a load takes this one",
	  MEMBER(irq_timer, KNOWN_IRQ_TIMER), VMS(IRQ_TIMER), .storage = REG_DERIVED,
	  .from = "next_transition_time of channel 0", .format = REG_NS, .is_signed = true,
	  .guest_read = "not readable", .manual = "QEMU hw/timer/i8254_common.c" },
	{ .name = "flags", .text = "flags of the in-kernel PIT", MEMBER(flags, KNOWN_FLAGS),
	  .guest_read = "not readable", REG_KVM(REG_ABI_PIT, kvm_pit_state2, flags), .manual = "KVM_GET_PIT2" },
};

const struct reg_chip pit_chip = {
	.name = "PIT",
	.line = "channel",
	.rows = pit_rows,
	.nrows = REG_ARRAY_SIZE(pit_rows),
	.state_size = sizeof(struct pit_state),
};

_Static_assert(offsetof(struct pit_state, known) == 0, "apic/reg.c finds the known bits there");
_Static_assert(KNOWN_FLAGS < 64 * REG_KNOWN_WORDS, "every row needs its known bits");

int pit_from_tree(const struct vms_node *section, struct pit_state *ret, struct irqs_error *reterr)
{
	struct pit_state s;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = reg_from_tree(&pit_chip, section, &s, reterr);
	if (!rc)
		*ret = s;
	return rc;
}

int pit_to_tree(const struct pit_state *s, struct vms_node *section, struct irqs_error *reterr)
{
	return reg_to_tree(&pit_chip, s, section, reterr);
}

uint64_t pit_ticks(const struct pit_channel *c, int64_t now_ns)
{
	if (now_ns <= c->count_load_time)
		return 0;
	return (uint64_t)((uint128)((uint64_t)now_ns - (uint64_t)c->count_load_time) * PIT_FREQ / NS_PER_S);
}

int64_t pit_tick_time(const struct pit_channel *c, uint64_t ticks)
{
	uint128 ns = ((uint128)ticks * NS_PER_S + PIT_FREQ - 1) / PIT_FREQ;
	uint64_t room = (uint64_t)INT64_MAX - (uint64_t)c->count_load_time;

	if (ns > room)
		return INT64_MAX;
	return (int64_t)((uint64_t)c->count_load_time + (uint64_t)ns);
}

static bool counting(const struct pit_channel *c)
{
	return c->count >= 1 && c->count <= 0x10000;
}

uint16_t pit_count(const struct pit_channel *c, int64_t now_ns)
{
	uint64_t d = pit_ticks(c, now_ns), count = (uint64_t)c->count;

	if (!counting(c))
		return 0;
	switch (c->mode) {
	case 0:
	case 1:
	case 4:
	case 5:
		return (uint16_t)(count - d);
	case 3:
		return (uint16_t)(count - 2 * d % count);
	default:
		return (uint16_t)(count - d % count);
	}
}

static bool out_at(const struct pit_channel *c, uint64_t d)
{
	uint64_t count = (uint64_t)c->count;

	switch (c->mode) {
	case 1:
		return d < count;
	case 2:
		return d && d % count == 0;
	case 3:
		return d % count < (count + 1) / 2;
	case 4:
	case 5:
		return d == count;
	default:
		return d >= count;
	}
}

bool pit_out(const struct pit_channel *c, int64_t now_ns)
{
	return counting(c) && out_at(c, pit_ticks(c, now_ns));
}

/* The tick at which the output changes next after tick @d; 0 for never. */
static uint64_t next_tick(const struct pit_channel *c, uint64_t d)
{
	uint64_t count = (uint64_t)c->count, base = d - d % count, half = (count + 1) / 2;

	switch (c->mode) {
	case 2:
		/* The output is high for one tick at each multiple; with a count of 1 it stays high. */
		if (count == 1)
			return d ? 0 : 1;
		return d && d == base ? d + 1 : base + count;
	case 3:
		if (count == 1)
			return 0;
		return d - base < half ? base + half : base + count;
	case 4:
	case 5:
		return d < count ? count : d == count ? count + 1 : 0;
	default:
		return d < count ? count : 0;
	}
}

int64_t pit_next_edge(const struct pit_channel *c, int64_t now_ns)
{
	uint64_t tick;
	int64_t edge;

	if (!counting(c))
		return PIT_NEVER;
	tick = next_tick(c, pit_ticks(c, now_ns));
	edge = tick ? pit_tick_time(c, tick) : PIT_NEVER;
	return edge > now_ns ? edge : PIT_NEVER;
}

uint64_t pit_period_ns(const struct pit_channel *c)
{
	if (!counting(c) || (c->mode != 2 && c->mode != 3))
		return 0;
	return (uint64_t)c->count * NS_PER_S / PIT_FREQ;
}

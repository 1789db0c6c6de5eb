/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 8254 timer: three channels. Times are virtual nanoseconds on the clock of the section, as QEMU keeps
 * them; a channel's count runs from count_load_time on, and its gate does not stop it (QEMU and KVM ignore a
 * low gate). Manual: Intel 8254.
 */
#ifndef IRQSHIFT_APIC_PIT_H
#define IRQSHIFT_APIC_PIT_H

#include "apic/reg.h"

#define PIT_FREQ     UINT64_C(1193182)
#define PIT_CHANNELS 3

/* No edge will come. */
#define PIT_NEVER INT64_C(-1)

struct pit_channel {
	int32_t count; /* 1 to 0x10000: what was written, 0 meaning 0x10000 */
	uint16_t latched_count;
	uint8_t count_latched, status_latched, status, read_state, write_state, write_latch, rw_mode;
	uint8_t mode;  /* 0 to 5 */
	uint8_t bcd, gate;
	int64_t count_load_time;
	int64_t next_transition_time; /* PIT_NEVER: none; channel 0 only */
};

struct pit_state {
	uint64_t known[REG_KNOWN_WORDS]; /* first: see apic/reg.h */
	struct pit_channel channels[PIT_CHANNELS];
	uint32_t irq_disabled;         /* the HPET has taken IRQ 0 over */
	int64_t irq_timer;             /* the section's second copy of channel 0's next_transition_time */
	uint32_t flags;                /* struct kvm_pit_state2 */
};

/* Fields of the section `i8254` and of its channels (QEMU hw/timer/i8254_common.c). */
enum pit_vms { PIT_VMS_IRQ_DISABLED, PIT_VMS_CHANNELS, PIT_VMS_IRQ_TIMER, PIT_VMS_NR };
enum pit_channel_vms {
	PIT_CHANNEL_VMS_COUNT, PIT_CHANNEL_VMS_LATCHED_COUNT, PIT_CHANNEL_VMS_COUNT_LATCHED,
	PIT_CHANNEL_VMS_STATUS_LATCHED, PIT_CHANNEL_VMS_STATUS, PIT_CHANNEL_VMS_READ_STATE,
	PIT_CHANNEL_VMS_WRITE_STATE, PIT_CHANNEL_VMS_WRITE_LATCH, PIT_CHANNEL_VMS_RW_MODE,
	PIT_CHANNEL_VMS_MODE,
	PIT_CHANNEL_VMS_BCD, PIT_CHANNEL_VMS_GATE, PIT_CHANNEL_VMS_LOAD_TIME, PIT_CHANNEL_VMS_NEXT_TRANSITION,
	PIT_CHANNEL_VMS_NR
};

extern const struct vms_desc pit_vms_desc;
extern const struct vms_field pit_vms_fields[PIT_VMS_NR], pit_channel_vms_fields[PIT_CHANNEL_VMS_NR];
extern const struct reg_chip pit_chip;

/* pit_from_tree - a state from a section `i8254`; see lapic_from_tree(). */
int pit_from_tree(const struct vms_node *section, struct pit_state *ret, struct irqs_error *reterr);

/* pit_to_tree - write what is known into the fields of a section `i8254`; see reg_to_tree(). */
int pit_to_tree(const struct pit_state *s, struct vms_node *section, struct irqs_error *reterr);

/* pit_ticks - whole ticks of a channel from its load time to @now_ns; 0 before the load. */
uint64_t pit_ticks(const struct pit_channel *c, int64_t now_ns);

/* pit_tick_time - the first nanosecond at which pit_ticks() gives @ticks; saturates at INT64_MAX. */
int64_t pit_tick_time(const struct pit_channel *c, uint64_t ticks);

/* pit_count - what a latch of the counter would give at @now_ns, binary. */
uint16_t pit_count(const struct pit_channel *c, int64_t now_ns);

/* pit_out - the output at @now_ns. Mode 1: high while it counts; 2, 4, 5: for the tick that makes the interrupt. */
bool pit_out(const struct pit_channel *c, int64_t now_ns);

/**
 * pit_next_edge - when the output changes next
 * @c: a channel; a count outside 1 to 0x10000 never changes it
 * @now_ns: virtual time
 *
 * Return: the first nanosecond after @now_ns at which pit_out() differs from what it is at @now_ns; PIT_NEVER
 * when it will stay. Takes the same time however long ago the load was.
 */
int64_t pit_next_edge(const struct pit_channel *c, int64_t now_ns);

/* pit_period_ns - a period of modes 2 and 3, rounded down; 0 in the other modes. */
uint64_t pit_period_ns(const struct pit_channel *c);

#endif

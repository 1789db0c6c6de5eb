/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the PIT and of the machine's clocks. */
#include <inttypes.h>

#include <linux/kvm.h>

#include "apic/lint_priv.h"

#define PIT_MODE_UNSET 0xff /* KVM, before the guest programmed the channel */
#define CLOCK_FLAGS ((uint32_t)(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC))

static void count_range(struct lint_run *r, unsigned int i)
{
	int32_t count = r->s->pit.channels[i].count;

	if (count < 1 || count > 0x10000)
		lint_channel(r, i, "count", "%" PRId32 " is not from 1 to 65536", count);
}

static void mode_range(struct lint_run *r, unsigned int i)
{
	uint8_t mode = r->s->pit.channels[i].mode;

	if (mode > 5 && mode != PIT_MODE_UNSET)
		lint_channel(r, i, "mode", "there is no mode %u", mode);
}

static bool is_decimal(uint32_t count)
{
	for (; count; count >>= 4)
		if ((count & 15) > 9)
			return false;
	return true;
}

static void bcd_digits(struct lint_run *r, unsigned int i)
{
	const struct pit_channel *c = &r->s->pit.channels[i];

	if (c->bcd && !is_decimal((uint32_t)c->count))
		lint_channel(r, i, "count", "0x%04" PRIx32 " is no decimal number, and the channel counts in decimal",
			     (uint32_t)c->count);
}

static void gate_low(struct lint_run *r, unsigned int i)
{
	if (!i && !r->s->pit.channels[0].gate)
		lint_channel(r, i, "gate", "the gate of channel 0 is low, which is wired high in a PC");
}

static void irq0_taken(struct lint_run *r, unsigned int i)
{
	(void)i;
	if (r->s->pit.irq_disabled && r->machine->hpet == LINT_ABSENT)
		lint_chip(r, "i8254.irq_disabled", "IRQ 0 belongs to the HPET, and there is none");
}

static bool uses_kvmclock(const struct irqchip_state *s)
{
	for (unsigned int i = 0; i < s->nlapics; i++)
		if (s->lapics[i].system_time_msr & 1)
			return true;
	return false;
}

static void unstable(struct lint_run *r, unsigned int i)
{
	(void)i;
	if (uses_kvmclock(r->s) && !(r->s->clock.kvmclock_flags & KVM_CLOCK_TSC_STABLE))
		lint_chip(r, "clock.kvmclock_flags", "the guest uses the KVM clock, which is not the same on all CPUs");
}

static void flag_values(struct lint_run *r, unsigned int i)
{
	const struct clock_state *c = &r->s->clock;
	uint32_t unknown = c->kvmclock_flags & ~CLOCK_FLAGS;

	(void)i;
	if (unknown)
		lint_chip(r, "clock.kvmclock_flags", "flags 0x%" PRIx32 " have no meaning", unknown);
	if (c->kvmclock_flags & KVM_CLOCK_REALTIME && !c->kvmclock_realtime)
		lint_chip(r, "clock.kvmclock_realtime", "it is said to be valid, and is 0");
	if (c->kvmclock_flags & KVM_CLOCK_HOST_TSC && !c->kvmclock_host_tsc)
		lint_chip(r, "clock.kvmclock_host_tsc", "it is said to be valid, and is 0");
}

const struct lint_check lint_clock_checks[] = {
	{ .name = "pit-count", .severity = LINT_IMPOSSIBLE, .scope = LINT_CHANNEL, .needs = "pit.count",
	  .text = "a reload value that no guest can write", .guest = "the channel does not count: no tick", .run = count_range },
	{ .name = "pit-mode", .severity = LINT_SUSPICIOUS, .scope = LINT_CHANNEL, .needs = "pit.mode",
	  .text = "a mode that a channel does not have: 6 and 7 are other names of 2 and 3, but not to all hosts",
	  .guest = "the channel counts otherwise than it asked", .run = mode_range },
	{ .name = "pit-bcd", .severity = LINT_SUSPICIOUS, .scope = LINT_CHANNEL, .needs = "pit.count pit.bcd",
	  .text = "a decimal count with a digit above 9", .guest = "a period that it did not ask for", .run = bcd_digits },
	{ .name = "pit-gate", .severity = LINT_SUSPICIOUS, .scope = LINT_CHANNEL, .needs = "pit.gate",
	  .text = "the gate of channel 0 is low", .guest = "no tick on a chip that obeys its gate; KVM and QEMU do not",
	  .run = gate_low },
	{ .name = "pit-irq0", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE, .needs = "pit.irq_disabled",
	  .text = "IRQ 0 is given to an HPET in a machine that has none", .guest = "no tick", .run = irq0_taken },
	{ .name = "clock-unstable", .severity = LINT_NOTE, .scope = LINT_MACHINE,
	  .needs = "clock.kvmclock_flags apics.system_time_msr",
	  .text = "the guest uses a KVM clock that each CPU reads differently",
	  .guest = "its clock takes a lock, and is slower", .run = unstable },
	{ .name = "clock-flags", .severity = LINT_SUSPICIOUS, .scope = LINT_MACHINE,
	  .needs = "clock.kvmclock_flags clock.kvmclock_realtime clock.kvmclock_host_tsc",
	  .text = "the flags of the KVM clock do not fit its values",
	  .guest = "its wall clock jumps by the time of day", .run = flag_values },
	{ .name = NULL },
};

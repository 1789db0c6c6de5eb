/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures that carry register rows. Those that are messages to KVM are in decode_messages.c. */
#include "kvm/decode.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "kvm/decode_priv.h"
#include "kvm/extensions_priv.h"

/* A structure as the state that its rows make. */
struct carried {
	const struct reg_chip *chip;
	enum reg_abi abi;
	unsigned int which;  /* of the two PICs */
	unsigned int others; /* MSRs that have no row */
	union {
		struct lapic_state lapic;
		struct ioapic_state ioapic;
		struct pic_state pic;
		struct pit_state pit;
		struct clock_state clock;
	} state;
};

#define EVENTS(flag, first, last)                                                                           \
	{                                                                                                   \
		REG_ABI_EVENTS, offsetof(struct kvm_vcpu_events, flags), KVM_VCPUEVENT_VALID_##flag, #flag, \
			offsetof(struct kvm_vcpu_events, first), offsetof(struct kvm_vcpu_events, last)     \
	}
#define CLOCK(flag, member)                                                                              \
	{                                                                                                \
		REG_ABI_CLOCK, offsetof(struct kvm_clock_data, flags), KVM_CLOCK_##flag, #flag,          \
			offsetof(struct kvm_clock_data, member), offsetof(struct kvm_clock_data, member) \
	}

/* Members that only count when a flag in the structure says so: what KVM did not fill in, or does not take. */
static const struct {
	enum reg_abi abi;
	uint32_t flags_at, flag;
	const char *name;
	uint32_t first, last;
} validity[] = {
	EVENTS(NMI_PENDING, nmi.pending, nmi.pending),
	EVENTS(SIPI_VECTOR, sipi_vector, sipi_vector),
	EVENTS(SHADOW, interrupt.shadow, interrupt.shadow),
	EVENTS(SMM, smi.smm, smi.latched_init),
	EVENTS(PAYLOAD, exception_has_payload, exception_payload),
	EVENTS(TRIPLE_FAULT, triple_fault.pending, triple_fault.pending),
	CLOCK(REALTIME, realtime),
	CLOCK(HOST_TSC, host_tsc),
};

uint32_t decode_u32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

uint64_t decode_u64(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

unsigned int decode_entries(const struct kvm_call *call)
{
	uint32_t n = decode_u32(call->arg);

	if (call->request == (uint32_t)KVM_GET_MSRS && call->returned)
		return call->result < 0 ? 0 : (uint32_t)call->result < n ? (uint32_t)call->result
									 : n;
	return n;
}

static uint32_t flag_word(const struct kvm_call *call, size_t v)
{
	return decode_u32((const uint8_t *)call->arg + validity[v].flags_at);
}

/* A row of which a byte lies outside the @size bytes that came, or that a flag of the structure disowns. */
static bool disowned(const struct carried *c, const struct kvm_call *call, uint32_t at, uint32_t bytes)
{
	if (at + bytes > call->len)
		return true;
	for (size_t v = 0; v < REG_ARRAY_SIZE(validity); v++)
		if (validity[v].abi == c->abi && at >= validity[v].first && at <= validity[v].last &&
		    !(flag_word(call, v) & validity[v].flag))
			return true;
	return false;
}

static void carry_rows(struct carried *c, const struct kvm_call *call, const uint8_t *bytes, size_t len)
{
	uint8_t whole[sizeof(struct kvm_lapic_state)] = { 0 };

	memcpy(whole, bytes, len < abi_size(c->abi) ? len : abi_size(c->abi));
	abi_get(c->chip, c->abi, whole, &c->state);
	for (uint16_t r = 0; r < c->chip->nrows; r++) {
		const struct reg_row *row = &c->chip->rows[r];

		for (unsigned int i = 0; row->abi == c->abi && i < row->count; i++)
			if (disowned(c, call, row->abi_at + i * row->abi_step, row->abi_size))
				reg_forget(row, &c->state, i);
	}
}

static void carry_msrs(struct carried *c, const struct kvm_call *call)
{
	const struct kvm_msr_entry *e;
	unsigned int n = decode_entries(call);

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *at = (const uint8_t *)call->arg + sizeof(struct kvm_msrs) + i * sizeof(*e);
		uint32_t index = decode_u32(at + offsetof(struct kvm_msr_entry, index));
		const struct reg_row *row = NULL;

		while ((row = abi_msr(c->chip, row)) && row->abi_at != index)
			;
		if (row)
			reg_set(row, &c->state, 0, decode_u64(at + offsetof(struct kvm_msr_entry, data)));
		else
			c->others++;
	}
}

/* struct kvm_irqchip: one of three chips, by its chip_id. */
static int carry_irqchip(struct carried *c, const struct kvm_call *call, struct irqs_error *reterr)
{
	uint32_t id = decode_u32((const uint8_t *)call->arg + offsetof(struct kvm_irqchip, chip_id));

	if (id > KVM_IRQCHIP_IOAPIC)
		return irqs_fail(reterr, IRQS_MALFORMED, 0, NULL, "chip_id is %" PRIu32 ": KVM has 0 to 2", id);
	c->which = id;
	c->chip = id == KVM_IRQCHIP_IOAPIC ? &ioapic_chip : &pic_chip;
	c->abi = id == KVM_IRQCHIP_IOAPIC ? REG_ABI_IOAPIC : REG_ABI_PIC;
	carry_rows(c, call, (const uint8_t *)call->arg + offsetof(struct kvm_irqchip, chip), abi_size(c->abi));
	return 0;
}

static bool is_irqchip(const struct kvm_ioctl *io)
{
	return io->request == (uint32_t)KVM_GET_IRQCHIP || io->request == (uint32_t)KVM_SET_IRQCHIP;
}

/* Return: 0 or -EBADMSG; @c->chip is NULL when the structure carries no rows. */
static int carry(struct carried *c, const struct kvm_ioctl *io, const struct kvm_call *call, struct irqs_error *reterr)
{
	memset(c, 0, sizeof(*c));
	if (is_irqchip(io))
		return carry_irqchip(c, call, reterr);
	c->chip = io->chip;
	c->abi = io->abi;
	if (c->abi == REG_ABI_MSR)
		carry_msrs(c, call);
	else if (c->chip)
		carry_rows(c, call, call->arg, call->len);
	return 0;
}

static const struct kvm_ioctl *check(const struct kvm_call *call, struct irqs_error *reterr)
{
	const struct kvm_ioctl *io = kvm_ioctl_find(call->request);
	size_t want;

	if (!io) {
		irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "0x%08" PRIx32 ": no ioctl that is known here",
			  call->request);
		return NULL;
	}
	want = io->size;
	if (io->entry && call->len >= io->size)
		want += (size_t)decode_u32(call->arg) * io->entry;
	if (io->arg == KVM_ARG_NONE || call->len == want)
		return io;
	irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "%s takes %zu bytes%s: these are %zu", io->name, want,
		  io->entry ? " by its number of entries" : "", call->len);
	return NULL;
}

static void print_valid(const struct carried *c, const struct kvm_call *call, const struct reg_out *out)
{
	bool any = false;

	for (size_t v = 0; v < REG_ARRAY_SIZE(validity); v++) {
		if (validity[v].abi != c->abi)
			continue;
		if (!any)
			reg_emit(out, "  %-26s", "valid");
		if (flag_word(call, v) & validity[v].flag)
			reg_emit(out, " %s", validity[v].name);
		any = true;
	}
	if (any)
		reg_emit(out, "\n");
}

/* The queued interrupt, which KVM_GET_VCPU_EVENTS has as interrupt_injected. KVM_GET_SREGS2 does without it. */
static void print_interrupt_bitmap(const struct kvm_call *call, const struct reg_out *out)
{
	const uint8_t *bitmap = (const uint8_t *)call->arg + offsetof(struct kvm_sregs, interrupt_bitmap);
	bool any = false;

	if (call->len != sizeof(struct kvm_sregs))
		return;
	reg_emit(out, "  %-26s", "interrupt_bitmap");
	for (unsigned int v = 0; v < KVM_NR_INTERRUPTS; v++) {
		if (bitmap[v / 8] >> v % 8 & 1) {
			reg_emit(out, " %u", v);
			any = true;
		}
	}
	reg_emit(out, "%s\n", any ? "" : " -");
}

static void print_carried(const struct carried *c, const struct kvm_call *call, const struct reg_out *out)
{
	switch (c->abi) {
	case REG_ABI_LAPIC:
		lapic_print(&c->state.lapic, REG_NO_TIME, out);
		return;
	case REG_ABI_IOAPIC:
		ioapic_print(&c->state.ioapic, out);
		return;
	case REG_ABI_PIC:
		pic_print(&c->state.pic, c->which, out);
		return;
	case REG_ABI_PIT:
		pit_print(&c->state.pit, REG_NO_TIME, out);
		return;
	default:
		reg_print(c->chip, &c->state, NULL, out);
		print_valid(c, call, out);
	}
	if (c->abi == REG_ABI_SREGS)
		print_interrupt_bitmap(call, out);
	if (c->others)
		reg_emit(out, "  and %u other MSR%s\n", c->others, c->others > 1 ? "s" : "");
}

int kvm_decode(const struct kvm_call *call, const struct reg_out *out, struct irqs_error *reterr)
{
	const struct kvm_ioctl *io = check(call, reterr);
	struct carried c;
	int rc;

	if (!io)
		return kvm_ioctl_find(call->request) ? -EBADMSG : -EINVAL;
	rc = carry(&c, io, call, reterr);
	if (rc)
		return rc;
	if (c.chip)
		print_carried(&c, call, out);
	else
		decode_message(io, call, out);
	return 0;
}

/* A row that the second does not carry has not changed. */
static void forget_absent(struct carried *before, const struct carried *now)
{
	for (uint16_t r = 0; r < now->chip->nrows; r++)
		for (unsigned int i = 0; i < now->chip->rows[r].count; i++)
			if (!reg_known(&now->chip->rows[r], &now->state, i))
				reg_forget(&before->chip->rows[r], &before->state, i);
}

int kvm_decode_diff(const struct kvm_call *before, const struct kvm_call *now, const struct reg_out *out,
		    unsigned int *ret_lines, struct irqs_error *reterr)
{
	const struct kvm_call *calls[] = { before, now };
	struct carried c[2];

	for (unsigned int i = 0; i < 2; i++) {
		const struct kvm_ioctl *io = check(calls[i], reterr);
		int rc = io ? carry(&c[i], io, calls[i], reterr) : kvm_ioctl_find(calls[i]->request) ? -EBADMSG
												     : -EINVAL;

		if (rc)
			return rc;
	}
	if (!c[0].chip || c[0].abi != c[1].abi || c[0].which != c[1].which)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%s: %s", kvm_ioctl_find(now->request)->name,
				 c[0].chip ? "not of the same structure and chip" : "has no registers to compare");
	forget_absent(&c[0], &c[1]);
	*ret_lines = reg_diff(c[1].chip, &c[0].state, &c[1].state, "  ", out);
	return 0;
}

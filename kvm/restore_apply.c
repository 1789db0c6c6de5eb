/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that change a vCPU. What is not known keeps the value that it has. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "apic/abi.h"
#include "apic/lapic_rows.h"
#include "kvm/extensions_priv.h"
#include "kvm/restore_priv.h"

static const struct lapic_state *lapic(const struct kvm_restore *r, unsigned int vcpu)
{
	return &r->state->lapics[vcpu];
}

static int fail(unsigned int vcpu, int rc, const char *what, struct irqs_error *reterr)
{
	return rc < 0 ? irqs_fail_errno(reterr, -rc, "vcpu[%u]: %s", vcpu, what) : 0;
}

int restore_cpuid(const struct kvm_restore *r, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int i = 0; i < r->state->nlapics && !rc; i++) {
		const struct kvm_cpuid2 *cpuid = r->options.cpuid ? r->options.cpuid[i] : NULL;

		if (!cpuid)
			continue;
		rc = kvm_vcpu(r->port, i, KVM_SET_CPUID2, (void *)cpuid, sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]));
		rc = fail(i, rc, "KVM_SET_CPUID2", reterr);
	}
	return rc;
}

static bool knows_sregs(const struct kvm_restore *r, unsigned int vcpu)
{
	return restore_knows(&lapic_chip, REG_ABI_SREGS, lapic(r, vcpu));
}

/* The events carry an injected interrupt, and only they do. */
static void change_sregs(const struct kvm_restore *r, unsigned int vcpu, void *data)
{
	struct kvm_sregs *sregs = data;

	abi_put(&lapic_chip, REG_ABI_SREGS, lapic(r, vcpu), sregs);
	memset(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap));
}

int restore_sregs(const struct kvm_restore *r, struct irqs_error *reterr)
{
	static const struct restore_change sregs = {
		.get = KVM_GET_SREGS,
		.set = KVM_SET_SREGS,
		.size = sizeof(struct kvm_sregs),
		.get_name = "KVM_GET_SREGS",
		.set_name = "KVM_SET_SREGS",
		.wanted = knows_sregs,
		.change = change_sregs,
	};

	return restore_change(r, &sregs, reterr);
}

/* Setting the frequency that it has would start the TSC anew on some kernels. */
int restore_tsc_khz(const struct kvm_restore *r, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int i = 0; i < r->state->nlapics && r->probe->tsc_control && !rc; i++) {
		const struct lapic_state *s = lapic(r, i);

		if (!lapic_knows(s, LAPIC_KNOWN_TSC_KHZ) || kvm_vcpu(r->port, i, KVM_GET_TSC_KHZ, NULL, 0) == s->tsc_khz)
			continue;
		rc = kvm_vcpu(r->port, i, KVM_SET_TSC_KHZ, (void *)(uintptr_t)s->tsc_khz, 0);
		rc = fail(i, rc, "KVM_SET_TSC_KHZ", reterr);
	}
	return rc;
}

int restore_tsc(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct reg_row *rows[] = { lapic_member("tsc"), lapic_member("tsc_adjust") };

	return restore_put_msrs(r, rows, REG_ARRAY_SIZE(rows), reterr);
}

static uint32_t page_reg(const struct kvm_lapic_state *page, uint16_t offset)
{
	uint32_t value;

	memcpy(&value, page->regs + offset, sizeof(value));
	return value;
}

static void page_set(struct kvm_lapic_state *page, uint16_t offset, uint32_t value)
{
	memcpy(page->regs + offset, &value, sizeof(value));
}

bool restore_fired(const struct lapic_state *s)
{
	return lapic_reg_known(s, LAPIC_LVTT) && lapic_timer_mode(s) == LAPIC_TIMER_ONE_SHOT &&
	       lapic_reg_known(s, LAPIC_TMICT) && lapic_reg(s, LAPIC_TMICT) &&
	       !lapic_knows(s, LAPIC_KNOWN_TIMER_REMAINING) && lapic_reg_known(s, LAPIC_TMCCT) && !lapic_reg(s, LAPIC_TMCCT);
}

/* Ticks that are left: 1 and not 0 for "now", which some kernels take for a whole period. */
static uint32_t ticks_left(const struct kvm_restore *r, const struct lapic_state *s, uint32_t initial, uint32_t tdcr)
{
	uint64_t tick = (uint64_t)lapic_divide(tdcr) * (r->options.bus_cycle_ns ? r->options.bus_cycle_ns : 1), left;

	if (lapic_knows(s, LAPIC_KNOWN_TIMER_REMAINING))
		left = s->timer_remaining_ns / tick;
	else
		left = lapic_reg_known(s, LAPIC_TMCCT) && lapic_reg(s, LAPIC_TMCCT) ? lapic_reg(s, LAPIC_TMCCT) : initial;
	if (left > initial)
		left = initial;
	return left ? (uint32_t)left : 1;
}

/* KVM starts the timer from TMCCT; a one-shot that has interrupted, it would start again. */
static void put_timer(const struct kvm_restore *r, const struct lapic_state *s, struct kvm_lapic_state *page)
{
	uint32_t initial = page_reg(page, LAPIC_TMICT), lvtt = page_reg(page, LAPIC_LVTT);
	uint32_t left = 0;

	if (restore_fired(s) && !(lvtt & LAPIC_LVT_MASKED))
		page_set(page, LAPIC_TMICT, 0);
	else if (restore_fired(s))
		left = 1; /* runs out at once, and interrupts nobody */
	else if (initial && (lvtt >> 17 & 3) != LAPIC_TIMER_TSC_DEADLINE)
		left = ticks_left(r, s, initial, page_reg(page, LAPIC_TDCR));
	page_set(page, LAPIC_TMCCT, left);
}

struct lapic_room {
	struct kvm_port_call calls[2 * RESTORE_VCPUS];
	struct {
		struct kvm_lapic_state before, page;
		struct kvm_sregs sregs;
	} vcpus[RESTORE_VCPUS];
};

/* Registers, then the page. That a vCPU's cannot be read is no reason to fail: it is not in x2APIC mode then. */
static int read_pages(const struct kvm_restore *r, struct lapic_room *room, const unsigned int *vcpus, unsigned int n,
		      struct irqs_error *reterr)
{
	for (unsigned int i = 0; i < n; i++) {
		room->calls[2 * i] = (struct kvm_port_call){ KVM_TARGET_VCPU, vcpus[i], KVM_GET_SREGS, &room->vcpus[i].sregs,
							     sizeof(room->vcpus[i].sregs), 0 };
		room->calls[2 * i + 1] = (struct kvm_port_call){ KVM_TARGET_VCPU, vcpus[i], KVM_GET_LAPIC,
								 &room->vcpus[i].before, sizeof(room->vcpus[i].before), 0 };
	}
	kvm_list(r->port, room->calls, 2 * (size_t)n, KVM_LIST_ALL);
	for (unsigned int i = 0; i < n; i++) {
		if (room->calls[2 * i].result < 0)
			room->vcpus[i].sregs.apic_base = 0;
		if (room->calls[2 * i + 1].result < 0)
			return fail(vcpus[i], room->calls[2 * i + 1].result, "KVM_GET_LAPIC", reterr);
	}
	return 0;
}

static void change_page(const struct kvm_restore *r, unsigned int vcpu, const struct kvm_sregs *sregs,
			const struct kvm_lapic_state *before, struct kvm_lapic_state *page)
{
	const uint64_t both = LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC;

	*page = *before;
	abi_put(&lapic_chip, REG_ABI_LAPIC, lapic(r, vcpu), page);
	if ((sregs->apic_base & both) == both) {
		page_set(page, LAPIC_ID, page_reg(before, LAPIC_ID));
		page_set(page, LAPIC_LDR, page_reg(before, LAPIC_LDR));
	}
	put_timer(r, lapic(r, vcpu), page);
}

static int write_pages(const struct kvm_restore *r, struct lapic_room *room, const unsigned int *vcpus, unsigned int n,
		       struct irqs_error *reterr)
{
	for (unsigned int i = 0; i < n; i++) {
		change_page(r, vcpus[i], &room->vcpus[i].sregs, &room->vcpus[i].before, &room->vcpus[i].page);
		room->calls[i] = (struct kvm_port_call){ KVM_TARGET_VCPU, vcpus[i], KVM_SET_LAPIC, &room->vcpus[i].page,
							 sizeof(room->vcpus[i].page), 0 };
	}
	kvm_list(r->port, room->calls, n, KVM_LIST_UNTIL_FAILED);
	for (unsigned int i = 0; i < n; i++) {
		if (room->calls[i].result >= 0)
			continue;
		kvm_vcpu(r->port, vcpus[i], KVM_SET_LAPIC, &room->vcpus[i].before, sizeof(room->vcpus[i].before));
		return fail(vcpus[i], room->calls[i].result, "KVM_SET_LAPIC", reterr);
	}
	return 0;
}

static int some_lapics(const struct kvm_restore *r, struct lapic_room *room, unsigned int first, struct irqs_error *reterr)
{
	unsigned int vcpus[RESTORE_VCPUS], n = 0;
	int rc;

	for (unsigned int i = first; i < first + restore_some(r, first); i++)
		if (lapic(r, i)->known[0])
			vcpus[n++] = i;
	rc = read_pages(r, room, vcpus, n, reterr);
	return rc ? rc : write_pages(r, room, vcpus, n, reterr);
}

/*
 * In x2APIC mode ID and LDR are those of the vCPU, in the form that this VM shows them in: kept. KVM_SET_LAPIC writes
 * SVR before it looks at the rest: when it fails, the page from before is put back.
 */
int restore_lapic(const struct kvm_restore *r, struct irqs_error *reterr)
{
	struct lapic_room *room;
	int rc = 0;

	if (r->probe->mode == IRQCHIP_NONE)
		return 0;
	room = malloc(sizeof(*room));
	if (!room)
		return irqs_fail_nomem(reterr);
	for (unsigned int first = 0; first < r->state->nlapics && !rc; first += RESTORE_VCPUS)
		rc = some_lapics(r, room, first, reterr);
	free(room);
	return rc;
}

int restore_deadline(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct reg_row *row = lapic_member("tsc_deadline");

	return r->probe->mode == IRQCHIP_NONE ? 0 : restore_put_msrs(r, &row, 1, reterr);
}

int restore_msrs(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct reg_row *rows[RESTORE_MSRS], *row = NULL;
	unsigned int n = 0;

	while ((row = abi_msr(&lapic_chip, row)))
		if (restore_is_other_msr(row) && n < RESTORE_MSRS)
			rows[n++] = row;
	return restore_put_msrs(r, rows, n, reterr);
}

static bool knows_mp_state(const struct kvm_restore *r, unsigned int vcpu)
{
	return restore_knows(&lapic_chip, REG_ABI_MP_STATE, lapic(r, vcpu));
}

static void change_mp_state(const struct kvm_restore *r, unsigned int vcpu, void *data)
{
	abi_put(&lapic_chip, REG_ABI_MP_STATE, lapic(r, vcpu), data);
}

int restore_mp_state(const struct kvm_restore *r, struct irqs_error *reterr)
{
	static const struct restore_change mp_state = {
		.set = KVM_SET_MP_STATE,
		.size = sizeof(struct kvm_mp_state),
		.set_name = "KVM_SET_MP_STATE",
		.wanted = knows_mp_state,
		.change = change_mp_state,
	};

	return restore_change(r, &mp_state, reterr);
}

/* What KVM shall look at: what is known, and what the VM has. */
static uint32_t event_flags(const struct kvm_restore *r, const struct lapic_state *s, uint32_t has)
{
	uint32_t flags = has & KVM_VCPUEVENT_VALID_PAYLOAD;

	if (lapic_knows(s, LAPIC_KNOWN_NMI_PENDING))
		flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
	if (lapic_knows(s, LAPIC_KNOWN_INTERRUPT_SHADOW))
		flags |= KVM_VCPUEVENT_VALID_SHADOW;
	if (lapic_knows(s, LAPIC_KNOWN_SIPI_VECTOR) && r->probe->mode != IRQCHIP_NONE)
		flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	if (lapic_knows(s, LAPIC_KNOWN_LATCHED_INIT) || lapic_knows(s, LAPIC_KNOWN_SMM))
		flags |= KVM_VCPUEVENT_VALID_SMM;
	if (lapic_knows(s, LAPIC_KNOWN_TRIPLE_FAULT) && r->probe->triple_fault)
		flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	return flags;
}

static bool knows_events(const struct kvm_restore *r, unsigned int vcpu)
{
	return restore_knows(&lapic_chip, REG_ABI_EVENTS, lapic(r, vcpu));
}

static void change_events(const struct kvm_restore *r, unsigned int vcpu, void *data)
{
	struct kvm_vcpu_events *events = data;

	abi_put(&lapic_chip, REG_ABI_EVENTS, lapic(r, vcpu), events);
	events->flags = event_flags(r, lapic(r, vcpu), events->flags);
}

int restore_events(const struct kvm_restore *r, struct irqs_error *reterr)
{
	static const struct restore_change events = {
		.get = KVM_GET_VCPU_EVENTS,
		.set = KVM_SET_VCPU_EVENTS,
		.size = sizeof(struct kvm_vcpu_events),
		.get_name = "KVM_GET_VCPU_EVENTS",
		.set_name = "KVM_SET_VCPU_EVENTS",
		.wanted = knows_events,
		.change = change_events,
	};

	return restore_change(r, &events, reterr);
}

/* So that the guest's watchdogs forgive the stop; -EINVAL when it has no clock page after all. */
int restore_kvmclock_ctrl(const struct kvm_restore *r, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int i = 0; i < r->state->nlapics && r->probe->kvmclock_ctrl && !rc; i++) {
		const struct lapic_state *s = lapic(r, i);

		if (!lapic_knows(s, LAPIC_KNOWN_SYSTEM_TIME_MSR) || !(s->system_time_msr & 1))
			continue;
		rc = kvm_vcpu(r->port, i, KVM_KVMCLOCK_CTRL, NULL, 0);
		rc = rc == -EINVAL ? 0 : fail(i, rc, "KVM_KVMCLOCK_CTRL", reterr);
	}
	return rc;
}

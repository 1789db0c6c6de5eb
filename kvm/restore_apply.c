/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that change a vCPU. What is not known keeps the value that it has. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "apic/abi.h"
#include "apic/lapic_rows.h"
#include "kvm/extensions_priv.h"
#include "kvm/restore_priv.h"

static const struct lapic_state *lapic(const struct kvm_restore *r, unsigned int vcpu)
{
	return &r->state->lapics[vcpu];
}

/* One ioctl of one vCPU that must work. */
static int call(const struct kvm_restore *r, unsigned int vcpu, unsigned long request, void *arg, size_t size,
		const char *what, struct irqs_error *reterr)
{
	int rc = kvm_vcpu(r->port, vcpu, request, arg, size);

	return rc < 0 ? irqs_fail_errno(reterr, -rc, "vcpu[%u]: %s", vcpu, what) : 0;
}

int restore_cpuid(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct kvm_cpuid2 *cpuid = r->options.cpuid ? r->options.cpuid[vcpu] : NULL;

	if (!cpuid)
		return 0;
	return call(r, vcpu, KVM_SET_CPUID2, (void *)cpuid, sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]),
		    "KVM_SET_CPUID2", reterr);
}

int restore_sregs(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	struct kvm_sregs sregs;
	int rc;

	if (!restore_knows(&lapic_chip, REG_ABI_SREGS, lapic(r, vcpu)))
		return 0;
	rc = call(r, vcpu, KVM_GET_SREGS, &sregs, sizeof(sregs), "KVM_GET_SREGS", reterr);
	if (rc)
		return rc;
	abi_put(&lapic_chip, REG_ABI_SREGS, lapic(r, vcpu), &sregs);
	/* The events carry an injected interrupt, and only they do. */
	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	return call(r, vcpu, KVM_SET_SREGS, &sregs, sizeof(sregs), "KVM_SET_SREGS", reterr);
}

/* Setting the frequency that it has would start the TSC anew on some kernels. */
int restore_tsc_khz(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = lapic(r, vcpu);

	if (!lapic_knows(s, LAPIC_KNOWN_TSC_KHZ) || !r->probe->tsc_control ||
	    kvm_vcpu(r->port, vcpu, KVM_GET_TSC_KHZ, NULL, 0) == s->tsc_khz)
		return 0;
	return call(r, vcpu, KVM_SET_TSC_KHZ, (void *)(uintptr_t)s->tsc_khz, 0, "KVM_SET_TSC_KHZ", reterr);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* Some registers of a service that the VM cannot have refuse even the 0 that they read as. */
static bool has_msr_value(const struct kvm_restore *r, unsigned int vcpu, const struct reg_row *row)
{
	struct one_msr msrs = { .head.nmsrs = 1, .entry.index = row->abi_at };

	return kvm_vcpu(r->port, vcpu, KVM_GET_MSRS, &msrs, sizeof(msrs)) == 1 &&
	       msrs.entry.data == reg_get(row, lapic(r, vcpu), 0);
}

static int put_msr(const struct kvm_restore *r, unsigned int vcpu, const struct reg_row *row, struct irqs_error *reterr)
{
	struct one_msr msrs = { .head.nmsrs = 1, .entry.index = row->abi_at };
	int rc;

	if (!reg_known(row, lapic(r, vcpu), 0) || !kvm_probe_has_msr(r->probe, row))
		return 0;
	msrs.entry.data = reg_get(row, lapic(r, vcpu), 0);
	rc = kvm_vcpu(r->port, vcpu, KVM_SET_MSRS, &msrs, sizeof(msrs));
	if (rc == 1 || has_msr_value(r, vcpu, row))
		return 0;
	return irqs_fail_errno(reterr, rc < 0 ? -rc : EINVAL, "vcpu[%u]: KVM_SET_MSRS 0x%x (%s)", vcpu, row->abi_at,
			       row->name);
}

int restore_tsc(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	int rc = put_msr(r, vcpu, lapic_member("tsc"), reterr);

	return rc ? rc : put_msr(r, vcpu, lapic_member("tsc_adjust"), reterr);
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

static bool now_in_x2apic(const struct kvm_restore *r, unsigned int vcpu)
{
	const uint64_t both = LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC;
	struct kvm_sregs sregs;

	return !kvm_vcpu(r->port, vcpu, KVM_GET_SREGS, &sregs, sizeof(sregs)) && (sregs.apic_base & both) == both;
}

/*
 * In x2APIC mode ID and LDR are those of the vCPU, in the form that this VM shows them in: kept. KVM_SET_LAPIC writes
 * SVR before it looks at the rest: when it fails, the page from before is put back.
 */
int restore_lapic(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = lapic(r, vcpu);
	struct kvm_lapic_state before, page;
	int rc;

	if (!s->known[0] || r->probe->mode == IRQCHIP_NONE)
		return 0;
	rc = call(r, vcpu, KVM_GET_LAPIC, &before, sizeof(before), "KVM_GET_LAPIC", reterr);
	if (rc)
		return rc;
	page = before;
	abi_put(&lapic_chip, REG_ABI_LAPIC, s, &page);
	if (now_in_x2apic(r, vcpu)) {
		page_set(&page, LAPIC_ID, page_reg(&before, LAPIC_ID));
		page_set(&page, LAPIC_LDR, page_reg(&before, LAPIC_LDR));
	}
	put_timer(r, s, &page);
	rc = call(r, vcpu, KVM_SET_LAPIC, &page, sizeof(page), "KVM_SET_LAPIC", reterr);
	if (rc)
		kvm_vcpu(r->port, vcpu, KVM_SET_LAPIC, &before, sizeof(before));
	return rc;
}

int restore_deadline(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	return r->probe->mode == IRQCHIP_NONE ? 0 : put_msr(r, vcpu, lapic_member("tsc_deadline"), reterr);
}

int restore_msrs(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct reg_row *row = NULL;
	int rc = 0;

	while (!rc && (row = abi_msr(&lapic_chip, row)))
		if (restore_is_other_msr(row))
			rc = put_msr(r, vcpu, row, reterr);
	return rc;
}

int restore_mp_state(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	struct kvm_mp_state mp = { 0 };

	if (!restore_knows(&lapic_chip, REG_ABI_MP_STATE, lapic(r, vcpu)))
		return 0;
	abi_put(&lapic_chip, REG_ABI_MP_STATE, lapic(r, vcpu), &mp);
	return call(r, vcpu, KVM_SET_MP_STATE, &mp, sizeof(mp), "KVM_SET_MP_STATE", reterr);
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

int restore_events(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	struct kvm_vcpu_events events;
	int rc;

	if (!restore_knows(&lapic_chip, REG_ABI_EVENTS, lapic(r, vcpu)))
		return 0;
	memset(&events, 0, sizeof(events));
	rc = call(r, vcpu, KVM_GET_VCPU_EVENTS, &events, sizeof(events), "KVM_GET_VCPU_EVENTS", reterr);
	if (rc)
		return rc;
	abi_put(&lapic_chip, REG_ABI_EVENTS, lapic(r, vcpu), &events);
	events.flags = event_flags(r, lapic(r, vcpu), events.flags);
	return call(r, vcpu, KVM_SET_VCPU_EVENTS, &events, sizeof(events), "KVM_SET_VCPU_EVENTS", reterr);
}

/* So that the guest's watchdogs forgive the stop; -EINVAL when it has no clock page after all. */
int restore_kvmclock_ctrl(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = lapic(r, vcpu);
	int rc;

	if (!r->probe->kvmclock_ctrl || !lapic_knows(s, LAPIC_KNOWN_SYSTEM_TIME_MSR) || !(s->system_time_msr & 1))
		return 0;
	rc = kvm_vcpu(r->port, vcpu, KVM_KVMCLOCK_CTRL, NULL, 0);
	return rc && rc != -EINVAL ? irqs_fail_errno(reterr, -rc, "vcpu[%u]: KVM_KVMCLOCK_CTRL", vcpu) : 0;
}

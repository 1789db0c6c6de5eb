/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused of a vCPU's state, before anything changes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "apic/abi.h"
#include "apic/lapic_rows.h"
#include "kvm/extensions_priv.h"
#include "kvm/restore_priv.h"

/* More leaves than any CPU has. */
#define MAX_LEAVES 256

/* As arch/x86/kvm/x86.c has it: a frequency that is so close needs no scaling. */
#define TSC_TOLERANCE_PPM 250

struct cpuid_list {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[MAX_LEAVES];
};

int restore_read_cpuid(const struct kvm_restore *r, unsigned int vcpu, struct restore_cpuid *ret, struct irqs_error *reterr)
{
	const struct kvm_cpuid2 *given = restore_wants(r, KVM_PART_CPUID) && r->options.cpuid ? r->options.cpuid[vcpu] : NULL;
	struct cpuid_list now;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (!given) {
		now.head.nent = MAX_LEAVES;
		rc = kvm_vcpu(r->port, vcpu, KVM_GET_CPUID2, &now, sizeof(now));
		if (rc < 0)
			return irqs_fail_errno(reterr, -rc, "vcpu[%u]: KVM_GET_CPUID2", vcpu);
		given = &now.head;
	}
	for (uint32_t i = 0; i < given->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &given->entries[i];

		if (e->function == 1) {
			ret->x2apic = e->ecx >> 21 & 1;
			ret->tsc_deadline = e->ecx >> 24 & 1;
		} else if (e->function == 7 && !e->index) {
			ret->tsc_adjust = e->ebx >> 1 & 1;
		}
	}
	return 0;
}

static bool in_x2apic(const struct lapic_state *s)
{
	return lapic_knows(s, LAPIC_KNOWN_APIC_BASE) && lapic_x2apic(s);
}

/* Rows whose reserved bits the guest may have set, or that have another form in x2APIC mode. */
static bool takes_any_bit(const struct lapic_state *s, const struct reg_row *row)
{
	if (row->storage != REG_STORED)
		return true;
	if (row->offset == LAPIC_ICR) /* KVM keeps what the guest wrote */
		return true;
	return in_x2apic(s) && (row->offset == LAPIC_ID || row->offset == LAPIC_LDR || row->offset == LAPIC_ICR2);
}

static int check_reserved(const struct lapic_state *s, unsigned int vcpu, enum reg_abi abi, struct irqs_error *reterr)
{
	for (uint16_t n = 0; n < lapic_chip.nrows; n++) {
		const struct reg_row *row = &lapic_chip.rows[n];

		if (row->abi != abi || takes_any_bit(s, row))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t bad = reg_get(row, s, i) & row->rsvd & ~row->reset; /* DFR's read as ones */

			if (reg_known(row, s, i) && bad)
				return restore_refuse(reterr, "lapic", (int)vcpu, row->name, row->count > 1 ? (int)i : -1,
						      "reserved bits 0x%" PRIx64 " are set", bad);
		}
	}
	return 0;
}

int restore_check_cpuid(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	if (r->options.cpuid && (!r->options.cpuid[vcpu] || !r->options.cpuid[vcpu]->nent))
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "vcpu[%u]: CPUID without a leaf", vcpu);
	return 0;
}

int restore_check_sregs(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	struct restore_cpuid cpuid;
	int rc = check_reserved(s, vcpu, REG_ABI_SREGS, reterr);

	if (rc || !lapic_knows(s, LAPIC_KNOWN_APIC_BASE))
		return rc;
	if (s->apic_base & LAPIC_BASE_X2APIC && !(s->apic_base & LAPIC_BASE_ENABLE))
		return restore_refuse(reterr, "lapic", (int)vcpu, "apic_base", -1, "x2APIC mode of an APIC that is off");
	if (!in_x2apic(s))
		return 0;
	rc = restore_read_cpuid(r, vcpu, &cpuid, reterr);
	if (!rc && !cpuid.x2apic)
		return restore_refuse(reterr, "lapic", (int)vcpu, "apic_base", -1, "x2APIC mode, which the vCPU's CPUID lacks");
	return rc;
}

int restore_check_tsc_khz(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	int64_t off;
	int now;

	if (!lapic_knows(s, LAPIC_KNOWN_TSC_KHZ))
		return 0;
	if (s->tsc_khz <= 0 || s->tsc_khz > UINT32_MAX)
		return restore_refuse(reterr, "lapic", (int)vcpu, "tsc_khz", -1, "%" PRId64 " kHz is no frequency", s->tsc_khz);
	now = kvm_vcpu(r->port, vcpu, KVM_GET_TSC_KHZ, NULL, 0);
	if (now <= 0 || r->probe->tsc_control)
		return 0;
	off = s->tsc_khz > now ? s->tsc_khz - now : now - s->tsc_khz;
	if (off * 1000000 > (int64_t)now * TSC_TOLERANCE_PPM)
		return restore_refuse(reterr, "lapic", (int)vcpu, "tsc_khz", -1,
				      "%" PRId64 " kHz, the vCPU has %d kHz and this host cannot scale", s->tsc_khz, now);
	return 0;
}

static int check_msr(const struct kvm_restore *r, unsigned int vcpu, const struct reg_row *row, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];

	if (!reg_known(row, s, 0) || !reg_get(row, s, 0))
		return 0;
	if (!kvm_probe_has_msr(r->probe, row))
		return restore_refuse(reterr, "lapic", (int)vcpu, row->name, -1, "MSR 0x%x, which this KVM does not have",
				      row->abi_at);
	if (reg_get(row, s, 0) & row->rsvd)
		return restore_refuse(reterr, "lapic", (int)vcpu, row->name, -1, "reserved bits 0x%" PRIx64 " are set",
				      reg_get(row, s, 0) & row->rsvd);
	return 0;
}

int restore_check_tsc(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	struct restore_cpuid cpuid;
	int rc;

	if (!lapic_knows(s, LAPIC_KNOWN_TSC_ADJUST) || !s->tsc_adjust)
		return 0;
	rc = restore_read_cpuid(r, vcpu, &cpuid, reterr);
	if (!rc && !cpuid.tsc_adjust)
		return restore_refuse(reterr, "lapic", (int)vcpu, "tsc_adjust", -1, "the vCPU's CPUID has no such register");
	return rc ? rc : check_msr(r, vcpu, lapic_member("tsc_adjust"), reterr);
}

static int check_id(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	uint32_t have = r->port->vcpu_ids[vcpu], id = lapic_reg(s, LAPIC_ID);

	if (!in_x2apic(s))
		return 0;
	if (lapic_knows(s, LAPIC_KNOWN_INITIAL_ID) && s->initial_id != have)
		return restore_refuse(reterr, "lapic", (int)vcpu, "initial_id", -1,
				      "x2APIC ID %u, but the vCPU was created with %u", s->initial_id, have);
	if (lapic_reg_known(s, LAPIC_ID) && id != have && id != have << 24)
		return restore_refuse(reterr, "lapic", (int)vcpu, "ID", -1,
				      "x2APIC ID register 0x%x, but the vCPU was created with %u", id, have);
	return 0;
}

static int check_suppression(const struct kvm_restore *r, unsigned int vcpu, const struct restore_cpuid *cpuid,
			     struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	bool has = r->options.cpuid ? r->probe->mode == IRQCHIP_SPLIT && cpuid->x2apic : r->probe->eoi_suppression;

	if (lapic_reg_known(s, LAPIC_SVR) && lapic_reg(s, LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST && !has)
		return restore_refuse(reterr, "lapic", (int)vcpu, "SVR", -1,
				      "suppresses EOI broadcasts, which this LAPIC cannot (LVR bit 24): its IOAPIC would wait for ever");
	return 0;
}

static int check_lvt(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];

	if (lapic_reg_known(s, LAPIC_LVTCMCI) && lapic_reg(s, LAPIC_LVTCMCI) & ~LAPIC_LVT_MASKED && r->probe->max_lvt < 6)
		return restore_refuse(reterr, "lapic", (int)vcpu, "LVTCMCI", -1, "the target's LAPIC has no such LVT entry");
	return 0;
}

static int check_timer(const struct kvm_restore *r, unsigned int vcpu, const struct restore_cpuid *cpuid,
		       struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	enum lapic_timer_mode mode = lapic_timer_mode(s);

	if (!lapic_reg_known(s, LAPIC_LVTT))
		return 0;
	if (mode == LAPIC_TIMER_RESERVED)
		return restore_refuse(reterr, "lapic", (int)vcpu, "LVTT", -1, "timer mode 3 is reserved");
	if (mode == LAPIC_TIMER_TSC_DEADLINE && (!cpuid->tsc_deadline || !r->probe->tsc_deadline))
		return restore_refuse(reterr, "lapic", (int)vcpu, "LVTT", -1, "TSC-deadline mode, which the %s lacks",
				      cpuid->tsc_deadline ? "host" : "vCPU's CPUID");
	if (mode != LAPIC_TIMER_TSC_DEADLINE && lapic_reg_known(s, LAPIC_TMICT) && lapic_reg_known(s, LAPIC_TMCCT) &&
	    lapic_reg(s, LAPIC_TMCCT) > lapic_reg(s, LAPIC_TMICT))
		return restore_refuse(reterr, "lapic", (int)vcpu, "TMCCT", -1, "%u left of a count of %u",
				      lapic_reg(s, LAPIC_TMCCT), lapic_reg(s, LAPIC_TMICT));
	return 0;
}

int restore_check_lapic(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	struct restore_cpuid cpuid;
	int rc;

	if (!s->known[0] || r->probe->mode == IRQCHIP_NONE)
		return 0;
	rc = restore_read_cpuid(r, vcpu, &cpuid, reterr);
	if (!rc)
		rc = check_reserved(s, vcpu, REG_ABI_LAPIC, reterr);
	if (!rc)
		rc = check_id(r, vcpu, reterr);
	if (!rc)
		rc = check_suppression(r, vcpu, &cpuid, reterr);
	if (!rc)
		rc = check_lvt(r, vcpu, reterr);
	return rc ? rc : check_timer(r, vcpu, &cpuid, reterr);
}

int restore_check_deadline(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];

	if (!lapic_knows(s, LAPIC_KNOWN_TSC_DEADLINE) || !s->tsc_deadline || r->probe->mode == IRQCHIP_NONE)
		return 0;
	if (!lapic_reg_known(s, LAPIC_LVTT) || lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE)
		return restore_refuse(reterr, "lapic", (int)vcpu, "tsc_deadline", -1,
				      "armed, but LVTT is not in TSC-deadline mode: it would be dropped");
	return check_msr(r, vcpu, lapic_member("tsc_deadline"), reterr);
}

/* The VM has one, though each vCPU shows it. */
static int check_wall_clock(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu], *first = &r->state->lapics[0];

	if (!lapic_knows(s, LAPIC_KNOWN_WALL_CLOCK_MSR) || !lapic_knows(first, LAPIC_KNOWN_WALL_CLOCK_MSR) ||
	    s->wall_clock_msr == first->wall_clock_msr)
		return 0;
	return restore_refuse(reterr, "lapic", (int)vcpu, "wall_clock_msr", -1,
			      "0x%" PRIx64 ", but vCPU 0 has 0x%" PRIx64 ": a VM has one", s->wall_clock_msr,
			      first->wall_clock_msr);
}

int restore_check_msrs(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct reg_row *row = NULL;
	int rc = check_wall_clock(r, vcpu, reterr);

	while (!rc && (row = abi_msr(&lapic_chip, row)))
		if (restore_is_other_msr(row))
			rc = check_msr(r, vcpu, row, reterr);
	return rc;
}

int restore_check_mp_state(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];

	if (!lapic_knows(s, LAPIC_KNOWN_MP_STATE))
		return 0;
	if (s->mp_state > LAPIC_MP_SIPI_RECEIVED)
		return restore_refuse(reterr, "lapic", (int)vcpu, "mp_state", -1, "%u is none on this architecture", s->mp_state);
	if (r->probe->mode == IRQCHIP_NONE && s->mp_state != LAPIC_MP_RUNNABLE)
		return restore_refuse(reterr, "lapic", (int)vcpu, "mp_state", -1,
				      "%u, but without a LAPIC in the kernel only user space can hold a vCPU back", s->mp_state);
	return 0;
}

/* The greatest value that KVM keeps of each event. */
static const struct {
	const char *name;
	uint8_t max;
} events[] = {
	{ "soft_interrupt", 1 },
	{ "has_error_code", 1 },
	{ "nmi_injected", 1 },
	{ "nmi_pending", 2 },
	{ "nmi_masked", 1 },
	{ "exception_pending", 1 },
	{ "exception_injected", 1 },
	{ "exception_has_payload", 1 },
	{ "triple_fault", 1 },
	{ "interrupt_shadow", 3 },
	{ "smm", 1 },
	{ "smi_pending", 1 },
	{ "smm_inside_nmi", 1 },
	{ "latched_init", 1 },
};

static int check_exception(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	bool on_its_way = s->exception_pending || s->exception_injected;

	if (on_its_way && (s->exception_nr < 0 || s->exception_nr > 31 || s->exception_nr == 2))
		return restore_refuse(reterr, "lapic", (int)vcpu, "exception_nr", -1, "%d is no exception", s->exception_nr);
	if (s->exception_has_payload && !r->probe->exception_payload)
		return restore_refuse(reterr, "lapic", (int)vcpu, "exception_has_payload", -1,
				      "KVM_CAP_EXCEPTION_PAYLOAD is not enabled on the VM");
	if (s->exception_pending && !s->exception_injected && !r->probe->exception_payload)
		return restore_refuse(reterr, "lapic", (int)vcpu, "exception_pending", -1,
				      "KVM_CAP_EXCEPTION_PAYLOAD is not enabled on the VM");
	return 0;
}

int restore_check_events(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];

	for (size_t i = 0; i < REG_ARRAY_SIZE(events); i++) {
		const struct reg_row *row = lapic_member(events[i].name);

		if (reg_known(row, s, 0) && reg_get(row, s, 0) > events[i].max)
			return restore_refuse(reterr, "lapic", (int)vcpu, row->name, -1, "%u, at most %u is possible",
					      (unsigned int)reg_get(row, s, 0), events[i].max);
	}
	if (s->interrupt_injected < -1 || s->interrupt_injected > 255)
		return restore_refuse(reterr, "lapic", (int)vcpu, "interrupt_injected", -1, "%d is no vector",
				      s->interrupt_injected);
	if (s->triple_fault && !r->probe->triple_fault)
		return restore_refuse(reterr, "lapic", (int)vcpu, "triple_fault", -1,
				      "KVM_CAP_X86_TRIPLE_FAULT_EVENT is not enabled on the VM");
	if ((s->smm || s->smi_pending || s->smm_inside_nmi) && !r->probe->smm)
		return restore_refuse(reterr, "lapic", (int)vcpu, "smm", -1, "this KVM has no system management mode");
	if (s->latched_init && r->probe->mode == IRQCHIP_NONE)
		return restore_refuse(reterr, "lapic", (int)vcpu, "latched_init", -1, "no LAPIC in the kernel would keep it");
	return check_exception(r, vcpu, reterr);
}

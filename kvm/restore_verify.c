/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading back: each row of a step against what was asked for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apic/lapic_rows.h"
#include "kvm/restore_priv.h"

/* Where a comparison is. */
struct place {
	const struct kvm_restore *r;
	const struct irqchip_state *now;
	const struct reg_chip *table;
	const char *chip;
	unsigned int index;
	const void *want, *got; /* states of the chip */
};

/* A reason for a difference, or NULL for none. */
struct reason {
	enum kvm_difference_kind kind;
	const char *why;
};

typedef struct reason explain_fn(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				 uint64_t got);
typedef bool select_fn(const struct reg_row *row);

static const struct reason wrong = { KVM_DIFFERENCE_WRONG, "was written" };

static struct reason derived(const char *why)
{
	return (struct reason){ KVM_DIFFERENCE_DERIVED, why };
}

static struct reason moved(const char *why)
{
	return (struct reason){ KVM_DIFFERENCE_MOVED, why };
}

static int report(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want, uint64_t got,
		  struct reason why, struct irqs_error *reterr)
{
	char path[RESTORE_PATH];

	if (p->r->options.differs) {
		struct kvm_difference d = { p->chip, p->index, row, i, want, got, why.kind, why.why };

		p->r->options.differs(p->r->options.arg, &d);
	}
	if (why.kind != KVM_DIFFERENCE_WRONG)
		return 0;
	snprintf(path, sizeof(path), row->count > 1 ? "%s[%u].%s[%u]" : "%s[%u].%s", p->chip, p->index, row->name, i);
	return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, path, "0x%" PRIx64 " was written, 0x%" PRIx64 " reads back",
			 want, got);
}

/* In a QEMU stream some events follow from others; KVM takes each of them. */
static bool follows(const struct reg_row *row)
{
	return row->storage == REG_DERIVED && row->abi != REG_ABI_EVENTS;
}

static int compare(const struct place *p, select_fn *selected, explain_fn *explain, struct irqs_error *reterr)
{
	int rc = 0;

	for (uint16_t n = 0; n < p->table->nrows; n++) {
		const struct reg_row *row = &p->table->rows[n];

		if (!selected(row))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t want = reg_get(row, p->want, i), got = reg_get(row, p->got, i);
			struct reason why;
			int bad;

			if (!reg_known(row, p->want, i) || !reg_known(row, p->got, i) || want == got)
				continue;
			why = follows(row) ? derived(row->from) : explain(p, row, i, want, got);
			bad = report(p, row, i, want, got, why, rc ? NULL : reterr);
			if (!rc)
				rc = bad;
		}
	}
	return rc;
}

static struct reason never(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want, uint64_t got)
{
	(void)p;
	(void)row;
	(void)i;
	(void)want;
	(void)got;
	return wrong;
}

static struct place at_lapic(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu)
{
	return (struct place){ r, now, &lapic_chip, "lapic", vcpu, &r->state->lapics[vcpu], &now->lapics[vcpu] };
}

static bool of_sregs(const struct reg_row *row)
{
	return row->abi == REG_ABI_SREGS;
}

int restore_verify_sregs(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			 struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_sregs, never, reterr);
}

static bool of_tsc_khz(const struct reg_row *row)
{
	return row->abi == REG_ABI_TSC_KHZ;
}

/* What the check let pass is within the tolerance, or was set. */
static struct reason explain_tsc_khz(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				     uint64_t got)
{
	(void)row;
	(void)i;
	(void)want;
	(void)got;
	return p->r->probe->tsc_control ? wrong : derived("the host's TSC, which is near enough to it");
}

int restore_verify_tsc_khz(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			   struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_tsc_khz, explain_tsc_khz, reterr);
}

static bool of_tsc(const struct reg_row *row)
{
	return row->abi == REG_ABI_MSR && (row->abi_at == MSR_TSC || row->abi_at == MSR_TSC_ADJUST);
}

/* A second is more than any restore takes. */
static struct reason explain_tsc(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				 uint64_t got)
{
	const struct lapic_state *s = p->got;
	uint64_t second = lapic_knows(s, LAPIC_KNOWN_TSC_KHZ) ? (uint64_t)s->tsc_khz * 1000 : UINT64_MAX;

	(void)i;
	if (row->abi_at != MSR_TSC || got < want)
		return wrong;
	if (got - want > second)
		return derived("the host's TSC: this KVM does not let it be set");
	return moved("it counts");
}

int restore_verify_tsc(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
		       struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_tsc, explain_tsc, reterr);
}

static bool of_lapic(const struct reg_row *row)
{
	return row->abi == REG_ABI_LAPIC && row->storage != REG_ACTION;
}

static struct reason explain_lapic(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				   uint64_t got)
{
	const struct lapic_state *s = p->want, *now = p->got;

	switch (row->offset) {
	case LAPIC_ID:
		return lapic_x2apic(now) ? derived("in x2APIC mode: the vCPU's own ID") : wrong;
	case LAPIC_LDR:
		return lapic_x2apic(now) ? derived("in x2APIC mode: the ID") : wrong;
	case LAPIC_IRR:
		return want & ~got ? wrong : moved("requested since");
	case LAPIC_TMR: /* is set as a vector is requested */
		return (want ^ got) & ~lapic_reg(now, (uint16_t)(LAPIC_IRR + 16 * i)) ? wrong : moved("requested since");
	case LAPIC_TMICT:
		if (lapic_timer_mode(now) == LAPIC_TIMER_TSC_DEADLINE)
			return derived("0 in TSC-deadline mode");
		return restore_fired(s) && !got ? derived("the one-shot has interrupted: KVM would start it again") : wrong;
	default:
		return wrong;
	}
}

int restore_verify_lapic(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			 struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_lapic, explain_lapic, reterr);
}

static bool of_deadline(const struct reg_row *row)
{
	return row->abi == REG_ABI_MSR && row->abi_at == MSR_TSC_DEADLINE;
}

static struct reason explain_deadline(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				      uint64_t got)
{
	const struct lapic_state *now = p->got;

	(void)row;
	(void)i;
	return !got && want <= now->tsc ? moved("it has passed") : wrong;
}

int restore_verify_deadline(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			    struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	if (r->probe->mode == IRQCHIP_NONE)
		return 0;
	return compare(&p, of_deadline, explain_deadline, reterr);
}

int restore_verify_msrs(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, restore_is_other_msr, never, reterr);
}

static bool of_mp_state(const struct reg_row *row)
{
	return row->abi == REG_ABI_MP_STATE;
}

int restore_verify_mp_state(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			    struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_mp_state, never, reterr);
}

static bool of_events(const struct reg_row *row)
{
	return row->abi == REG_ABI_EVENTS;
}

static struct reason explain_events(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				    uint64_t got)
{
	const struct lapic_state *s = p->want;

	(void)i;
	(void)got;
	if (!strcmp(row->name, "exception_pending") && want && s->exception_injected && !p->r->probe->exception_payload)
		return derived("injected, as long as KVM_CAP_EXCEPTION_PAYLOAD is not enabled");
	if (!s->exception_pending && !s->exception_injected && !strncmp(row->name, "exception_", strlen("exception_")))
		return derived("no exception is on its way");
	return wrong;
}

int restore_verify_events(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			  struct irqs_error *reterr)
{
	struct place p = at_lapic(r, now, vcpu);

	return compare(&p, of_events, explain_events, reterr);
}

static bool of_pic(const struct reg_row *row)
{
	return row->abi == REG_ABI_PIC;
}

/* The slave's output pulses the cascade line whenever the kernel looks at it. */
static struct reason explain_pic(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				 uint64_t got)
{
	bool line = !strcmp(row->name, "irr") || !strcmp(row->name, "last_irr");
	uint32_t raised = restore_raised(p->r->state, p->index == PIC_MASTER ? IRQ_ROUTE_PIC_MASTER : IRQ_ROUTE_PIC_SLAVE);
	uint32_t cascade = p->index == PIC_MASTER ? 1U << PIC_CASCADE : 0;

	(void)i;
	if (!line || (want ^ got) & ~(uint64_t)(raised | cascade))
		return wrong;
	return (want ^ got) & raised ? moved("lines were raised") : derived("line 2 is the output of the slave");
}

int restore_verify_pics(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int unused,
			struct irqs_error *reterr)
{
	int rc = 0;

	(void)unused;
	for (unsigned int i = PIC_MASTER; i <= PIC_SLAVE; i++) {
		struct place p = { r, now, &pic_chip, "pic", i, &r->state->pics[i], &now->pics[i] };
		int bad = compare(&p, of_pic, explain_pic, rc ? NULL : reterr);

		if (!rc)
			rc = bad;
	}
	return rc;
}

static bool of_ioapic(const struct reg_row *row)
{
	return row->abi == REG_ABI_IOAPIC;
}

static struct reason explain_ioapic(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				    uint64_t got)
{
	const struct ioapic_state *s = p->want;
	const uint32_t ready = ioapic_serviceable(s) | restore_raised(p->r->state, IRQ_ROUTE_IOAPIC);

	if (row->offset == IOAPIC_RTE && (want ^ got) == IOAPIC_RTE_REMOTE_IRR && got & IOAPIC_RTE_REMOTE_IRR && ready >> i & 1)
		return moved("its request was delivered");
	if (!strcmp(row->name, "irr") && !((want ^ got) & ~(uint64_t)ready))
		return moved("requests were delivered, or lines raised");
	return wrong;
}

int restore_verify_ioapic(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int unused,
			  struct irqs_error *reterr)
{
	struct place p = { r, now, &ioapic_chip, "ioapic", 0, &r->state->ioapic, &now->ioapic };

	(void)unused;
	return compare(&p, of_ioapic, explain_ioapic, reterr);
}

static bool of_pit(const struct reg_row *row)
{
	return row->abi == REG_ABI_PIT;
}

int restore_verify_pit(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int unused,
		       struct irqs_error *reterr)
{
	struct place p = { r, now, &pit_chip, "pit", 0, &r->state->pit, &now->pit };

	(void)unused;
	return compare(&p, of_pit, never, reterr);
}

static bool of_clock(const struct reg_row *row)
{
	return row->abi == REG_ABI_CLOCK;
}

static struct reason explain_clock(const struct place *p, const struct reg_row *row, unsigned int i, uint64_t want,
				   uint64_t got)
{
	(void)p;
	(void)i;
	if (strcmp(row->name, "kvmclock") != 0)
		return derived("the host's clocks");
	return got >= want ? moved("it counts") : wrong;
}

int restore_verify_clock(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int unused,
			 struct irqs_error *reterr)
{
	struct place p = { r, now, &clock_chip, "clock", 0, &r->state->clock, &now->clock };

	(void)unused;
	return compare(&p, of_clock, explain_clock, reterr);
}

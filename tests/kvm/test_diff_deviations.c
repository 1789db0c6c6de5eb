/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the LAPICs and the IOAPIC of this kernel do otherwise than the manual, each with a list that shows it. The random
 * sequences of test_diff_lapic.c and test_diff_ioapic.c leave these out; docs/userspace.md has the same list.
 */
#include <criterion/criterion.h>

#include "tests/kvm/diff_vm.h"

#define AT(what, where, number)                                       \
	{                                                             \
		.kind = (what), .address = (where), .value = (number) \
	}
#define W(offset, number) AT(DIFF_WRITE32, LAPIC_PAGE + (offset), number)
#define R(offset) AT(DIFF_READ32, LAPIC_PAGE + (offset), 0)
#define WRMSR(index, number) AT(DIFF_WRMSR, index, number)
#define RDMSR(index) AT(DIFF_RDMSR, index, 0)
#define IDLE AT(DIFF_SLEEP, 0, 0)
#define SELECT(reg) AT(DIFF_WRITE32, IOAPIC_WINDOW, reg)
#define DATA(number) AT(DIFF_WRITE32, IOAPIC_WINDOW + 0x10, number)
#define LINE(pin, level) AT(DIFF_LINE, pin, level)
#define LEVEL_MESSAGE(vector) AT(DIFF_MSI, LAPIC_PAGE, 0xc000 + (vector))
#define TAKE AT(DIFF_TAKE, 0, 0)
#define PAUSE AT(DIFF_PAUSE, 0, 0)

/* Where it shows: in a register of a LAPIC, or one of these. */
enum { FAULT = 0x1000, /* whether the last access faults */
       READ,           /* what the last access reads */
       ENTRY,          /* the low half of the IOAPIC's entry 4 */
       PENDING };      /* irr of the IOAPIC */

static const struct deviation {
	const char *name, *manual;
	bool x2apic;
	struct diff_op ops[12];
	uint8_t cpu;
	uint16_t where;
	uint32_t kernel, model;
} deviations[] = {
	{ "errors are not recorded", "SDM 3A 11.5.3", false, { R(0x40), W(LAPIC_ESR, 0) }, 0, LAPIC_ESR, 0, 0x80 },
	{ "delivery status of an LVT entry can be written", "SDM 3A 11.5.1", false, { W(LAPIC_LVTTHMR, 0x11055) }, 0, LAPIC_LVTTHMR, 0x11055, 0x10055 },
	{ "remote IRR of LINT0 can be written", "SDM 3A 11.5.1", false, { W(LAPIC_LVT0, 0x1c055) }, 0, LAPIC_LVT0, 0x1c055, 0x18055 },
	{ "reserved bits of ICR are kept", "SDM 3A 11.6.1", false, { W(LAPIC_ICR2, 0x99000000), W(LAPIC_ICR, 0xfff32041) }, 0, LAPIC_ICR, 0xfff32041, 0x41 },
	{ "reserved bits do not fault: TPR", "SDM 3A 11.12.1.2", true, { WRMSR(0x808, 0x100) }, 0, FAULT, 0, 1 },
	{ "reserved bits do not fault: SVR", "SDM 3A 11.12.1.2", true, { WRMSR(0x80f, 0x10ff) }, 0, FAULT, 0, 1 },
	{ "reserved bits do not fault: LVT", "SDM 3A 11.12.1.2", true, { WRMSR(0x832, 0x80040) }, 0, FAULT, 0, 1 },
	{ "reserved bits do not fault: TDCR", "SDM 3A 11.12.1.2", true, { WRMSR(0x83e, 0x4) }, 0, FAULT, 0, 1 },
	{ "an EOI that is not 0 does not fault", "SDM 3A 11.12.1.2", true, { WRMSR(0x80b, 1) }, 0, FAULT, 0, 1 },
	{ "a fixed IPI with level and without assert is dropped", "SDM 3A 11.6.1", false, { W(LAPIC_ICR2, 0x01000000), W(LAPIC_ICR, 0x8041) }, 1, LAPIC_IRR + 0x20, 0, 2 },
	{ "a fixed IPI with level is level-triggered", "SDM 3A 11.6.1", false, { W(LAPIC_ICR2, 0x01000000), W(LAPIC_ICR, 0xc041) }, 1, LAPIC_TMR + 0x20, 2, 0 },
	{ "illegal vectors are requested", "SDM 3A 11.5.2", false, { W(LAPIC_ICR, 0x40005) }, 0, LAPIC_IRR, 0x20, 0 },
	{ "lowest priority to oneself is sent", "SDM 3A table 11-3", false, { W(LAPIC_ICR, 0x40141) }, 0, LAPIC_IRR + 0x20, 2, 0 },
	{ "lowest priority does not look at TPR", "SDM 3A 11.6.2.4", false, { W(LAPIC_TPR, 0xf0), W(LAPIC_ICR2, 0xff000000), W(LAPIC_ICR, 0x944) }, 0, LAPIC_IRR + 0x20, 0x10, 0 },
	{ "a broadcast in x2APIC mode passes CPUs in xAPIC mode by", "SDM 3A 11.12.9", false, { WRMSR(LAPIC_MSR_APIC_BASE, LAPIC_PAGE | 0xd00), WRMSR(0x830, 0xffffffff00000041) }, 1, LAPIC_IRR + 0x20, 0, 2 },
	{ "registers outlive a disable", "SDM 3A 11.4.3", false, { W(LAPIC_TPR, 0x20), WRMSR(LAPIC_MSR_APIC_BASE, LAPIC_PAGE | 0x100), WRMSR(LAPIC_MSR_APIC_BASE, LAPIC_PAGE | 0x900) }, 0, LAPIC_TPR, 0x20, 0 },
	{ "a deadline that passed while masked stays", "SDM 3A 11.5.4.1", false, { W(LAPIC_LVTT, 0x50041), WRMSR(LAPIC_MSR_TSC_DEADLINE, 1), IDLE, RDMSR(LAPIC_MSR_TSC_DEADLINE) }, 0, READ, 1, 0 },
	{ "a one-shot that is over fires again when TDCR changes", "SDM 3A 11.5.4", false, { W(LAPIC_LVTT, 0x41), W(LAPIC_TMICT, 1000), IDLE, W(LAPIC_LVTT, 0x42), W(LAPIC_TDCR, 0x1), IDLE }, 0, LAPIC_IRR + 0x20, 6, 2 },
	{ "reserved bits of an entry are kept", "82093AA 3.2.4", false, { SELECT(0x18), DATA(0xfffe0041) }, 0, ENTRY, 0xfffe0041, 0x41 },
	{ "an edge at a masked pin stays in irr", "82093AA 3.2.4", false, { SELECT(0x18), DATA(0x10041), LINE(4, 1) }, 0, PENDING, 0x10, 0 },
	{ "the EOI of a CPU that is no destination is dropped", "82093AA 3.2.4", false, { SELECT(0x19), DATA(0x01000000), SELECT(0x18), DATA(0x8041), PAUSE, LINE(4, 1), LINE(4, 0), LEVEL_MESSAGE(0x41), TAKE, W(LAPIC_EOI, 0) }, 0, ENTRY, 0xc041, 0x8041 },
	{ "the EOI of a level sends an edge of the same vector again", "82093AA 3.2.4", false, { SELECT(0x1a), DATA(0x8041), SELECT(0x18), DATA(0x41), PAUSE, LINE(4, 1), TAKE, W(LAPIC_EOI, 0), LEVEL_MESSAGE(0x41), TAKE, W(LAPIC_EOI, 0) }, 0, LAPIC_IRR + 0x20, 2, 0 },
};

static uint32_t seen(const struct deviation *v, const struct diff_outcome *end)
{
	const struct diff_op *last = &end->list.ops[end->list.n - 1];

	switch (v->where) {
	case FAULT:
		return last->fault;
	case READ:
		return (uint32_t)last->value;
	case ENTRY:
		return (uint32_t)end->state.ioapic.redirtbl[4];
	case PENDING:
		return end->state.ioapic.irr;
	}
	return lapic_reg(&end->state.lapics[v->cpu], v->where);
}

static void show(struct diff_vm *d, const struct deviation *v)
{
	struct diff_outcome kernel, models;
	struct diff_list l = { .n = 0 };
	struct diff_state start;

	diff_plain_state(&start, v->x2apic);
	while (l.n < REG_ARRAY_SIZE(v->ops) && v->ops[l.n].kind != DIFF_END) {
		l.ops[l.n] = v->ops[l.n];
		l.n++;
	}
	diff_both(d, &start, &l, &kernel, &models);
	cr_expect_eq(seen(v, &kernel), v->kernel, "%s (%s): kernel 0x%x", v->name, v->manual, seen(v, &kernel));
	cr_expect_eq(seen(v, &models), v->model, "%s (%s): model 0x%x", v->name, v->manual, seen(v, &models));
}

Test(diff_deviations, are_as_documented)
{
	static struct diff_vm vm;

	if (!diff_vm_init(&vm))
		cr_skip_test("no KVM with an irqchip");
	for (size_t i = 0; i < REG_ARRAY_SIZE(deviations); i++)
		show(&vm, &deviations[i]);
	diff_vm_deinit(&vm);
}

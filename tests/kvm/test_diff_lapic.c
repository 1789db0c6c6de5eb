/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The LAPIC models against the LAPICs of this kernel: random states and random accesses, the same reads and the same
 * states in the end. DIFF_SEED and DIFF_SEQUENCES repeat a run; IRQSHIFT_FULL=1 makes it 100,000 sequences.
 */
#include <criterion/criterion.h>

#include "tests/kvm/diff_lapic_list.h"
#include "tests/kvm/diff_random.h"

#define FEW 5000

/* ---- what is known to differ ---- */

/*
 * Bits of a register that the kernel treats otherwise than the manual; docs/userspace.md explains each. They are left out of
 * the comparison; deviations_are_as_documented shows that they do differ.
 */
static const struct {
	uint16_t offset;
	uint32_t bits;
} deviant_bits[] = {
	{ LAPIC_ESR, 0xff },    /* never written by the kernel */
	{ LAPIC_LVTT, 0x1000 }, /* delivery status can be written */
	{ LAPIC_LVTTHMR, 0x1000 },
	{ LAPIC_LVTPC, 0x1000 },
	{ LAPIC_LVTERR, 0x1000 },
	{ LAPIC_LVT0, 0x5000 }, /* and remote IRR */
	{ LAPIC_LVT1, 0x5000 },
	{ LAPIC_ICR, 0xfff33000 }, /* reserved bits are kept */
};

static uint32_t deviant(uint32_t offset)
{
	for (size_t i = 0; i < REG_ARRAY_SIZE(deviant_bits); i++)
		if (deviant_bits[i].offset == offset)
			return deviant_bits[i].bits;
	return 0;
}

/* ---- comparing ---- */

static uint32_t offset_of(const struct diff_op *op)
{
	if (op->address >= LAPIC_MSR_X2APIC && op->address < LAPIC_MSR_X2APIC + 0x40)
		return (op->address - LAPIC_MSR_X2APIC) * 16;
	return (op->address - LAPIC_PAGE) & ~15U;
}

/* A count of the kernel's goes on while the models stand still. */
static bool same_count(const struct diff_vm *d, uint32_t kernel, uint32_t model)
{
	return (!kernel && !model) || (kernel <= model && (int64_t)(model - kernel) <= d->took_ns + 1000000000);
}

static bool same_op(const struct diff_vm *d, const struct diff_op *k, const struct diff_op *m)
{
	uint64_t mask = ~(uint64_t)deviant(offset_of(k));
	bool reads = k->kind == DIFF_TAKE || k->kind == DIFF_READ8 || k->kind == DIFF_READ16 || k->kind == DIFF_READ32 || k->kind == DIFF_RDMSR;

	if (k->fault != m->fault)
		return false;
	if (!reads || k->fault)
		return true;
	if (offset_of(k) == LAPIC_TMCCT && k->address != LAPIC_MSR_TSC_DEADLINE)
		return same_count(d, (uint32_t)k->value, (uint32_t)m->value);
	if (k->address >= LAPIC_PAGE)
		mask = (uint64_t)(uint32_t)mask >> 8 * (k->address & 3);
	return (k->value & mask) == (m->value & mask);
}

static bool same_lapic(const struct diff_vm *d, unsigned int cpu, const struct lapic_state *k, const struct lapic_state *m)
{
	bool same = true;

	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++)
		for (unsigned int i = 0; i < row->count; i++) {
			uint32_t offset = row->offset + i * row->stride;
			uint64_t a = reg_get(row, k, i), b = reg_get(row, m, i), mask = ~(uint64_t)deviant(offset);

			if (row->offset == REG_NO_OFFSET || !reg_known(row, k, i) || row->storage == REG_ACTION)
				continue;
			/* The kernel computes it when somebody asks; KVM_GET_LAPIC does not. */
			if (offset == LAPIC_PPR)
				continue;
			if (offset == LAPIC_TMCCT ? same_count(d, (uint32_t)a, (uint32_t)b) : (a & mask) == (b & mask))
				continue;
			cr_log_error("CPU %u %s[%u]: kernel 0x%llx, model 0x%llx", cpu, row->name, i, (unsigned long long)a,
				     (unsigned long long)b);
			same = false;
		}
	if (k->mp_state != m->mp_state || !k->nmi_pending != !m->nmi_pending || k->apic_base != m->apic_base) {
		cr_log_error("CPU %u: kernel mp_state %u NMI %u base 0x%llx, model %u %u 0x%llx", cpu, k->mp_state,
			     k->nmi_pending, (unsigned long long)k->apic_base, m->mp_state, m->nmi_pending,
			     (unsigned long long)m->apic_base);
		same = false;
	}
	return same;
}

static bool same_sequence(struct diff_vm *d)
{
	struct diff_outcome kernel, models;
	bool same = true, x2apic = rnd(3) == 0;
	struct diff_state start;
	struct diff_list list;

	diff_lapic_state(&start, x2apic);
	diff_lapic_list(&list, x2apic);
	diff_both(d, &start, &list, &kernel, &models);
	for (unsigned int i = 0; i < list.n; i++)
		same &= same_op(d, &kernel.list.ops[i], &models.list.ops[i]);
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		same &= same_lapic(d, i, &kernel.state.lapics[i], &models.state.lapics[i]);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		same &= kernel.state.ioapic.redirtbl[pin] == models.state.ioapic.redirtbl[pin];
	if (!same)
		diff_log(&list, &kernel, &models);
	return same;
}

Test(diff_lapic, random_sequences_end_the_same, .timeout = 7200)
{
	static struct diff_vm vm;

	if (!diff_vm_init(&vm))
		cr_skip_test("no KVM with an irqchip");
	diff_sequences_run(&vm, FEW, same_sequence);
	diff_vm_deinit(&vm);
}

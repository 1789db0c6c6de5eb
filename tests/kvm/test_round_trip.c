/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gather(restore(s)) is s: every register alone and all together, in valid patterns, one to 64 vCPUs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "came_back.h"

TestSuite(kvm_round_trip, .init = vm_have_kvm, .timeout = 120);

enum pattern { ZEROS,
	       ONES,
	       A5,
	       RANDOM,
	       DISTINCT,
	       NPATTERNS };

static const char *const pattern_names[] = { "zeros", "ones", "0xa5", "random", "distinct" };
static struct vm vm;
static struct differences differences;
static uint64_t seed, wall_clock;

/* Bits that a value may have, where it is not what the table's reserved bits leave. */
struct valid {
	const char *name;
	uint64_t mask, always;
};

static const struct valid lapic_valid[] = {
	/* one-shot or periodic; LVTCMCI is there only with MCG_CAP */
	{ "LVTT", 0x300ff, 0 },
	{ "LVTCMCI", 0x10000, 0 },
	{ "SVR", 0x3ff, 0 },
	{ "ICR", UINT32_MAX, 0 },
	{ "apic_base", 0xfff100, LAPIC_BASE_ENABLE | 0xfe000000 },
	{ "interrupt_injected", 0xff, 0 },
	{ "exception_nr", 0, 13 },
	{ "exception_injected", 1, 0 },
	{ "exception_pending", 0, 0 },
	{ "exception_has_payload", 0, 0 },
	{ "exception_payload", 0, 0 },
	{ "has_error_code", 1, 0 },
	{ "soft_interrupt", 0, 0 },
	{ "nmi_injected", 1, 0 },
	{ "nmi_pending", 1, 0 },
	{ "nmi_masked", 1, 0 },
	{ "triple_fault", 0, 0 },
	{ "interrupt_shadow", 3, 0 },
	{ "smm", 0, 0 },
	{ "smi_pending", 0, 0 },
	{ "smm_inside_nmi", 0, 0 },
	{ "latched_init", 0, 0 },
	{ "sipi_vector", 0xff, 0 },
	{ "mp_state", 1, 0 },
	{ "tsc", 0xffffffff, 1 },
	{ "tsc_deadline", 0, 0 },
	/* in the VM's memory, aligned; the bit that switches it on */
	{ "system_time_msr", 0x1, 0x2000 },
	{ "wall_clock_msr", 0x0f00, 0x3000 },
	{ "async_pf_en_msr", 0x0fc0, 0x4000 },
	{ "async_pf_int_msr", 0xff, 0 },
	{ "pv_eoi_en_msr", 0x0f01, 0x6000 },
	{ "steal_time_msr", 0x0fc1, 0x7000 },
	{ "poll_control_msr", 1, 0 },
};

static const struct valid ioapic_valid[] = {
	{ "irr", 0xffffff, 0 },
	{ "RTE", 0xff0000000001f7ff, IOAPIC_RTE_MASKED },
	{ "base_address", 0, 0xfec00000 },
	{ "IOREGSEL", 0xff, 0 },
};

static const struct valid pic_valid[] = {
	{ "priority_add", 7, 0 },
	{ "read_reg_select", 1, 0 },
	{ "poll", 1, 0 },
	{ "special_mask", 1, 0 },
	{ "init_state", 3, 0 },
	{ "auto_eoi", 1, 0 },
	{ "rotate_on_auto_eoi", 1, 0 },
	{ "special_fully_nested_mode", 1, 0 },
	{ "init4", 1, 0 },
	{ "elcr", 0xd8, 0 },
};

static const struct valid pit_valid[] = {
	{ "mode", 3, 0 },
	{ "count", 0xffff, 0x8001 },
	{ "bcd", 0, 0 },
	{ "gate", 1, 0 },
	{ "rw_mode", 3, 0 },
	{ "read_state", 3, 0 },
	{ "write_state", 3, 0 },
	{ "count_latched", 3, 0 },
	{ "status_latched", 1, 0 },
	{ "flags", KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON, 0 },
};

struct chip_case {
	const char *name;
	const struct reg_chip *table;
	const struct valid *valid;
	size_t nvalid;
};

#define CHIP(n, t, v)                         \
	{                                     \
		n, &(t), v, REG_ARRAY_SIZE(v) \
	}
static const struct chip_case lapic_case = CHIP("lapic", lapic_chip, lapic_valid);
static const struct chip_case ioapic_case = CHIP("ioapic", ioapic_chip, ioapic_valid);
static const struct chip_case pic_case = CHIP("pic", pic_chip, pic_valid);
static const struct chip_case pit_case = CHIP("pit", pit_chip, pit_valid);

static uint64_t value_of(const struct chip_case *c, const struct reg_row *row, unsigned int i, enum pattern pattern,
			 unsigned int salt)
{
	uint64_t bits = 0, mask = reg_mask(row) & ~row->rsvd, always = 0;

	for (size_t v = 0; v < c->nvalid; v++)
		if (!strcmp(c->valid[v].name, row->name)) {
			mask = c->valid[v].mask;
			always = c->valid[v].always;
		}
	switch (pattern) {
	case ZEROS:
		break;
	case ONES:
		bits = UINT64_MAX;
		break;
	case A5:
		bits = 0xa5a5a5a5a5a5a5a5;
		break;
	case RANDOM:
		bits = vm_random(&seed);
		break;
	default: /* another in each field of each chip */
		bits = ((uint64_t)(row - c->table->rows) * 64 + i + 1 + salt * 977) * 0x9e3779b97f4a7c15;
		bits ^= bits >> 32;
	}
	return (bits & mask) | always;
}

/* Written by a restore, and not merely along with something else. */
static bool settable(const struct reg_row *row)
{
	return row->abi != REG_ABI_NONE && row->abi != REG_ABI_VCPU_ID && row->abi != REG_ABI_TSC_KHZ &&
	       row->abi != REG_ABI_REGS && row->storage != REG_ACTION;
}

/* Rows that make sense only together: the timer runs, the exception has a number. */
static void complete_lapic(struct lapic_state *s)
{
	uint32_t lvtt = lapic_reg(s, LAPIC_LVTT);

	reg_set(lapic_member("exception_nr"), s, 0, s->exception_injected ? 13 : (uint64_t)-1);
	/* what is left of an hour's count keeps running while this is looked at */
	lapic_set_reg(s, LAPIC_TMICT, lapic_reg(s, LAPIC_TMICT) | 0x80000000);
	lapic_set_reg(s, LAPIC_TDCR, lapic_reg(s, LAPIC_TDCR) & 0xb);
	lapic_set_reg(s, LAPIC_LVTT, lvtt & ~UINT32_C(0x40000));
	if (lapic_reg(s, LAPIC_TMCCT) > lapic_reg(s, LAPIC_TMICT) || lapic_reg(s, LAPIC_TMCCT) < 0x40000000)
		lapic_set_reg(s, LAPIC_TMCCT, lapic_reg(s, LAPIC_TMICT) - 1);
	reg_forget(lapic_member("timer_remaining"), s, 0);
	/* one for the VM */
	reg_set(lapic_member("wall_clock_msr"), s, 0, wall_clock);
	/* a service of KVM that is switched off has no address */
	if (!(s->system_time_msr & 1))
		reg_set(lapic_member("system_time_msr"), s, 0, 0);
	if (!(s->pv_eoi_en_msr & 1))
		reg_set(lapic_member("pv_eoi_en_msr"), s, 0, 0);
	if (!(s->steal_time_msr & 1))
		reg_set(lapic_member("steal_time_msr"), s, 0, 0);
}

static void complete_base(struct lapic_state *s, unsigned int vcpu, bool x2apic)
{
	uint64_t base = lapic_member("apic_base")->reset;

	base |= vcpu ? 0 : LAPIC_BASE_BSP;
	base |= x2apic ? LAPIC_BASE_X2APIC : 0;
	reg_set(lapic_member("apic_base"), s, 0, base);
	if (x2apic)
		lapic_set_reg(s, LAPIC_ID, vm.ids[vcpu] << 24);
}

static void fill(const struct chip_case *c, void *state, enum pattern pattern, unsigned int salt)
{
	for (uint16_t r = 0; r < c->table->nrows; r++)
		for (unsigned int i = 0; i < c->table->rows[r].count; i++)
			if (settable(&c->table->rows[r]))
				reg_set(&c->table->rows[r], state, i, value_of(c, &c->table->rows[r], i, pattern, salt));
}

static struct irqchip_state whole(enum irqchip_mode mode, unsigned int n, enum pattern pattern, bool x2apic)
{
	struct irqchip_state s = vm_state(mode, n);

	wall_clock = value_of(&lapic_case, lapic_member("wall_clock_msr"), 0, pattern, 0);
	for (unsigned int i = 0; i < n; i++) {
		fill(&lapic_case, &s.lapics[i], pattern, i);
		complete_lapic(&s.lapics[i]);
		complete_base(&s.lapics[i], i, x2apic);
	}
	if (mode != IRQCHIP_FULL)
		return s;
	fill(&ioapic_case, &s.ioapic, pattern, 100);
	fill(&pic_case, &s.pics[0], pattern, 101);
	fill(&pic_case, &s.pics[1], pattern, 102);
	fill(&pit_case, &s.pit, pattern, 103);
	s.pit.flags |= KVM_PIT_FLAGS_HPET_LEGACY; /* else it ticks, into whatever the IOAPIC's entries say */
	return s;
}

static void all_together(enum irqchip_mode mode, bool x2apic, unsigned int n)
{
	char what[80];

	vm_open(&vm, (struct vm_config){ .mode = mode, .nvcpus = n, .memory = true });
	for (enum pattern pattern = ZEROS; pattern < NPATTERNS; pattern++) {
		struct irqchip_state s = whole(mode, n, pattern, x2apic);

		snprintf(what, sizeof(what), "%s, %s, %u vCPUs, %s", irqchip_mode_name(mode), x2apic ? "x2APIC" : "xAPIC", n,
			 pattern_names[pattern]);
		came_back(&vm, &s, &differences, what);
		vm_state_free(&s);
	}
	vm_close(&vm);
}

Test(kvm_round_trip, all_registers_together_come_back)
{
	static const unsigned int counts[] = { 1, 2, 7, 64 };

	seed = vm_seed();
	for (enum irqchip_mode mode = IRQCHIP_SPLIT; mode <= IRQCHIP_FULL; mode++)
		for (int x2apic = 0; x2apic <= 1; x2apic++)
			for (size_t i = 0; i < REG_ARRAY_SIZE(counts); i++)
				all_together(mode, x2apic, counts[i]);
}

static void one_at_a_time(const struct chip_case *c, const struct irqchip_state *base, size_t at, bool x2apic)
{
	char what[120];

	for (uint16_t r = 0; r < c->table->nrows; r++) {
		const struct reg_row *row = &c->table->rows[r];

		for (unsigned int i = 0; settable(row) && i < row->count; i++)
			for (enum pattern pattern = ONES; pattern <= RANDOM; pattern++) {
				struct irqchip_state s = *base;
				struct lapic_state lapic = base->lapics[0];
				void *state = at ? (void *)((char *)&s + at) : &lapic;

				s.lapics = &lapic;
				reg_set(row, state, i, value_of(c, row, i, pattern, 0));
				if (!at) {
					uint64_t apic_base = lapic.apic_base;

					complete_lapic(&lapic);
					complete_base(&lapic, 0, x2apic);
					if (!x2apic && row == lapic_member("apic_base"))
						lapic.apic_base = apic_base;
				}
				snprintf(what, sizeof(what), "%s %s.%s[%u], %s", irqchip_mode_name(base->mode), c->name, row->name, i,
					 pattern_names[pattern]);
				came_back(&vm, &s, &differences, what);
			}
	}
}

static void one_by_one(enum irqchip_mode mode, bool x2apic)
{
	struct irqchip_state base;

	seed = vm_seed();
	vm_open(&vm, (struct vm_config){ .mode = mode, .memory = true });
	base = whole(mode, 1, ZEROS, x2apic);
	one_at_a_time(&lapic_case, &base, 0, x2apic);
	if (mode == IRQCHIP_FULL) {
		one_at_a_time(&ioapic_case, &base, offsetof(struct irqchip_state, ioapic), x2apic);
		one_at_a_time(&pic_case, &base, offsetof(struct irqchip_state, pics[0]), x2apic);
		one_at_a_time(&pic_case, &base, offsetof(struct irqchip_state, pics[1]), x2apic);
		one_at_a_time(&pit_case, &base, offsetof(struct irqchip_state, pit), x2apic);
	}
	vm_state_free(&base);
	vm_close(&vm);
}

Test(kvm_round_trip, each_register_comes_back_alone_full_xapic)
{
	one_by_one(IRQCHIP_FULL, false);
}

Test(kvm_round_trip, each_register_comes_back_alone_full_x2apic)
{
	one_by_one(IRQCHIP_FULL, true);
}

Test(kvm_round_trip, each_register_comes_back_alone_split_xapic)
{
	one_by_one(IRQCHIP_SPLIT, false);
}

Test(kvm_round_trip, each_register_comes_back_alone_split_x2apic)
{
	one_by_one(IRQCHIP_SPLIT, true);
}

Test(kvm_round_trip, without_a_lapic_in_the_kernel_the_cpus_part_comes_back)
{
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_NONE, .nvcpus = 2, .memory = true });
	s = vm_gather(&vm);
	reg_set(lapic_member("cr8"), &s.lapics[1], 0, 9);
	reg_set(lapic_member("interrupt_injected"), &s.lapics[1], 0, 0x31);
	reg_set(lapic_member("nmi_pending"), &s.lapics[0], 0, 1);
	came_back(&vm, &s, &differences, "none");
	vm_state_free(&s);
	s = vm_gather(&vm);
	cr_expect_eq(s.lapics[1].interrupt_injected, 0x31);
	cr_expect_eq(s.lapics[0].interrupt_injected, -1);
	cr_expect_eq(s.lapics[1].cr8, 9);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_round_trip, derived_values_are_reported_as_derived)
{
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = vm_gather(&vm);
	lapic_set_reg(&s.lapics[0], LAPIC_PPR, 0x77);
	lapic_set_reg(&s.lapics[0], LAPIC_TPR, 0x25);
	lapic_set_reg(&s.lapics[0], LAPIC_LVR, 0x01050014);
	reg_set(reg_find_name(&pic_chip, "elcr_mask"), &s.pics[0], 0, 0xff);
	reg_set(reg_find_name(&pit_chip, "count_load_time"), &s.pit, 1, 5);
	came_back(&vm, &s, &differences, "derived");
	cr_expect_eq(came_back_find(&differences, "lapic", 0, lapic_member("PPR"), 0)->kind, KVM_DIFFERENCE_DERIVED);
	cr_expect_eq(came_back_find(&differences, "lapic", 0, lapic_member("PPR"), 0)->got, 0x25);
	cr_expect_eq(came_back_find(&differences, "lapic", 0, lapic_member("LVR"), 0)->got, 0x00050014);
	cr_expect(came_back_find(&differences, "pic", 0, reg_find_name(&pic_chip, "elcr_mask"), 0));
	cr_expect(came_back_find(&differences, "pit", 0, reg_find_name(&pit_chip, "count_load_time"), 1));
	vm_state_free(&s);
	vm_close(&vm);
}

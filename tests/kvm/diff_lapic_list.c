/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random states of LAPICs and random accesses to them. What would only show a known deviation of the kernel's is left
 * out; tests/kvm/test_diff_deviations.c shows those.
 */
#include "tests/kvm/diff_lapic_list.h"

#include "tests/kvm/diff_random.h"

#define ELSEWHERE 0xfed10000U

/* ---- random states ---- */

static uint8_t vector(void)
{
	return (uint8_t)(16 + rnd(240));
}

static void random_bank(struct lapic_state *s, uint16_t offset, unsigned int most)
{
	for (unsigned int n = rnd(most + 1); n; n--)
		lapic_bank_set(s, offset, vector());
}

/* Counts that do not run out while a sequence runs. */
static uint32_t long_count(void)
{
	return 0x80000000U | rnd(0x7fffffff);
}

static void random_timer(struct lapic_state *s)
{
	if (!(lapic_reg(s, LAPIC_SVR) & LAPIC_SVR_ENABLE) || rnd(3))
		lapic_set_reg(s, LAPIC_LVTT, LAPIC_LVT_MASKED | rnd(3) << 17 | vector());
	if (lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE && rnd(2)) {
		lapic_set_reg(s, LAPIC_TMICT, long_count());
		lapic_set_reg(s, LAPIC_TMCCT, lapic_reg(s, LAPIC_TMICT));
	}
}

static void random_lapic(struct lapic_state *s, unsigned int cpu, bool x2apic)
{
	static const uint16_t lvts[] = { LAPIC_LVTTHMR, LAPIC_LVTPC, LAPIC_LVT1 };

	if (cpu && rnd(4) == 0)
		s->mp_state = LAPIC_MP_INIT_RECEIVED;
	lapic_set_reg(s, LAPIC_TPR, rnd(256));
	lapic_set_reg(s, LAPIC_SVR, 0xff | (rnd(8) ? LAPIC_SVR_ENABLE : 0));
	lapic_set_reg(s, LAPIC_LDR, rnd(256) << 24);
	lapic_set_reg(s, LAPIC_DFR, rnd(2) ? 0xffffffff : 0x0fffffff);
	lapic_set_reg(s, LAPIC_TDCR, rnd(16) & 0xb);
	random_bank(s, LAPIC_IRR, 6);
	random_bank(s, LAPIC_ISR, 4);
	random_bank(s, LAPIC_TMR, 100);
	for (size_t i = 0; i < REG_ARRAY_SIZE(lvts); i++)
		lapic_set_reg(s, lvts[i], LAPIC_LVT_MASKED | vector());
	random_timer(s);
	if (x2apic)
		lapic_set_reg(s, LAPIC_ICR2, 0);
}

void diff_lapic_state(struct diff_state *ret, bool x2apic)
{
	diff_plain_state(ret, x2apic);
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		random_lapic(&ret->lapics[i], i, x2apic);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		ret->ioapic.redirtbl[pin] = (rnd(2) ? IOAPIC_RTE_LEVEL : IOAPIC_RTE_MASKED) | vector();
}

/* ---- random accesses ---- */

struct writer {
	struct diff_list *list;
	bool x2apic, mixed; /* mixed: the other CPUs are in xAPIC mode */
};

static void add(struct writer *w, enum diff_kind kind, uint32_t address, uint64_t value)
{
	diff_add(w->list, kind, address, value);
}

static void write_reg(struct writer *w, uint16_t offset, uint32_t value)
{
	if (w->x2apic)
		add(w, DIFF_WRMSR, LAPIC_MSR_X2APIC + offset / 16U, value);
	else
		add(w, DIFF_WRITE32, LAPIC_PAGE + offset, value);
}

/* In x2APIC mode a reserved bit faults only by the manual: those accesses are in deviations_are_as_documented. */
static uint32_t valid_bits(const struct writer *w, uint16_t offset, uint32_t value)
{
	unsigned int i;
	const struct reg_row *row = reg_find(&lapic_chip, offset, &i);

	if (!w->x2apic || !row)
		return value;
	value &= (uint32_t)~row->rsvd;
	return offset == LAPIC_SVR ? value & ~LAPIC_SVR_NO_BROADCAST : value;
}

static void add_read(struct writer *w)
{
	uint16_t offset = (uint16_t)(rnd(0x41) * 16);

	if (rnd(16) == 0)
		add(w, DIFF_RDMSR, LAPIC_MSR_X2APIC + rnd(256), 0);
	if (w->x2apic) {
		add(w, DIFF_RDMSR, LAPIC_MSR_X2APIC + offset / 16U, 0);
	} else if (rnd(8) == 0 && offset != LAPIC_TMCCT) {
		unsigned int wide = rnd(2);

		add(w, wide ? DIFF_READ16 : DIFF_READ8, LAPIC_PAGE + offset + rnd(4 - wide), 0);
	} else {
		add(w, DIFF_READ32, LAPIC_PAGE + offset, 0);
	}
}

static void add_narrow_write(struct writer *w)
{
	static const enum diff_kind kinds[] = { DIFF_WRITE8, DIFF_WRITE16, DIFF_WRITE32 };
	uint32_t at = LAPIC_PAGE + rnd(0x400);
	enum diff_kind kind = kinds[rnd(3)];

	if (kind == DIFF_WRITE32 && at % 16 == 0)
		at++;
	if (!w->x2apic)
		add(w, kind, at, rnd64());
}

static void add_write(struct writer *w)
{
	static const uint16_t plain[] = { LAPIC_TPR, LAPIC_TPR, LAPIC_EOI, LAPIC_EOI, LAPIC_EOI, LAPIC_LDR, LAPIC_DFR,
					  LAPIC_SVR, LAPIC_ESR, LAPIC_LVTTHMR, LAPIC_LVTPC, LAPIC_LVT0, LAPIC_LVT1,
					  LAPIC_TDCR, LAPIC_LVR, LAPIC_PPR, LAPIC_ISR, LAPIC_IRR, LAPIC_TMCCT, LAPIC_RRD };
	uint16_t offset = plain[rnd(REG_ARRAY_SIZE(plain))];
	uint32_t value = valid_bits(w, offset, (uint32_t)rnd64());

	if (offset == LAPIC_EOI || offset == LAPIC_ESR)
		value = 0;
	/* The other models mean nothing. */
	if (offset == LAPIC_DFR)
		value = rnd(2) ? value | 0xf0000000 : value & 0x0fffffff;
	if (offset == LAPIC_SVR && rnd(4))
		value |= LAPIC_SVR_ENABLE;
	write_reg(w, offset, value);
}

static void add_id(struct writer *w)
{
	/* Not an ID of the others: it is they who get NMI and INIT. */
	if (!w->x2apic)
		write_reg(w, LAPIC_ID, (8 + rnd(8)) << 24 | rnd(0x1000000));
}

static void send(struct writer *w, uint32_t dest, uint32_t icr)
{
	if (w->x2apic) {
		add(w, DIFF_WRMSR, LAPIC_MSR_X2APIC + LAPIC_ICR / 16, (uint64_t)dest << 32 | icr);
		return;
	}
	write_reg(w, LAPIC_ICR2, dest << 24 | rnd(0x1000000));
	write_reg(w, LAPIC_ICR, icr);
}

static uint32_t random_dest(const struct writer *w)
{
	/* A broadcast in x2APIC mode does not reach CPUs in xAPIC mode; see deviations. */
	if (rnd(4) == 0 && !w->mixed)
		return w->x2apic ? UINT32_MAX : 0xff;
	return rnd(rnd(2) ? 5 : 256);
}

static void add_ipi(struct writer *w)
{
	uint32_t other = 1 + rnd(3);
	/* Edge or level makes no difference, unless to the kernel; see deviations. */
	uint32_t assert_ = rnd(2) << 14;

	switch (rnd(8)) {
	case 0:
		send(w, other, 0x400 | assert_ | (uint32_t)(rnd(2) ? 0xc0000 : 0));
		break;
	case 1:
		send(w, other, 0x500 | rnd(4) << 14);
		break;
	case 2:
		send(w, other, 0x600 | assert_ | vector());
		break;
	case 3:
		send(w, rnd(5), 0x100 | assert_ | vector());
		break;
	case 4:
		send(w, random_dest(w), rnd(4) << 18 | assert_ | vector());
		break;
	case 5:
		send(w, other, 0x300 | assert_ | vector());
		break;
	case 6:
		if (w->x2apic)
			write_reg(w, LAPIC_SELF, vector());
		break;
	default:
		send(w, random_dest(w), 0x800 | assert_ | vector());
	}
}

static void add_timer(struct writer *w)
{
	uint32_t masked = rnd(3) ? 0 : LAPIC_LVT_MASKED;

	/* A deadline that passes must not be masked, which it is while the LAPIC is disabled: see deviations. */
	write_reg(w, LAPIC_SVR, 0xff | LAPIC_SVR_ENABLE);
	switch (rnd(4)) {
	case 0:
		write_reg(w, LAPIC_LVTT, masked | rnd(2) << 17 | vector());
		write_reg(w, LAPIC_TMICT, 1000);
		add(w, DIFF_SLEEP, 0, 0);
		/* Or a write of TDCR would make it fire again. */
		write_reg(w, LAPIC_TMICT, 0);
		break;
	case 1:
		write_reg(w, LAPIC_LVTT, 0x40000 | vector());
		add(w, DIFF_WRMSR, LAPIC_MSR_TSC_DEADLINE, rnd(2) ? 1 : UINT64_MAX / 2);
		add(w, DIFF_SLEEP, 0, 0);
		add(w, DIFF_RDMSR, LAPIC_MSR_TSC_DEADLINE, 0);
		break;
	case 2:
		write_reg(w, LAPIC_LVTT, masked | rnd(3) << 17 | vector());
		break;
	default:
		write_reg(w, LAPIC_TMICT, rnd(4) ? long_count() : 0);
	}
}

static void add_event(struct writer *w)
{
	if (rnd(2))
		add(w, DIFF_LINE, rnd(IOAPIC_PINS), rnd(2));
	else
		add(w, DIFF_MSI, 0xfee00000 | rnd(5) << 12, vector() | (rnd(2) ? 0xc000 : 0));
}

/* The page moves and comes back. */
static void add_move(struct writer *w)
{
	uint16_t offset = (uint16_t)(rnd(2) ? LAPIC_TPR : LAPIC_ID);

	add(w, DIFF_WRMSR, LAPIC_MSR_APIC_BASE, ELSEWHERE | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP);
	add(w, DIFF_READ32, ELSEWHERE + offset, 0);
	add(w, DIFF_READ32, LAPIC_PAGE + offset, 0);
	add(w, DIFF_WRITE32, ELSEWHERE + LAPIC_TPR, rnd64());
	add(w, DIFF_WRITE32, LAPIC_PAGE + LAPIC_TPR, rnd64());
	add(w, DIFF_WRMSR, LAPIC_MSR_APIC_BASE, LAPIC_PAGE | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP);
}

static void add_base(struct writer *w)
{
	static const uint64_t bits[] = { 0x400, 0x800, 0xc00 };
	uint64_t value = LAPIC_PAGE | bits[rnd(3)] | (rnd(2) ? LAPIC_BASE_BSP : 0);

	if (!w->x2apic && (value & 0xc00) == 0xc00) {
		if (rnd(2))
			w->x2apic = w->mixed = true;
		else /* a reserved bit */
			value ^= UINT64_C(1) << (rnd(2) ? rnd(8) : 52 + rnd(12));
	}
	add(w, DIFF_WRMSR, LAPIC_MSR_APIC_BASE, value);
	add(w, DIFF_RDMSR, LAPIC_MSR_APIC_BASE, 0);
}

static void add_mode(struct writer *w)
{
	switch (rnd(3)) {
	case 0:
		add_base(w);
		break;
	case 1:
		add_id(w);
		break;
	default:
		if (!w->x2apic && w->list->n < DIFF_OPS / 2)
			add_move(w);
	}
}

static void add_one(struct writer *w)
{
	switch (rnd(18)) {
	case 0:
	case 1:
	case 2:
	case 3:
		add_read(w);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		add_write(w);
		break;
	case 8:
	case 9:
	case 10:
		add_ipi(w);
		break;
	case 11:
	case 12:
		add_event(w);
		break;
	case 13:
		if (rnd(4) == 0)
			add_timer(w);
		break;
	case 14:
		add_narrow_write(w);
		break;
	case 15:
	case 16:
		add(w, DIFF_TAKE, 0, 0);
		break;
	default:
		add_mode(w);
	}
}

void diff_lapic_list(struct diff_list *ret, bool x2apic)
{
	struct writer w = { .list = ret, .x2apic = x2apic };

	ret->n = 0;
	for (unsigned int n = 4 + rnd(20); n; n--)
		add_one(&w);
	/* A vector in the error entry would show that the kernel has no errors: it stays masked. */
	write_reg(&w, LAPIC_LVTERR, LAPIC_LVT_MASKED | vector());
}

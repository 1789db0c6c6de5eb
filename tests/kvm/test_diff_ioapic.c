/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The IOAPIC model against the IOAPIC of this kernel: entries, lines and EOIs at random, the same reads, entries and
 * requests in the LAPICs. See test_diff_lapic.c for the environment.
 */
#include <criterion/criterion.h>

#include "tests/kvm/diff_random.h"
#include "tests/kvm/diff_vm.h"

#define FEW 5000

/* Bits of an entry that the kernel keeps though they are reserved (82093AA 3.2.4). */
#define RTE_RESERVED UINT64_C(0x00fffffffffe0000)

/*
 * Where pins go. Only the first CPU runs: it is a destination of a pin always or never, because the kernel drops EOIs of
 * others than the destinations; see deviations. @single: one CPU, so that lowest priority is no choice.
 */
static const struct place {
	bool home, logical, single;
	uint8_t dests[4];
} places[] = {
	{ true, false, true, { 0, 0, 0, 0 } },
	{ true, false, false, { 0, 0xff, 0xff, 0 } },
	{ true, true, false, { 0x01, 0x03, 0x8d, 0xff } },
	{ false, false, true, { 1, 2, 3, 0x90 } },
	{ false, true, false, { 0x02, 0x0c, 0xfe, 0x90 } },
};

static const struct place *place_of(unsigned int pin)
{
	return &places[pin % REG_ARRAY_SIZE(places)];
}

/*
 * Few vectors, so that pins share them; but only pins of one trigger mode, because the EOI of a level-triggered vector
 * makes the kernel send edge-triggered pins of that vector; see deviations.
 */
static uint8_t vector(bool home, bool level)
{
	return (uint8_t)(0x20 + 0x11 * (4 * rnd(3) + 2 * home + level));
}

static uint32_t dest(unsigned int pin)
{
	return (uint32_t)place_of(pin)->dests[rnd(4)] << 24;
}

static uint32_t low_half(unsigned int pin)
{
	const struct place *p = place_of(pin);
	uint32_t low = (uint32_t)rnd64() & 0xfffe2000U, level = rnd(2);

	low |= (uint32_t)p->logical << 11 | level << 15 | vector(p->home, level) | (rnd(3) ? 0 : IOAPIC_RTE_MASKED);
	/* NMI and INIT would reach the CPU that runs. */
	if (rnd(8) == 0)
		return low | LAPIC_EXTINT << 8;
	return low | (p->single && rnd(2) ? LAPIC_LOWEST_PRIORITY << 8 : 0);
}

static uint32_t write_entry(struct diff_list *l)
{
	uint32_t pin = rnd(IOAPIC_PINS), high = rnd(3) == 0;

	diff_add(l, DIFF_WRITE32, IOAPIC_WINDOW, IOAPIC_RTE + 2 * pin + high);
	diff_add(l, DIFF_WRITE32, IOAPIC_WINDOW + 0x10, high ? dest(pin) | rnd(0x1000000) : low_half(pin));
	/* The kernel learns at its next entry which EOIs go to the IOAPIC. */
	diff_add(l, DIFF_PAUSE, 0, 0);
	return UINT32_C(1) << pin;
}

static void read_register(struct diff_list *l)
{
	static const enum diff_kind kinds[] = { DIFF_READ8, DIFF_READ16, DIFF_READ32, DIFF_READ32 };

	diff_add(l, DIFF_WRITE32, IOAPIC_WINDOW, rnd(2) ? rnd(0x48) : rnd(256));
	diff_add(l, kinds[rnd(4)], IOAPIC_WINDOW + 0x10, 0);
}

static void odd_access(struct diff_list *l)
{
	static const enum diff_kind kinds[] = { DIFF_READ8, DIFF_READ16, DIFF_READ32, DIFF_WRITE8, DIFF_WRITE16,
						DIFF_WRITE32 };
	uint32_t offset = rnd(0x100 - 4);

	if (offset == 0x10)
		offset = 0;
	diff_add(l, kinds[rnd(6)], IOAPIC_WINDOW + offset, rnd64());
}

static void write_id(struct diff_list *l)
{
	diff_add(l, DIFF_WRITE32, IOAPIC_WINDOW, rnd(3));
	diff_add(l, DIFF_WRITE32, IOAPIC_WINDOW + 0x10, rnd64());
	diff_add(l, DIFF_READ32, IOAPIC_WINDOW + 0x10, 0);
}

/* Which pins' entries are written. */
static uint32_t random_list(struct diff_list *l)
{
	uint32_t rewritten = 0;

	l->n = 0;
	for (unsigned int n = 4 + rnd(24); n; n--)
		switch (rnd(14)) {
		case 0:
		case 1:
		case 2:
			rewritten |= write_entry(l);
			break;
		case 3:
			read_register(l);
			break;
		case 4:
			odd_access(l);
			break;
		case 5:
			write_id(l);
			break;
		case 6:
		case 7:
			diff_add(l, DIFF_WRITE32, LAPIC_PAGE + LAPIC_EOI, 0);
			break;
		case 8:
		case 9:
			diff_add(l, DIFF_TAKE, 0, 0);
			break;
		default:
			diff_add(l, DIFF_LINE, rnd(IOAPIC_PINS), rnd(2));
		}
	return rewritten;
}

static void random_lapic(struct lapic_state *s)
{
	for (unsigned int n = rnd(8); n; n--) {
		bool level = rnd(4) != 0;
		uint8_t v = vector(true, level);

		lapic_bank_set(s, LAPIC_ISR, v);
		if (level)
			lapic_bank_set(s, LAPIC_TMR, v);
	}
}

static void random_ioapic(struct ioapic_state *s)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = (low_half(pin) & ~RTE_RESERVED) | (uint64_t)dest(pin) << 32;

		s->redirtbl[pin] = rte;
		if (rte & IOAPIC_RTE_LEVEL && ioapic_delivery(rte) <= LAPIC_LOWEST_PRIORITY) {
			s->irr |= rnd(2) << pin;
			s->redirtbl[pin] |= rnd(2) ? IOAPIC_RTE_REMOTE_IRR : 0;
		}
	}
}

static uint64_t lasting(const struct diff_op *ops, unsigned int i)
{
	/* What a read of an entry's half gives, without the reserved bits. */
	for (unsigned int k = i; k-- > 0;)
		if (ops[k].address == IOAPIC_WINDOW && ops[k].kind == DIFF_WRITE32 && ops[k].value >= IOAPIC_RTE)
			return ~(ops[k].value & 1 ? RTE_RESERVED >> 32 : RTE_RESERVED & UINT32_MAX);
		else if (ops[k].address == IOAPIC_WINDOW)
			return UINT64_MAX;
	return UINT64_MAX;
}

/* Bits of a read that both must have. Behind an odd write nobody here knows what IOREGSEL is. */
static uint64_t compared(const struct diff_op *ops, unsigned int i)
{
	uint64_t reserved = ~(RTE_RESERVED | RTE_RESERVED >> 32);

	for (unsigned int k = 0; k < i; k++)
		if (ops[k].address < LAPIC_PAGE && ops[k].address >= IOAPIC_WINDOW && ops[k].address % 16 == 0 &&
		    (ops[k].kind == DIFF_WRITE8 || ops[k].kind == DIFF_WRITE16))
			return reserved;
	return ops[i].address == IOAPIC_WINDOW + 0x10 ? lasting(ops, i) : UINT64_MAX;
}

static bool same_ioapic(const struct ioapic_state *k, const struct ioapic_state *m, uint32_t rewritten)
{
	uint32_t level = 0;
	bool same = k->id == m->id && k->ioregsel == m->ioregsel;

	if (!same)
		cr_log_error("ID: kernel 0x%x, model 0x%x; IOREGSEL 0x%x, 0x%x", k->id, m->id, k->ioregsel, m->ioregsel);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		if (m->redirtbl[pin] & IOAPIC_RTE_LEVEL && ioapic_delivery(m->redirtbl[pin]) <= LAPIC_LOWEST_PRIORITY)
			level |= UINT32_C(1) << pin;
		if ((k->redirtbl[pin] ^ m->redirtbl[pin]) & ~RTE_RESERVED) {
			cr_log_error("pin %u: kernel 0x%llx, model 0x%llx", pin, (unsigned long long)k->redirtbl[pin],
				     (unsigned long long)m->redirtbl[pin]);
			same = false;
		}
	}
	/* Edges are kept by the kernel as long as the line is high; and hidden later, whatever the entry says then. */
	if ((k->irr ^ m->irr) & level & ~rewritten) {
		cr_log_error("irr: kernel 0x%x, model 0x%x, of level-triggered pins 0x%x", k->irr, m->irr, level);
		same = false;
	}
	return same;
}

static bool same_banks(unsigned int cpu, const struct lapic_state *k, const struct lapic_state *m)
{
	bool same = true;

	for (uint16_t o = LAPIC_ISR; o < LAPIC_ESR; o += 16)
		if (lapic_reg(k, o) != lapic_reg(m, o)) {
			cr_log_error("CPU %u at 0x%x: kernel 0x%x, model 0x%x", cpu, o, lapic_reg(k, o), lapic_reg(m, o));
			same = false;
		}
	return same;
}

static bool same_sequence(struct diff_vm *d)
{
	struct diff_outcome kernel, models;
	struct diff_state start;
	struct diff_list l;
	uint32_t rewritten;
	bool same = true;

	diff_plain_state(&start, false);
	random_lapic(&start.lapics[0]);
	random_ioapic(&start.ioapic);
	rewritten = random_list(&l);
	diff_both(d, &start, &l, &kernel, &models);
	for (unsigned int i = 0; i < l.n; i++)
		same &= !((kernel.list.ops[i].value ^ models.list.ops[i].value) & compared(l.ops, i));
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		same &= same_banks(i, &kernel.state.lapics[i], &models.state.lapics[i]);
	same &= same_ioapic(&kernel.state.ioapic, &models.state.ioapic, rewritten);
	if (!same)
		diff_log(&l, &kernel, &models);
	return same;
}

Test(diff_ioapic, random_sequences_end_the_same, .timeout = 7200)
{
	static struct diff_vm vm;

	if (!diff_vm_init(&vm))
		cr_skip_test("no KVM with an irqchip");
	diff_sequences_run(&vm, FEW, same_sequence);
	diff_vm_deinit(&vm);
}

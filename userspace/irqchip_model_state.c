/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's controllers to and from a struct irqchip_state. */
#include <errno.h>
#include <string.h>

#include "userspace/irqchip_model_priv.h"
#include "userspace/known_priv.h"

static const struct reg_row *now_row(void)
{
	return reg_find_name(&clock_chip, "cpu_clock_offset");
}

/* ---- out ---- */

static void join(const char *name, const struct lapic_state *have, struct lapic_state *ret)
{
	const struct reg_row *row = lapic_member(name);

	if (reg_known(row, have, 0) && reg_get(row, have, 0))
		reg_set(row, ret, 0, reg_get(row, have, 0));
}

static void keep(const char *name, const struct lapic_state *have, struct lapic_state *ret)
{
	const struct reg_row *row = lapic_member(name);

	if (reg_known(row, have, 0))
		reg_set(row, ret, 0, reg_get(row, have, 0));
}

/* What KVM said of the CPU stays where the LAPIC has no say. */
static void put_lapic(struct lapic_model *l, struct lapic_state *ret)
{
	struct lapic_state before = *ret, s;

	lapic_model_get(l, &s);
	reg_forget(lapic_member("timer_remaining"), ret, 0);
	known_rows(&lapic_chip, &s, ret);
	join("nmi_pending", &before, ret);
	join("smi_pending", &before, ret);
	keep("tsc", &before, ret);
	keep("tsc_khz", &before, ret);
	reg_set(lapic_member("halted"), ret, 0, s.mp_state != LAPIC_MP_RUNNABLE);
	reg_set(lapic_member("wait_for_sipi"), ret, 0,
		s.mp_state == LAPIC_MP_UNINITIALIZED || s.mp_state == LAPIC_MP_INIT_RECEIVED);
}

int irqchip_model_get(struct irqchip_model *m, struct irqchip_state *ret, struct pit_model_extra *ret_pit)
{
	for (unsigned int i = 0; i < m->config.ncpus && !irqchip_is_split(m); i++) {
		const struct lapic_state *s = lapic_model_state(&m->lapics[i]);

		if (s->latched_init || s->mp_state == LAPIC_MP_SIPI_RECEIVED)
			return -EBUSY;
	}
	for (unsigned int i = 0; i < m->config.ncpus && !irqchip_is_split(m); i++)
		put_lapic(&m->lapics[i], &ret->lapics[i]);
	ret->mode = m->config.mode;
	ret->nlapics = m->config.ncpus;
	ioapic_model_get(&m->ioapic, &ret->ioapic);
	pic_model_save(&m->pic, ret->pics);
	pit_model_save(&m->pit, &ret->pit, ret_pit);
	ret->lines = m->lines;
	reg_set(now_row(), &ret->clock, 0, (uint64_t)m->config.ops->now_ns(m->config.ctx));
	return 0;
}

/* ---- in ---- */

/* Registers that stay in KVM's CPU, whatever is emulated; they would be given back as they were once. */
static bool of_the_cpu(const struct reg_row *row)
{
	if (row->abi == REG_ABI_MSR)
		return strcmp(row->name, "tsc_deadline");
	if (row->abi == REG_ABI_EVENTS)
		return strcmp(row->name, "sipi_vector");
	return row->abi == REG_ABI_REGS || row->abi == REG_ABI_TSC_KHZ;
}

static struct lapic_state own_part(const struct lapic_state *from)
{
	struct lapic_state s = *from;
	bool halted = reg_known(lapic_member("halted"), from, 0) && from->halted;

	for (const struct reg_row *row = lapic_chip.rows; row < lapic_chip.rows + lapic_chip.nrows; row++)
		for (unsigned int i = 0; of_the_cpu(row) && i < row->count; i++)
			reg_forget(row, &s, i);
	/* kvm_move() leaves who sleeps to them; where mp_state says it, it says more. */
	if (s.mp_state != LAPIC_MP_RUNNABLE)
		reg_forget(lapic_member("wait_for_sipi"), &s, 0);
	else if (halted)
		reg_set(lapic_member("mp_state"), &s, 0, LAPIC_MP_HALTED);
	reg_forget(lapic_member("halted"), &s, 0);
	return s;
}

/* From the clock of the state to ours. */
static int64_t clock_shift(const struct irqchip_model *m, const struct irqchip_state *s)
{
	if (!reg_known(now_row(), &s->clock, 0))
		return 0;
	return (int64_t)((uint64_t)m->config.ops->now_ns(m->config.ctx) - (uint64_t)s->clock.cpu_clock_offset);
}

static void shift_time(const struct reg_row *row, struct pit_state *pit, unsigned int i, int64_t by)
{
	uint64_t at = reg_get(row, pit, i);

	if (reg_known(row, pit, i) && at != (uint64_t)PIT_NEVER)
		reg_set(row, pit, i, at + (uint64_t)by);
}

static void shift_pit(struct pit_state *pit, struct pit_model_extra *extra, int64_t by)
{
	for (const struct reg_row *row = pit_chip.rows; row < pit_chip.rows + pit_chip.nrows; row++)
		for (unsigned int i = 0; row->format == REG_NS && i < row->count; i++)
			shift_time(row, pit, i, by);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		extra->counters[i].load_ns = (int64_t)((uint64_t)extra->counters[i].load_ns + (uint64_t)by);
}

int irqchip_model_check(const struct irqchip_model *m, const struct irqchip_state *s, const struct pit_model_extra *pit,
			struct irqs_error *reterr)
{
	int rc = 0;

	if (s->nlapics != m->config.ncpus)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "lapics", "%u of them: this machine has %u",
				 s->nlapics, m->config.ncpus);
	for (unsigned int i = 0; i < m->config.ncpus && !irqchip_is_split(m) && !rc; i++)
		rc = lapic_model_check(&m->lapics[i], &s->lapics[i], reterr);
	if (!rc)
		rc = ioapic_model_check(&m->ioapic, &s->ioapic, reterr);
	if (rc)
		return rc;
	if (pic_model_check(s->pics)) {
		irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "pics", "init_state or priority_add out of range");
		return -EINVAL;
	}
	if (pit_model_check(&s->pit, pit)) {
		irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "pit", "a mode, count or byte state that cannot be");
		return -EINVAL;
	}
	return 0;
}

/* LAPICs keep the level of LINT0 through their restore, and see no edge. */
static void set_lapics(struct irqchip_model *m, const struct irqchip_state *s)
{
	for (unsigned int i = 0; i < m->config.ncpus; i++) {
		struct lapic_state own = own_part(&s->lapics[i]);

		lapic_model_reset(&m->lapics[i]);
		lapic_model_lint(&m->lapics[i], 0, pic_model_intr(&m->pic));
		lapic_model_set(&m->lapics[i], &own, NULL);
	}
}

static void set_ioapic(struct irqchip_model *m, const struct irqchip_state *s)
{
	ioapic_model_set(&m->ioapic, &s->ioapic, NULL);
	for (unsigned int i = 0; i < m->config.nroutes; i++) {
		const struct irq_route *r = &m->config.routes[i];

		if (r->chip == IRQ_ROUTE_IOAPIC && r->gsi < IRQCHIP_MODEL_LINES)
			ioapic_model_hold(&m->ioapic, r->pin, m->lines >> r->gsi & 1);
	}
	m->routes_changed = irqchip_is_split(m);
	ioapic_model_resume(&m->ioapic);
	if (m->routes_changed && m->config.ops->routes)
		m->config.ops->routes(m->config.ctx);
	m->routes_changed = false;
}

/* LAPICs, then what delivers into them. The PICs before: their output is an input of the LAPICs that is no event. */
int irqchip_model_set(struct irqchip_model *m, const struct irqchip_state *s, const struct pit_model_extra *pit,
		      struct irqs_error *reterr)
{
	struct pit_model_extra extra = pit ? *pit : (struct pit_model_extra){ 0 };
	struct pit_state pit_state = s->pit;
	int rc = irqchip_model_check(m, s, pit, reterr);

	if (rc)
		return rc;
	m->lines = s->lines;
	pic_model_restore(&m->pic, s->pics);
	if (!irqchip_is_split(m))
		set_lapics(m, s);
	set_ioapic(m, s);
	shift_pit(&pit_state, &extra, clock_shift(m, s));
	pit_model_restore(&m->pit, &pit_state, pit ? &extra : NULL);
	irqchip_settle(m);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/moves.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apic/lapic_rows.h"

#define MSI_BASE UINT64_C(0xfee00000)
#define MSI_DEST_SHIFT 12
#define MSI_LOGICAL (UINT64_C(1) << 2)
#define MSI_LEVEL (UINT32_C(1) << 15)
#define MSI_ASSERT (UINT32_C(1) << 14)
#define MSI_DELIVERY UINT32_C(0x700)

struct move {
	const struct move_target *target;
	struct irqchip_state *s;
	enum irqchip_mode from;
	struct move_report *report;
	struct irqs_error *err;
};

static void note(const struct move *m, enum move_cost cost, uint64_t from, uint64_t to, const char *why, const char *fmt,
		 ...) __attribute__((format(printf, 6, 7)));

static void note(const struct move *m, enum move_cost cost, uint64_t from, uint64_t to, const char *why, const char *fmt,
		 ...)
{
	struct move_report *report = m->report;
	struct move_note n = { .cost = cost, .from = from, .to = to, .why = why };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(n.path, sizeof(n.path), fmt, ap);
	va_end(ap);
	if (cost == MOVE_REFUSED && !report->refused++)
		irqs_fail(m->err, IRQS_REFUSED, IRQS_NO_OFFSET, n.path, "%s", why);
	if (report->nnotes < MOVE_NOTES_MAX)
		report->notes[report->nnotes++] = n;
	report->count++;
}

static bool full(const struct move *m)
{
	return m->target->mode == IRQCHIP_FULL;
}

/* ---- LAPICs ---- */

static void move_suppression(const struct move *m, unsigned int i)
{
	struct lapic_state *s = &m->s->lapics[i];
	bool can = !full(m) && m->target->eoi_suppression;
	uint32_t lvr = lapic_reg(s, LAPIC_LVR), svr = lapic_reg(s, LAPIC_SVR);

	if (lapic_reg_known(s, LAPIC_SVR) && svr & LAPIC_SVR_NO_BROADCAST && !can) {
		lapic_set_reg(s, LAPIC_SVR, svr & ~LAPIC_SVR_NO_BROADCAST);
		note(m, MOVE_APPROXIMATE, svr, lapic_reg(s, LAPIC_SVR),
		     "EOIs are broadcast again: a level that still holds comes back before the guest ends it at the IOAPIC",
		     "lapic[%u].SVR", i);
	}
	if (!lapic_reg_known(s, LAPIC_LVR) || !(lvr & LAPIC_LVR_NO_BROADCAST) == !can)
		return;
	lapic_set_reg(s, LAPIC_LVR, lvr ^ LAPIC_LVR_NO_BROADCAST);
	note(m, MOVE_APPROXIMATE, lvr, lapic_reg(s, LAPIC_LVR),
	     can ? "EOI broadcasts can be suppressed now; a guest that looked before does not know"
		 : "EOI broadcasts cannot be suppressed any more; a guest that looked before may ask for it again",
	     "lapic[%u].LVR", i);
}

static void refuse_modes(const struct move *m, unsigned int i)
{
	const struct lapic_state *s = &m->s->lapics[i];

	if (!m->target->x2apic && lapic_knows(s, LAPIC_KNOWN_APIC_BASE) && lapic_x2apic(s))
		note(m, MOVE_REFUSED, s->apic_base, s->apic_base, "the LAPIC in user space has no x2APIC mode",
		     "lapic[%u].apic_base", i);
	if (!m->target->tsc_deadline && lapic_reg_known(s, LAPIC_LVTT) && lapic_timer_mode(s) == LAPIC_TIMER_TSC_DEADLINE)
		note(m, MOVE_REFUSED, lapic_reg(s, LAPIC_LVTT), lapic_reg(s, LAPIC_LVTT),
		     "the LAPIC in user space has no TSC-deadline mode", "lapic[%u].LVTT", i);
}

/* Who sleeps and who waits for a start-up IPI is user space's to know. */
static void leave_run_state(const struct move *m, unsigned int i)
{
	struct lapic_state *s = &m->s->lapics[i];
	uint32_t state = s->mp_state;

	if (!lapic_knows(s, LAPIC_KNOWN_MP_STATE))
		return;
	reg_set(lapic_member("halted"), s, 0, state != LAPIC_MP_RUNNABLE);
	reg_set(lapic_member("wait_for_sipi"), s, 0, state == LAPIC_MP_INIT_RECEIVED || state == LAPIC_MP_UNINITIALIZED);
	if (state == LAPIC_MP_SIPI_RECEIVED && lapic_knows(s, LAPIC_KNOWN_SIPI_VECTOR))
		reg_set(lapic_member("apic_sipi_vector"), s, 0, s->sipi_vector);
	if (state == LAPIC_MP_RUNNABLE)
		return;
	s->mp_state = LAPIC_MP_RUNNABLE;
	note(m, MOVE_LOSSLESS, state, s->mp_state, "user space holds the vCPU back: see halted and wait_for_sipi",
	     "lapic[%u].mp_state", i);
}

static void enter_run_state(const struct move *m, unsigned int i)
{
	struct lapic_state *s = &m->s->lapics[i];
	uint32_t state = LAPIC_MP_RUNNABLE;

	if (lapic_knows(s, LAPIC_KNOWN_WAIT_FOR_SIPI) && s->wait_for_sipi)
		state = LAPIC_MP_INIT_RECEIVED;
	else if (lapic_knows(s, LAPIC_KNOWN_HALTED) && s->halted)
		state = LAPIC_MP_HALTED;
	if (lapic_knows(s, LAPIC_KNOWN_MP_STATE) && s->mp_state == state)
		return;
	note(m, MOVE_LOSSLESS, s->mp_state, state, "the kernel holds the vCPU back", "lapic[%u].mp_state", i);
	reg_set(lapic_member("mp_state"), s, 0, state);
	reg_forget(lapic_member("wait_for_sipi"), s, 0);
	reg_forget(lapic_member("halted"), s, 0);
}

static bool knows_now(const struct move *m)
{
	return reg_known(reg_find_name(&clock_chip, "cpu_clock_offset"), &m->s->clock, 0);
}

static void leave_lapic(const struct move *m, unsigned int i)
{
	struct lapic_state *s = &m->s->lapics[i];

	refuse_modes(m, i);
	leave_run_state(m, i);
	if (lapic_knows(s, LAPIC_KNOWN_LATCHED_INIT) && s->latched_init)
		note(m, MOVE_REFUSED, 1, 1, "an INIT waits: let the vCPU take it first (KVM_GET_MP_STATE)",
		     "lapic[%u].latched_init", i);
	if (knows_now(m) && lapic_timer_mode(s) <= LAPIC_TIMER_PERIODIC)
		lapic_timer_rebase(s, m->s->clock.cpu_clock_offset, LAPIC_TIMER_QEMU);
}

static void enter_lapic(const struct move *m, unsigned int i)
{
	struct lapic_state *s = &m->s->lapics[i];

	enter_run_state(m, i);
	if (knows_now(m) && lapic_knows(s, LAPIC_KNOWN_LOAD_TIME) && lapic_timer_mode(s) <= LAPIC_TIMER_PERIODIC)
		lapic_timer_sample(s, m->s->clock.cpu_clock_offset, LAPIC_TIMER_QEMU);
}

static void move_lapics(const struct move *m)
{
	for (unsigned int i = 0; i < m->s->nlapics; i++) {
		move_suppression(m, i);
		if (m->target->mode == IRQCHIP_NONE)
			leave_lapic(m, i);
		else if (m->from == IRQCHIP_NONE)
			enter_lapic(m, i);
	}
}

/* ---- IOAPIC ---- */

static const struct reg_row *ioapic_row(const char *name)
{
	return reg_find_name(&ioapic_chip, name);
}

static bool in_flight(const struct irqchip_state *s, uint8_t vector)
{
	for (unsigned int i = 0; i < s->nlapics; i++) {
		const struct lapic_state *l = &s->lapics[i];

		if (lapic_bank_test(l, LAPIC_IRR, vector) || lapic_bank_test(l, LAPIC_ISR, vector) ||
		    (lapic_knows(l, LAPIC_KNOWN_INTERRUPT_INJECTED) && l->interrupt_injected == vector))
			return true;
	}
	return false;
}

static void move_version(const struct move *m)
{
	struct ioapic_state *s = &m->s->ioapic;
	uint32_t want = full(m) ? IOAPIC_VERSION_11 : m->target->ioapic_version, old = s->version;

	if (!want || !reg_known(ioapic_row("VER"), s, 0) || (old & 0xff) == want)
		return;
	reg_set(ioapic_row("VER"), s, 0, (old & ~UINT32_C(0xff)) | want);
	note(m, MOVE_APPROXIMATE, old, s->version,
	     want == IOAPIC_VERSION_11 ? "no EOI register any more: a guest that read the version before may write to it, in vain"
				       : "there is an EOI register now; a guest that read the version before does not use it",
	     "ioapic.VER");
}

/* An entry that waits for an EOI of an interrupt that is nowhere would wait for ever; a level comes again by its line. */
static void free_pin(const struct move *m, unsigned int pin)
{
	struct ioapic_state *s = &m->s->ioapic;
	uint64_t rte = s->redirtbl[pin];
	bool waits = rte & IOAPIC_RTE_LEVEL && rte & IOAPIC_RTE_REMOTE_IRR;

	if (!waits || in_flight(m->s, (uint8_t)rte) || ioapic_delivery(rte) > LAPIC_LOWEST_PRIORITY)
		return;
	for (unsigned int i = 0; i < m->s->nlapics; i++)
		if (lapic_reg(&m->s->lapics[i], LAPIC_SVR) & LAPIC_SVR_NO_BROADCAST)
			return; /* the guest ends it at the IOAPIC later */
	reg_set(ioapic_row("RTE"), s, pin, rte & ~IOAPIC_RTE_REMOTE_IRR);
	note(m, MOVE_APPROXIMATE, rte, s->redirtbl[pin], "waited for the EOI of an interrupt that is nowhere",
	     "ioapic.RTE[%u]", pin);
}

/* In the kernel an edge bit stands while its line is high, delivered or not; user space would deliver it again. */
static void leave_irr(const struct move *m)
{
	struct ioapic_state *s = &m->s->ioapic;
	uint32_t old = s->irr, keep = old;

	if (!reg_known(ioapic_row("irr"), s, 0))
		return;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		if (old >> pin & 1 && s->redirtbl[pin] & IOAPIC_RTE_LEVEL)
			m->s->lines |= UINT32_C(1) << pin;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		bool edge = !(s->redirtbl[pin] & IOAPIC_RTE_LEVEL);

		if (keep >> pin & 1 && edge && in_flight(m->s, (uint8_t)s->redirtbl[pin]))
			keep &= ~(UINT32_C(1) << pin);
	}
	if (keep == old)
		return;
	s->irr = keep;
	note(m, MOVE_LOSSLESS, old, keep, "edges that were delivered: in the kernel their bit stands until the line falls",
	     "ioapic.irr");
}

struct irq_route kvm_move_route(unsigned int pin, uint64_t rte)
{
	uint32_t data = (uint32_t)rte & (uint32_t)(IOAPIC_RTE_VECTOR | MSI_DELIVERY);

	if (rte & IOAPIC_RTE_LEVEL)
		data |= MSI_LEVEL | MSI_ASSERT;
	return (struct irq_route){
		.gsi = pin,
		.chip = IRQ_ROUTE_MSI,
		.msi_address = MSI_BASE | (uint64_t)ioapic_dest(rte) << MSI_DEST_SHIFT |
			       (rte & IOAPIC_RTE_LOGICAL ? MSI_LOGICAL : 0),
		.msi_data = data,
	};
}

static void add_route(struct irqchip_state *s, unsigned int gsi, enum irq_route_chip chip, unsigned int pin)
{
	s->routes[s->nroutes++] = (struct irq_route){ .gsi = gsi, .chip = chip, .pin = pin };
}

/* Those that KVM starts with: KVM_SET_GSI_ROUTING replaces all. */
static void add_pins(struct irqchip_state *s)
{
	for (unsigned int gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		if (gsi < 16)
			add_route(s, gsi, gsi < 8 ? IRQ_ROUTE_PIC_MASTER : IRQ_ROUTE_PIC_SLAVE, gsi % 8);
		add_route(s, gsi, IRQ_ROUTE_IOAPIC, gsi);
	}
}

/* Whether a route of the source is one of the target: the messages of devices everywhere in the kernel, pins in full. */
static bool stays(const struct move *m, const struct irq_route *r)
{
	if (m->from == IRQCHIP_SPLIT && r->gsi < IOAPIC_PINS)
		return false; /* the message of a pin */
	return r->chip == IRQ_ROUTE_MSI || full(m);
}

static void move_routes(const struct move *m, const struct irqchip_state *from)
{
	struct irqchip_state *s = m->s;
	bool pins = false;

	s->nroutes = 0;
	if (m->target->mode == IRQCHIP_NONE)
		return;
	for (unsigned int i = 0; i < from->nroutes; i++)
		if (stays(m, &from->routes[i])) {
			s->routes[s->nroutes++] = from->routes[i];
			pins = pins || from->routes[i].chip != IRQ_ROUTE_MSI;
		}
	if (full(m) && s->nroutes && !pins)
		add_pins(s);
	for (unsigned int pin = 0; pin < IOAPIC_PINS && !full(m); pin++)
		if (reg_known(ioapic_row("RTE"), &s->ioapic, pin) && !(s->ioapic.redirtbl[pin] & IOAPIC_RTE_MASKED))
			s->routes[s->nroutes++] = kvm_move_route(pin, s->ioapic.redirtbl[pin]);
}

static void move_ioapic(const struct move *m)
{
	move_version(m);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		if (reg_known(ioapic_row("RTE"), &m->s->ioapic, pin))
			free_pin(m, pin);
	if (m->from == IRQCHIP_FULL && !full(m))
		leave_irr(m);
}

/* ---- PICs, PIT ---- */

/* What user space had given to KVM_INTERRUPT is in no ioctl: back to the chip that gave it. */
static void return_external(const struct move *m)
{
	uint8_t vector = m->target->external_vector;

	if (!vector)
		return;
	if (pic_pair_unacknowledge(m->s->pics, vector) < 0)
		note(m, MOVE_REFUSED, vector, vector, "was given to KVM_INTERRUPT, but no PIC has it in service", "pic");
	else
		note(m, MOVE_LOSSLESS, vector, 0, "given to KVM_INTERRUPT and not taken: requested again", "pic");
}

/* In the kernel INTR reaches the CPU by itself. */
static void offer_intr(const struct move *m)
{
	int irq = pic_pair_pending(m->s->pics);

	for (unsigned int i = 0; i < m->s->nlapics && irq >= 0; i++)
		if (lapic_accepts_pic(&m->s->lapics[i])) {
			note(m, MOVE_LOSSLESS, 0, pic_pair_vector(m->s->pics, (unsigned int)irq),
			     "INTR is high: user space acknowledges it and gives the vector to KVM_INTERRUPT", "lapic[%u].intr", i);
			return;
		}
}

static void move_pics(const struct move *m)
{
	static const char *const none[] = { "single_mode", "ltim" };
	struct pic_state *pics = m->s->pics;
	uint8_t old = pics[PIC_MASTER].irr, line = 1 << PIC_CASCADE;
	bool asks;

	if (!reg_known(reg_find_name(&pic_chip, "irr"), &pics[PIC_MASTER], 0) ||
	    !reg_known(reg_find_name(&pic_chip, "irr"), &pics[PIC_SLAVE], 0))
		return;
	for (int i = PIC_MASTER; i <= PIC_SLAVE && full(m); i++)
		for (size_t n = 0; n < REG_ARRAY_SIZE(none); n++)
			if (reg_known(reg_find_name(&pic_chip, none[n]), &pics[i], 0) &&
			    reg_get(reg_find_name(&pic_chip, none[n]), &pics[i], 0))
				note(m, MOVE_REFUSED, 1, 1, "the kernel's PIC does not know this mode", "pic[%d].%s", i, none[n]);
	asks = pic_pending(&pics[PIC_SLAVE], false) >= 0;
	/* In the kernel line 2 is low again at once; in user space it is the level of the slave's output. */
	pics[PIC_MASTER].irr = (uint8_t)(asks ? old | line : old & ~line);
	pics[PIC_MASTER].last_irr = (uint8_t)(asks && !full(m) ? pics[PIC_MASTER].last_irr | line
							       : pics[PIC_MASTER].last_irr & ~line);
	if (pics[PIC_MASTER].irr != old)
		note(m, MOVE_LOSSLESS, old, pics[PIC_MASTER].irr, "line 2 is the output of the slave", "pic[0].irr");
	if (m->from == IRQCHIP_FULL && !full(m))
		offer_intr(m);
}

static void move_pit(const struct move *m)
{
	const struct reg_row *load = reg_find_name(&pit_chip, "count_load_time");
	const struct reg_row *next = reg_find_name(&pit_chip, "next_transition_time");
	struct pit_state *s = &m->s->pit;
	int64_t now = m->s->clock.cpu_clock_offset;

	if (!reg_known(reg_find_name(&pit_chip, "mode"), s, 0))
		return;
	if (full(m)) {
		if (!m->target->pit)
			note(m, MOVE_REFUSED, s->channels[0].mode, 0, "the VM has no PIT in the kernel", "pit");
		else if (s->channels[0].mode != 0xff)
			note(m, MOVE_APPROXIMATE, 0, 0, "the kernel begins a period anew", "pit.count_load_time[0]");
		return;
	}
	if (m->from != IRQCHIP_FULL || !knows_now(m))
		return;
	reg_set(load, s, 0, (uint64_t)now);
	reg_set(next, s, 0, (uint64_t)(s->irq_disabled ? PIT_NEVER : pit_next_edge(&s->channels[0], now)));
	reg_set(reg_find_name(&pit_chip, "irq_timer"), s, 0, (uint64_t)s->channels[0].next_transition_time);
	note(m, MOVE_APPROXIMATE, 0, (uint64_t)now, "the kernel does not keep it: a period begins now", "pit.count_load_time[0]");
}

/* ---- the whole ---- */

static void copy(const struct irqchip_state *from, struct irqchip_state *to, enum irqchip_mode mode)
{
	struct lapic_state *lapics = to->lapics;
	struct irq_route *routes = to->routes;

	*to = *from;
	to->lapics = lapics;
	to->routes = routes;
	to->mode = mode;
	memcpy(lapics, from->lapics, from->nlapics * sizeof(lapics[0]));
}

int kvm_move(const struct irqchip_state *from, const struct move_target *target, struct irqchip_state *to,
	     struct move_report *report, struct irqs_error *reterr)
{
	struct move m = { .target = target, .s = to, .from = from->mode, .report = report, .err = reterr };

	report->nnotes = report->count = report->refused = 0;
	copy(from, to, target->mode);
	move_lapics(&m);
	move_ioapic(&m);
	return_external(&m);
	move_pics(&m);
	move_pit(&m);
	move_routes(&m, from);
	return report->refused ? -EOPNOTSUPP : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chips as a whole, with what follows from their registers. */
#include <inttypes.h>
#include <stdio.h>

#include "apic/print.h"

static const char *const timer_modes[] = { "one-shot", "periodic", "TSC-deadline", "reserved mode" };
static const char *const pit_modes[] = { "interrupt on terminal count", "one-shot", "rate generator",
					 "square wave", "software strobe", "hardware strobe" };
static const char *const delivery_modes[] = { "fixed", "lowest", "SMI", "mode 3", "NMI", "INIT", "mode 6",
					     "ExtINT" };

static bool member_known(const struct lapic_state *s, const char *name)
{
	return reg_known(lapic_member(name), s, 0);
}

static void print_lapic_head(const struct lapic_state *s, const struct reg_out *out)
{
	reg_emit_styled(out, REG_HEADING, "local APIC %" PRIu32, lapic_id(s));
	if (!member_known(s, "apic_base")) {
		reg_emit(out, "\n");
		return;
	}
	if (!(s->apic_base & LAPIC_BASE_ENABLE))
		reg_emit(out, ", off");
	else
		reg_emit(out, ", %s, %s", lapic_x2apic(s) ? "x2APIC" : "xAPIC",
			 lapic_enabled(s) ? "enabled" : "disabled by SVR");
	reg_emit(out, ", base 0x%" PRIx64 "%s\n", s->apic_base & ~UINT64_C(0xfff),
		 s->apic_base & LAPIC_BASE_BSP ? ", bootstrap processor" : "");
}

/* Which model wrote the load time cannot be told here: the two differ by one tick in a period. */
static void print_lapic_timer(const struct lapic_state *s, int64_t now_ns, const struct reg_out *out)
{
	struct lapic_state copy = *s;
	uint32_t lvtt = lapic_reg(s, LAPIC_LVTT);
	bool running = member_known(s, "timer_remaining");

	if (!lapic_reg_known(s, LAPIC_TMICT) || !lapic_reg_known(s, LAPIC_LVTT))
		return;
	reg_emit(out, "  timer: %s, vector %" PRIu32 "%s", timer_modes[lapic_timer_mode(s)], lvtt & 0xff,
		 lvtt & LAPIC_LVT_MASKED ? ", masked" : "");
	if (lapic_timer_mode(s) == LAPIC_TIMER_TSC_DEADLINE) {
		if (member_known(s, "tsc_deadline"))
			reg_emit(out, ", deadline %" PRIu64, s->tsc_deadline);
		if (member_known(s, "tsc_deadline") && member_known(s, "tsc"))
			reg_emit(out, ", %" PRId64 " ticks away", (int64_t)(s->tsc_deadline - s->tsc));
		reg_emit(out, "\n");
		return;
	}
	reg_emit(out, ", %" PRIu32 " x %u = ", lapic_reg(s, LAPIC_TMICT),
		 lapic_divide(lapic_reg(s, LAPIC_TDCR)));
	reg_emit_ns(out, (int64_t)lapic_timer_period_ns(s, LAPIC_TIMER_KVM));
	if (!running && now_ns != REG_NO_TIME && member_known(s, "initial_count_load_time"))
		running = lapic_timer_sample(&copy, now_ns, LAPIC_TIMER_QEMU);
	if (running) {
		reg_emit(out, ", ");
		reg_emit_ns(out, (int64_t)copy.timer_remaining_ns);
		reg_emit(out, " left");
	} else if (!lapic_reg(s, LAPIC_TMICT)) {
		reg_emit(out, ", stopped");
	}
	reg_emit(out, "\n");
}

static void print_lapic_priority(const struct lapic_state *s, const struct reg_out *out)
{
	int vector;

	/* Without the APIC base it is not known whether the LAPIC is on. */
	if (!member_known(s, "apic_base") || !lapic_reg_known(s, LAPIC_TPR) || !lapic_reg_known(s, LAPIC_ISR) ||
	    !lapic_reg_known(s, LAPIC_IRR))
		return;
	vector = lapic_deliverable(s);
	reg_emit(out, "  priority: 0x%02x", lapic_ppr(s));
	if (vector >= 0)
		reg_emit(out, ", gives vector %d to its CPU\n", vector);
	else if (lapic_bank_highest(s, LAPIC_IRR) >= 0)
		reg_emit(out, ", holds vector %d back\n", lapic_bank_highest(s, LAPIC_IRR));
	else
		reg_emit(out, ", nothing requested\n");
	if (lapic_reg_known(s, LAPIC_LVT0))
		reg_emit(out, "  PIC: %s\n",
			 lapic_accepts_pic(s) ? "its INTR reaches this CPU" : "not connected");
}

static void print_unknown(const struct reg_chip *chip, const void *state, const struct reg_out *out)
{
	bool any = false;

	for (unsigned int r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (row->offset == REG_NO_OFFSET || row->storage == REG_ACTION || reg_known(row, state, 0))
			continue;
		reg_emit(out, "%s %s", any ? "" : "  not carried:", row->name);
		any = true;
	}
	if (any)
		reg_emit(out, "\n");
}

void lapic_print(const struct lapic_state *s, int64_t now_ns, const struct reg_out *out)
{
	print_lapic_head(s, out);
	reg_print(&lapic_chip, s, NULL, out);
	print_lapic_timer(s, now_ns, out);
	print_lapic_priority(s, out);
	print_unknown(&lapic_chip, s, out);
}

static void print_rte(const struct ioapic_state *s, unsigned int pin, const struct reg_out *out)
{
	uint64_t rte = s->redirtbl[pin];
	const struct {
		const char *name;
		bool set;
	} flags[] = {
		{ "masked", rte & IOAPIC_RTE_MASKED },
		{ "remote_irr", rte & IOAPIC_RTE_REMOTE_IRR },
		{ "pending", rte & IOAPIC_RTE_PENDING },
		{ "requested", s->irr >> pin & 1 },
	};

	reg_emit_styled(out, REG_NAME, "  pin %-2u", pin);
	reg_emit(out, " 0x%016" PRIx64 " vector %-3u %-7s %s %s, %s %u", rte,
		 (unsigned int)(rte & IOAPIC_RTE_VECTOR), delivery_modes[ioapic_delivery(rte)],
		 rte & IOAPIC_RTE_LEVEL ? "level" : "edge ", rte & IOAPIC_RTE_LOW ? "low " : "high",
		 rte & IOAPIC_RTE_LOGICAL ? "logical " : "physical", ioapic_dest(rte));
	for (size_t i = 0; i < REG_ARRAY_SIZE(flags); i++)
		if (flags[i].set)
			reg_emit_styled(out, REG_SET, " %s", flags[i].name);
	reg_emit(out, "\n");
}

void ioapic_print(const struct ioapic_state *s, const struct reg_out *out)
{
	const struct reg_row *rte = reg_find(&ioapic_chip, IOAPIC_RTE, NULL);
	uint32_t ready = ioapic_serviceable(s);

	reg_emit_styled(out, REG_HEADING, "IOAPIC");
	reg_emit(out, "\n");
	for (unsigned int r = 0; r < ioapic_chip.nrows; r++) {
		const struct reg_row *row = &ioapic_chip.rows[r];

		if (row == rte || !reg_known(row, s, 0))
			continue;
		reg_emit_styled(out, REG_NAME, "  %-26s ", row->name);
		reg_emit_value(out, &ioapic_chip, row, reg_get(row, s, 0));
		reg_emit(out, "\n");
	}
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		if (reg_known(rte, s, pin))
			print_rte(s, pin, out);
	if (!ready)
		return;
	reg_emit(out, "  can be delivered now: pin");
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		if (ready >> pin & 1)
			reg_emit(out, " %u", pin);
	reg_emit(out, "\n");
}

void pic_print(const struct pic_state *s, unsigned int which, const struct reg_out *out)
{
	int line = pic_pending(s, which == PIC_MASTER);

	reg_emit_styled(out, REG_HEADING, "PIC %s", which == PIC_MASTER ? "master" : "slave");
	reg_emit(out, "\n");
	reg_print(&pic_chip, s, NULL, out);
	if (line >= 0)
		reg_emit(out, "  output: high, IRQ %u, vector %u\n",
			 (unsigned int)line + (which == PIC_MASTER ? 0 : 8),
			 (uint8_t)(s->irq_base + line));
	else
		reg_emit(out, "  output: low\n");
}

static void print_pit_channel(const struct pit_channel *c, unsigned int n, int64_t now_ns,
			      const struct reg_out *out)
{
	reg_emit(out, "  channel %u: ", n);
	if (c->mode > 5)
		reg_emit(out, "mode %u, not programmed\n", c->mode);
	else
		reg_emit(out, "mode %u %s, reload %" PRId32 "%s, gate %s", c->mode, pit_modes[c->mode],
			 c->count,  c->bcd ? " (decimal)" : "", c->gate ? "high" : "low");
	if (c->mode > 5)
		return;
	if (pit_period_ns(c)) {
		reg_emit(out, ", every ");
		reg_emit_ns(out, (int64_t)pit_period_ns(c));
	}
	if (now_ns != REG_NO_TIME) {
		int64_t edge = pit_next_edge(c, now_ns);

		reg_emit(out, ", count %u, output %s", pit_count(c, now_ns),
			 pit_out(c, now_ns) ? "high" : "low");
		if (edge != PIT_NEVER) {
			reg_emit(out, ", next edge in ");
			reg_emit_ns(out, edge - now_ns);
		}
	}
	reg_emit(out, "\n");
}

void pit_print(const struct pit_state *s, int64_t now_ns, const struct reg_out *out)
{
	reg_emit_styled(out, REG_HEADING, "PIT");
	reg_emit(out, "%s\n", s->irq_disabled ? ", IRQ 0 belongs to the HPET" : "");
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		print_pit_channel(&s->channels[i], i, now_ns, out);
	reg_print(&pit_chip, s, NULL, out);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each sentence, and that what it explains is not said again. */
#include <criterion/criterion.h>
#include <string.h>

#include "apic/explain.h"

static struct reg_buffer buf;
static const struct reg_out out = { .emit = reg_buffer_emit, .ctx = &buf };
static struct lapic_state la, lb;
static struct ioapic_state ia, ib;
static struct pic_state pa, pb;
static struct pit_state ta, tb;
static struct clock_state ca, cb;

static void reset(void)
{
	reg_buffer_deinit(&buf);
	reg_state_reset(&lapic_chip, &la, true);
	lapic_set_reg(&la, LAPIC_SVR, 0x1ff);
	la.apic_base = 0xfee00900;
	la.tsc_khz = 2000000;
	la.tsc = 1000;
	lapic_set_reg(&la, LAPIC_TDCR, 0xb);
	reg_state_reset(&ioapic_chip, &ia, true);
	reg_state_reset(&pic_chip, &pa, true);
	reg_state_reset(&pit_chip, &ta, true);
	reg_state_reset(&clock_chip, &ca, true);
	lb = la;
	ib = ia;
	pb = pa;
	tb = ta;
	cb = ca;
}

static void finish(void)
{
	reg_buffer_deinit(&buf);
}

TestSuite(apic_explain, .init = reset, .fini = finish);

static void told(const struct reg_chip *chip, const void *a, const void *b, unsigned int instance, const char *want, int line)
{
	const struct explain_context context = { .instance = instance, .cpus = &lb, .ncpus = 1 };

	reg_diff_words(chip, a, b, &context, "", &out);
	cr_expect(buf.text && !strcmp(buf.text, want), "line %d: not \"%s\" but \"%s\"", line, want, buf.text ? buf.text : "");
	reset();
}

/* All that a comparison says; then both states are reset. */
#define lapic_says(want) told(&lapic_chip, &la, &lb, 1, want, __LINE__)
#define ioapic_says(want) told(&ioapic_chip, &ia, &ib, 0, want, __LINE__)
#define pic_says(which, want) told(&pic_chip, &pa, &pb, which, want, __LINE__)
#define pit_says(want) told(&pit_chip, &ta, &tb, 0, want, __LINE__)
#define clock_says(want) told(&clock_chip, &ca, &cb, 0, want, __LINE__)

static void set_timer(struct lapic_state *l, enum lapic_timer_mode mode, uint32_t count, uint32_t left)
{
	lapic_set_reg(l, LAPIC_LVTT, (uint32_t)mode << 17 | 0xec);
	lapic_set_reg(l, LAPIC_TMICT, count);
	lapic_set_reg(l, LAPIC_TMCCT, left);
}

Test(apic_explain, what_only_goes_on_is_no_event)
{
	const struct explain_context context = { .instance = 0, .events = true };

	set_timer(&la, LAPIC_TIMER_PERIODIC, 5000000, 4000000);
	set_timer(&lb, LAPIC_TIMER_PERIODIC, 5000000, 3200000);
	lb.tsc = 3000;
	cb.kvmclock = ca.kvmclock + 1500;
	cr_expect_eq(reg_diff_words(&lapic_chip, &la, &lb, &context, "", &out), 0, "%s", buf.text);
	cr_expect_eq(reg_diff_words(&clock_chip, &ca, &cb, &context, "", &out), 0, "%s", buf.text);
	/* What goes back, or begins anew, is one. */
	lapic_set_reg(&lb, LAPIC_TMICT, 6000000);
	lb.tsc = 10;
	cr_expect_eq(reg_diff_words(&lapic_chip, &la, &lb, &context, "", &out), 2);
	cr_expect_eq(reg_diff_words(&clock_chip, &cb, &ca, &context, "", &out), 1);
	cr_expect_str_eq(buf.text, "TSC went back by 495 ns\ntimer re-armed: 3.200 ms left\nKVM clock went back by 1.500 us\n");
}

Test(apic_explain, nothing_happened_says_nothing)
{
	const struct explain_context context = { .instance = 0 };

	cr_expect(reg_diff_words(&lapic_chip, &la, &lb, &context, "", &out) == 0);
	cr_expect_null(buf.text);
}

Test(apic_explain, a_vector_goes_its_way)
{
	lapic_bank_set(&lb, LAPIC_IRR, 236);
	lapic_says("vector 236 requested (entered IRR)\n");
	lapic_bank_set(&lb, LAPIC_IRR, 49);
	lapic_bank_set(&lb, LAPIC_TMR, 49);
	lapic_says("vector 49 requested (entered IRR), level-triggered\n");
	lapic_bank_set(&la, LAPIC_IRR, 236);
	lapic_bank_set(&lb, LAPIC_ISR, 236);
	lapic_set_reg(&lb, LAPIC_PPR, 0xe0);
	lapic_says("vector 236 moved from IRR to ISR\n");
	lapic_bank_set(&lb, LAPIC_ISR, 49);
	lapic_bank_set(&lb, LAPIC_TMR, 49);
	lapic_set_reg(&lb, LAPIC_PPR, 0x30);
	lapic_says("vector 49 taken (entered ISR)\n");
	lapic_bank_set(&la, LAPIC_ISR, 236);
	lapic_set_reg(&la, LAPIC_PPR, 0xe0);
	lapic_says("vector 236 finished (left ISR)\n");
	lapic_bank_set(&la, LAPIC_IRR, 236);
	lapic_says("vector 236 left IRR\n");
}

Test(apic_explain, a_vector_that_is_requested_again_is_said_to_be)
{
	lapic_bank_set(&la, LAPIC_ISR, 236);
	lapic_bank_set(&la, LAPIC_IRR, 236);
	lapic_bank_set(&lb, LAPIC_IRR, 236);
	lapic_set_reg(&la, LAPIC_PPR, 0xe0);
	lapic_says("vector 236 finished (left ISR), and is requested again\n");
}

Test(apic_explain, a_priority_that_nothing_explains_stays)
{
	lapic_set_reg(&lb, LAPIC_PPR, 0x70);
	lapic_says("PPR: class=0 -> 7\n");
}

Test(apic_explain, the_task_priority_moves)
{
	lapic_set_reg(&lb, LAPIC_TPR, 0xe0);
	lapic_set_reg(&lb, LAPIC_PPR, 0xe0);
	lb.cr8 = 14;
	lapic_says("task priority raised to 0xe0\n");
	lapic_set_reg(&la, LAPIC_TPR, 0xe0);
	lapic_set_reg(&la, LAPIC_PPR, 0xe0);
	la.cr8 = 14;
	lapic_says("task priority lowered to 0x00\n");
}

Test(apic_explain, a_count_runs_fires_and_starts_again)
{
	set_timer(&la, LAPIC_TIMER_ONE_SHOT, 5000000, 4000000);
	set_timer(&lb, LAPIC_TIMER_ONE_SHOT, 5000000, 0);
	lapic_says("timer fired (TMCCT 0)\n");
	set_timer(&la, LAPIC_TIMER_ONE_SHOT, 5000000, 1000000);
	set_timer(&lb, LAPIC_TIMER_ONE_SHOT, 5000000, 3200000);
	lapic_says("timer re-armed: 3.200 ms left\n");
	set_timer(&la, LAPIC_TIMER_ONE_SHOT, 5000000, 1000000);
	set_timer(&lb, LAPIC_TIMER_ONE_SHOT, 4000000, 3200000);
	lapic_says("timer re-armed: 3.200 ms left\n");
	set_timer(&la, LAPIC_TIMER_PERIODIC, 5000000, 1000000);
	set_timer(&lb, LAPIC_TIMER_PERIODIC, 5000000, 3200000);
	lapic_says("timer ran on: 3.200 ms left\n");
	set_timer(&la, LAPIC_TIMER_PERIODIC, 5000000, 1000000);
	set_timer(&lb, LAPIC_TIMER_PERIODIC, 0, 0);
	lapic_says("timer stopped (TMICT 0)\n");
}

Test(apic_explain, a_timer_whose_count_no_source_has_is_said_to_be_loaded)
{
	set_timer(&la, LAPIC_TIMER_PERIODIC, 5000000, 0);
	set_timer(&lb, LAPIC_TIMER_PERIODIC, 1000000, 0);
	reg_forget(reg_find(&lapic_chip, LAPIC_TMCCT, NULL), &la, 0);
	reg_forget(reg_find(&lapic_chip, LAPIC_TMCCT, NULL), &lb, 0);
	lb.initial_count_load_time = lb.next_time = 5;
	lapic_says("timer loaded with 1000000: 1.000 ms\n");
}

Test(apic_explain, a_deadline_passes_and_the_next_is_set)
{
	set_timer(&la, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	lb = la;
	la.tsc_deadline = 2000;
	lb.tsc = 1000 + 2400000000;
	lapic_says("TSC advanced by 1.200000 s\ntimer fired (its deadline passed)\n");
	set_timer(&la, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	lb = la;
	lb.tsc_deadline = lb.tsc + 6400000;
	lapic_says("timer re-armed: 3.200 ms left\n");
	set_timer(&la, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	la.tsc_khz = 0;
	lb = la;
	la.tsc_deadline = 2000;
	lb.tsc = 3000;
	lb.tsc_deadline = 9000;
	lapic_says("TSC advanced by 2000 ticks\ntimer fired (its deadline passed)\ntimer re-armed: 6000 ticks left\n");
	set_timer(&la, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	lb = la;
	lb.tsc_deadline = 500;
	lapic_says("timer re-armed: deadline 500\n");
}

Test(apic_explain, a_deadline_is_taken_away)
{
	set_timer(&la, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	lb = la;
	la.tsc_deadline = 2000;
	lapic_says("timer stopped (deadline 0)\n");
}

Test(apic_explain, the_tsc_goes_back)
{
	lb.tsc = 500;
	lapic_says("TSC went back by 250 ns\n");
}

Test(apic_explain, a_cpu_sleeps_wakes_and_starts)
{
	static const struct {
		uint32_t from, to;
		const char text[32];
	} moves[] = {
		{ LAPIC_MP_HALTED, LAPIC_MP_RUNNABLE, "CPU 1 woke from HLT\n" },
		{ LAPIC_MP_RUNNABLE, LAPIC_MP_HALTED, "CPU 1 halted\n" },
		{ LAPIC_MP_INIT_RECEIVED, LAPIC_MP_RUNNABLE, "CPU 1 was started\n" },
		{ LAPIC_MP_UNINITIALIZED, LAPIC_MP_RUNNABLE, "CPU 1 was started\n" },
		{ LAPIC_MP_RUNNABLE, LAPIC_MP_INIT_RECEIVED, "CPU 1 got an INIT\n" },
		{ LAPIC_MP_INIT_RECEIVED, LAPIC_MP_SIPI_RECEIVED, "CPU 1 got a start-up IPI\n" },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(moves); i++) {
		la.mp_state = moves[i].from;
		lb.mp_state = moves[i].to;
		lapic_says(moves[i].text);
	}
	la.halted = 1;
	lapic_says("CPU 1 woke from HLT\n");
	lb.halted = 1;
	lapic_says("CPU 1 halted\n");
}

Test(apic_explain, events_of_a_cpu)
{
	lb.eflags = la.eflags | 0x200;
	lapic_says("interrupts on (IF)\n");
	la.eflags |= 0x200;
	lb.eflags |= 0x40;
	lapic_says("interrupts off (IF)\neflags: 0x0000000000000002 -> 0x0000000000000042\n");
	la.interrupt_injected = -1;
	lb.interrupt_injected = 49;
	lapic_says("vector 49 is on its way into the CPU\n");
	la.interrupt_injected = 49;
	lb.interrupt_injected = -1;
	lapic_says("vector 49 reached the CPU\n");
	lb.nmi_pending = 1;
	lapic_says("an NMI waits\n");
	la.nmi_pending = lb.nmi_injected = 1;
	lapic_says("no NMI waits any more\nan NMI is on its way into the CPU\n");
	la.nmi_injected = lb.nmi_masked = 1;
	lapic_says("the NMI reached the CPU\nan NMI is being served\n");
	la.nmi_masked = 1;
	lapic_says("the NMI was served\n");
	lb.smi_pending = 1;
	lapic_says("an SMI waits\n");
	la.smi_pending = lb.smm = 1;
	lapic_says("no SMI waits any more\nthe CPU entered system management mode\n");
	la.smm = 1;
	lapic_says("the CPU left system management mode\n");
}

Test(apic_explain, a_register_that_one_side_does_not_know_is_only_compared)
{
	reg_forget(lapic_member("mp_state"), &la, 0);
	lb.mp_state = LAPIC_MP_HALTED;
	lapic_says("mp_state: unknown -> 0x00000003\n");
}

Test(apic_explain, a_pin_is_delivered_and_finished)
{
	ia.redirtbl[9] = ib.redirtbl[9] = IOAPIC_RTE_LEVEL | 0x31;
	ib.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	lapic_bank_set(&lb, LAPIC_IRR, 0x31);
	ioapic_says("pin 9 delivered: remote_irr set, vector 0x31 in IRR of CPU 0\n");
	ia.redirtbl[9] = ib.redirtbl[9] = IOAPIC_RTE_LEVEL | 0x31;
	ib.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	lapic_bank_set(&lb, LAPIC_ISR, 0x31);
	ioapic_says("pin 9 delivered: remote_irr set, vector 0x31 in ISR of CPU 0\n");
	ia.redirtbl[9] = ib.redirtbl[9] = IOAPIC_RTE_LEVEL | 0x31;
	ib.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	ib.irr = 1 << 9;
	ioapic_says("pin 9 delivered: remote_irr set, vector 0x31\npin 9 requested\n");
	ia.redirtbl[9] = ib.redirtbl[9] = IOAPIC_RTE_LEVEL | 0x31;
	ia.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	ia.irr = 1 << 9;
	ioapic_says("pin 9 finished: an EOI cleared remote_irr\npin 9 requests no more\n");
}

Test(apic_explain, a_pin_is_masked_and_what_else_its_entry_became_is_compared)
{
	ib.redirtbl[4] = 0x24;
	ioapic_says("pin 4 unmasked\nRTE[4]: vector=0 -> 36\n");
	ia.redirtbl[4] = 0;
	ib.irr = 1 << 4;
	ioapic_says("pin 4 masked\npin 4 requested, and is masked\n");
}

Test(apic_explain, an_irq_of_a_pic_goes_its_way)
{
	pb.irr = pb.last_irr = 2;
	pic_says(0, "IRQ 1 requested (entered irr)\n");
	pa.irr = pb.isr = 2;
	pic_says(1, "IRQ 9 moved from irr to isr\n");
	pb.isr = 2;
	pic_says(0, "IRQ 1 taken (entered isr)\n");
	pa.isr = 2;
	pic_says(0, "IRQ 1 finished (left isr)\n");
	pa.isr = pb.irr = 2;
	pic_says(0, "IRQ 1 finished (left isr), and is requested again\n");
	pa.irr = 2;
	pic_says(0, "IRQ 1 requests no more\n");
	pb.last_irr = 1;
	pic_says(0, "line of IRQ 0 rose\n");
	pa.last_irr = 1;
	pic_says(1, "line of IRQ 8 fell\n");
}

Test(apic_explain, a_pic_is_programmed)
{
	pa.imr = 1;
	pb.imr = 2;
	pic_says(0, "IRQ 0 unmasked\nIRQ 1 masked\n");
	pb.init_state = 1;
	pic_says(0, "the guest began initialising it\n");
	pa.init_state = 3;
	pb.irq_base = 0x30;
	pic_says(0, "the guest finished initialising it\nirq_base: 0x00 -> 0x30\n");
}

Test(apic_explain, a_pit_is_programmed_and_runs)
{
	tb.channels[0].mode = 2;
	tb.channels[0].count = 11932;
	tb.channels[0].count_load_time = tb.channels[0].next_transition_time = tb.irq_timer = 5;
	pit_says("channel 0 set to mode 2, count 11932: every 10.000 ms\n");
	tb.channels[1].mode = 4;
	pit_says("channel 1 set to mode 4, count 65536\n");
	tb.channels[0].count_load_time = 5;
	pit_says("channel 0 loaded again\n");
	tb.channels[0].next_transition_time = tb.irq_timer = 5;
	pit_says("channel 0 ran on\n");
	tb.channels[2].gate = 1;
	pit_says("gate of channel 2 rose\n");
	ta.channels[2].gate = 1;
	pit_says("gate of channel 2 fell\n");
	tb.irq_disabled = 1;
	pit_says("the HPET took IRQ 0\n");
	ta.irq_disabled = 1;
	pit_says("the HPET gave IRQ 0 back\n");
}

Test(apic_explain, clocks_advance)
{
	cb.cpu_clock_offset = 2000000000;
	cb.kvmclock = 1500;
	clock_says("virtual time advanced by 2.000000 s\nKVM clock advanced by 1.500 us\n");
	ca.kvmclock_realtime = 700;
	clock_says("wall clock went back by 700 ns\n");
}

Test(apic_explain, the_sentences_leave_the_older_state_of_a_whole_comparison_alone)
{
	const struct explain_context context = { .instance = 0 };
	struct lapic_state before;

	lb.tsc = 5000;
	lapic_bank_set(&la, LAPIC_ISR, 49);
	before = la;
	cr_expect(reg_diff_words(&lapic_chip, &la, &lb, &context, "apic[0] ", &out) == 2);
	cr_expect(!memcmp(&before, &la, sizeof(la)));
	cr_expect_not_null(strstr(buf.text, "apic[0] TSC advanced by 2.000 us\n"));
	cr_expect(reg_explain(&lapic_chip, &la, &lb, &context, "", &out) == 2);
	cr_expect(reg_diff(&lapic_chip, &la, &lb, "", &out) == 0, "what was explained is equal now");
}

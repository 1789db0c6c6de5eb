/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest of the live moves. It counts every interrupt by CPU and source; the harness knows what it raised. Nothing
 * is sent before the last one of its kind was counted, so that two of them never become one by right.
 */
#include "live.h"

#include "../apic.h"
#include "../idt.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define EOI 0x20
#define PIT_CONTROL 0x43
#define PIT_CHANNEL_0 0x40
#define RATE_GENERATOR 0x34
#define VECTOR_SPURIOUS 0xff
#define ICR_FIXED 0x4000

extern const u8 ap_trampoline[], ap_trampoline_end[];
u8 cpu_stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
volatile u32 ap_starts;

void guest_main(void) __attribute__((noreturn));
void ap_main(u32 cpu) __attribute__((noreturn));

static volatile struct live_shared *const shared = (volatile struct live_shared *)LIVE_SHARED;

static volatile struct live_cpu *me(void)
{
	return &shared->cpu[cpu_index()];
}

static void hold(enum live_hold place)
{
	if (shared->hold != place)
		return;
	shared->held = place;
	while (shared->hold == place)
		in8(LIVE_PORT_IDLE);
	shared->held = LIVE_HOLD_NOWHERE;
}

/* ---- timers ---- */

static void arm(volatile struct live_cpu *c)
{
	u64 now = rdtsc();

	c->armed_tsc_low = (u32)now;
	c->armed_tsc_high = (u32)(now >> 32);
	c->armed++;
	if (c->timer == LIVE_DEADLINE)
		lapic_timer_deadline(now + c->period_tsc);
	else
		lapic_timer_start(c->period_ns);
	if (shared->tells)
		out8(LIVE_PORT_TIMER, 1);
}

static void start_timer(volatile struct live_cpu *c)
{
	static const u32 modes[] = {
		[LIVE_ONE_SHOT] = TIMER_ONESHOT, [LIVE_PERIODIC] = TIMER_PERIODIC, [LIVE_DEADLINE] = TIMER_TSC_DEADLINE
	};

	if (c->timer == LIVE_NO_TIMER)
		return;
	lapic_timer_set((enum timer_mode)modes[c->timer], LIVE_VEC_TIMER);
	arm(c);
}

static void on_timer(volatile struct live_cpu *c)
{
	if (shared->tells)
		out8(LIVE_PORT_TIMER, 0);
	c->fired++;
	if (c->timer == LIVE_PERIODIC) {
		if (shared->stop)
			lapic_timer_start(0);
		return;
	}
	if (c->fired != c->armed)
		c->fired_unarmed++;
	if (!shared->stop)
		arm(c);
}

/* ---- interrupts ---- */

static void on_level(volatile struct live_cpu *c)
{
	hold(LIVE_HOLD_LEVEL);
	/* Where an EOI is done by the delivery already, the line asks twice. */
	if (!in8(LIVE_PORT_LEVEL)) {
		c->level_idle++;
		return;
	}
	out8(LIVE_PORT_LEVEL, 0);
	c->level++;
}

static void on_pic(volatile struct live_cpu *c)
{
	hold(LIVE_HOLD_PIC);
	c->pic++;
}

void irq_dispatch(struct irq_frame *frame)
{
	volatile struct live_cpu *c = me();

	switch (frame->vector) {
	case 2:
		c->nmi++;
		return;
	case LIVE_VEC_PIT:
		c->pit++;
		out8(PIC_MASTER, EOI);
		return;
	case LIVE_VEC_PIC:
		on_pic(c);
		out8(PIC_MASTER, EOI);
		return;
	case LIVE_VEC_EDGE:
		c->edge++;
		break;
	case LIVE_VEC_LEVEL:
		on_level(c);
		break;
	case LIVE_VEC_IPI:
		c->ipi++;
		break;
	case LIVE_VEC_MSI:
		c->msi++;
		break;
	case LIVE_VEC_TIMER:
		on_timer(c);
		break;
	case VECTOR_SPURIOUS:
		c->spurious++;
		return;
	default:
		c->unexpected++;
		c->last_unexpected = frame->vector;
		if (frame->vector < 32)
			for (;;)
				__asm__ volatile("cli; hlt");
	}
	lapic_eoi();
}

/* ---- the machine ---- */

static void start_pics(void)
{
	static const u8 words[2][4] = { { 0x11, LIVE_VEC_PIT, 4, 1 }, { 0x11, 0x28, 2, 1 } };

	for (u32 i = 0; i < 2; i++) {
		u16 port = i ? PIC_SLAVE : PIC_MASTER;

		out8(port, words[i][0]);
		for (u32 w = 1; w < 4; w++)
			out8((u16)(port + 1), words[i][w]);
		out8((u16)(port + 1), i ? 0xff : (u8) ~(1 << LIVE_LINE_PIC | (shared->pit_count ? 1 : 0)));
	}
}

static void start_pit(void)
{
	if (!shared->pit_count)
		return;
	out8(PIT_CONTROL, RATE_GENERATOR);
	out8(PIT_CHANNEL_0, (u8)shared->pit_count);
	out8(PIT_CHANNEL_0, (u8)(shared->pit_count >> 8));
}

static void start_others(void)
{
	volatile u8 *page = (volatile u8 *)AP_PAGE;

	for (u32 i = 0; ap_trampoline + i < ap_trampoline_end; i++)
		page[i] = ap_trampoline[i];
	for (u32 cpu = 1; cpu < shared->cpus; cpu++) {
		lapic_ipi(cpu, ICR_INIT);
		lapic_ipi(cpu, ICR_SIPI | LIVE_AP_PAGE);
		while (!shared->cpu[cpu].starts)
			in8(LIVE_PORT_IDLE);
	}
}

static void send_ipi(u32 from)
{
	u32 to = from + 1 < shared->cpus ? from + 1 : 0;
	volatile struct live_cpu *c = &shared->cpu[to];

	if (!shared->ipis || !shared->ready || shared->stop || to == from || c->ipi_sent != c->ipi)
		return;
	c->ipi_sent++;
	lapic_ipi(to, ICR_FIXED | LIVE_VEC_IPI);
}

/* With interrupts off between looking and sleeping, as an operating system does it. */
static void idle(u32 cpu) __attribute__((noreturn));
static void idle(u32 cpu)
{
	volatile struct live_cpu *c = &shared->cpu[cpu];

	for (;;) {
		c->rounds++;
		send_ipi(cpu);
		if (c->spins)
			__asm__ volatile("sti; nop; inb $0x80, %%al; cli"
					 :
					 :
					 : "eax", "memory");
		else
			cpu_wait();
	}
}

void ap_main(u32 cpu)
{
	volatile struct live_cpu *c = &shared->cpu[cpu];

	idt_load();
	lapic_init(shared->x2apic);
	start_timer(c);
	c->starts++;
	idle(cpu);
}

void guest_main(void)
{
	idt_fill();
	idt_load();
	lapic_init(shared->x2apic);
	lapic_extint();
	start_pics();
	ioapic_mask_all();
	ioapic_route(LIVE_LINE_EDGE, LIVE_VEC_EDGE, shared->edge_cpu, 0);
	ioapic_route(LIVE_LINE_LEVEL, LIVE_VEC_LEVEL, shared->level_cpu, RTE_LEVEL);
	shared->cpu[0].starts++;
	start_others();
	start_pit();
	start_timer(&shared->cpu[0]);
	shared->ready = 1;
	idle(0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lint_machine.h"

#include <linux/kvm.h>
#include <string.h>

#include "apic/cpu.h"

#define KHZ UINT64_C(2000000)
#define NOW (UINT64_C(100) * KHZ * 1000)

static void init_lapic(struct lapic_state *l, unsigned int i)
{
	static const uint16_t masked[] = { LAPIC_LVTT, LAPIC_LVTTHMR, LAPIC_LVTPC, LAPIC_LVT0, LAPIC_LVT1, LAPIC_LVTERR };

	reg_state_reset(&lapic_chip, l, true);
	l->apic_base = 0xfee00800 | (i ? 0 : LAPIC_BASE_BSP);
	l->initial_id = i;
	l->mp_state = LAPIC_MP_RUNNABLE;
	l->eflags = 0x202;
	l->hflags = 0x80;
	l->interrupt_injected = l->exception_nr = -1;
	l->tsc = NOW + i;
	l->tsc_khz = (int64_t)KHZ;
	lapic_set_reg(l, LAPIC_ID, i << 24);
	lapic_set_reg(l, LAPIC_LDR, UINT32_C(1) << (24 + i));
	lapic_set_reg(l, LAPIC_SVR, 0x1ff);
	for (size_t n = 0; n < REG_ARRAY_SIZE(masked); n++)
		lapic_set_reg(l, masked[n], LAPIC_LVT_MASKED);
}

void lint_box_init(struct lint_box *b)
{
	memset(b, 0, sizeof(*b));
	b->s.mode = IRQCHIP_FULL;
	b->s.lapics = b->lapics;
	b->s.nlapics = LINT_CPUS;
	b->m = (struct lint_machine){ .state = &b->s, .hpet = LINT_ABSENT, .smm = LINT_ABSENT };
	for (unsigned int i = 0; i < LINT_CPUS; i++)
		init_lapic(&b->lapics[i], i);
	reg_state_reset(&ioapic_chip, &b->s.ioapic, true);
	b->s.ioapic.redirtbl[9] = IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOGICAL | UINT64_C(1) << 56 | 0x31;
	b->s.ioapic.redirtbl[4] = 0x41;
	for (unsigned int p = 0; p < 2; p++) {
		reg_state_reset(&pic_chip, &b->s.pics[p], true);
		b->s.pics[p].irq_base = (uint8_t)(0x30 + 8 * p);
		b->s.pics[p].imr = 0xff;
	}
	reg_state_reset(&pit_chip, &b->s.pit, true);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		b->s.pit.channels[i].gate = 1;
	reg_state_reset(&clock_chip, &b->s.clock, true);
}

#define CPU0 (&b->lapics[0])
#define CPU1 (&b->lapics[1])
#define RTE (b->s.ioapic.redirtbl)
#define PICS (b->s.pics)

/* A case: the state that its check finds, then the one that it does not. */
#define CASE(id, broken, healthy)                   \
	static void breaks_##id(struct lint_box *b) \
	{                                           \
		broken                              \
	}                                           \
	static void spares_##id(struct lint_box *b) \
	{                                           \
		healthy                             \
	}

static void serve(struct lapic_state *l, uint8_t vector, uint32_t ppr)
{
	lapic_bank_set(l, LAPIC_ISR, vector);
	lapic_set_reg(l, LAPIC_PPR, ppr);
}

static void serve_level(struct lapic_state *l, uint8_t vector)
{
	serve(l, vector, vector & 0xf0);
	lapic_bank_set(l, LAPIC_TMR, vector);
}

static void request(struct lapic_state *l, uint8_t vector)
{
	lapic_bank_set(l, LAPIC_IRR, vector);
}

static void set_timer(struct lapic_state *l, enum lapic_timer_mode mode, uint32_t count, uint32_t left)
{
	lapic_set_reg(l, LAPIC_LVTT, (uint32_t)mode << 17 | 0xec);
	lapic_set_reg(l, LAPIC_TMICT, count);
	lapic_set_reg(l, LAPIC_TMCCT, left);
}

static void set_deadline(struct lapic_state *l, uint64_t deadline)
{
	set_timer(l, LAPIC_TIMER_TSC_DEADLINE, 0, 0);
	l->tsc_deadline = deadline;
}

static void set_halted(struct lint_box *b, enum irqchip_mode mode, uint32_t irq_request)
{
	b->s.mode = mode;
	CPU1->mp_state = mode == IRQCHIP_NONE ? LAPIC_MP_RUNNABLE : LAPIC_MP_HALTED;
	CPU1->halted = 1;
	CPU1->interrupt_request = irq_request;
	request(CPU1, 0x51);
}

static void send_to(struct lapic_state *l, uint32_t id)
{
	lapic_set_reg(l, LAPIC_ICR, 0x40fd);
	lapic_set_reg(l, LAPIC_ICR2, id << 24);
}

/* IRQ 1 requests at a PIC that does not mask it. */
static void pic_request(struct lint_box *b)
{
	PICS[0].irr = 2;
	PICS[0].imr = 0xfd;
	RTE[1] = IOAPIC_RTE_MASKED;
}

CASE(isr_above_ppr, serve(CPU1, 0x51, 0x40);, serve(CPU1, 0x51, 0x50);)
CASE(ppr_blocks, request(CPU1, 0x51); lapic_set_reg(CPU1, LAPIC_PPR, 0x50);
     , request(CPU1, 0x51); lapic_set_reg(CPU1, LAPIC_TPR, 0x50); lapic_set_reg(CPU1, LAPIC_PPR, 0x50); CPU1->cr8 = 5;)
CASE(nesting, serve(CPU1, 0x51, 0x50); serve(CPU1, 0x5f, 0x50);, serve(CPU1, 0x51, 0x50); serve(CPU1, 0x60, 0x60);)
CASE(low_irr, request(CPU1, 15);, request(CPU1, 16);)
CASE(low_isr, serve(CPU1, 3, 0);, serve(CPU1, 0x23, 0x20);)
CASE(disabled, request(CPU1, 0x51); lapic_set_reg(CPU1, LAPIC_SVR, 0xff);, lapic_set_reg(CPU1, LAPIC_SVR, 0xff);)
CASE(eoi, lapic_set_reg(CPU1, LAPIC_SVR, 0x11ff);
     , lapic_set_reg(CPU1, LAPIC_SVR, 0x11ff); lapic_set_reg(CPU1, LAPIC_LVR, 0x01050014);)
CASE(base, CPU1->apic_base = LAPIC_BASE_X2APIC;, CPU1->apic_base |= LAPIC_BASE_X2APIC;)
CASE(cr8, CPU1->cr8 = 4;, CPU1->cr8 = 4; b->s.mode = IRQCHIP_NONE;)
CASE(lvt_vector, lapic_set_reg(CPU1, LAPIC_LVTERR, 0xf);, lapic_set_reg(CPU1, LAPIC_LVTERR, 0xfe);)
CASE(lvt_nmi, lapic_set_reg(CPU1, LAPIC_LVT1, 0x000);, lapic_set_reg(CPU1, LAPIC_LVT1, 0x400);)
CASE(lvt_mode, lapic_set_reg(CPU1, LAPIC_LVTPC, 0x700);, lapic_set_reg(CPU1, LAPIC_LVT0, 0x700);)
CASE(tmcct, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 101);, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 100);)
CASE(timer_masked, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 9); lapic_set_reg(CPU1, LAPIC_LVTT, 0x100ec);
     , set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 0); lapic_set_reg(CPU1, LAPIC_LVTT, 0x100ec);)
CASE(no_deadline, set_deadline(CPU1, 0);, set_deadline(CPU1, 0); CPU1->eflags = 2;)
CASE(no_deadline_served, set_deadline(CPU1, 0);, set_deadline(CPU1, 0); serve(CPU1, 0xec, 0xe0);)
CASE(deadline_past, set_deadline(CPU1, NOW);, set_deadline(CPU1, NOW + 100);)
CASE(deadline_taken, set_deadline(CPU1, NOW);, set_deadline(CPU1, NOW); request(CPU1, 0xec);)
CASE(deadline_mode, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 0, 0); CPU1->tsc_deadline = NOW + 100;
     , set_deadline(CPU1, NOW + 100);)
CASE(deadline_far, set_deadline(CPU1, NOW + 366 * UINT64_C(86400000) * KHZ);
     , set_deadline(CPU1, NOW + 365 * UINT64_C(86400000) * KHZ);)
CASE(oneshot, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 0);, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 100, 1);)
CASE(periodic, set_timer(CPU1, LAPIC_TIMER_PERIODIC, 0, 0);, set_timer(CPU1, LAPIC_TIMER_PERIODIC, 100, 0);)
CASE(timer_mode, set_timer(CPU1, LAPIC_TIMER_RESERVED, 0, 0);, set_timer(CPU1, LAPIC_TIMER_ONE_SHOT, 0, 0);)
CASE(injected, CPU1->interrupt_injected = 0x51;, CPU1->interrupt_injected = 0x51; serve(CPU1, 0x51, 0x50);)
CASE(injected_pic, CPU0->interrupt_injected = 0x31;, CPU0->interrupt_injected = 0x31; PICS[0].isr = 2;)
CASE(injected_soft, CPU0->interrupt_injected = 0x80;, CPU0->interrupt_injected = 0x80; CPU0->soft_interrupt = 1;)
CASE(nmi, CPU0->nmi_injected = CPU0->nmi_masked = 1;, CPU0->nmi_pending = CPU0->nmi_masked = 1;)
CASE(smi, CPU0->smi_pending = 1;, CPU0->smi_pending = 1; b->m.smm = LINT_UNKNOWN;)
CASE(shadow, CPU1->interrupt_shadow = 1; CPU1->mp_state = LAPIC_MP_HALTED;, CPU1->interrupt_shadow = 1;)
CASE(triple, CPU1->triple_fault = 1;, CPU1->nmi_pending = 1;)
CASE(halted, set_halted(b, IRQCHIP_FULL, 0);, set_halted(b, IRQCHIP_FULL, 0); CPU1->eflags = 2;)
CASE(halted_low, set_halted(b, IRQCHIP_SPLIT, 0);
     , set_halted(b, IRQCHIP_SPLIT, 0); lapic_set_reg(CPU1, LAPIC_TPR, 0x50); CPU1->cr8 = 5;)
CASE(unasked, set_halted(b, IRQCHIP_NONE, 0);, set_halted(b, IRQCHIP_NONE, CPU_INTERRUPT_HARD);)
CASE(bsp_waits, CPU0->mp_state = LAPIC_MP_INIT_RECEIVED;, CPU1->mp_state = LAPIC_MP_INIT_RECEIVED;)
CASE(bsp_waits_user, CPU0->wait_for_sipi = 1;, CPU1->wait_for_sipi = 1;)
CASE(bsp_none, CPU0->apic_base &= ~LAPIC_BASE_BSP;, CPU0->apic_base &= ~LAPIC_BASE_BSP; CPU1->apic_base |= LAPIC_BASE_BSP;)
CASE(bsp_many, CPU1->apic_base |= LAPIC_BASE_BSP;, (void)b;)
CASE(same_id, lapic_set_reg(CPU1, LAPIC_ID, 0);, lapic_set_reg(CPU1, LAPIC_ID, 0); CPU1->initial_id = 256;)
CASE(off, send_to(CPU0, 1); CPU1->apic_base = 0xfee00000;, send_to(CPU0, 2); CPU1->apic_base = 0xfee00000;)
CASE(tsc, CPU1->tsc = NOW + 1001 * KHZ;, CPU1->tsc = NOW + 999 * KHZ;)
CASE(remote_lost, RTE[9] |= IOAPIC_RTE_REMOTE_IRR;, RTE[9] |= IOAPIC_RTE_REMOTE_IRR; serve_level(CPU0, 0x31);)
CASE(remote_lost_x2apic, RTE[9] = (RTE[9] & ~IOAPIC_RTE_LOGICAL) | IOAPIC_RTE_REMOTE_IRR; CPU0->apic_base |= 0x400; CPU1->apic_base |= 0x400;
     , RTE[9] = (RTE[9] & ~IOAPIC_RTE_LOGICAL) | IOAPIC_RTE_REMOTE_IRR; CPU1->apic_base |= 0x400; serve_level(CPU1, 0x31);)
CASE(remote_lost_directed, RTE[9] |= IOAPIC_RTE_REMOTE_IRR;
     , RTE[9] |= IOAPIC_RTE_REMOTE_IRR; lapic_set_reg(CPU0, LAPIC_SVR, 0x11ff); lapic_set_reg(CPU0, LAPIC_LVR, 0x01050014);)
CASE(remote_lowest, RTE[9] |= IOAPIC_RTE_REMOTE_IRR | 0x100; RTE[9] |= UINT64_C(3) << 56;
     , RTE[9] |= IOAPIC_RTE_REMOTE_IRR | 0x100; RTE[9] |= UINT64_C(3) << 56; serve_level(CPU1, 0x31);)
CASE(remote_elsewhere, RTE[9] |= IOAPIC_RTE_REMOTE_IRR; serve_level(CPU1, 0x31);
     , RTE[9] |= IOAPIC_RTE_REMOTE_IRR; serve_level(CPU1, 0x31); RTE[9] |= UINT64_C(0xff) << 56;)
CASE(orphan, serve_level(CPU0, 0x31);, serve_level(CPU0, 0x31); RTE[9] |= IOAPIC_RTE_REMOTE_IRR | IOAPIC_RTE_MASKED;)
CASE(tmr_edge, serve_level(CPU0, 0x41);, serve(CPU0, 0x41, 0x40);)
CASE(tmr_clear, serve(CPU0, 0x31, 0x30); RTE[9] |= IOAPIC_RTE_REMOTE_IRR;, serve(CPU0, 0x31, 0x30);)
CASE(undelivered, b->s.ioapic.irr = 1 << 9;
     , b->s.ioapic.irr = 1 << 9; serve_level(CPU0, 0x31); RTE[9] |= IOAPIC_RTE_REMOTE_IRR;)
CASE(pin_masked, b->s.ioapic.irr = 1 << 9; RTE[9] |= IOAPIC_RTE_MASKED;, b->s.ioapic.irr = 1 << 2;)
CASE(nobody, RTE[4] |= UINT64_C(7) << 56;, RTE[4] |= UINT64_C(7) << 56 | IOAPIC_RTE_MASKED;)
CASE(nobody_cast, RTE[9] = (RTE[9] & ~(UINT64_C(0xff) << 56)) | UINT64_C(4) << 56;, RTE[9] |= UINT64_C(6) << 56;)
CASE(to_off, CPU1->apic_base = 0xfee00000; RTE[4] |= UINT64_C(1) << 56;, RTE[4] |= UINT64_C(1) << 56;)
CASE(entry_vector, RTE[4] = 15;, RTE[4] = 16;)
CASE(entry_delivery, RTE[4] |= 0x300;, RTE[4] |= 0x400;)
CASE(extint_none, pic_request(b);, pic_request(b); lapic_set_reg(CPU0, LAPIC_LVT0, 0x700);)
CASE(extint_pin, pic_request(b);, pic_request(b); RTE[0] = 0x700;)
CASE(extint_served, pic_request(b);, pic_request(b); RTE[1] = 0x42;)
CASE(extint_unset, pic_request(b);, pic_request(b); PICS[0].irq_base = 0;)
CASE(extint_many, pic_request(b); lapic_set_reg(CPU0, LAPIC_LVT0, 0x700); lapic_set_reg(CPU1, LAPIC_LVT0, 0x700);
     , pic_request(b); lapic_set_reg(CPU0, LAPIC_LVT0, 0x700);)
CASE(pic_masked, PICS[1].irr = PICS[1].last_irr = PICS[1].elcr = 8; PICS[1].imr = 0xfe;
     , PICS[1].irr = PICS[1].last_irr = PICS[1].elcr = 8; PICS[1].imr = 0xfe; RTE[11] = RTE[9];)
CASE(auto_eoi, PICS[0].auto_eoi = 1; PICS[0].isr = 2;, PICS[0].auto_eoi = 1;)
CASE(cascade, PICS[0].irr = 4; PICS[0].imr = 0; lapic_set_reg(CPU0, LAPIC_LVT0, 0x700);
     , PICS[0].irr = 4; PICS[0].imr = 0; PICS[1].irr = 1; PICS[1].imr = 0; lapic_set_reg(CPU0, LAPIC_LVT0, 0x700);)
CASE(pic_init, PICS[1].init_state = 2;, PICS[1].init4 = 1;)
CASE(pic_level, PICS[1].elcr = PICS[1].last_irr = 8;, PICS[1].last_irr = 8;)
CASE(pic_base, PICS[0].irq_base = 8; PICS[0].imr = 0xfd; lapic_set_reg(CPU0, LAPIC_LVT0, 0x700);
     , PICS[0].irq_base = 8; PICS[0].imr = 0xfd; lapic_set_reg(CPU0, LAPIC_LVT0, 0x700); CPU0->hflags = 0;)
CASE(pit_count, b->s.pit.channels[0].count = 0;, b->s.pit.channels[0].count = 1;)
CASE(pit_mode, b->s.pit.channels[2].mode = 6;, b->s.pit.channels[2].mode = 0xff;)
CASE(pit_bcd, b->s.pit.channels[1].bcd = 1; b->s.pit.channels[1].count = 0x12a4;
     , b->s.pit.channels[1].bcd = 1; b->s.pit.channels[1].count = 0x1294;)
CASE(pit_gate, b->s.pit.channels[0].gate = 0;, b->s.pit.channels[2].gate = 0;)
CASE(pit_irq0, b->s.pit.irq_disabled = 1;, b->s.pit.irq_disabled = 1; b->m.hpet = LINT_PRESENT;)
CASE(unstable, CPU0->system_time_msr = 0x1001;
     , CPU0->system_time_msr = 0x1001; b->s.clock.kvmclock_flags = KVM_CLOCK_TSC_STABLE;)
CASE(clock_flags, b->s.clock.kvmclock_flags = KVM_CLOCK_REALTIME;
     , b->s.clock.kvmclock_flags = KVM_CLOCK_REALTIME; b->s.clock.kvmclock_realtime = 5;)
CASE(clock_unknown, b->s.clock.kvmclock_flags = 1;, b->s.clock.kvmclock_flags = 2;)

#define ROW(check, id)                          \
	{                                       \
		check, breaks_##id, spares_##id \
	}

const struct lint_case lint_cases[] = {
	ROW("isr-above-ppr", isr_above_ppr),
	ROW("ppr-blocks-irr", ppr_blocks),
	ROW("isr-nesting", nesting),
	ROW("low-vectors", low_irr),
	ROW("low-vectors", low_isr),
	ROW("disabled-with-requests", disabled),
	ROW("eoi-suppression", eoi),
	ROW("base-mode", base),
	ROW("cr8-tpr", cr8),
	ROW("lvt-vector", lvt_vector),
	ROW("lvt-vector", lvt_nmi),
	ROW("lvt-delivery", lvt_mode),
	ROW("tmcct-above-tmict", tmcct),
	ROW("timer-masked", timer_masked),
	ROW("deadline-none", no_deadline),
	ROW("deadline-none", no_deadline_served),
	ROW("deadline-past", deadline_past),
	ROW("deadline-past", deadline_taken),
	ROW("deadline-mode", deadline_mode),
	ROW("deadline-far", deadline_far),
	ROW("oneshot-over", oneshot),
	ROW("periodic-stopped", periodic),
	ROW("timer-mode", timer_mode),
	ROW("injected-unserved", injected),
	ROW("injected-unserved", injected_pic),
	ROW("injected-unserved", injected_soft),
	ROW("nmi-nested", nmi),
	ROW("smi-lost", smi),
	ROW("shadow-halted", shadow),
	ROW("triple-fault", triple),
	ROW("halted-deliverable", halted),
	ROW("halted-deliverable", halted_low),
	ROW("halted-unasked", unasked),
	ROW("bsp-waits", bsp_waits),
	ROW("bsp-waits", bsp_waits_user),
	ROW("bsp-none", bsp_none),
	ROW("bsp-many", bsp_many),
	ROW("same-id", same_id),
	ROW("off-addressed", off),
	ROW("tsc-apart", tsc),
	ROW("remote-irr-lost", remote_lost),
	ROW("remote-irr-lost", remote_lost_x2apic),
	ROW("remote-irr-lost", remote_lost_directed),
	ROW("remote-irr-lost", remote_lowest),
	ROW("remote-irr-elsewhere", remote_elsewhere),
	ROW("level-orphan", orphan),
	ROW("tmr-of-edge", tmr_edge),
	ROW("tmr-clear", tmr_clear),
	ROW("pin-undelivered", undelivered),
	ROW("pin-masked", pin_masked),
	ROW("entry-to-nobody", nobody),
	ROW("entry-to-nobody", nobody_cast),
	ROW("entry-to-off", to_off),
	ROW("entry-vector", entry_vector),
	ROW("entry-delivery", entry_delivery),
	ROW("extint-none", extint_none),
	ROW("extint-none", extint_pin),
	ROW("extint-none", extint_served),
	ROW("extint-none", extint_unset),
	ROW("extint-many", extint_many),
	ROW("pic-masked", pic_masked),
	ROW("pic-auto-eoi", auto_eoi),
	ROW("pic-cascade", cascade),
	ROW("pic-initialising", pic_init),
	ROW("pic-level", pic_level),
	ROW("pic-base", pic_base),
	ROW("pit-count", pit_count),
	ROW("pit-mode", pit_mode),
	ROW("pit-bcd", pit_bcd),
	ROW("pit-gate", pit_gate),
	ROW("pit-irq0", pit_irq0),
	ROW("clock-unstable", unstable),
	ROW("clock-flags", clock_flags),
	ROW("clock-flags", clock_unknown),
	{ NULL, NULL, NULL },
};

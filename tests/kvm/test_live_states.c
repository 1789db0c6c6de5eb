/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves at instants that are hard to hit: each is made on purpose, seen in what the move read, and the guest goes on
 * from it as if nothing had been. All six moves each.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "live_vm.h"
#include "vm.h"

#define TRIES 50

#define SPINS_FIRST 1U
#define SPINS_SECOND 2U

/* Messages of every kind (SDM 3A 11.11.2). */
#define MESSAGE_NMI 0x400
#define MESSAGE_INIT 0x4500
#define MESSAGE_STARTUP (0x4600 | LIVE_AP_PAGE)

TestSuite(live_states, .timeout = 300);

static struct live_vm live;

/* What the last move read. */
static struct {
	struct lapic_state lapics[2];
	struct ioapic_state ioapic;
	struct pic_state pics[2];
	uint8_t vector; /* that a move took back to the PIC that gave it */
} saw;

static void remember(void *ctx, const struct irqchip_state *from, struct irqchip_state *to,
		     const struct move_report *report)
{
	(void)ctx;
	(void)to;
	saw.vector = 0;
	for (unsigned int i = 0; i < from->nlapics; i++)
		saw.lapics[i] = from->lapics[i];
	saw.ioapic = from->ioapic;
	saw.pics[0] = from->pics[0];
	saw.pics[1] = from->pics[1];
	for (unsigned int i = 0; i < report->nnotes; i++)
		if (!strcmp(report->notes[i].path, "pic"))
			saw.vector = (uint8_t)report->notes[i].from;
}

/* Two CPUs; nothing happens but what the test does. @spins: bit per CPU that does not sleep. */
static void begin(enum vmm_mode mode, unsigned int spins)
{
	live_vm_start(&live, &(struct live_config){ .mode = mode, .ncpus = 2, .quiet = true, .spins = spins });
	live.vmm->on_move = remember;
	live_sleep_us(2000);
}

static void end(void)
{
	live.vmm->on_stop = NULL;
	live_vm_expect_exact(&live);
	live_vm_end(&live);
}

typedef void pair_fn(enum vmm_mode from, enum vmm_mode to);

static void each_move(pair_fn *fn)
{
	for (int from = VMM_KERNEL; from <= VMM_USERSPACE; from++)
		for (int to = VMM_KERNEL; to <= VMM_USERSPACE; to++)
			if (from != to)
				fn((enum vmm_mode)from, (enum vmm_mode)to);
}

/* An interrupt on its way into a CPU that stands still: what the vCPU's thread does before the guest runs. */
static void give(struct kvm_side *side, unsigned int cpu)
{
	struct kvm_interrupt i;

	if (side->mode == VMM_KERNEL || !irqchip_model_pending(&side->model, cpu))
		return;
	i.irq = (uint32_t)irqchip_model_acknowledge(&side->model, cpu);
	side->external[cpu] = (int)i.irq;
	cr_assert_eq(ioctl(side->vcpus[cpu], KVM_INTERRUPT, &i), 0);
}

static bool takes_interrupts(struct kvm_side *side, unsigned int cpu)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;

	cr_assert_eq(ioctl(side->vcpus[cpu], KVM_GET_REGS, &regs), 0);
	cr_assert_eq(ioctl(side->vcpus[cpu], KVM_GET_VCPU_EVENTS, &events), 0);
	return regs.rflags & 0x200 && !events.interrupt.shadow && !events.interrupt.injected;
}

static bool asked; /* on_stop() did what it is there for */

static bool on_its_way(const struct lapic_state *s, uint8_t vector)
{
	return s->interrupt_injected == vector;
}

/* ---- a vector that was injected and not taken ---- */

static void inject_message(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	asked = takes_interrupts(side, 0);
	if (!asked)
		return;
	kvm_side_msi(side, 0xfee00000, LIVE_VEC_MSI);
	if (side->mode == VMM_USERSPACE)
		give(side, 0);
}

static bool counted_on_first(const struct live_vm *l)
{
	return l->shared->cpu[0].msi == l->raised.msi;
}

static void injected(enum vmm_mode from, enum vmm_mode to)
{
	unsigned int seen = 0;

	begin(from, SPINS_FIRST);
	for (unsigned int i = 0; i < TRIES && seen < 3; i++) {
		live.vmm->on_stop = inject_message;
		live_vm_move(&live, to);
		live.vmm->on_stop = NULL;
		live.raised.msi += asked;
		seen += asked && on_its_way(&saw.lapics[0], LIVE_VEC_MSI);
		cr_assert(live_vm_wait(&live, counted_on_first));
		live_vm_move(&live, from);
	}
	cr_expect_eq(seen, 3, "%s to %s: seen %u times", live_mode_name(from), live_mode_name(to), seen);
	cr_expect_eq(live.shared->cpu[0].msi, live.raised.msi);
	live.raised.msi = 0;
	live.shared->cpu[0].msi = 0;
	end();
}

Test(live_states, a_vector_that_was_injected_and_not_taken, .init = vm_have_kvm)
{
	each_move(injected);
}

/* ---- a level-triggered interrupt in service ---- */

static bool held(const struct live_vm *l)
{
	return l->shared->held != LIVE_HOLD_NOWHERE;
}

static void hold(enum live_hold place, unsigned int line)
{
	live.shared->hold = place;
	live.level = line == LIVE_LINE_LEVEL;
	vmm_line(live.vmm, line, true);
	cr_assert(live_vm_wait(&live, held));
}

static void raise_level(void)
{
	live.raised.level++;
	live.level = true;
	vmm_line(live.vmm, LIVE_LINE_LEVEL, true);
}

/* The CPU does not sleep: a KVM that emulates tells the IOAPIC of an EOI when it enters the guest next. */
static void level_in_service(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST | SPINS_SECOND);
	hold(LIVE_HOLD_LEVEL, LIVE_LINE_LEVEL);
	live.raised.level++;
	live_vm_move(&live, to);
	cr_expect(saw.ioapic.redirtbl[LIVE_LINE_LEVEL] & IOAPIC_RTE_REMOTE_IRR || from == VMM_SPLIT || from == VMM_KERNEL);
	if (from == VMM_USERSPACE)
		cr_expect(lapic_bank_test(&saw.lapics[1], LAPIC_ISR, LIVE_VEC_LEVEL));
	live.shared->hold = LIVE_HOLD_NOWHERE;
	cr_expect(live_vm_wait(&live, live_vm_settled), "%s to %s: not ended", live_mode_name(from), live_mode_name(to));
	raise_level();
	cr_expect(live_vm_wait(&live, live_vm_settled), "%s to %s: no second one", live_mode_name(from), live_mode_name(to));
	end();
}

Test(live_states, a_level_in_service, .init = vm_have_kvm)
{
	each_move(level_in_service);
}

/* ---- an IPI to a CPU that sleeps ---- */

static void message_to_sleeper(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	live.raised.msi++;
	kvm_side_msi(side, 0xfee01000, LIVE_VEC_MSI);
}

static void ipi_to_sleeper(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	live.vmm->on_stop = message_to_sleeper;
	for (unsigned int i = 0; i < 3; i++) {
		live_vm_move(&live, i % 2 ? from : to);
		cr_expect(lapic_bank_test(&saw.lapics[1], LAPIC_IRR, LIVE_VEC_MSI) || on_its_way(&saw.lapics[1], LIVE_VEC_MSI));
		cr_expect(live_vm_wait(&live, live_vm_settled), "%s to %s", live_mode_name(from), live_mode_name(to));
	}
	end();
}

Test(live_states, an_ipi_in_flight_to_a_cpu_that_sleeps, .init = vm_have_kvm)
{
	each_move(ipi_to_sleeper);
}

/* ---- INIT and SIPI ---- */

static unsigned int starts;

static bool started(const struct live_vm *l)
{
	return l->shared->cpu[1].starts == starts;
}

static void expect_start(enum vmm_mode from, enum vmm_mode to)
{
	cr_expect(live_vm_wait(&live, started), "%s to %s: %u starts of %u", live_mode_name(from), live_mode_name(to),
		  live.shared->cpu[1].starts, starts);
	/* and it takes interrupts as before */
	live.raised.msi++;
	live_vm_message(&live, 1, LIVE_VEC_MSI);
	cr_expect(live_vm_wait(&live, live_vm_settled));
	live.shared->cpu[1].starts = 1;
	end();
}

static void expect_waiting(void)
{
	const struct lapic_state *s = &saw.lapics[1];

	cr_expect(s->mp_state == LAPIC_MP_INIT_RECEIVED || s->mp_state == LAPIC_MP_UNINITIALIZED, "mp_state %u", s->mp_state);
}

static void waits_for_sipi(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	starts = 2;
	live_vm_message(&live, 1, MESSAGE_INIT);
	live_sleep_us(2000);
	live_vm_move(&live, to);
	expect_waiting();
	live_sleep_us(2000);
	cr_expect_eq(live.shared->cpu[1].starts, 1);
	live_vm_message(&live, 1, MESSAGE_STARTUP);
	expect_start(from, to);
}

Test(live_states, a_cpu_that_waits_for_its_sipi, .init = vm_have_kvm)
{
	each_move(waits_for_sipi);
}

static void send_init(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	kvm_side_msi(side, 0xfee01000, MESSAGE_INIT);
}

static void init_pending(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	starts = 2;
	live.vmm->on_stop = send_init;
	live_vm_move(&live, to);
	live.vmm->on_stop = NULL;
	expect_waiting();
	live_vm_message(&live, 1, MESSAGE_STARTUP);
	expect_start(from, to);
}

Test(live_states, an_init_that_is_pending, .init = vm_have_kvm)
{
	each_move(init_pending);
}

static void send_init_and_sipi(void *ctx, struct kvm_side *side)
{
	send_init(ctx, side);
	kvm_side_msi(side, 0xfee01000, MESSAGE_STARTUP);
}

static void sipi_pending(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	starts = 2;
	live.vmm->on_stop = send_init_and_sipi;
	live_vm_move(&live, to);
	live.vmm->on_stop = NULL;
	expect_start(from, to);
}

Test(live_states, init_and_sipi_that_are_pending, .init = vm_have_kvm)
{
	each_move(sipi_pending);
}

/* ---- NMI ---- */

static void send_nmi(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	kvm_side_msi(side, 0xfee00000, MESSAGE_NMI);
}

static bool nmi_taken(const struct live_vm *l)
{
	return l->shared->cpu[0].nmi > 0;
}

static void nmi_pending(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	live.vmm->on_stop = send_nmi;
	live_vm_move(&live, to);
	live.vmm->on_stop = NULL;
	cr_expect(saw.lapics[0].nmi_pending || saw.lapics[0].nmi_injected);
	cr_expect(live_vm_wait(&live, nmi_taken), "%s to %s: lost", live_mode_name(from), live_mode_name(to));
	live_sleep_us(5000);
	cr_expect_eq(live.shared->cpu[0].nmi, 1);
	live.shared->cpu[0].nmi = 0;
	end();
}

Test(live_states, an_nmi_that_is_pending, .init = vm_have_kvm)
{
	each_move(nmi_pending);
}

/* ---- the PIC's ExtINT ---- */

static void pulse_pic(void)
{
	live.raised.pic++;
	vmm_line(live.vmm, LIVE_LINE_PIC, true);
	vmm_line(live.vmm, LIVE_LINE_PIC, false);
}

static void pic_in_service(enum vmm_mode from, enum vmm_mode to)
{
	begin(from, SPINS_FIRST);
	live.raised.pic++;
	hold(LIVE_HOLD_PIC, LIVE_LINE_PIC);
	vmm_line(live.vmm, LIVE_LINE_PIC, false);
	live_vm_move(&live, to);
	cr_expect(saw.pics[0].isr & 1 << LIVE_LINE_PIC);
	live.shared->hold = LIVE_HOLD_NOWHERE;
	cr_expect(live_vm_wait(&live, live_vm_settled), "%s to %s", live_mode_name(from), live_mode_name(to));
	pulse_pic();
	cr_expect(live_vm_wait(&live, live_vm_settled), "%s to %s: no second one", live_mode_name(from), live_mode_name(to));
	end();
}

Test(live_states, an_interrupt_of_the_pic_in_service, .init = vm_have_kvm)
{
	each_move(pic_in_service);
}

static void inject_pic(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	asked = takes_interrupts(side, 0);
	if (!asked)
		return;
	live.raised.pic++;
	kvm_side_line(side, LIVE_LINE_PIC, true);
	kvm_side_line(side, LIVE_LINE_PIC, false);
	give(side, 0);
}

static void pic_acknowledged(enum vmm_mode from, enum vmm_mode to)
{
	unsigned int seen = 0;

	begin(from, SPINS_FIRST);
	for (unsigned int i = 0; i < TRIES && seen < 3; i++) {
		live.vmm->on_stop = inject_pic;
		live_vm_move(&live, to);
		live.vmm->on_stop = NULL;
		seen += asked && (on_its_way(&saw.lapics[0], LIVE_VEC_PIC) || saw.vector == LIVE_VEC_PIC);
		cr_assert(live_vm_wait(&live, live_vm_settled), "%s to %s: lost", live_mode_name(from), live_mode_name(to));
		live_vm_move(&live, from);
	}
	cr_expect_eq(seen, 3, "%s to %s: seen %u times", live_mode_name(from), live_mode_name(to), seen);
	end();
}

Test(live_states, an_interrupt_of_the_pic_that_was_acknowledged_and_not_taken, .init = vm_have_kvm)
{
	each_move(pic_acknowledged);
}

/* ---- a timer that is about to expire ---- */

static uint64_t armed_tsc(void)
{
	const volatile struct live_cpu *c = &live.shared->cpu[0];

	return (uint64_t)c->armed_tsc_high << 32 | c->armed_tsc_low;
}

/* Before its expiry; more when the host was too slow to read it in that time. */
static uint32_t before_ns;
#define BEFORE_NS 60000
#define BEFORE_MAX_NS 300000
#define NEAR_NS 400000

/* The vCPUs stand still: a timer in the kernel, and the TSC, go on; the machine's clock is put forward. */
static void wait_for_expiry(void *ctx, struct kvm_side *side)
{
	const volatile struct live_cpu *c = &live.shared->cpu[0];
	uint64_t due = armed_tsc() + c->period_tsc - (uint64_t)c->period_tsc * before_ns / c->period_ns;
	struct lapic_state s;

	(void)ctx;
	if (side->mode == VMM_USERSPACE && c->timer == LIVE_ONE_SHOT) {
		lapic_model_get(irqchip_model_lapic(&side->model, 0), &s);
		if (reg_known(lapic_member("timer_remaining"), &s, 0) && s.timer_remaining_ns > before_ns)
			side->vmm->stopped_at += (int64_t)s.timer_remaining_ns - before_ns;
		return;
	}
	while (__builtin_ia32_rdtsc() < due)
		;
}

/* What was left when the move read it, or -1: it had run out. */
static int64_t left_ns(void)
{
	const struct lapic_state *s = &saw.lapics[0];
	const volatile struct live_cpu *c = &live.shared->cpu[0];

	if (lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE)
		return reg_known(lapic_member("timer_remaining"), s, 0) ? (int64_t)s->timer_remaining_ns : -1;
	return s->tsc_deadline > s->tsc ? (int64_t)((s->tsc_deadline - s->tsc) * c->period_ns / c->period_tsc) : -1;
}

/* Armed since the last move: that was while the clock of some timers stood still. */
static uint32_t armed_before;

static bool armed_anew(const struct live_vm *l)
{
	return l->shared->cpu[0].armed != armed_before;
}

static void about_to_expire(enum vmm_mode from, enum vmm_mode to, enum live_timer timer)
{
	struct live_config config = { .mode = from, .ncpus = 1, .first_timer = timer };
	unsigned int near = 0;

	live_vm_start(&live, &config);
	live.vmm->on_move = remember;
	before_ns = BEFORE_NS;
	for (unsigned int i = 0; i < 2 * TRIES && near < 3; i++) {
		live.vmm->on_stop = wait_for_expiry;
		live_vm_move(&live, to);
		near += left_ns() >= 0 && left_ns() <= NEAR_NS;
		if (left_ns() < 0 && before_ns < BEFORE_MAX_NS)
			before_ns += BEFORE_NS;
		live.vmm->on_stop = NULL;
		live_vm_move(&live, from);
		armed_before = live.shared->cpu[0].armed;
		cr_assert(live_vm_wait(&live, armed_anew));
	}
	cr_expect_eq(near, 3, "%s to %s: %u times", live_mode_name(from), live_mode_name(to), near);
	live_vm_expect_exact(&live);
	live_vm_end(&live);
}

static void one_shot_about_to_expire(enum vmm_mode from, enum vmm_mode to)
{
	about_to_expire(from, to, LIVE_ONE_SHOT);
}

static void deadline_about_to_expire(enum vmm_mode from, enum vmm_mode to)
{
	about_to_expire(from, to, LIVE_DEADLINE);
}

Test(live_states, a_one_shot_that_is_about_to_expire, .init = vm_have_kvm)
{
	each_move(one_shot_about_to_expire);
}

Test(live_states, a_deadline_that_is_about_to_pass, .init = vm_have_kvm)
{
	each_move(deadline_about_to_expire);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with its timer running, moved into a new VM again and again: 100 times with each timer, 1,000 with
 * IRQSHIFT_FULL=1. All times are of the guest's own TSC. Beside it the same guest, merely stopped and resumed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "apic/lapic_rows.h"
#include "kvm/restore.h"
#include "timer_judge.h"

TestSuite(kvm_timers, .init = vm_have_kvm, .timeout = 600);

#define PERIOD_NS 10000000

/* On a busy machine it takes a while. */
#define START_TRIES 50
#define MOVES_MAX 1000
#define READY 25 /* VMs that wait for the guest */

static struct vm ready[READY + 1], *vm;
static struct timer_shared *shared;
static struct timer_stop stops[MOVES_MAX];
static unsigned int nstops;
static uint64_t seed;
static uint64_t out; /* of KVM_RUN, since */
static uint32_t tsc_khz;

static void no_op(int sig)
{
	(void)sig;
}

/* The guest runs until the alarm, or for ever if it comes before KVM_RUN: so it comes again. */
static void run_for(unsigned int us)
{
	struct itimerval once = { .it_value.tv_usec = us, .it_interval.tv_usec = 1000 }, off = { 0 };
	struct sigaction act = { .sa_handler = no_op };
	int rc;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &once, NULL);
	rc = ioctl(vm->vcpus[0], KVM_RUN, 0);
	cr_assert(rc < 0 && errno == EINTR, "exit %u", vm->runs[0]->exit_reason);
	out = vm_msr(vm, MSR_TSC);
	setitimer(ITIMER_REAL, &off, NULL);
}

/* ---- what is seen of the timer as it is read and written ---- */

struct watch {
	struct kvm_port port;
	struct vm *vm;
	uint64_t read, written;
	bool blurred;
};

/* What may lie between a TSC and a timer that are looked at one after the other, in cycles. */
static uint64_t sharp(void)
{
	return tsc_khz / 2;
}

static bool writes_timer(unsigned long request)
{
	return request == (shared->mode == TIMER_PIT ? KVM_SET_PIT2 : KVM_SET_LAPIC);
}

/* A read that the host interrupted is made again: it is the last that counts. */
static int watch_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		      size_t size)
{
	struct watch *w = (struct watch *)port;
	uint64_t before, after;
	int rc, tries = 0;

	do {
		before = vm_msr(w->vm, MSR_TSC);
		rc = w->vm->port->call(w->vm->port, target, vcpu, request, arg, size);
		after = vm_msr(w->vm, MSR_TSC);
	} while (request == KVM_GET_LAPIC && after - before > sharp() && ++tries < 10);
	if (request == KVM_GET_LAPIC)
		w->read = before;
	if (writes_timer(request))
		w->written = before;
	if (request == KVM_GET_LAPIC || writes_timer(request))
		w->blurred = after - before > sharp();
	return rc;
}

static struct watch watch(struct vm *v)
{
	return (struct watch){ .port = { .call = watch_call, .vcpu_ids = v->ids, .nvcpus = 1 }, .vm = v };
}

static int settle_watched(struct kvm_port *port, unsigned int vcpu)
{
	return kvm_own_settle(((struct watch *)port)->vm->port, vcpu);
}

static void gather_watched(struct timer_stop *stop, struct irqchip_state *s)
{
	const struct kvm_gather_options settled = { .settle = settle_watched };
	struct watch w = watch(vm);
	struct irqs_error err = { 0 };
	struct kvm_regs regs;
	const struct lapic_state *l = s->lapics;

	cr_assert_eq(kvm_gather(&w.port, &vm->probe, &settled, s, &err), 0, "%s", err.text);
	cr_assert_eq(ioctl(vm->vcpus[0], KVM_GET_REGS, &regs), 0);
	stop->read = stop->written = w.read;
	stop->blurred = w.blurred;
	stop->remaining = lapic_knows(l, LAPIC_KNOWN_TIMER_REMAINING) ? l->timer_remaining_ns * tsc_khz / 1000000 : 0;
	stop->count = shared->count;
	stop->waiting = (unsigned int)lapic_bank_test(l, LAPIC_IRR, TIMER_VECTOR) + (l->interrupt_injected == TIMER_VECTOR) +
			timer_guest_uncounted(regs.rip);
}

/* ---- stops ---- */

static void copy_registers(struct vm *next)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	cr_assert_eq(ioctl(vm->vcpus[0], KVM_GET_SREGS, &sregs), 0);
	cr_assert_eq(ioctl(vm->vcpus[0], KVM_GET_REGS, &regs), 0);
	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	cr_assert_eq(ioctl(next->vcpus[0], KVM_SET_SREGS, &sregs), 0);
	cr_assert_eq(ioctl(next->vcpus[0], KVM_SET_REGS, &regs), 0);
}

static void move_guest(struct timer_stop *stop)
{
	struct vm *next = vm + 1;
	struct irqchip_state s = vm_state(vm->probe.mode, 1);
	struct watch w = watch(next);
	struct irqs_error err = { 0 };

	gather_watched(stop, &s);
	copy_registers(next);
	cr_assert_eq(kvm_restore(&w.port, &next->probe, NULL, &s, &err), 0, "%s: %s", err.path, err.text);
	stop->written = w.written;
	stop->blurred |= w.blurred;
	next->memory = vm->memory;
	vm->memory = NULL;
	vm = next;
	vm_state_free(&s);
}

/* For about as long as a move takes. */
static void hold_guest(struct timer_stop *stop)
{
	struct irqchip_state s = vm_state(vm->probe.mode, 1);

	gather_watched(stop, &s);
	usleep(1000);
	vm_state_free(&s);
}

/* ---- VMs in advance: what is measured is the move, not how a VM is made ---- */

static void make(struct vm *v, enum irqchip_mode mode, bool memory)
{
	struct kvm_reinject_control discard = { .pit_reinject = 0 };

	vm_open(v, (struct vm_config){ .mode = mode, .memory = memory });
	if (mode == IRQCHIP_FULL)
		cr_assert_eq(ioctl(v->fd, KVM_REINJECT_CONTROL, &discard), 0);
}

/* The guest's VM becomes the first of them; the others are new, and have been in KVM_RUN once, which takes long. */
static void make_ready(void)
{
	if (vm != ready) {
		ready[0] = *vm;
		kvm_own_init(&ready[0].own, ready[0].fd, ready[0].vcpus, ready[0].ids, 1);
		ready[0].port = &ready[0].own.port;
		vm = ready;
	}
	for (unsigned int i = 1; i <= READY; i++) {
		struct kvm_userspace_memory_region region = { .memory_size = VM_MEMORY,
							      .userspace_addr = (uintptr_t)vm->memory };

		make(&ready[i], vm->probe.mode, false);
		cr_assert_eq(ioctl(ready[i].fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
		cr_assert_eq(kvm_own_settle(ready[i].port, 0), 0);
	}
}

/* All but that of the guest. */
static void close_others(void)
{
	for (unsigned int i = 0; i <= READY; i++)
		if (&ready[i] != vm)
			vm_close(&ready[i]);
}

static unsigned int rounds(void)
{
	const char *all = getenv("IRQSHIFT_FULL");

	return all && !strcmp(all, "1") ? MOVES_MAX : 100;
}

static void stop_guest(void (*how)(struct timer_stop *))
{
	stops[nstops].began = out;
	how(&stops[nstops]);
	stops[nstops].resumed = vm_msr(vm, MSR_TSC);
	nstops++;
	run_for(500 + (unsigned int)(vm_random(&seed) % (PERIOD_NS * 3 / 2 / 1000)));
}

static struct timer_outcome run_guest(enum irqchip_mode irqchip, enum timer_kind kind, void (*how)(struct timer_stop *))
{
	struct timer_outcome o;
	uint32_t before;

	vm = ready;
	make(vm, irqchip, true);
	tsc_khz = (uint32_t)ioctl(vm->vcpus[0], KVM_GET_TSC_KHZ, 0);
	shared = timer_guest_load(vm, kind, PERIOD_NS, tsc_khz);
	for (unsigned int i = 0; i < START_TRIES && !shared->count; i++)
		run_for(20000);
	cr_assert_gt(shared->count, 0, "the guest does not run");
	for (nstops = 0; nstops < rounds();) {
		if (how == move_guest)
			make_ready();
		for (unsigned int i = 0; i < READY; i++)
			stop_guest(how);
		if (how == move_guest)
			close_others();
	}
	before = shared->count;
	for (unsigned int i = 0; i < START_TRIES && shared->count == before; i++)
		run_for(20 * PERIOD_NS / 1000);
	cr_expect_gt(shared->count, before, "an interrupt was lost: the guest stands still");
	cr_assert_leq(shared->count, TIMER_LOG);
	o = timer_judge(shared, stops, nstops, tsc_khz);
	vm_close(vm);
	return o;
}

static void print_outcome(const char *what, const struct timer_outcome *o)
{
	printf("  %s: %u lost, %u twice, %u not judged", what, o->lost, o->twice, o->blurred);
	if (o->interrupts)
		printf("; the first after a stop, %u: median %.1f us late, worst %.1f", o->interrupts, o->median_us, o->worst_us);
	puts("");
}

static void moved_and_held(enum irqchip_mode irqchip, enum timer_kind kind)
{
	static const char *const names[] = { "one-shot", "periodic", "TSC deadline", "PIT" };
	struct timer_outcome moved, held;

	seed = vm_seed();
	held = run_guest(irqchip, kind, hold_guest);
	moved = run_guest(irqchip, kind, move_guest);
	printf("%s, %s irqchip, %u stops\n", names[kind], irqchip_mode_name(irqchip), nstops);
	print_outcome("stopped and resumed", &held);
	print_outcome("moved to a new VM", &moved);
	if (held.interrupts)
		printf("  median, moved to stopped: %.2f\n", moved.median_us / held.median_us);
	cr_expect_eq(moved.twice, 0, "%u interrupts came twice", moved.twice);
	cr_expect_eq(moved.lost, 0, "%u interrupts were lost", moved.lost);
	/* the phase is kept: a timer that started anew would be half a period late */
	cr_expect_lt(moved.median_us, PERIOD_NS / 4e3);
	cr_expect_gt(moved.interrupts, rounds() / 20);
	cr_expect_lt(moved.blurred, rounds() / 2);
}

Test(kvm_timers, a_one_shot_moves_a_thousand_times)
{
	moved_and_held(IRQCHIP_FULL, TIMER_ONE_SHOT);
}

Test(kvm_timers, a_one_shot_moves_with_a_split_irqchip)
{
	moved_and_held(IRQCHIP_SPLIT, TIMER_ONE_SHOT);
}

Test(kvm_timers, a_periodic_timer_moves_a_thousand_times)
{
	moved_and_held(IRQCHIP_FULL, TIMER_PERIODIC);
}

Test(kvm_timers, a_deadline_moves_a_thousand_times)
{
	moved_and_held(IRQCHIP_FULL, TIMER_TSC_DEADLINE);
}

Test(kvm_timers, a_pit_moves_a_thousand_times)
{
	moved_and_held(IRQCHIP_FULL, TIMER_PIT);
}

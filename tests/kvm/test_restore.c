/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The traps of a restore, one test each: the trap is shown on this kernel with the order or the check removed, then the
 * plan as it is. And what is refused, which changes nothing; and ioctls that fail.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "came_back.h"

TestSuite(kvm_restore, .init = vm_have_kvm, .timeout = 60);

#define STEPS_MAX 32

static struct vm vm, other;

/* ---- plans with something removed ---- */

static struct kvm_step steps[STEPS_MAX];

static unsigned int step_named(const char *name)
{
	for (unsigned int i = 0; i < kvm_restore_nsteps; i++)
		if (!strcmp(steps[i].name, name))
			return i;
	cr_assert_fail("no step %s", name);
	return 0;
}

static void the_plan(void)
{
	cr_assert_leq(kvm_restore_nsteps, STEPS_MAX);
	memcpy(steps, kvm_restore_plan, kvm_restore_nsteps * sizeof(steps[0]));
}

static void move_before(const char *name, const char *before)
{
	unsigned int from = step_named(name), to = step_named(before);
	struct kvm_step step = steps[from];

	cr_assert_gt(from, to, "%s stands before %s already", name, before);
	memmove(&steps[to + 1], &steps[to], (from - to) * sizeof(steps[0]));
	steps[to] = step;
}

static int run_plan(struct vm *v, const struct irqchip_state *s, struct irqs_error *err)
{
	struct kvm_restore r = { .port = v->port, .probe = &v->probe, .state = s };

	return kvm_restore_run(&r, steps, kvm_restore_nsteps, err);
}

static void restore(struct vm *v, const struct irqchip_state *s)
{
	struct irqs_error err = { 0 };

	cr_assert_eq(kvm_restore(v->port, &v->probe, NULL, s, &err), 0, "%s: %s", err.path, err.text);
}

/* A gathered LAPIC that is switched on, with a vector in its timer's entry. */
static struct irqchip_state with_timer(struct vm *v, uint32_t lvtt)
{
	struct irqchip_state s = vm_gather(v);

	lapic_set_reg(&s.lapics[0], LAPIC_SVR, 0x1ff);
	lapic_set_reg(&s.lapics[0], LAPIC_LVTT, lvtt);
	lapic_set_reg(&s.lapics[0], LAPIC_TDCR, 0xb);
	return s;
}

static struct irqchip_state with_deadline(struct vm *v)
{
	struct irqchip_state s = with_timer(v, 0x40041);

	reg_set(lapic_member("tsc_deadline"), &s.lapics[0], 0, s.lapics[0].tsc + 100000000000);
	return s;
}

/* ---- the TSC deadline ---- */

Test(kvm_restore, a_deadline_before_the_mode_of_lvtt_is_dropped)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = with_deadline(&vm);
	the_plan();
	move_before("TSC deadline", "LAPIC");
	cr_expect_eq(run_plan(&other, &s, &err), -EIO, "the read-back sees it");
	cr_expect_str_eq(err.path, "lapic[0].tsc_deadline");
	cr_expect_eq(vm_msr(&other, MSR_TSC_DEADLINE), 0, "the trap");
	restore(&vm, &s);
	cr_expect_eq(vm_msr(&vm, MSR_TSC_DEADLINE), s.lapics[0].tsc_deadline);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

/* Notes which MSR was written when. */
struct writes {
	struct kvm_port port;
	struct kvm_port *to;
	unsigned int tsc, tsc_adjust, deadline, lapic, sregs, cpuid, n;
};

static int note_write(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		      size_t size)
{
	struct writes *w = (struct writes *)port;
	const struct kvm_msrs *msrs = arg;
	uint32_t index = request == KVM_SET_MSRS ? msrs->entries[0].index : 0;

	w->n++;
	if (index == MSR_TSC)
		w->tsc = w->n;
	else if (index == MSR_TSC_ADJUST)
		w->tsc_adjust = w->n;
	else if (index == MSR_TSC_DEADLINE)
		w->deadline = w->n;
	else if (request == KVM_SET_LAPIC)
		w->lapic = w->n;
	else if (request == KVM_SET_SREGS)
		w->sregs = w->n;
	else if (request == KVM_SET_CPUID2)
		w->cpuid = w->n;
	return w->to->call(w->to, target, vcpu, request, arg, size);
}

static bool tsc_can_be_set(struct vm *v)
{
	uint64_t before = vm_msr(v, MSR_TSC);

	vm_set_msr(v, MSR_TSC, before / 2);
	if (vm_msr(v, MSR_TSC) >= before)
		return false;
	vm_set_msr(v, MSR_TSC, before);
	return true;
}

/*
 * A deadline that lies ahead of the saved TSC and behind the TSC of the new VM is over when it is written before the TSC.
 * A KVM that shows the host's TSC cannot be made to show it: there the order of the ioctls is looked at.
 */
Test(kvm_restore, a_deadline_before_the_tsc_is_compared_with_another_one)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s;
	struct writes w;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = with_deadline(&vm);
	w = (struct writes){ .port = { .call = note_write, .vcpu_ids = vm.ids, .nvcpus = 1 }, .to = vm.port };
	cr_assert_eq(kvm_restore(&w.port, &vm.probe, NULL, &s, &err), 0, "%s", err.text);
	cr_expect(w.sregs && w.sregs < w.tsc && w.tsc < w.tsc_adjust && w.tsc_adjust < w.lapic && w.lapic < w.deadline,
		  "sregs %u, TSC %u, TSC_ADJUST %u, LAPIC %u, deadline %u", w.sregs, w.tsc, w.tsc_adjust, w.lapic, w.deadline);
	if (tsc_can_be_set(&vm)) {
		reg_set(lapic_member("tsc"), &s.lapics[0], 0, s.lapics[0].tsc / 2);
		reg_set(lapic_member("tsc_deadline"), &s.lapics[0], 0, s.lapics[0].tsc + 1000000000);
		restore(&vm, &s);
		cr_expect_eq(kvm_own_settle(vm.port, 0), 0);
		cr_expect_eq(vm_msr(&vm, MSR_TSC_DEADLINE), s.lapics[0].tsc_deadline, "not over yet");
	}
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_restore, a_vcpu_without_tsc_deadline_in_cpuid_would_run_a_one_shot)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL, .no_tsc_deadline = true });
	s = with_deadline(&vm);
	the_plan();
	steps[step_named("LAPIC")].check = NULL;
	cr_expect_eq(run_plan(&other, &s, &err), -EIO);
	cr_expect_eq(vm_msr(&other, MSR_TSC_DEADLINE), 0, "the trap");
	cr_expect_eq(kvm_restore(other.port, &other.probe, NULL, &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "lapic[0].LVTT");
	cr_expect(strstr(err.text, "CPUID"), "%s", err.text);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

static struct kvm_cpuid2 *cpuid_of(struct vm *v)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));

	c->nent = 256;
	cr_assert_eq(ioctl(v->vcpus[0], KVM_GET_CPUID2, c), 0);
	return c;
}

/* What the second VM was given must reach the third: Firecracker lost the deadline's CPUID bit here. */
Test(kvm_restore, a_snapshot_of_a_restored_vm_is_as_good_as_the_first)
{
	struct irqchip_state first, s;
	struct irqs_error err = { 0 };

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 1 });
	first = with_deadline(&vm);
	lapic_bank_set(&first.lapics[0], LAPIC_IRR, 0x51);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &first.ioapic, 3, 0x0000000000010033);
	restore(&vm, &first);
	s = vm_gather(&vm);
	for (int generation = 2; generation <= 4; generation++) {
		struct kvm_cpuid2 *cpuid = cpuid_of(&vm);
		const struct kvm_cpuid2 *each[] = { cpuid };
		struct kvm_restore_options options = { .cpuid = each };
		struct irqchip_state next;

		/* born without: only the plan's first step makes the rest possible */
		vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL, .no_tsc_deadline = true, .no_x2apic = true });
		cr_assert_eq(kvm_restore(other.port, &other.probe, &options, &s, &err), 0, "%s: %s", err.path, err.text);
		next = vm_gather(&other);
		cr_expect_eq(next.lapics[0].tsc_deadline, first.lapics[0].tsc_deadline, "generation %d", generation);
		vm_expect_same(&s, &next, (const char *const[]){ "tsc", "timer_remaining", "count_load_time", NULL });
		free(cpuid);
		vm_state_free(&s);
		s = next;
		vm_close(&vm);
		vm = other;
		kvm_own_init(&vm.own, vm.fd, vm.vcpus, vm.ids, vm.nvcpus);
		vm.port = &vm.own.port;
	}
	vm_state_free(&s);
	vm_state_free(&first);
	vm_close(&vm);
}

Test(kvm_restore, cpuid_comes_before_what_depends_on_it)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s;
	struct kvm_cpuid2 *cpuid;
	const struct kvm_cpuid2 *each[1];
	struct kvm_restore r;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL, .no_tsc_deadline = true });
	s = with_deadline(&vm);
	cpuid = cpuid_of(&vm);
	each[0] = cpuid;
	r = (struct kvm_restore){ .port = other.port, .probe = &other.probe, .state = &s, .options.cpuid = each };
	the_plan();
	for (unsigned int i = 0; i + 1 < kvm_restore_nsteps; i++) { /* CPUID to the end */
		struct kvm_step step = steps[i];

		steps[i] = steps[i + 1];
		steps[i + 1] = step;
	}
	cr_expect_eq(kvm_restore_run(&r, steps, kvm_restore_nsteps, &err), -EIO);
	cr_expect_eq(vm_msr(&other, MSR_TSC_DEADLINE), 0, "the trap");
	cr_expect_eq(kvm_restore_run(&r, kvm_restore_plan, kvm_restore_nsteps, &err), 0, "%s: %s", err.path, err.text);
	cr_expect_eq(vm_msr(&other, MSR_TSC_DEADLINE), s.lapics[0].tsc_deadline);
	free(cpuid);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

/* ---- counting timers ---- */

static bool fires(struct vm *v, unsigned int wait_us)
{
	struct kvm_lapic_state page;

	usleep(wait_us);
	cr_assert_eq(kvm_own_settle(v->port, 0), 0);
	page = vm_page(v, 0);
	return vm_reg(&page, LAPIC_IRR + 0x20) & 2;
}

/* hlt; jmp to itself, with interrupts off */
static void halt_real_mode(struct vm *v)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	memcpy(v->memory + 0x1000, "\xf4\xeb\xfd", 3);
	ioctl(v->vcpus[0], KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ioctl(v->vcpus[0], KVM_SET_SREGS, &sregs);
	ioctl(v->vcpus[0], KVM_SET_REGS, &regs);
}

Test(kvm_restore, a_one_shot_that_has_interrupted_does_not_do_it_again)
{
	struct kvm_lapic_state page;
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	halt_real_mode(&vm);
	s = with_timer(&vm, 0x41);
	lapic_set_reg(&s.lapics[0], LAPIC_TMICT, 1000);
	lapic_set_reg(&s.lapics[0], LAPIC_TMCCT, 0);
	/* the trap: the page as it is */
	page = vm_page(&vm, 0);
	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_TDCR, 0xb);
	vm_put_reg(&page, LAPIC_LVTT, 0x41);
	vm_put_reg(&page, LAPIC_TMICT, 1000);
	vm_put_reg(&page, LAPIC_TMCCT, 0);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	cr_expect(fires(&vm, 2000), "the trap");

	restore(&vm, &s);
	cr_expect_not(fires(&vm, 2000));
	/* masked, the count is kept: it runs out unseen */
	lapic_set_reg(&s.lapics[0], LAPIC_LVTT, 0x10041);
	restore(&vm, &s);
	cr_expect_not(fires(&vm, 2000));
	page = vm_page(&vm, 0);
	cr_expect_eq(vm_reg(&page, LAPIC_TMICT), 1000);
	cr_expect_eq(vm_reg(&page, LAPIC_TMCCT), 0);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_restore, a_timer_that_is_due_interrupts_at_once)
{
	static const uint32_t modes[] = { 0x41, 0x20041 };
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	halt_real_mode(&vm);
	for (size_t i = 0; i < REG_ARRAY_SIZE(modes); i++) {
		s = with_timer(&vm, modes[i]);
		lapic_set_reg(&s.lapics[0], LAPIC_TMICT, 4000000000); /* a whole period would take 4 s */
		lapic_set_reg(&s.lapics[0], LAPIC_TMCCT, 0);
		lapic_bank_clear(&s.lapics[0], LAPIC_IRR, 0x41);
		reg_set(lapic_member("timer_remaining"), &s.lapics[0], 0, 0);
		restore(&vm, &s);
		cr_expect(fires(&vm, 2000), "LVTT %x", modes[i]);
		vm_state_free(&s);
	}
	vm_close(&vm);
}

Test(kvm_restore, a_timer_that_ran_out_unseen_comes_in_the_next_vm)
{
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	halt_real_mode(&other);
	s = with_timer(&vm, 0x41);
	lapic_set_reg(&s.lapics[0], LAPIC_TMICT, 1000000000);
	reg_set(lapic_member("timer_remaining"), &s.lapics[0], 0, 100000);
	restore(&vm, &s);
	vm_state_free(&s);
	usleep(2000);
	s = vm_gather(&vm);
	cr_assert_not(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41), "the trap: it is in no register");
	restore(&other, &s);
	cr_expect(fires(&other, 2000));
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

Test(kvm_restore, what_is_left_of_a_period_is_left)
{
	static const uint32_t modes[] = { 0x10041, 0x30041 };
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT });
	for (size_t i = 0; i < REG_ARRAY_SIZE(modes); i++)
		for (uint32_t tdcr = 0; tdcr <= 0xb; tdcr = tdcr == 3 ? 8 : tdcr + 1) {
			struct kvm_lapic_state page;
			uint32_t ticks = 2000000000;

			s = with_timer(&vm, modes[i]);
			lapic_set_reg(&s.lapics[0], LAPIC_TDCR, tdcr);
			lapic_set_reg(&s.lapics[0], LAPIC_TMICT, 3000000000);
			reg_set(lapic_member("timer_remaining"), &s.lapics[0], 0, (uint64_t)ticks * lapic_divide(tdcr));
			restore(&vm, &s);
			page = vm_page(&vm, 0);
			cr_expect_leq(vm_reg(&page, LAPIC_TMCCT), ticks);
			cr_expect_geq(vm_reg(&page, LAPIC_TMCCT), ticks - 1000000000 / lapic_divide(tdcr));
			vm_state_free(&s);
		}
	vm_close(&vm);
}

/* ---- order between the chips ---- */

static struct irqchip_state with_pending_level(struct vm *v)
{
	struct irqchip_state s = with_timer(v, 0x10000);

	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 9, IOAPIC_RTE_LEVEL | 0x40);
	reg_set(reg_find_name(&ioapic_chip, "irr"), &s.ioapic, 0, 1U << 9);
	return s;
}

Test(kvm_restore, an_ioapic_before_the_lapics_wedges_its_pin)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s, now;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = with_pending_level(&vm);
	the_plan();
	restore(&other, &(struct irqchip_state){ .mode = IRQCHIP_FULL, .nlapics = 1, .lapics = s.lapics });
	move_before("IOAPIC", "LAPIC");
	run_plan(&other, &s, &err);
	now = vm_gather(&other);
	cr_expect(now.ioapic.redirtbl[9] & IOAPIC_RTE_REMOTE_IRR, "the trap: the pin waits for an EOI ...");
	cr_expect_not(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x40), "... of an interrupt that is nowhere");
	vm_state_free(&now);

	restore(&vm, &s);
	now = vm_gather(&vm);
	cr_expect(now.ioapic.redirtbl[9] & IOAPIC_RTE_REMOTE_IRR);
	cr_expect(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x40));
	vm_state_free(&now);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

/* A snapshot without the slave: its lines would be those of another machine. */
Test(kvm_restore, one_pic_without_the_other_is_refused)
{
	struct irqs_error err = { 0 };
	struct irqchip_state s, now;

	for (unsigned int lacking = PIC_MASTER; lacking <= PIC_SLAVE; lacking++) {
		char path[8];

		snprintf(path, sizeof(path), "pic[%u]", lacking);
		vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
		s = with_timer(&vm, 0x10000);
		for (unsigned int i = PIC_MASTER; i <= PIC_SLAVE; i++) {
			reg_set(reg_find_name(&pic_chip, "irq_base"), &s.pics[i], 0, 0x30 + 8 * i);
			reg_set(reg_find_name(&pic_chip, "imr"), &s.pics[i], 0, 0xa0 + i);
		}
		memset(&s.pics[lacking], 0, sizeof(s.pics[lacking]));
		cr_expect_eq(kvm_restore(vm.port, &vm.probe, NULL, &s, &err), -EOPNOTSUPP);
		cr_expect_str_eq(err.path, path);
		now = vm_gather(&vm);
		cr_expect_eq(now.pics[!lacking].imr, 0, "nothing has changed");
		vm_state_free(&now);

		the_plan();
		steps[step_named("PICs")].check = NULL;
		cr_expect_eq(run_plan(&vm, &s, &err), 0, "%s", err.text);
		now = vm_gather(&vm);
		cr_expect_eq(now.pics[!lacking].imr, 0xa0 + !lacking);
		cr_expect_eq(now.pics[lacking].irq_base, 0, "the trap: half of a pair");
		vm_state_free(&now);
		vm_state_free(&s);
		vm_close(&vm);
	}
}

Test(kvm_restore, a_line_that_is_held_is_raised_again_unless_that_made_an_edge)
{
	struct irqchip_state s, now;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = with_timer(&vm, 0x10000);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 9, IOAPIC_RTE_LEVEL | 0x40);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 20, IOAPIC_RTE_LEVEL | 0x42);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 4, 0x41);
	s.lines = 1U << 9 | 1U << 4 | 1U << 20;
	restore(&vm, &s);
	now = vm_gather(&vm);
	cr_expect(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x40));
	cr_expect(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x42));
	cr_expect_not(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x41), "an edge that was delivered before");
	vm_state_free(&now);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_restore, routes_are_set_before_lines_are_raised)
{
	struct irqchip_state s, now;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = with_timer(&vm, 0x10000);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 7, IOAPIC_RTE_LEVEL | 0x43);
	s.routes = calloc(1, sizeof(s.routes[0]));
	s.routes[0] = (struct irq_route){ .gsi = 21, .chip = IRQ_ROUTE_IOAPIC, .pin = 7 };
	s.nroutes = 1;
	s.lines = 1U << 21;
	restore(&vm, &s);
	now = vm_gather(&vm);
	cr_expect(lapic_bank_test(&now.lapics[0], LAPIC_IRR, 0x43));
	vm_state_free(&now);
	vm_state_free(&s);
	vm_close(&vm);
}

/* ---- x2APIC ---- */

Test(kvm_restore, the_form_of_x2apic_ids_is_that_of_the_target)
{
	static const uint32_t ids[] = { 0, 5, 9 };

	for (int wide = 0; wide <= 1; wide++) {
		struct irqchip_state s, now;
		struct kvm_lapic_state page;

		vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 3, .ids = ids, .ids_32bit = !wide });
		vm_open(&other, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 3, .ids = ids, .ids_32bit = wide });
		vm_x2apic(&vm);
		s = vm_gather(&vm);
		restore(&other, &s);
		page = vm_page(&other, 1);
		cr_expect_eq(vm_reg(&page, LAPIC_ID), wide ? 5 : 5 << 24);
		now = vm_gather(&other);
		vm_expect_same(&s, &now, (const char *const[]){ "tsc", "count_load_time", NULL });
		vm_state_free(&now);
		vm_state_free(&s);
		vm_close(&vm);
		vm_close(&other);
	}
}

/* Makes the kernel itself refuse a page, as an ID that is not the vCPU's does. */
static int wrong_id_once(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
			 void *arg, size_t size)
{
	struct writes *w = (struct writes *)port;

	if (request == KVM_SET_LAPIC && !w->n++) {
		struct kvm_lapic_state page = *(struct kvm_lapic_state *)arg;

		vm_put_reg(&page, LAPIC_ID, 77);
		return w->to->call(w->to, target, vcpu, request, &page, size);
	}
	return w->to->call(w->to, target, vcpu, request, arg, size);
}

Test(kvm_restore, a_set_lapic_that_fails_leaves_no_other_svr_behind)
{
	struct kvm_lapic_state page, before;
	struct irqs_error err = { 0 };
	struct irqchip_state s;
	struct writes w;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 2, .ids_32bit = true });
	vm_x2apic(&vm);
	before = page = vm_page(&vm, 1);
	vm_put_reg(&page, LAPIC_SVR, 0x1aa);
	vm_put_reg(&page, LAPIC_ID, 77);
	cr_assert_eq(vm_set_page(&vm, 1, &page), -EINVAL);
	page = vm_page(&vm, 1);
	cr_expect_eq(vm_reg(&page, LAPIC_SVR), 0x1aa, "the trap");
	cr_assert_eq(vm_set_page(&vm, 1, &before), 0);

	/* seen before anything changes */
	s = vm_gather(&vm);
	lapic_set_reg(&s.lapics[1], LAPIC_SVR, 0x1aa);
	reg_set(lapic_member("initial_id"), &s.lapics[1], 0, 77);
	cr_expect_eq(kvm_restore(vm.port, &vm.probe, NULL, &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "lapic[1].initial_id");
	page = vm_page(&vm, 1);
	cr_expect_eq(vm_reg(&page, LAPIC_SVR), 0xff);

	/* and when the kernel refuses a page all the same, the one from before is put back */
	reg_set(lapic_member("initial_id"), &s.lapics[1], 0, 1);
	s.nlapics = 2;
	w = (struct writes){ .port = { .call = wrong_id_once, .vcpu_ids = vm.ids, .nvcpus = 2 }, .to = vm.port };
	lapic_set_reg(&s.lapics[0], LAPIC_SVR, 0x1bb);
	cr_expect_eq(kvm_restore(&w.port, &vm.probe, NULL, &s, &err), -EINVAL);
	cr_expect(strstr(err.text, "vcpu[0]: KVM_SET_LAPIC"), "%s", err.text);
	page = vm_page(&vm, 0);
	cr_expect_eq(vm_reg(&page, LAPIC_SVR), 0xff);
	vm_state_free(&s);
	vm_close(&vm);
}

/* ---- what is refused changes nothing ---- */

struct refusal {
	const char *path;
	void (*spoil)(struct irqchip_state *s);
	struct vm_config config;
};

static void set_lapic(struct irqchip_state *s, const char *name, uint64_t value)
{
	reg_set(lapic_member(name), &s->lapics[0], 0, value);
}

static void svr_reserved(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_SVR, 0x5ff);
}
static void tpr_reserved(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_TPR, 0x100);
}
static void id_reserved(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_ID, 1);
}
static void lint_reserved(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_LVT0, 0x20000);
}
static void suppression(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_SVR, 0x11ff);
}
static void lvtcmci(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_LVTCMCI, 0x100f0);
}
static void timer_mode(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_LVTT, 0x70041);
}
static void timer_deadline(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_LVTT, 0x50041);
}
static void count_too_high(struct irqchip_state *s)
{
	lapic_set_reg(&s->lapics[0], LAPIC_LVTT, 0x10041);
	lapic_set_reg(&s->lapics[0], LAPIC_TMICT, 100);
	lapic_set_reg(&s->lapics[0], LAPIC_TMCCT, 101);
}
static void stray_deadline(struct irqchip_state *s)
{
	set_lapic(s, "tsc_deadline", 1234567);
}
static void base_reserved(struct irqchip_state *s)
{
	set_lapic(s, "apic_base", 0xfee00801);
}
static void base_x2apic_off(struct irqchip_state *s)
{
	set_lapic(s, "apic_base", 0xfee00400);
}
static void base_x2apic(struct irqchip_state *s)
{
	set_lapic(s, "apic_base", 0xfee00c00);
}
static void bad_mp_state(struct irqchip_state *s)
{
	set_lapic(s, "mp_state", 9);
}
static void halted(struct irqchip_state *s)
{
	set_lapic(s, "mp_state", LAPIC_MP_HALTED);
}
static void bad_vector(struct irqchip_state *s)
{
	set_lapic(s, "interrupt_injected", 256);
}
static void bad_exception(struct irqchip_state *s)
{
	set_lapic(s, "exception_nr", 40);
	set_lapic(s, "exception_injected", 1);
}
static void payload(struct irqchip_state *s)
{
	set_lapic(s, "exception_has_payload", 1);
}
static void triple_fault(struct irqchip_state *s)
{
	set_lapic(s, "triple_fault", 1);
}
static void smm(struct irqchip_state *s)
{
	set_lapic(s, "smm", 1);
}
static void nmi(struct irqchip_state *s)
{
	set_lapic(s, "nmi_injected", 2);
}
static void wall_clocks(struct irqchip_state *s)
{
	reg_set(lapic_member("wall_clock_msr"), &s->lapics[1], 0, 0x5000);
}
static void frequency(struct irqchip_state *s)
{
	set_lapic(s, "tsc_khz", (uint64_t)s->lapics[0].tsc_khz * 2);
}
static void other_mode(struct irqchip_state *s)
{
	s->mode = IRQCHIP_SPLIT;
}
static void more_vcpus(struct irqchip_state *s)
{
	s->nlapics++;
}
static void only_master(struct irqchip_state *s)
{
	memset(&s->pics[1], 0, sizeof(s->pics[1]));
}
static void only_slave(struct irqchip_state *s)
{
	memset(&s->pics[0], 0, sizeof(s->pics[0]));
}
static void pic_single(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pic_chip, "single_mode"), &s->pics[1], 0, 1);
}
static void pic_priority(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pic_chip, "priority_add"), &s->pics[0], 0, 8);
}
static void rte_reserved(struct irqchip_state *s)
{
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s->ioapic, 5, UINT64_C(1) << 40 | IOAPIC_RTE_MASKED);
}
static void version_20(struct irqchip_state *s)
{
	reg_set(reg_find_name(&ioapic_chip, "VER"), &s->ioapic, 0, 0x170020);
}
static void ioapic_pins(struct irqchip_state *s)
{
	reg_set(reg_find_name(&ioapic_chip, "irr"), &s->ioapic, 0, 1U << 24);
}
static void pit_state(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pit_chip, "mode"), &s->pit, 0, 2);
}
static void pit_mode(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pit_chip, "mode"), &s->pit, 2, 6);
}
static void pit_count_high(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pit_chip, "count"), &s->pit, 1, 0x10001);
}
static void pit_flags(struct irqchip_state *s)
{
	reg_set(reg_find_name(&pit_chip, "flags"), &s->pit, 0, 8);
}
static void route_pin(struct irqchip_state *s)
{
	static struct irq_route routes[] = { { .gsi = 1 }, { .gsi = 2, .chip = IRQ_ROUTE_PIC_SLAVE, .pin = 8 } };

	s->routes = routes;
	s->nroutes = 2;
}
static void route_chip(struct irqchip_state *s)
{
	static struct irq_route routes[] = { { .gsi = 1, .chip = IRQ_ROUTE_IOAPIC } };

	s->routes = routes;
	s->nroutes = 1;
}

#define FULL                                      \
	{                                         \
		.mode = IRQCHIP_FULL, .nvcpus = 2 \
	}
#define SPLIT                                      \
	{                                          \
		.mode = IRQCHIP_SPLIT, .nvcpus = 2 \
	}
#define NONE                                      \
	{                                         \
		.mode = IRQCHIP_NONE, .nvcpus = 2 \
	}

static const struct refusal refusals[] = {
	{ "lapic[0].SVR", svr_reserved, FULL },
	{ "lapic[0].TPR", tpr_reserved, SPLIT },
	{ "lapic[0].ID", id_reserved, FULL },
	{ "lapic[0].LVT0", lint_reserved, FULL },
	{ "lapic[0].SVR", suppression, FULL },
	{ "lapic[0].LVTCMCI", lvtcmci, FULL },
	{ "lapic[0].LVTT", timer_mode, FULL },
	{ "lapic[0].LVTT", timer_deadline, { .mode = IRQCHIP_FULL, .nvcpus = 2, .no_tsc_deadline = true } },
	{ "lapic[0].TMCCT", count_too_high, FULL },
	{ "lapic[0].tsc_deadline", stray_deadline, FULL },
	{ "lapic[0].apic_base", base_reserved, FULL },
	{ "lapic[0].apic_base", base_x2apic_off, FULL },
	{ "lapic[0].apic_base", base_x2apic, { .mode = IRQCHIP_FULL, .nvcpus = 2, .no_x2apic = true } },
	{ "lapic[0].mp_state", bad_mp_state, FULL },
	{ "lapic[0].mp_state", halted, NONE },
	{ "lapic[0].interrupt_injected", bad_vector, FULL },
	{ "lapic[0].exception_nr", bad_exception, FULL },
	{ "lapic[0].exception_has_payload", payload, FULL },
	{ "lapic[0].triple_fault", triple_fault, FULL },
	{ "lapic[0].nmi_injected", nmi, SPLIT },
	{ "lapic[1].wall_clock_msr", wall_clocks, FULL },
	{ "mode", other_mode, FULL },
	{ "lapic[2]", more_vcpus, FULL },
	{ "pic[1]", only_master, FULL },
	{ "pic[0]", only_slave, FULL },
	{ "pic[1].single_mode", pic_single, FULL },
	{ "pic[0].priority_add", pic_priority, FULL },
	{ "ioapic.RTE[5]", rte_reserved, FULL },
	{ "ioapic.VER", version_20, FULL },
	{ "ioapic.irr", ioapic_pins, FULL },
	{ "pit", pit_state, { .mode = IRQCHIP_FULL, .nvcpus = 2, .no_pit = true } },
	{ "pit.mode[2]", pit_mode, FULL },
	{ "pit.count[1]", pit_count_high, FULL },
	{ "pit.flags", pit_flags, FULL },
	{ "routes[1]", route_pin, FULL },
	{ "routes[0]", route_chip, SPLIT },
	{ "routes", route_chip, NONE },
};

/* Everything else in the state is another value too: any of it that were written would show. */
static void change_all(struct irqchip_state *s)
{
	for (unsigned int i = 0; i < s->nlapics; i++) {
		reg_set(lapic_member("nmi_masked"), &s->lapics[i], 0, 1);
		reg_set(lapic_member("poll_control_msr"), &s->lapics[i], 0, 0);
		reg_set(lapic_member("tsc_adjust"), &s->lapics[i], 0, 0x1000 + i);
		if (s->mode == IRQCHIP_NONE)
			continue;
		lapic_set_reg(&s->lapics[i], LAPIC_TPR, 0x33);
		lapic_bank_set(&s->lapics[i], LAPIC_ISR, 0x77);
	}
	if (s->mode != IRQCHIP_FULL)
		return;
	reg_set(reg_find_name(&pic_chip, "imr"), &s->pics[0], 0, 0x5a);
	reg_set(reg_find_name(&pic_chip, "imr"), &s->pics[1], 0, 0xa5);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s->ioapic, 1, IOAPIC_RTE_MASKED | 0x31);
}

static void expect_refused(const struct refusal *c, size_t i)
{
	static const char *const moving[] = { "tsc", NULL };
	struct irqchip_state s, before, now;
	struct lapic_state *spare;
	struct irqs_error err = { 0 };

	vm_open(&vm, c->config);
	before = vm_gather(&vm);
	s = vm_gather(&vm);
	spare = calloc(s.nlapics + 1, sizeof(*spare));
	memcpy(spare, s.lapics, s.nlapics * sizeof(*spare));
	free(s.lapics);
	s.lapics = spare;
	change_all(&s);
	c->spoil(&s);
	cr_expect_eq(kvm_restore(vm.port, &vm.probe, NULL, &s, &err), -EOPNOTSUPP, "%zu: %s", i, c->path);
	cr_expect_eq(err.status, IRQS_REFUSED, "%zu: %s", i, c->path);
	cr_expect_str_eq(err.path, c->path, "%zu: %s: %s", i, c->path, err.text);
	now = vm_gather(&vm);
	vm_expect_same(&before, &now, moving);
	vm_state_free(&before);
	vm_state_free(&now);
	free(s.lapics);
	vm_close(&vm);
}

Test(kvm_restore, what_is_refused_changes_nothing)
{
	for (size_t i = 0; i < REG_ARRAY_SIZE(refusals); i++)
		expect_refused(&refusals[i], i);
}

Test(kvm_restore, what_this_host_lacks_is_refused)
{
	static const struct refusal scaling = { "lapic[0].tsc_khz", frequency, FULL };
	static const struct refusal smi = { "lapic[0].smm", smm, FULL };

	vm_open(&vm, (struct vm_config)FULL);
	vm_close(&vm);
	if (!vm.probe.tsc_control)
		expect_refused(&scaling, 0);
	if (!vm.probe.smm)
		expect_refused(&smi, 1);
	if (vm.probe.tsc_control && vm.probe.smm)
		cr_skip_test("this host scales TSCs and has system management mode");
}

/* ---- parts, and ioctls that fail ---- */

Test(kvm_restore, one_part_leaves_the_others_as_they_are)
{
	struct kvm_restore_options options = { .parts = KVM_PART_PICS };
	struct irqchip_state s, now;
	struct irqs_error err = { 0 };

	vm_open(&vm, (struct vm_config)FULL);
	s = vm_gather(&vm);
	change_all(&s);
	cr_assert_eq(kvm_restore(vm.port, &vm.probe, &options, &s, &err), 0, "%s", err.text);
	now = vm_gather(&vm);
	cr_expect_eq(now.pics[0].imr, 0x5a);
	cr_expect_eq(now.pics[1].imr, 0xa5);
	cr_expect_eq(lapic_reg(&now.lapics[0], LAPIC_TPR), 0);
	cr_expect_eq(now.ioapic.redirtbl[1], IOAPIC_RTE_MASKED);
	cr_expect_eq(now.lapics[0].nmi_masked, 0);
	vm_state_free(&s);
	vm_state_free(&now);
	vm_close(&vm);
}

/* Fails the nth ioctl that changes something. */
struct failing {
	struct kvm_port port;
	struct kvm_port *to;
	unsigned int n, at;
	unsigned long request;
	bool failed, after;
};

static bool changes(unsigned long request)
{
	static const unsigned long requests[] = {
		KVM_SET_SREGS,
		KVM_SET_MSRS,
		KVM_SET_LAPIC,
		KVM_SET_MP_STATE,
		KVM_SET_VCPU_EVENTS,
		KVM_SET_IRQCHIP,
		KVM_SET_PIT2,
		KVM_SET_GSI_ROUTING,
		KVM_IRQ_LINE,
		KVM_SET_CLOCK,
		KVM_SET_CPUID2,
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(requests); i++)
		if (requests[i] == request)
			return true;
	return false;
}

static int fail_at(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		   size_t size)
{
	struct failing *f = (struct failing *)port;

	if (changes(request)) {
		/* but for a page that is put back */
		f->after = f->after || (f->failed && request != KVM_SET_LAPIC);
		if (f->n++ == f->at) {
			f->failed = true;
			f->request = request;
			return -EIO;
		}
	}
	return f->to->call(f->to, target, vcpu, request, arg, size);
}

Test(kvm_restore, each_ioctl_that_fails_is_named_and_ends_the_restore)
{
	struct irqchip_state s;
	unsigned int at = 0;
	struct failing f;

	vm_open(&vm, (struct vm_config)FULL);
	s = vm_gather(&vm);
	change_all(&s);
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s.ioapic, 9, IOAPIC_RTE_LEVEL | 0x40);
	s.lines = 1U << 9;
	s.routes = calloc(1, sizeof(s.routes[0]));
	s.routes[0] = (struct irq_route){ .gsi = 9, .chip = IRQ_ROUTE_IOAPIC, .pin = 9 };
	s.nroutes = 1;
	do {
		struct irqs_error err = { 0 };
		int rc;

		f = (struct failing){ .port = { .call = fail_at, .vcpu_ids = vm.ids, .nvcpus = 2 }, .to = vm.port, .at = at };
		rc = kvm_restore(&f.port, &vm.probe, NULL, &s, &err);
		if (!f.failed) {
			cr_expect_eq(rc, 0, "%s: %s", err.path, err.text);
			break;
		}
		if (f.request == KVM_SET_MSRS && !rc)
			continue; /* it has that value: not written, not wrong */
		cr_expect_eq(rc, -EIO, "ioctl %u", at);
		cr_expect_not(f.after, "ioctl %u: went on", at);
		cr_expect(strstr(err.text, "KVM_SET_") || strstr(err.text, "KVM_IRQ_LINE"), "%s", err.text);
		if (f.request == KVM_SET_LAPIC || f.request == KVM_SET_MSRS || f.request == KVM_SET_SREGS)
			cr_expect(strstr(err.text, "vcpu["), "%s", err.text);
	} while (++at);
	cr_expect_gt(at, 20, "only %u ioctls change something", at);
	vm_state_free(&s);
	vm_close(&vm);
}

/* Takes a value and keeps another: the read-back must see it. */
static int forgetful(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		     size_t size)
{
	struct writes *w = (struct writes *)port;

	if (request == KVM_SET_IRQCHIP || request == KVM_SET_LAPIC || request == KVM_SET_PIT2 ||
	    request == KVM_SET_VCPU_EVENTS || request == KVM_SET_SREGS || request == KVM_SET_MSRS)
		if (w->n == request)
			return request == KVM_SET_MSRS;
	return w->to->call(w->to, target, vcpu, request, arg, size);
}

Test(kvm_restore, what_reads_back_otherwise_is_named)
{
	static const struct {
		unsigned long request;
		const char *path;
	} cases[] = {
		{ KVM_SET_LAPIC, "lapic[0].TPR" },
		{ KVM_SET_IRQCHIP, "pic[0].imr" },
		{ KVM_SET_PIT2, "pit[0].count[2]" },
		{ KVM_SET_VCPU_EVENTS, "lapic[0].nmi_masked" },
		{ KVM_SET_MSRS, "lapic[0].tsc_adjust" },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(cases); i++) {
		struct irqs_error err = { 0 };
		struct irqchip_state s;
		struct writes w;

		vm_open(&vm, (struct vm_config)FULL);
		s = vm_gather(&vm);
		change_all(&s);
		reg_set(reg_find_name(&pit_chip, "count"), &s.pit, 2, 0x1234);
		w = (struct writes){ .port = { .call = forgetful, .vcpu_ids = vm.ids, .nvcpus = 2 }, .to = vm.port, .n = (unsigned int)cases[i].request };
		cr_expect_eq(kvm_restore(&w.port, &vm.probe, NULL, &s, &err), -EIO, "%s", cases[i].path);
		cr_expect_str_eq(err.path, cases[i].path, "%s: %s", err.path, err.text);
		vm_state_free(&s);
		vm_close(&vm);
	}
}

Test(kvm_restore, an_init_that_waits_is_not_taken_in_by_the_read_back)
{
	struct kvm_vcpu_events events;
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config)FULL);
	s = vm_gather(&vm);
	lapic_set_reg(&s.lapics[1], LAPIC_TPR, 0x40);
	reg_set(lapic_member("mp_state"), &s.lapics[1], 0, LAPIC_MP_RUNNABLE);
	reg_set(lapic_member("latched_init"), &s.lapics[1], 0, 1);
	restore(&vm, &s);
	cr_assert_eq(ioctl(vm.vcpus[1], KVM_GET_VCPU_EVENTS, &events), 0);
	cr_expect_eq(events.smi.latched_init, 1);
	vm_state_free(&s);
	vm_close(&vm);
}

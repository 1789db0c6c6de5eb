/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probe and gather on real KVM. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apic/abi.h"
#include "vm.h"

TestSuite(kvm_gather, .init = vm_have_kvm, .timeout = 60);

static struct vm vm;

/* Calls another port; one request can be made to fail, or to do something first. */
struct proxy {
	struct kvm_port port;
	struct kvm_port *to;
	unsigned long request;
	int rc;                        /* given instead of calling, when not 0 */
	uint32_t no_msr;               /* not there for KVM_GET_MSRS */
	void (*before)(struct vm *vm); /* called once, ahead of the request */
};

static int proxy_msrs(const struct proxy *p, unsigned int vcpu, void *arg)
{
	struct kvm_msrs *all = arg;
	uint32_t asked = all->nmsrs, n = 0;
	int rc;

	while (n < asked && all->entries[n].index != p->no_msr)
		n++;
	if (!n)
		return 0;
	all->nmsrs = n;
	rc = kvm_vcpu(p->to, vcpu, KVM_GET_MSRS, all, sizeof(*all) + n * sizeof(all->entries[0]));
	all->nmsrs = asked;
	return rc;
}

static int proxy_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
		      void *arg, size_t size)
{
	struct proxy *p = (struct proxy *)port;

	if (request == p->request && p->before) {
		void (*before)(struct vm *) = p->before;

		p->before = NULL;
		before(&vm);
	}
	if (request == p->request && p->rc)
		return p->rc;
	if (request == KVM_GET_MSRS && p->no_msr)
		return proxy_msrs(p, vcpu, arg);
	return p->to->call(p->to, target, vcpu, request, arg, size);
}

static struct proxy proxy(void)
{
	return (struct proxy){
		.port = { .call = proxy_call, .vcpu_ids = vm.ids, .nvcpus = vm.nvcpus },
		.to = vm.port,
	};
}

Test(kvm_gather, the_mode_of_a_vm_shows_by_the_answers_of_ioctls)
{
	for (enum irqchip_mode mode = IRQCHIP_NONE; mode <= IRQCHIP_FULL; mode++) {
		vm_open(&vm, (struct vm_config){ .mode = mode });
		cr_expect_eq(vm.probe.mode, mode);
		cr_expect_eq(vm.probe.pit, mode == IRQCHIP_FULL);
		cr_expect_eq(vm.probe.max_lvt, mode == IRQCHIP_NONE ? 0 : 5);
		cr_expect_eq(vm.probe.eoi_suppression, mode == IRQCHIP_SPLIT);
		cr_expect_geq(vm.probe.max_vcpus, 1);
		vm_close(&vm);
	}
}

Test(kvm_gather, a_full_irqchip_without_a_pit_is_seen)
{
	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .no_pit = true });
	cr_expect_not(vm.probe.pit);
	vm_close(&vm);
}

Test(kvm_gather, a_kernel_without_an_ioapic_is_no_full_irqchip)
{
	struct irqs_error err;
	struct kvm_probe probe;
	struct proxy p;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT });
	p = proxy();
	p.request = KVM_GET_IRQCHIP;
	p.rc = -ENOTTY;
	cr_assert_eq(kvm_probe_vm(&p.port, &probe, &err), 0, "%s", err.text);
	cr_expect_eq(probe.mode, IRQCHIP_SPLIT);
	p.rc = -EIO;
	cr_expect_eq(kvm_probe_vm(&p.port, &probe, &err), -EIO);
	cr_expect(strstr(err.text, "KVM_GET_IRQCHIP"), "%s", err.text);
	vm_close(&vm);
}

Test(kvm_gather, the_format_of_x2apic_ids_is_seen_in_use)
{
	struct kvm_probe probe;
	struct irqs_error err;

	for (int wide = 0; wide <= 1; wide++) {
		struct irqchip_state s;

		vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 3, .ids_32bit = wide });
		cr_expect_not(vm.probe.x2apic_32bit_ids);
		vm_x2apic(&vm);
		cr_assert_eq(kvm_probe_vm(vm.port, &probe, &err), 0);
		cr_expect_eq(probe.x2apic_32bit_ids, wide);
		s = vm_gather(&vm);
		for (unsigned int i = 0; i < 3; i++) {
			cr_expect_eq(lapic_reg(&s.lapics[i], LAPIC_ID), i << 24, "one form, whatever the VM shows");
			cr_expect_eq(s.lapics[i].initial_id, i);
		}
		vm_state_free(&s);
		vm_close(&vm);
	}
}

Test(kvm_gather, one_register_that_the_kernel_lacks_does_not_lose_the_others)
{
	const struct reg_row *lacking = NULL, *row = NULL;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 2 });
	while ((lacking = abi_msr(&lapic_chip, lacking))) {
		struct irqchip_state s = vm_state(IRQCHIP_FULL, 2);
		struct proxy p = proxy();
		struct irqs_error err;

		p.no_msr = lacking->abi_at;
		/* with the probe of the VM that has it: found out on the way; and with one of its own */
		for (int own = 0; own <= 1; own++) {
			cr_assert_eq(kvm_gather(&p.port, own ? NULL : &vm.probe, NULL, &s, &err), 0, "%s", err.text);
			for (unsigned int i = 0; i < 2; i++)
				while ((row = abi_msr(&lapic_chip, row)))
					cr_expect_eq(reg_known(row, &s.lapics[i], 0), row != lacking, "%s without %s", row->name,
						     lacking->name);
		}
		vm_state_free(&s);
	}
	vm_close(&vm);
}

Test(kvm_gather, what_the_kernel_did_not_say_is_not_known)
{
	static const char *const elsewhere[] = { "timer_expiry", "hflags", "halted", "sipi_vector", "triple_fault",
						 "wait_for_sipi" };
	struct irqchip_state s;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_NONE });
	s = vm_gather(&vm);
	cr_expect_eq(s.lapics[0].known[0], 0, "no register page without a LAPIC in the kernel");
	cr_expect(reg_known(lapic_member("apic_base"), &s.lapics[0], 0));
	cr_expect(reg_known(lapic_member("cr8"), &s.lapics[0], 0));
	cr_expect_eq(s.ioapic.known[0] | s.pics[0].known[0] | s.pics[1].known[0] | s.pit.known[0], 0);
	vm_state_free(&s);
	vm_close(&vm);

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = vm_gather(&vm);
	for (size_t i = 0; i < REG_ARRAY_SIZE(elsewhere); i++)
		cr_expect_not(reg_known(lapic_member(elsewhere[i]), &s.lapics[0], 0), "%s", elsewhere[i]);
	cr_expect_eq(s.lapics[0].exception_nr, -1);
	cr_expect_eq(s.lapics[0].interrupt_injected, -1);
	cr_expect_not(reg_known(lapic_member("timer_remaining"), &s.lapics[0], 0));
	cr_expect_eq(s.ioapic.version, 0x170011);
	cr_expect_not(reg_known(reg_find_name(&pit_chip, "count_load_time"), &s.pit, 0));
	cr_expect(reg_known(reg_find_name(&pit_chip, "count_load_time"), &s.pit, 1));
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_gather, a_failing_ioctl_is_named_with_its_vcpu)
{
	static const struct {
		unsigned long request;
		const char *named;
	} cases[] = {
		{ KVM_GET_MP_STATE, "vcpu[0]: KVM_GET_MP_STATE" },
		{ KVM_GET_LAPIC, "vcpu[0]: KVM_GET_LAPIC" },
		{ KVM_GET_MSRS, "vcpu[0]: KVM_GET_MSRS" },
		{ KVM_GET_SREGS, "vcpu[0]: KVM_GET_SREGS" },
		{ KVM_GET_REGS, "vcpu[0]: KVM_GET_REGS" },
		{ KVM_GET_VCPU_EVENTS, "vcpu[0]: KVM_GET_VCPU_EVENTS" },
		{ KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP" },
		{ KVM_GET_PIT2, "KVM_GET_PIT2" },
		{ KVM_GET_CLOCK, "KVM_GET_CLOCK" },
	};
	const struct kvm_gather_options partial = { .partial = true };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	for (size_t i = 0; i < REG_ARRAY_SIZE(cases); i++) {
		struct proxy p = proxy();
		struct irqs_error err;

		p.request = cases[i].request;
		p.rc = -EPERM;
		cr_expect_eq(kvm_gather(&p.port, &vm.probe, NULL, &s, &err), -EPERM, "%s", cases[i].named);
		cr_expect(strstr(err.text, cases[i].named), "%s", err.text);
		cr_expect_eq(kvm_gather(&p.port, &vm.probe, &partial, &s, &err), 0, "%s", cases[i].named);
		p.rc = -ESRCH;
		cr_expect_eq(kvm_gather(&p.port, &vm.probe, &partial, &s, &err), -ESRCH, "%s", cases[i].named);
	}
	vm_state_free(&s);
	vm_close(&vm);
}

/* out 0x80,al; jmp to itself */
static const uint8_t io_loop[] = { 0xe6, 0x80, 0xeb, 0xfc };

static void run_real_mode(const uint8_t *code, size_t size)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	memcpy(vm.memory + 0x1000, code, size);
	ioctl(vm.vcpus[0], KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ioctl(vm.vcpus[0], KVM_SET_SREGS, &sregs);
	ioctl(vm.vcpus[0], KVM_SET_REGS, &regs);
}

Test(kvm_gather, a_vcpu_that_waits_for_user_space_is_refused)
{
	struct kvm_gather_options options = { .runs = (const struct kvm_run *const *)vm.runs };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	cr_assert_eq(ioctl(vm.vcpus[0], KVM_RUN, 0), 0);
	cr_assert_eq(vm.runs[0]->exit_reason, KVM_EXIT_IO);
	cr_expect_eq(kvm_gather(vm.port, &vm.probe, &options, &s, &err), -EBUSY);
	cr_expect(strstr(err.text, "vcpu[0]"), "%s", err.text);
	vm.runs[0]->immediate_exit = 1;
	cr_assert_neq(ioctl(vm.vcpus[0], KVM_RUN, 0), 0);
	cr_expect_eq(kvm_gather(vm.port, &vm.probe, &options, &s, &err), 0);
	vm_state_free(&s);
	vm_close(&vm);
}

static void arm_one_shot(uint32_t count, uint32_t left)
{
	struct kvm_lapic_state page = vm_page(&vm, 0);

	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_TDCR, 0xb);
	vm_put_reg(&page, LAPIC_LVTT, 0x41);
	vm_put_reg(&page, LAPIC_TMICT, count);
	vm_put_reg(&page, LAPIC_TMCCT, left);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
}

Test(kvm_gather, a_timer_that_ran_out_but_was_not_injected_is_due)
{
	const struct kvm_gather_options settled = { .settle = kvm_own_settle };
	struct irqchip_state s;
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	arm_one_shot(1000000, 1000);
	usleep(2000);
	s = vm_gather(&vm);
	cr_assert_eq(lapic_reg(&s.lapics[0], LAPIC_TMCCT), 0);
	cr_expect_not(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41), "this is the trap: no register shows it");
	cr_expect(reg_known(lapic_member("timer_remaining"), &s.lapics[0], 0));
	cr_expect_eq(s.lapics[0].timer_remaining_ns, 0, "so it is due");

	cr_assert_eq(kvm_gather(vm.port, &vm.probe, &settled, &s, &err), 0, "%s", err.text);
	cr_expect(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41), "settled: it is requested");
	cr_expect_not(reg_known(lapic_member("timer_remaining"), &s.lapics[0], 0), "and will not come again");
	vm_state_free(&s);
	vm_close(&vm);
}

static int settle_slowly(struct kvm_port *port, unsigned int vcpu)
{
	int rc = kvm_own_settle(port, vcpu);

	usleep(20000);
	return rc;
}

Test(kvm_gather, a_timer_that_runs_out_behind_the_settling_is_requested)
{
	const struct kvm_gather_options slowly = { .settle = settle_slowly };
	static const uint32_t modes[] = { 0x41, 0x20041 };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	for (size_t i = 0; i < REG_ARRAY_SIZE(modes); i++) {
		struct kvm_lapic_state page = vm_page(&vm, 0);

		vm_put_reg(&page, LAPIC_SVR, 0x1ff);
		vm_put_reg(&page, LAPIC_TDCR, 0xb);
		vm_put_reg(&page, LAPIC_LVTT, modes[i]);
		vm_put_reg(&page, LAPIC_TMICT, 100000000);
		vm_put_reg(&page, LAPIC_TMCCT, 10000000);
		vm_put_reg(&page, LAPIC_IRR + 0x20, 0);
		cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
		cr_assert_eq(kvm_gather(vm.port, &vm.probe, &slowly, &s, &err), 0, "%s", err.text);
		page = vm_page(&vm, 0);
		cr_assert_eq(vm_reg(&page, LAPIC_IRR + 0x20), 0, "the kernel does not show it");
		cr_expect(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41), "LVTT %x", modes[i]);
	}
	vm_state_free(&s);
	vm_close(&vm);
}

static unsigned int settled;

/* As if the host's timer interrupt had not come yet, when it is asked first. */
static int settle_too_early(struct kvm_port *port, unsigned int vcpu)
{
	return settled++ ? kvm_own_settle(port, vcpu) : 0;
}

/* KVM computes the count from the time: it can be 0 ahead of the interrupt of the host's timer. */
Test(kvm_gather, a_count_that_is_over_ahead_of_its_interrupt_is_requested)
{
	const struct kvm_gather_options early = { .settle = settle_too_early };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	arm_one_shot(1000000, 1000);
	usleep(2000);
	cr_assert_eq(kvm_gather(vm.port, &vm.probe, &early, &s, &err), 0, "%s", err.text);
	cr_expect_eq(settled, 2);
	cr_expect(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41));
	/* requested, it is not waited for */
	cr_assert_eq(kvm_gather(vm.port, &vm.probe, &early, &s, &err), 0, "%s", err.text);
	cr_expect_eq(settled, 3);
	cr_expect(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41));
	vm_state_free(&s);
	vm_close(&vm);
}

/* A handler that arms the timer again before its EOI: the vector in service is that of the time before. */
Test(kvm_gather, a_vector_in_service_is_not_the_timer_that_ran_out_since)
{
	const struct kvm_gather_options slowly = { .settle = settle_slowly };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct kvm_lapic_state page;
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	arm_one_shot(100000000, 10000000);
	page = vm_page(&vm, 0);
	vm_put_reg(&page, LAPIC_TMCCT, 10000000);
	vm_put_reg(&page, LAPIC_ISR + 0x20, 2);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	cr_assert_eq(kvm_gather(vm.port, &vm.probe, &slowly, &s, &err), 0, "%s", err.text);
	cr_expect(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41));
	vm_state_free(&s);
	vm_close(&vm);
}

/* An interrupt that is injected is in neither bank where the LAPIC has no need of an EOI for it. */
Test(kvm_gather, a_timer_that_is_injected_does_not_come_twice)
{
	const struct kvm_gather_options slowly = { .settle = settle_slowly };
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct kvm_vcpu_events events;
	struct irqs_error err;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	run_real_mode(io_loop, sizeof(io_loop));
	arm_one_shot(100000000, 10000000);
	cr_assert_eq(ioctl(vm.vcpus[0], KVM_GET_VCPU_EVENTS, &events), 0);
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x41;
	cr_assert_eq(ioctl(vm.vcpus[0], KVM_SET_VCPU_EVENTS, &events), 0);
	cr_assert_eq(kvm_gather(vm.port, &vm.probe, &slowly, &s, &err), 0, "%s", err.text);
	cr_expect_eq(s.lapics[0].interrupt_injected, 0x41);
	cr_expect_not(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41));
	vm_state_free(&s);
	vm_close(&vm);
}

static void arm_deadline(uint64_t in_cycles)
{
	struct kvm_lapic_state page = vm_page(&vm, 0);

	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_LVTT, 0x40041);
	vm_put_reg(&page, LAPIC_IRR + 0x20, 0);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	cr_assert_eq(vm_set_msr(&vm, MSR_TSC_DEADLINE, vm_msr(&vm, MSR_TSC) + in_cycles), 1);
}

/* Posted, as hardware that needs no exit for it does: the deadline is gone, the vector was not in the page yet. */
static void fire_unseen(struct vm *v)
{
	vm_set_msr(v, MSR_TSC_DEADLINE, 0);
}

/* Ahead of the second read of the deadline, behind the page. */
static unsigned int deadline_reads;

static int deadline_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request,
			 void *arg, size_t size)
{
	struct proxy *p = (struct proxy *)port;
	const struct kvm_msrs *msrs = arg;

	if (request == KVM_GET_MSRS && msrs->nmsrs == 1 && msrs->entries[0].index == MSR_TSC_DEADLINE) {
		deadline_reads++;
		fire_unseen(&vm);
	}
	return p->to->call(p->to, target, vcpu, request, arg, size);
}

Test(kvm_gather, a_deadline_that_fires_between_the_two_reads_is_not_lost)
{
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct irqs_error err;
	struct proxy p;
	uint64_t deadline;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	arm_deadline(1000000000);
	deadline = vm_msr(&vm, MSR_TSC_DEADLINE);
	cr_assert_neq(deadline, 0);
	p = proxy();
	p.port.call = deadline_call;
	cr_assert_eq(kvm_gather(&p.port, &vm.probe, NULL, &s, &err), 0, "%s", err.text);
	cr_assert_eq(deadline_reads, 1);
	cr_expect_eq(vm_msr(&vm, MSR_TSC_DEADLINE), 0, "a single read behind the page would say this");
	cr_expect_not(lapic_bank_test(&s.lapics[0], LAPIC_IRR, 0x41), "and the page says this");
	cr_expect_eq(s.lapics[0].tsc_deadline, deadline);
	cr_expect(reg_known(lapic_member("timer_remaining"), &s.lapics[0], 0));
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_gather, a_deadline_whose_vector_is_requested_does_not_come_twice)
{
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 1);
	struct kvm_lapic_state page;
	struct irqs_error err;
	struct proxy p;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	arm_deadline(1000000000);
	page = vm_page(&vm, 0);
	vm_put_reg(&page, LAPIC_IRR + 0x20, 2);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	p = proxy();
	p.port.call = deadline_call;
	cr_assert_eq(kvm_gather(&p.port, &vm.probe, NULL, &s, &err), 0, "%s", err.text);
	cr_expect_eq(s.lapics[0].tsc_deadline, 0);
	cr_expect_not(reg_known(lapic_member("timer_remaining"), &s.lapics[0], 0));
	vm_state_free(&s);
	vm_close(&vm);
}

Test(kvm_gather, what_remains_of_a_timer_is_in_nanoseconds)
{
	static const uint32_t tdcr[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };
	struct irqchip_state s;
	double ns;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT });
	for (unsigned int i = 0; i < REG_ARRAY_SIZE(tdcr); i++) {
		struct kvm_lapic_state page = vm_page(&vm, 0);

		vm_put_reg(&page, LAPIC_LVTT, 0x41);
		vm_put_reg(&page, LAPIC_TDCR, tdcr[i]);
		vm_put_reg(&page, LAPIC_TMICT, 4000000000);
		vm_put_reg(&page, LAPIC_TMCCT, 3000000000);
		cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
		s = vm_gather(&vm);
		ns = 3e9 * lapic_divide(tdcr[i]);
		cr_expect_leq((double)s.lapics[0].timer_remaining_ns, ns);
		cr_expect_geq((double)s.lapics[0].timer_remaining_ns, ns - 1e9);
		vm_state_free(&s);
	}
	arm_deadline((uint64_t)vm.probe.max_lvt * 1000000000);
	s = vm_gather(&vm);
	ns = vm.probe.max_lvt * 1e15 / (double)s.lapics[0].tsc_khz;
	cr_expect_leq((double)s.lapics[0].timer_remaining_ns, ns);
	cr_expect_geq((double)s.lapics[0].timer_remaining_ns, ns - 1e9);
	vm_state_free(&s);
	vm_close(&vm);
}

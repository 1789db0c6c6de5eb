/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The linter on what real KVM says: nothing of a machine in order, and the traps of a restore by their names. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "apic/lint.h"
#include "vm.h"

TestSuite(kvm_lint, .init = vm_have_kvm, .timeout = 60);

#define PIN 9
#define VECTOR 0x31

static struct vm vm;
static char found[2048]; /* the findings of the last look: names, then texts */

static void note(void *ctx, const struct lint_finding *f)
{
	size_t used = strlen(found);

	(void)ctx;
	snprintf(found + used, sizeof(found) - used, "%s %s: %s\n", f->check->name, f->path, f->text);
}

/* Return: how many findings. */
static unsigned int look(void)
{
	struct irqchip_state s = vm_gather(&vm);
	struct lint_machine m = { .state = &s };
	unsigned int n;

	found[0] = '\0';
	n = lint_state(&m, note, NULL, NULL);
	vm_state_free(&s);
	return n;
}

static void expect_clean(const char *what)
{
	cr_expect_eq(look(), 0, "%s:\n%s", what, found);
}

static void expect_only(const char *check)
{
	cr_expect_eq(look(), 1, "not %s alone:\n%s", check, found);
	cr_expect(!strncmp(found, check, strlen(check)), "not %s:\n%s", check, found);
}

Test(kvm_lint, a_new_machine_of_every_kind_is_in_order)
{
	char what[64];

	for (enum irqchip_mode mode = IRQCHIP_NONE; mode <= IRQCHIP_FULL; mode++)
		for (unsigned int n = 1; n <= 4; n += 3)
			for (int x2apic = 0; x2apic < 2; x2apic++) {
				if (x2apic && mode == IRQCHIP_NONE)
					continue;
				vm_open(&vm, (struct vm_config){ .mode = mode, .nvcpus = n });
				if (x2apic)
					vm_x2apic(&vm);
				snprintf(what, sizeof(what), "%s, %u CPUs%s", irqchip_mode_name(mode), n,
					 x2apic ? ", x2APIC" : "");
				expect_clean(what);
				vm_close(&vm);
			}
}

/* One enabled LAPIC, and pin 9 level-triggered to it. */
static void open_pin(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_lapic_state page;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	page = vm_page(&vm, 0);
	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	cr_assert_eq(ioctl(vm.fd, KVM_GET_IRQCHIP, &chip), 0);
	chip.chip.ioapic.redirtbl[PIN].bits = IOAPIC_RTE_LEVEL | VECTOR;
	cr_assert_eq(ioctl(vm.fd, KVM_SET_IRQCHIP, &chip), 0);
}

static void raise_line(uint32_t gsi)
{
	struct kvm_irq_level line = { .irq = gsi, .level = 1 };

	cr_assert_eq(ioctl(vm.fd, KVM_IRQ_LINE, &line), 0);
}

Test(kvm_lint, a_level_interrupt_on_its_way_is_in_order)
{
	open_pin();
	raise_line(PIN);
	expect_clean("pin 9 delivered");
	vm_close(&vm);
}

/* KVM_SET_IRQCHIP delivers a pending pin at once: the LAPIC that is loaded afterwards does not have it. */
Test(kvm_lint, a_lapic_that_was_loaded_after_the_ioapic_is_found)
{
	struct kvm_lapic_state before;

	open_pin();
	before = vm_page(&vm, 0);
	raise_line(PIN);
	cr_assert_eq(vm_set_page(&vm, 0, &before), 0);
	expect_only("remote-irr-lost ioapic.rte[9]");
	vm_close(&vm);
}

static void set_timer(enum lapic_timer_mode mode, uint32_t count)
{
	struct kvm_lapic_state page = vm_page(&vm, 0);

	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_LVTT, (uint32_t)mode << 17 | 0xec);
	vm_put_reg(&page, LAPIC_TMICT, count);
	vm_put_reg(&page, LAPIC_TMCCT, count);
	vm_put_reg(&page, LAPIC_TDCR, 0xb);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
}

Test(kvm_lint, a_timer_that_runs_is_in_order_in_every_mode)
{
	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	set_timer(LAPIC_TIMER_ONE_SHOT, UINT32_C(4000000000));
	expect_clean("one-shot");
	set_timer(LAPIC_TIMER_PERIODIC, UINT32_C(4000000000));
	expect_clean("periodic");
	set_timer(LAPIC_TIMER_TSC_DEADLINE, 0);
	vm_set_msr(&vm, MSR_TSC_DEADLINE, vm_msr(&vm, MSR_TSC) + UINT64_C(1000000000000));
	cr_assert(vm_msr(&vm, MSR_TSC_DEADLINE));
	expect_clean("TSC deadline");
	vm_close(&vm);
}

/* RFLAGS of a new vCPU has IF clear, as the handler has that is about to write the next deadline. */
Test(kvm_lint, a_deadline_that_was_dropped_is_found)
{
	struct kvm_regs regs;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_set_msr(&vm, MSR_TSC_DEADLINE, vm_msr(&vm, MSR_TSC) + UINT64_C(1000000000000));
	set_timer(LAPIC_TIMER_TSC_DEADLINE, 0);
	expect_clean("no deadline, interrupts off");
	cr_assert_eq(ioctl(vm.vcpus[0], KVM_GET_REGS, &regs), 0);
	regs.rflags |= 0x200;
	cr_assert_eq(ioctl(vm.vcpus[0], KVM_SET_REGS, &regs), 0);
	expect_only("deadline-none apic[0].tsc_deadline");
	vm_close(&vm);
}

Test(kvm_lint, an_intr_that_no_lapic_takes_is_found)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_lapic_state page;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	cr_assert_eq(ioctl(vm.fd, KVM_GET_IRQCHIP, &chip), 0);
	chip.chip.pic.irq_base = 0x30;
	cr_assert_eq(ioctl(vm.fd, KVM_SET_IRQCHIP, &chip), 0);
	raise_line(1);
	expect_clean("IRQ 1, LINT0 is ExtINT");
	page = vm_page(&vm, 0);
	vm_put_reg(&page, LAPIC_LVT0, LAPIC_LVT_MASKED);
	cr_assert_eq(vm_set_page(&vm, 0, &page), 0);
	expect_only("extint-none i8259");
	vm_close(&vm);
}

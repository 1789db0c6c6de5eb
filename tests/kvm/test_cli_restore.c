/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift restore`: what this host's KVM makes of snapshots of VMs of its own. What is refused: test_restore.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cli_run.h"
#include "vm.h"

static void setup(void)
{
	vm_have_kvm();
	cli_folder();
}

TestSuite(cli_restore, .init = setup, .fini = cli_folder_remove);

static void expect_kept(struct vm *vm)
{
	struct irqchip_state s = vm_gather(vm);

	cli_save(&s, "s");
	cr_expect_eq(cli_run("restore s"), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, ", 0 wrong, "), "%s", cli_text);
	cr_expect_not(strstr(cli_text, "\nwrong "), "%s", cli_text);
	vm_state_free(&s);
}

static void ask_for_interrupts(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		struct kvm_lapic_state page = vm_page(vm, i);

		vm_put_reg(&page, LAPIC_SVR, 0x1ff);
		vm_put_reg(&page, LAPIC_IRR + 16 * 7, 1U << (12 + i));
		vm_put_reg(&page, LAPIC_LVTT, 0x20000 | (0x50 + i));
		vm_put_reg(&page, LAPIC_TMICT, 4000000000U + i);
		cr_assert_eq(vm_set_page(vm, i, &page), 0);
	}
}

Test(cli_restore, a_full_irqchip_is_kept)
{
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 3 });
	ask_for_interrupts(&vm);
	expect_kept(&vm);
	cr_expect(strstr(cli_text, "derived"), "%s", cli_text);
	cr_expect_eq(cli_run("restore --all s"), 0);
	cr_expect(strstr(cli_text, "kept      apic[2].IRR[7]"), "%s", cli_text);
	cr_expect(strstr(cli_text, "kept      i8259[1].imr"), "%s", cli_text);
	vm_close(&vm);
}

Test(cli_restore, a_split_irqchip_with_ids_of_its_own_is_kept)
{
	static const uint32_t ids[] = { 0, 7, 3 };
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 3, .ids = ids });
	ask_for_interrupts(&vm);
	expect_kept(&vm);
	cr_expect_eq(cli_run("restore --all s"), 0);
	cr_expect(strstr(cli_text, "apic[7].IRR[7]"), "%s", cli_text);
	cr_expect_not(strstr(cli_text, "i8259"), "%s", cli_text);
	vm_close(&vm);
}

Test(cli_restore, pages_of_paravirtual_registers_are_there)
{
	struct irqchip_state s;
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .memory = true });
	cr_assert_eq(vm_set_msr(&vm, 0x4b564d01, 0x3001), 1);
	cr_assert_eq(vm_set_msr(&vm, 0x4b564d04, 0x4001), 1);
	s = vm_gather(&vm);
	cr_assert_eq(s.lapics[0].pv_eoi_en_msr, 0x4001);
	expect_kept(&vm);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(cli_restore, what_is_refused_is_named)
{
	struct irqchip_state s;
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = vm_gather(&vm);
	s.lapics[0].apic_base |= 1;
	cli_save(&s, "s");
	cr_expect_eq(cli_run("restore s"), 3, "%s", cli_text);
	cr_expect(strstr(cli_text, "apic_base"), "%s", cli_text);
	cr_expect_not(strstr(cli_text, "kept"), "%s", cli_text);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(cli_restore, a_vcpu_that_kvm_cannot_make_is_refused)
{
	struct irqchip_state s;
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT });
	s = vm_gather(&vm);
	reg_set(lapic_member("initial_id"), &s.lapics[0], 0, 0x7fffffff);
	cli_save(&s, "s");
	cr_expect_eq(cli_run("restore s"), 3, "%s", cli_text);
	cr_expect(strstr(cli_text, "makes no vCPU 2147483647"), "%s", cli_text);
	vm_state_free(&s);
	vm_close(&vm);
}

Test(cli_restore, a_snapshot_that_is_cut_anywhere_is_malformed)
{
	struct irqchip_state s;
	struct stat st;
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	s = vm_gather(&vm);
	cli_save(&s, "s");
	cr_assert_eq(stat(cli_path("s"), &st), 0);
	for (off_t len = st.st_size - 1; len > 16; len -= 997) {
		cr_assert_eq(truncate(cli_path("s"), len), 0);
		cr_expect_eq(cli_run("restore s"), 4, "%ld bytes: %s", (long)len, cli_text);
		cr_expect(!strncmp(cli_text, "irqshift: ", 10) && strchr(cli_text, '\n') == strrchr(cli_text, '\n'), "%s", cli_text);
	}
	vm_state_free(&s);
	vm_close(&vm);
}

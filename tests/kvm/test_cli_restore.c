/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift restore`: what this host's KVM makes of snapshots of VMs of its own. What is refused: test_restore.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apic/snapshot.h"
#include "stream/native.h"
#include "vm.h"

static char path[] = "/tmp/irqshift-restore-XXXXXX";
static char text[65536];

static void setup(void)
{
	int fd;

	vm_have_kvm();
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(cli_restore, .init = setup, .fini = teardown);

static void save(const struct irqchip_state *s)
{
	FILE *f = fopen(path, "w");
	struct irqs_error err = { 0 };
	struct vms_tree t;

	cr_assert(f && !vms_tree_init(&t, NULL));
	cr_assert(!snapshot_to_tree(s, &t, &err), "%s", err.text);
	cr_assert(!native_write_tree(fileno(f), t.machine, 0, &err), "%s", err.text);
	fclose(f);
	vms_tree_deinit(&t);
}

/* Return: the exit status; what it printed is in text. */
static int restore(const char *options)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[1024];
	size_t used;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "'%s' restore %s %s 2>&1", program ? program : "build/irqshift", options, path);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

static void expect_kept(struct vm *vm)
{
	struct irqchip_state s = vm_gather(vm);

	save(&s);
	cr_expect_eq(restore(""), 0, "%s", text);
	cr_expect(strstr(text, ", 0 wrong, "), "%s", text);
	cr_expect_not(strstr(text, "\nwrong "), "%s", text);
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
	cr_expect(strstr(text, "derived"), "%s", text);
	cr_expect_eq(restore("--all"), 0);
	cr_expect(strstr(text, "kept      apic[2].IRR[7]"), "%s", text);
	cr_expect(strstr(text, "kept      i8259[1].imr"), "%s", text);
	vm_close(&vm);
}

Test(cli_restore, a_split_irqchip_with_ids_of_its_own_is_kept)
{
	static const uint32_t ids[] = { 0, 7, 3 };
	struct vm vm;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 3, .ids = ids });
	ask_for_interrupts(&vm);
	expect_kept(&vm);
	cr_expect_eq(restore("--all"), 0);
	cr_expect(strstr(text, "apic[7].IRR[7]"), "%s", text);
	cr_expect_not(strstr(text, "i8259"), "%s", text);
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
	save(&s);
	cr_expect_eq(restore(""), 3, "%s", text);
	cr_expect(strstr(text, "apic_base"), "%s", text);
	cr_expect_not(strstr(text, "kept"), "%s", text);
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
	save(&s);
	cr_expect_eq(restore(""), 3, "%s", text);
	cr_expect(strstr(text, "makes no vCPU 2147483647"), "%s", text);
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
	save(&s);
	cr_assert_eq(stat(path, &st), 0);
	for (off_t len = st.st_size - 1; len > 16; len -= 997) {
		cr_assert_eq(truncate(path, len), 0);
		cr_expect_eq(restore(""), 4, "%ld bytes: %s", (long)len, text);
		cr_expect(!strncmp(text, "irqshift: ", 10) && strchr(text, '\n') == strrchr(text, '\n'), "%s", text);
	}
	vm_state_free(&s);
	vm_close(&vm);
}

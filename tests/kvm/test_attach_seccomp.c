/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process whose threads have seccomp filters is read through those that may call, and survives. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/attach.h"
#include "tests/kvm/child_vmm.h"

TestSuite(attach_seccomp, .timeout = 60);

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

/* All system calls but ioctl(2), and of that one request (0: none); else @action. */
static void confine(unsigned long request, uint32_t action)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		IF_NOT(SYS_ioctl, 3),
		LOAD(args[1]),
		IF_NOT((uint32_t)request, 2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, action),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(3);
}

static void act_confined_errno(struct child_vmm *child)
{
	confine(0, SECCOMP_RET_ERRNO | EPERM);
	child_act_read(child);
}

static void act_confined_trap(struct child_vmm *child)
{
	confine(0, SECCOMP_RET_TRAP);
	child_act_read(child);
}

static void act_confined_kill(struct child_vmm *child)
{
	confine(0, SECCOMP_RET_KILL_PROCESS);
	child_act_read(child);
}

static void act_vm_only(struct child_vmm *child)
{
	confine(KVM_GET_IRQCHIP, SECCOMP_RET_KILL_PROCESS);
	child_act_read(child);
}

static void also_vcpu_only(struct child_vmm *child)
{
	(void)child;
	confine(KVM_GET_LAPIC, SECCOMP_RET_KILL_PROCESS);
	for (;;)
		pause();
}

static void also_free(struct child_vmm *child)
{
	(void)child;
	for (;;)
		pause();
}

/* @lapic, @irqchip: what the two requests shall return. */
static void expect_seccomp(void (*act)(struct child_vmm *), void (*also)(struct child_vmm *), int lapic, int irqchip)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;

	child->act = act;
	child->also = also;
	child_start(child);
	usleep(CHILD_SETTLE_US);
	attach = child_attach(child);
	for (unsigned int i = 0; i < 2; i++) {
		int rc = child_read_lapic(attach);

		cr_expect_eq(rc, lapic, "KVM_GET_LAPIC: %d", rc);
		rc = kvm_vm(&attach->port, KVM_GET_IRQCHIP, &chip, sizeof(chip));
		cr_expect_eq(rc, irqchip, "KVM_GET_IRQCHIP: %d", rc);
	}
	kvm_attach_end(attach, NULL);
	child_nudge(child);
	cr_expect(child_wait(&child->done, 2000), "the child did not survive");
	cr_expect_eq(child->result, 1);
	child_end(child);
}

Test(attach_seccomp, a_thread_without_filters_is_taken)
{
	if (child_skip())
		return;
	expect_seccomp(act_confined_errno, also_free, 0, 0);
	expect_seccomp(act_confined_trap, also_free, 0, 0);
	expect_seccomp(act_confined_kill, also_free, 0, 0);
}

Test(attach_seccomp, where_all_have_filters_each_call_finds_its_thread)
{
	if (child_skip())
		return;
	if (geteuid())
		cr_skip("filters are shown to CAP_SYS_ADMIN only");
	expect_seccomp(act_vm_only, also_vcpu_only, 0, 0);
}

Test(attach_seccomp, what_no_filter_allows_is_not_tried)
{
	if (child_skip())
		return;
	expect_seccomp(act_confined_kill, NULL, -EACCES, -EACCES);
	expect_seccomp(act_confined_trap, NULL, -EACCES, -EACCES);
	if (!geteuid())
		expect_seccomp(act_vm_only, NULL, -EACCES, 0);
}

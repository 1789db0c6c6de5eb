/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of VMs: what the descriptors of a process come to, its order, whose numbers it has. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm/vms_priv.h"

#define NO_PROCESS 0x7ffffff0 /* beyond PID_MAX_LIMIT */

static struct kvm_found_vm vm_fds[] = { { 10 }, { 20 } };

static struct kvm_vms list_of(pid_t pid, unsigned int nvms, const struct kvm_found_vcpu *vcpus, unsigned int nvcpus)
{
	struct kvm_found found = { .pid = pid, .vms = vm_fds, .nvms = nvms, .vcpus = (void *)vcpus, .nvcpus = nvcpus };
	struct kvm_vms vms = { 0 };

	cr_assert_eq(kvm_vms_add_found(&vms, &found), 0);
	kvm_vms_finish(&vms);
	return vms;
}

Test(vms, each_vm_of_a_process_has_its_vcpus)
{
	static const struct kvm_found_vcpu vcpus[] = { { 12, 0, 0 }, { 22, 0, 1 }, { 13, 1, 0 } };
	struct kvm_vms vms = list_of(getpid(), 2, vcpus, 3);

	cr_assert_eq(vms.nvms, 2);
	for (unsigned int i = 0; i < 2; i++) {
		cr_expect_eq(vms.vms[i].fd, vm_fds[i].fd);
		cr_expect_eq(vms.vms[i].index, (int)i);
		cr_expect(vms.vms[i].vcpus_known && !vms.vms[i].mode_known);
		cr_expect_neq(*vms.vms[i].comm, '\0');
	}
	cr_assert(vms.vms[0].nvcpus == 2 && vms.vms[1].nvcpus == 1);
	cr_expect(vms.vms[0].vcpus[1].id == 1 && vms.vms[0].vcpus[1].fd == 13);
	cr_expect(vms.vms[1].vcpus[0].id == 0 && vms.vms[1].vcpus[0].fd == 22);
	kvm_vms_deinit(&vms);
	cr_expect(!vms.vms && !vms.nvms);
}

/* Half an answer is none: a VM that seems to have one vCPU might have two. */
Test(vms, vcpus_of_which_one_is_not_told_are_not_counted)
{
	static const struct kvm_found_vcpu vcpus[] = { { 12, 0, 0 }, { 22, 0, 1 }, { 13, 1, -1 } };
	struct kvm_vms vms = list_of(getpid(), 2, vcpus, 3);

	cr_assert_eq(vms.nvms, 2);
	for (unsigned int i = 0; i < 2; i++)
		cr_expect(!vms.vms[i].vcpus_known && !vms.vms[i].nvcpus);
	kvm_vms_deinit(&vms);
}

Test(vms, vcpus_may_be_all_that_is_left_of_one)
{
	static const struct kvm_found_vcpu vcpus[] = { { 12, 0, -1 }, { 13, 1, -1 } };
	struct kvm_vms vms = list_of(getpid(), 0, vcpus, 2);

	cr_assert_eq(vms.nvms, 1);
	cr_expect(vms.vms[0].fd == -1 && vms.vms[0].index == -1);
	cr_expect(vms.vms[0].vcpus_known && vms.vms[0].nvcpus == 2);
	kvm_vms_deinit(&vms);
}

/* A VM has an identifier once: there are two, and whose the others are nobody says. */
Test(vms, two_vcpus_with_one_identifier_are_not_of_one_vm)
{
	static const struct kvm_found_vcpu vcpus[] = { { 12, 0, 0 }, { 13, 1, 0 }, { 22, 1, 0 } },
					   left[] = { { 12, 0, -1 }, { 13, 0, -1 } };
	struct kvm_vms vms = list_of(getpid(), 1, vcpus, 3);

	cr_assert_eq(vms.nvms, 1);
	cr_expect(!vms.vms[0].vcpus_known && !vms.vms[0].nvcpus);
	kvm_vms_deinit(&vms);
	vms = list_of(getpid(), 0, left, 2);
	cr_assert_eq(vms.nvms, 1);
	cr_expect(!vms.vms[0].vcpus_known && vms.vms[0].fd == -1);
	kvm_vms_deinit(&vms);
}

/* As kvm_attach() counts them. */
Test(vms, they_are_in_order_and_one_without_descriptor_has_no_index)
{
	static const struct kvm_vms_vm rows[] = { { .pid = 7, .fd = -1 }, { .pid = 9, .fd = 4 }, { .pid = 7, .fd = 30 }, { .pid = 7, .fd = 3 } };
	static const int wanted[][3] = { { 7, 3, 0 }, { 7, 30, 1 }, { 7, -1, -1 }, { 9, 4, 0 } };
	struct kvm_vms vms = { 0 };

	for (unsigned int i = 0; i < 4; i++)
		cr_assert_eq(kvm_vms_add(&vms, &rows[i]), 0);
	kvm_vms_finish(&vms);
	for (unsigned int i = 0; i < 4; i++) {
		const struct kvm_vms_vm *vm = &vms.vms[i];

		cr_expect(vm->pid == wanted[i][0] && vm->fd == wanted[i][1] && vm->index == wanted[i][2], "%u: %d %d %d", i, vm->pid,
			  vm->fd, vm->index);
	}
	kvm_vms_deinit(&vms);
}

Test(vms, a_process_without_any_is_no_error_and_none_at_all_is_one)
{
	struct kvm_vms vms = { 0 };
	struct irqs_error err = { 0 };

	cr_assert_eq(kvm_vms_proc(getpid(), &vms, &err), 0, "%s", err.text);
	cr_expect(!vms.nvms && !vms.denied);
	cr_expect_str_eq(vms.source, "proc");
	kvm_vms_deinit(&vms);
	cr_expect_eq(kvm_vms_proc(NO_PROCESS, &vms, &err), -ESRCH);
	cr_expect_eq(err.status, IRQS_SYSTEM);
	cr_expect(strstr(err.text, "process 2147483632"), "%s", err.text);
}

#define NO_NAMESPACE 77

/* The first child of who unshares is in the new namespace. Return: the exit status of that, or NO_NAMESPACE. */
static int in_a_new_namespace(int (*judge)(void))
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return NO_NAMESPACE;
	pid = fork();
	if (!pid)
		_exit(judge());
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int judge_foreign_proc(void)
{
	struct irqs_error err = { 0 };
	struct kvm_vms vms;

	return !(kvm_vms_proc(0, &vms, &err) == -EIO && strstr(err.text, "another pid namespace") &&
		 kvm_vms_proc(getpid(), &vms, &err) == -EIO);
}

/* A number there would be another process's. */
Test(vms, a_proc_of_another_pid_namespace_is_refused)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(in_a_new_namespace(judge_foreign_proc));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NAMESPACE) {
		cr_skip_test("no new pid namespace here");
		return;
	}
	cr_expect_eq(WEXITSTATUS(status), 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the irqchip of another process, which must not notice. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm/attach.h"
#include "kvm/find.h"
#include "kvm/runmap.h"
#include "tests/kvm/child_vmm.h"

#define ATTACHES 200

TestSuite(attach, .timeout = 60);

static struct kvm_attach *attach_vm(const struct child_vmm *child, unsigned int vm)
{
	struct kvm_attach *attach = NULL;
	struct irqs_error err = { .text = "" };

	cr_assert_eq(kvm_attach(child->pid, vm, &attach, &err), 0, "%s", err.text);
	return attach;
}

/* What the child's guest has is what the port reads. */
static void expect_lapics(struct kvm_attach *attach, const struct child_vmm *child, unsigned int vm)
{
	cr_assert_eq(attach->port.nvcpus, child->nvcpus);
	for (unsigned int i = 0; i < attach->port.nvcpus; i++) {
		struct kvm_lapic_state got, want;
		int rc = kvm_vcpu(&attach->port, i, KVM_GET_LAPIC, &got, sizeof(got));

		cr_assert_eq(rc, 0, "vCPU %u: %s", i, strerror(-rc));
		want = got;
		child_lapic(vm, i, &want);
		cr_expect_arr_eq(&got, &want, sizeof(got), "VM %u vCPU %u", vm, i);
		cr_expect_eq(attach->port.vcpu_ids[i], i);
	}
}

static void attach_once(const struct child_vmm *child)
{
	struct kvm_attach *attach = attach_vm(child, 0);

	expect_lapics(attach, child, 0);
	kvm_attach_end(attach, NULL);
}

/* ---- find ---- */

Test(attach, find_lists_each_vm_and_vcpu_once_though_descriptors_are_doubled)
{
	struct child_vmm *child = child_new();
	struct kvm_found found = { 0 };

	if (child_skip())
		return;
	child->nvms = 2;
	child->nvcpus = 2;
	child->dups = true;
	child_start(child);
	cr_assert_eq(kvm_find(child->pid, &found, NULL), 0);
	cr_expect_eq(found.nvms, 2);
	cr_assert_eq(found.nvcpus, 4);
	cr_expect_eq(found.nfds, 1 + 2 * 2 + 2 * 4, "%u", found.nfds);
	for (unsigned int i = 0; i < found.nvcpus; i++)
		cr_expect_eq(found.vcpus[i].fd, child->vcpus[i % 2][i / 2]);
	for (unsigned int i = 0; i < found.nfds; i++)
		cr_expect(found.fds[i].kind != KVM_FD_VCPU || found.fds[i].index < 4);
	cr_expect_eq(found.vms[1].fd, child->vms[1]);
	cr_expect_eq(found.nthreads, 1);
	kvm_found_deinit(&found);
	child_end(child);
}

Test(attach, a_process_without_vms_is_found_empty_and_not_attached_to)
{
	struct kvm_attach *attach = NULL;
	struct kvm_found found;
	struct irqs_error err;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	cr_assert_eq(kvm_find(pid, &found, NULL), 0);
	cr_expect_eq(found.nvms, 0);
	kvm_found_deinit(&found);
	cr_expect_eq(kvm_attach(pid, 0, &attach, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "has 0 VMs"), "%s", err.text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect_eq(kvm_attach(pid, 0, &attach, &err), -ESRCH, "%s", err.text);
	cr_expect_eq(kvm_attach(getpid(), 0, &attach, &err), -EINVAL, "%s", err.text);
}

Test(attach, runmap_shows_a_running_vcpu_without_a_stop)
{
	struct child_vmm *child = child_new();
	struct kvm_runmap map = { 0 };
	struct kvm_runmap_view view;
	struct irqs_error err = { .text = "" };

	if (child_skip())
		return;
	child->runs = true;
	child_start(child);
	while (!child->counts[0][0])
		usleep(1000);
	cr_assert_eq(kvm_runmap_open(child->pid, child->vcpus[0][0], &map, &err), 0, "%s", err.text);
	kvm_runmap_read(&map, &view);
	cr_expect(view.exit_reason == KVM_EXIT_IO || view.exit_reason == KVM_EXIT_UNKNOWN, "%u", view.exit_reason);
	cr_expect_eq(view.apic_base, 0xfee00900, "%llx", (unsigned long long)view.apic_base);
	cr_expect_eq(view.cr8, 1); /* of TPR 0x10 */
	cr_expect_not(view.interrupts_on);
	cr_expect_eq(view.synced, 0);
	kvm_runmap_close(&map);
	cr_expect_eq(kvm_runmap_open(child->pid, 9999, &map, &err), -EBADF, "%s", err.text);
	child_end(child);
}

/* ---- the port ---- */

static void read_for_us(struct child_vmm *child)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_mp_state state;

	child->acting = true;
	child->error = ioctl(child->vms[0], KVM_GET_IRQCHIP, &chip) || ioctl(child->vcpus[0][0], KVM_GET_MP_STATE, &state);
	child->took_ns = chip.chip.ioapic.base_address ^ (uint64_t)chip.chip.ioapic.redirtbl[0].bits << 32;
	child->result = (int)state.mp_state;
	child->done = true;
}

Test(attach, the_port_reads_what_the_process_itself_reads)
{
	struct child_vmm *child = child_new();
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry apic_base;
	} msrs = { { 1, 0 }, { 0x1b, 0, 0 } };
	struct kvm_attach_result result;
	struct kvm_mp_state state;
	struct kvm_attach *attach;

	if (child_skip())
		return;
	child->nvcpus = 4;
	child->act = read_for_us;
	child_start(child);
	cr_assert(child_wait(&child->done, 1000));
	attach = attach_vm(child, 0);
	expect_lapics(attach, child, 0);
	cr_expect_eq(kvm_vm(&attach->port, KVM_GET_IRQCHIP, &chip, sizeof(chip)), 0);
	cr_expect_eq(chip.chip.ioapic.base_address ^ (uint64_t)chip.chip.ioapic.redirtbl[0].bits << 32, child->took_ns);
	cr_expect_eq(kvm_vcpu(&attach->port, 0, KVM_GET_MP_STATE, &state, sizeof(state)), 0);
	cr_expect_eq(state.mp_state, (unsigned int)child->result);
	cr_expect_eq(kvm_vcpu(&attach->port, 0, KVM_GET_MSRS, &msrs, sizeof(msrs)), 1);
	cr_expect_eq(msrs.apic_base.data, 0xfee00900);
	cr_expect_eq(kvm_vm(&attach->port, KVM_CHECK_EXTENSION, (void *)KVM_CAP_IRQCHIP, 0), 1);
	cr_expect_eq(kvm_vcpu(&attach->port, 0, KVM_GET_IRQCHIP, &chip, sizeof(chip)), -EINVAL);
	cr_expect_eq(attach->vcpus[3].tid, 0);
	kvm_attach_end(attach, &result);
	cr_expect_eq(result.calls, 4 + 5 + 1, "%u", result.calls);
	cr_expect_eq(result.threads, 1);
	cr_expect_eq(child->error, 0);
	child_end(child);
}

Test(attach, two_hundred_in_a_row_leave_no_gap)
{
	struct child_vmm *child = child_new();
	uint64_t worst = 0, sum = 0;

	if (child_skip())
		return;
	child->nvcpus = CHILD_VCPUS;
	child->runs = true;
	child_start(child);
	for (unsigned int n = 0; n < ATTACHES; n++) {
		struct kvm_attach *attach = attach_vm(child, 0);
		struct kvm_attach_result result;

		expect_lapics(attach, child, 0);
		kvm_attach_end(attach, &result);
		sum += result.stop_ns;
		worst = result.stop_ns > worst ? result.stop_ns : worst;
	}
	cr_log_info("stopped for %llu us, at most %llu us", (unsigned long long)(sum / ATTACHES / 1000),
		    (unsigned long long)(worst / 1000));
	for (unsigned int i = 0; i < CHILD_VCPUS; i++) {
		uint64_t before = child->counts[0][i];

		for (unsigned int n = 0; n < 1000 && child->counts[0][i] == before; n++)
			usleep(1000);
		cr_expect_gt(child->counts[0][i], before, "vCPU %u stands", i);
	}
	cr_expect_eq(child->gaps, 0);
	cr_expect_eq(child->failures, 0);
	cr_expect_eq(child->interrupted, 0, "KVM_RUN returned EINTR %u times", child->interrupted);
	child_end(child);
}

Test(attach, halted_vcpus_are_met_in_kvm_run_and_stay_there)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;
	struct kvm_mp_state state;

	if (child_skip())
		return;
	child->nvcpus = 2;
	child->runs = child->halted = true;
	child_start(child);
	usleep(50000);
	for (unsigned int n = 0; n < 2; n++) {
		attach = attach_vm(child, 0);
		for (unsigned int i = 0; i < 2; i++) {
			cr_expect_neq(attach->vcpus[i].tid, 0);
			cr_expect_eq(attach->vcpus[i].unfinished, 0);
			cr_expect_eq(kvm_vcpu(&attach->port, i, KVM_GET_MP_STATE, &state, sizeof(state)), 0);
			cr_expect_eq(state.mp_state, KVM_MP_STATE_HALTED, "%u", state.mp_state);
		}
		kvm_attach_end(attach, NULL);
	}
	cr_expect_eq(child->interrupted, 0);
	cr_expect_eq(child->failures, 0);
	child_end(child);
}

/* Unfinished business: the VMM has taken an exit and thinks. */
static void run_to_exit(struct child_vmm *child)
{
	child->failures = ioctl(child->vcpus[0][0], KVM_RUN, 0) != 0;
	child->acting = true;
	for (;;)
		pause();
}

Test(attach, io_that_the_vmm_has_not_answered_is_told)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;

	if (child_skip())
		return;
	child->act = run_to_exit;
	child_start(child);
	attach = attach_vm(child, 0);
	cr_expect_eq(attach->vcpus[0].unfinished, KVM_EXIT_IO);
	cr_expect_eq(attach->vcpus[0].tid, 0);
	kvm_attach_end(attach, NULL);
	cr_expect_eq(child->failures, 0);
	child_end(child);
}

/* ---- several VMs ---- */

/* debugfs where the library looks for it, for this test only. */
static bool mount_debugfs(void)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) && !access("/sys/kernel/debug/kvm", X_OK);
}

static void two_vms(bool runs, bool dups)
{
	struct child_vmm *child = child_new();

	child->nvms = 2;
	child->nvcpus = 2;
	child->runs = runs;
	child->dups = dups;
	child_start(child);
	usleep(runs ? 50000 : 0);
	for (unsigned int vm = 0; vm < 2; vm++) {
		struct kvm_attach *attach = attach_vm(child, vm);

		expect_lapics(attach, child, vm);
		kvm_attach_end(attach, NULL);
	}
	cr_expect_eq(child->interrupted, 0);
	child_end(child);
}

Test(attach, two_vms_of_a_process_are_told_apart)
{
	if (child_skip())
		return;
	if (!mount_debugfs())
		cr_skip("no debugfs to mount");
	two_vms(true, false);
	two_vms(true, true);
}

Test(attach, two_vms_that_cannot_be_told_apart_are_refused)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;
	struct irqs_error err;

	if (child_skip())
		return;
	child->nvms = 2;
	child_start(child);
	/* Nothing has run: not even debugfs knows more than their numbers. */
	cr_expect_eq(kvm_attach(child->pid, 1, &attach, &err), -EOPNOTSUPP);
	cr_expect_not_null(strstr(err.text, "has 2 VMs"), "%s", err.text);
	cr_expect_eq(kvm_attach(child->pid, 2, &attach, &err), -EINVAL);
	child_end(child);
}

/* ---- the right to do it, and the end of it ---- */

Test(attach, without_the_right_it_is_refused_with_what_is_needed)
{
	struct child_vmm *child = child_new();
	int status = 0;
	pid_t other;

	if (child_skip())
		return;
	if (getuid())
		cr_skip("only root can become somebody else");
	child_start(child);
	other = fork();
	if (!other) {
		struct kvm_attach *attach;
		struct irqs_error err = { .text = "" };
		int rc;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		rc = kvm_attach(child->pid, 0, &attach, &err);
		_exit((rc == -EACCES || rc == -EPERM) && strstr(err.text, "CAP_SYS_PTRACE") ? 0 : 2);
	}
	waitpid(other, &status, 0);
	cr_expect_eq(status, 0, "%x", status);
	attach_once(child);
	child_end(child);
}

Test(attach, two_at_once_is_refused)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;
	int status = 0;
	pid_t other;

	if (child_skip())
		return;
	child_start(child);
	attach = attach_vm(child, 0);
	other = fork();
	if (!other) {
		struct kvm_attach *second;
		struct irqs_error err = { .text = "" };
		int rc = kvm_attach(child->pid, 0, &second, &err);

		_exit(rc == -EPERM && strstr(err.text, "debugs it") ? 0 : 2);
	}
	waitpid(other, &status, 0);
	cr_expect_eq(status, 0, "%x", status);
	kvm_attach_end(attach, NULL);
	child_end(child);
}

Test(attach, a_target_that_is_killed_ends_in_an_error)
{
	struct child_vmm *child = child_new();
	struct kvm_lapic_state lapic;
	struct kvm_attach *attach;
	int status = 0;

	if (child_skip())
		return;
	child->nvcpus = 2;
	child->runs = true;
	child_start(child);
	attach = attach_vm(child, 0);
	expect_lapics(attach, child, 0);
	kill(child->pid, SIGKILL);
	for (unsigned int n = 0; n < 3; n++)
		cr_expect_eq(kvm_vcpu(&attach->port, 0, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -ESRCH);
	kvm_attach_end(attach, NULL);
	/* It is still its parent's to wait for, and nothing else is left. */
	cr_expect_eq(waitpid(child->pid, &status, 0), child->pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
	cr_expect_eq(waitpid(-1, NULL, __WALL), -1);
}

/* The process is another one's child: that one hears of its end, and no thread of it is left. */
Test(attach, the_parent_of_a_killed_target_hears_of_it)
{
	struct child_vmm *child = child_new();
	struct kvm_lapic_state lapic;
	struct kvm_attach *attach;
	int status = 0;
	pid_t parent;

	if (child_skip())
		return;
	child->runs = true;
	parent = fork();
	if (!parent) {
		child_start(child);
		waitpid(child->pid, &status, 0);
		_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 1);
	}
	while (!child->counts[0][0])
		usleep(1000);
	attach = attach_vm(child, 0);
	kill(child->pid, SIGKILL);
	cr_expect_eq(kvm_vcpu(&attach->port, 0, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -ESRCH);
	kvm_attach_end(attach, NULL);
	cr_expect_eq(waitpid(parent, &status, 0), parent);
	cr_expect_eq(status, 0, "%x", status);
	cr_expect_eq(kill(child->pid, 0), -1);
}

/* The CPUs that a thread may run on. */
struct affinity {
	pid_t tid;
	cpu_set_t cpus;
};

static unsigned int affinities(pid_t pid, struct affinity *ret, unsigned int room)
{
	char folder[64];
	struct dirent *entry;
	unsigned int n = 0;
	DIR *tasks;

	snprintf(folder, sizeof(folder), "/proc/%d/task", pid);
	tasks = opendir(folder);
	cr_assert_not_null(tasks);
	while ((entry = readdir(tasks)) && n < room) {
		ret[n].tid = atoi(entry->d_name);
		if (ret[n].tid && !sched_getaffinity(ret[n].tid, sizeof(ret[n].cpus), &ret[n].cpus))
			n++;
	}
	closedir(tasks);
	return n;
}

/* The thread that makes the calls is bound to one CPU meanwhile. */
Test(attach, every_thread_may_run_where_it_might_before)
{
	struct child_vmm *child = child_new();
	struct affinity before[8];
	cpu_set_t first, after;
	unsigned int n;

	if (child_skip())
		return;
	child->runs = true;
	child->nvcpus = 2;
	child_start(child);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	cr_assert_eq(sched_setaffinity(child->pid, sizeof(first), &first), 0);
	n = affinities(child->pid, before, 8);
	cr_assert_geq(n, 3);
	for (unsigned int i = 0; i < 20; i++) {
		struct kvm_lapic_state lapic;
		struct kvm_attach *attach = attach_vm(child, 0);

		cr_expect_geq(kvm_vcpu(&attach->port, 0, KVM_GET_LAPIC, &lapic, sizeof(lapic)), 0);
		kvm_attach_end(attach, NULL);
	}
	/* KVM starts threads of its own in the process when a vCPU first runs: there may be more now */
	for (unsigned int i = 0; i < n; i++) {
		cr_assert_eq(sched_getaffinity(before[i].tid, sizeof(after), &after), 0);
		cr_expect(CPU_EQUAL(&before[i].cpus, &after), "thread %u", i);
	}
	child_end(child);
}

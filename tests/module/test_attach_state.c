/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process's VM, read by the module and by calls in the process: the same, but for what the calls need. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm/attach.h"
#include "kvm/gather.h"
#include "kvm/netlink.h"
#include "lab.h"
#include "tests/kvm/child_vmm.h"

/* Roles: root user. */
TestSuite(module_attach, .init = lab_have_module, .timeout = 120);

struct reading {
	struct irqchip_state state;
	struct kvm_attach_result result;
	int rc;
	struct irqs_error err;
};

static struct reading read_by(const struct child_vmm *child, enum kvm_attach_way way)
{
	struct reading r = { 0 };
	struct kvm_attach *a;

	r.rc = kvm_attach_by(child->pid, 0, way, &a, &r.err);
	if (r.rc)
		return r;
	r.state.lapics = calloc(a->port.nvcpus, sizeof(*r.state.lapics));
	r.rc = kvm_gather(&a->port, NULL, NULL, &r.state, &r.err);
	kvm_attach_end(a, &r.result);
	for (unsigned int i = 0; i < r.state.nlapics; i++)
		r.state.lapics[i].tsc = 0;
	return r;
}

/*
 * The module gives a thread of its own half a second for a call, which a machine that has no time may not grant it: then the
 * process is made to call after all. Not so every time.
 */
#define TRIES 10

static struct reading read_by_module(const struct child_vmm *child)
{
	struct reading r = read_by(child, KVM_ATTACH_ANY_WAY);

	for (int i = 1; i < TRIES && !r.rc && r.result.calls; i++) {
		free(r.state.lapics);
		r = read_by(child, KVM_ATTACH_ANY_WAY);
	}
	cr_expect_eq(r.rc, 0, "%s", r.err.text);
	cr_expect_eq(r.result.calls, 0, "%u calls all the same", r.result.calls);
	return r;
}

static void expect_same(const struct reading *a, const struct reading *b)
{
	cr_assert_eq(a->rc, 0, "%s", a->err.text);
	cr_assert_eq(b->rc, 0, "%s", b->err.text);
	cr_assert_eq(a->state.nlapics, b->state.nlapics);
	cr_expect_eq(memcmp(a->state.lapics, b->state.lapics, a->state.nlapics * sizeof(a->state.lapics[0])), 0);
	cr_expect_eq(memcmp(&a->state.ioapic, &b->state.ioapic, sizeof(a->state.ioapic)), 0);
	cr_expect_eq(memcmp(a->state.pics, b->state.pics, sizeof(a->state.pics)), 0);
	cr_expect_eq(memcmp(&a->state.pit, &b->state.pit, sizeof(a->state.pit)), 0);
	cr_expect_eq(a->state.mode, b->state.mode);
}

Test(module_attach, the_module_reads_what_calls_in_the_process_read)
{
	struct child_vmm *child = child_new();
	struct reading module, calls;

	child->nvcpus = CHILD_VCPUS;
	child_start(child);
	module = read_by_module(child);
	calls = read_by(child, KVM_ATTACH_CALLS);
	expect_same(&module, &calls);
	cr_expect_gt(module.result.answers, 7 * CHILD_VCPUS);
	cr_expect_eq(calls.result.answers, 0);
	cr_expect_gt(calls.result.calls, 7 * CHILD_VCPUS);
	printf("seen: stopped for %.3f ms by the module, %.3f ms by %u calls\n", (double)module.result.stop_ns * 1e-6,
	       (double)calls.result.stop_ns * 1e-6, calls.result.calls);
	free(module.state.lapics);
	free(calls.state.lapics);
	child_end(child);
}

Test(module_attach, a_guest_that_runs_is_read_and_goes_on)
{
	struct child_vmm *child = child_new();

	child->nvcpus = 2;
	child->runs = true;
	child_start(child);
	for (unsigned int i = 0; i < lab_count(100, 10); i++) {
		uint64_t before = child->counts[0][0];
		struct reading r = read_by_module(child);

		free(r.state.lapics);
		for (unsigned int ms = 0; ms < 10000 && child->counts[0][0] == before; ms++)
			usleep(1000);
		cr_assert_neq(child->counts[0][0], before, "it stands still");
	}
	cr_expect_eq(child->interrupted, 0);
	cr_expect_eq(child->gaps, 0);
	child_end(child);
}

/* From now on, who calls ioctl(2) dies. */
static void forbid_ioctl(struct child_vmm *child)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	child->result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	child->done = true;
	child->acting = true;
	for (;;)
		pause();
}

Test(module_attach, seccomp_filters_do_not_matter)
{
	struct child_vmm *child = child_new();
	struct reading module, calls;

	child->nvcpus = 2;
	child->act = forbid_ioctl;
	child_start(child);
	cr_assert(child_wait(&child->done, 5000));
	cr_assert_eq(child->result, 0);
	calls = read_by(child, KVM_ATTACH_CALLS);
	cr_expect_eq(calls.rc, -EACCES, "%s", calls.err.text);
	module = read_by(child, KVM_ATTACH_ANY_WAY);
	for (int i = 1; i < TRIES && module.rc == -EACCES; i++)
		module = read_by(child, KVM_ATTACH_ANY_WAY);
	cr_expect_eq(module.rc, 0, "%s", module.err.text);
	cr_expect_eq(module.result.calls, 0);
	cr_expect_eq(waitpid(child->pid, NULL, WNOHANG), 0, "it lives");
	free(module.state.lapics);
	free(calls.state.lapics);
	child_end(child);
}

/* Between the attachment and the reading. */
Test(module_attach, a_process_that_is_killed_ends_in_an_error)
{
	struct child_vmm *child = child_new();
	struct irqchip_state s = { .lapics = calloc(CHILD_VCPUS, sizeof(s.lapics[0])) };
	struct kvm_lapic_state page;
	struct irqs_error err = { 0 };
	struct kvm_attach *a;

	child->nvcpus = CHILD_VCPUS;
	child->runs = true;
	child_start(child);
	cr_assert_eq(kvm_attach(child->pid, 0, &a, &err), 0, "%s", err.text);
	kill(child->pid, SIGKILL);
	cr_expect_eq(kvm_vcpu(&a->port, 0, KVM_GET_LAPIC, &page, sizeof(page)), -ESRCH);
	cr_expect_eq(kvm_gather(&a->port, NULL, NULL, &s, &err), -ESRCH, "%s", err.text);
	kvm_attach_end(a, NULL);
	cr_expect_eq(waitpid(child->pid, NULL, 0), child->pid);
	free(s.lapics);
}

/* ---- what the module says of VMs ---- */

Test(module_attach, the_vms_are_those_of_proc)
{
	struct child_vmm *child = child_new();
	struct kvm_netlink_vms vms = { 0 };
	struct kvm_netlink *nl;
	struct irqs_error err = { 0 };
	char name[64];
	FILE *mem;
	unsigned int found = 0;

	child->nvms = 2;
	child->nvcpus = 3;
	child_start(child);
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)child->pid);
	mem = fopen(name, "r+e");
	cr_assert_not_null(mem);
	cr_assert_eq(kvm_netlink_open(&nl, &err), 0, "%s", err.text);
	cr_assert_eq(kvm_netlink_list_vms(nl, fileno(mem), &vms, &err), 0, "%s", err.text);
	for (unsigned int i = 0; i < vms.nvms; i++) {
		if (vms.vms[i].pid != child->pid)
			continue;
		cr_expect_eq(vms.vms[i].fd, child->vms[found]);
		cr_expect_eq(vms.vms[i].mode, IRQCHIP_FULL);
		cr_assert_eq(vms.vms[i].nvcpus, 3);
		for (unsigned int v = 0; v < 3; v++) {
			cr_expect_eq(vms.vms[i].vcpus[v].id, v);
			cr_expect_eq(vms.vms[i].vcpus[v].fd, child->vcpus[found][v]);
		}
		found++;
	}
	cr_expect_eq(found, 2);
	kvm_netlink_vms_deinit(&vms);
	kvm_netlink_close(nl);
	fclose(mem);
	child_end(child);
}

Test(module_attach, the_module_says_what_it_is)
{
	struct kvm_netlink_info info = { 0 };
	struct kvm_netlink *nl;
	struct irqs_error err = { 0 };

	cr_assert_eq(kvm_netlink_open(&nl, &err), 0, "%s", err.text);
	cr_assert_eq(kvm_netlink_info(nl, &info, &err), 0, "%s", err.text);
	cr_expect_eq(info.abi, IRQSHIFT_ABI);
	cr_expect(info.features & IRQSHIFT_FEATURE_GATHER);
	cr_expect(info.features & IRQSHIFT_FEATURE_STATE);
	kvm_netlink_close(nl);
}

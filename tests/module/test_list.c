/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LIST_VMS: each VM with its owner, its descriptors and its kind of irqchip, for who may know. Roles: root user. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "genl.h"
#include "lab.h"
#include "still_vm.h"

#define MOST_VMS 64

struct listed_vm {
	uint32_t pid, fd, irqchip, messages;
	bool has_fd;
	unsigned int nvcpus;
	uint32_t ids[STILL_VCPUS], fds[STILL_VCPUS];
};

static struct {
	struct genl genl;
	struct genl_message message;
	struct listed_vm vms[MOST_VMS];
	unsigned int nvms;
	bool more;
} bed;

static void take_vcpus(struct listed_vm *vm, const uint8_t *attributes, size_t size)
{
	size_t at = 0, length;
	const uint8_t *nest;

	while ((nest = genl_find(attributes + at, size - at, IRQSHIFT_A_VCPU, &length))) {
		cr_assert_lt(vm->nvcpus, STILL_VCPUS);
		vm->ids[vm->nvcpus] = genl_u32(nest, length, IRQSHIFT_A_VCPU_ID);
		vm->fds[vm->nvcpus++] = genl_u32(nest, length, IRQSHIFT_A_VCPU_FD);
		at = (size_t)(nest - attributes) + NLA_ALIGN(length);
	}
}

static void take(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	struct listed_vm head = { .pid = genl_u32(attributes, size, IRQSHIFT_A_PID),
				  .fd = genl_u32(attributes, size, IRQSHIFT_A_VM_FD),
				  .irqchip = genl_u32(attributes, size, IRQSHIFT_A_IRQCHIP) };
	struct listed_vm *vm = &bed.vms[bed.nvms - bed.more];
	size_t length;

	(void)arg;
	cr_assert_eq(command, IRQSHIFT_GENL_LIST_VMS);
	cr_assert_lt(vm - bed.vms, MOST_VMS);
	head.has_fd = genl_find(attributes, size, IRQSHIFT_A_VM_FD, &length);
	if (bed.more) {
		cr_expect(vm->pid == head.pid && vm->fd == head.fd && vm->irqchip == head.irqchip && vm->has_fd == head.has_fd);
	} else {
		*vm = head;
		bed.nvms++;
	}
	vm->messages++;
	take_vcpus(vm, attributes, size);
	bed.more = genl_find(attributes, size, IRQSHIFT_A_MORE, &length);
}

/* @mem: -1: without a proof. */
static int list(int mem)
{
	int rc;

	bed.nvms = 0;
	bed.more = false;
	genl_begin(&bed.genl, &bed.message, IRQSHIFT_GENL_LIST_VMS, NLM_F_DUMP);
	if (mem >= 0)
		genl_put_u32(&bed.message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
	rc = genl_send(&bed.genl, &bed.message, take, NULL);
	cr_expect(!bed.more);
	return rc;
}

static const struct listed_vm *find(pid_t pid, int fd)
{
	for (unsigned int i = 0; i < bed.nvms; i++)
		if (bed.vms[i].pid == (uint32_t)pid && bed.vms[i].has_fd && bed.vms[i].fd == (uint32_t)fd)
			return &bed.vms[i];
	return NULL;
}

static unsigned int of_process(pid_t pid)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < bed.nvms; i++)
		n += bed.vms[i].pid == (uint32_t)pid;
	return n;
}

static void expect_vcpus(const struct listed_vm *listed, const struct still_vm *vm)
{
	cr_assert_not_null(listed);
	cr_expect_eq(listed->nvcpus, vm->nvcpus);
	for (unsigned int i = 0; i < vm->nvcpus && i < listed->nvcpus; i++) {
		cr_expect_eq(listed->ids[i], i);
		cr_expect_eq(listed->fds[i], (uint32_t)vm->vcpus[i], "vCPU %u: %u", i, listed->fds[i]);
	}
}

static void make_bed(void)
{
	lab_have_module();
	cr_assert_eq(genl_open(&bed.genl), 0);
}

Test(list, the_callers_own_vms_with_each_kind_of_irqchip)
{
	static const uint32_t irqchips[] = { IRQSHIFT_IRQCHIP_NONE, IRQSHIFT_IRQCHIP_SPLIT, IRQSHIFT_IRQCHIP_KERNEL };
	struct still_vm vms[3];

	make_bed();
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 0);
	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(still_vm_open(&vms[i], i + 1, (enum still_irqchip)i, false), 0);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 3);
	for (unsigned int i = 0; i < 3; i++) {
		const struct listed_vm *listed = find(getpid(), vms[i].fd);

		expect_vcpus(listed, &vms[i]);
		cr_expect_eq(listed->irqchip, irqchips[i], "%u", listed->irqchip);
		cr_expect_eq(listed->messages, 1);
	}
	for (unsigned int i = 0; i < 3; i++)
		still_vm_close(&vms[i]);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 0);
}

Test(list, an_object_has_its_lowest_descriptor_and_a_vm_may_have_none)
{
	struct still_vm vm;
	int low, vcpu;

	make_bed();
	low = open("/dev/null", O_RDONLY | O_CLOEXEC);
	vcpu = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(still_vm_open(&vm, 3, STILL_KERNEL, false), 0);
	cr_assert_eq(dup2(vm.fd, low), low);
	cr_assert_eq(dup2(vm.vcpus[1], vcpu), vcpu);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 1);
	cr_assert_not_null(find(getpid(), low));
	cr_expect_eq(find(getpid(), low)->fds[1], (uint32_t)vcpu);
	close(low);
	close(vm.fd);
	cr_assert_eq(list(-1), 0);
	cr_assert_eq(of_process(getpid()), 1);
	cr_expect(!bed.vms[0].has_fd || strcmp(lab_role(), "root") == 0);
	for (unsigned int i = 0; i < bed.nvms; i++)
		if (bed.vms[i].pid == (uint32_t)getpid()) {
			cr_expect(!bed.vms[i].has_fd);
			cr_expect_eq(bed.vms[i].nvcpus, 3);
		}
}

/* What fits goes by the largest buffer that the reader has offered: a socket that has not read yet gets less. */
Test(list, many_vcpus_come_in_several_messages)
{
	struct still_vm vm, small;

	make_bed();
	close(bed.genl.fd);
	bed.genl.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	cr_assert_eq(still_vm_open(&small, 1, STILL_KERNEL, false), 0);
	cr_assert_eq(still_vm_open(&vm, 400, STILL_KERNEL, true), 0);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 2);
	expect_vcpus(find(getpid(), small.fd), &small);
	expect_vcpus(find(getpid(), vm.fd), &vm);
	cr_expect_gt(find(getpid(), vm.fd)->messages, 1);
	printf("seen 400 vCPUs in %u messages\n", find(getpid(), vm.fd)->messages);
}

Test(list, the_vm_of_another_process_for_who_may_know)
{
	bool root = strcmp(lab_role(), "root") == 0;
	struct still_child *child;
	int mem, vm;

	make_bed();
	child = still_child_start(2, STILL_SPLIT);
	cr_assert_not_null(child);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(child->pid), root, "a plain user sees its own VMs");
	mem = still_mem(child->pid, O_RDWR);
	cr_assert_geq(mem, 0);
	cr_assert_eq(list(mem), 0);
	cr_expect_eq(bed.nvms, 1);
	expect_vcpus(find(child->pid, child->vm.fd), &child->vm);
	cr_expect_eq(bed.vms[0].irqchip, IRQSHIFT_IRQCHIP_SPLIT);

	/* a descriptor that was passed on makes no owner */
	vm = still_child_get(child, child->vm.fd);
	cr_assert_geq(vm, 0);
	cr_assert_eq(list(-1), 0);
	cr_expect_eq(of_process(getpid()), 0);
	close(vm);
	still_child_end(child);
	cr_assert_eq(list(mem), 0);
	cr_expect_eq(bed.nvms, 0);
	close(mem);
}

Test(list, a_proof_that_is_none_is_refused)
{
	int fd;

	make_bed();
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cr_expect_eq(list(fd), -EACCES);
	cr_expect_eq(list(1000000), -EBADF);
	close(fd);
	fd = still_mem(getpid(), O_RDONLY);
	cr_expect_eq(list(fd), -EACCES);
	close(fd);
	fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(list(fd), -EACCES);
	close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process without rights, and one with all rights of a user namespace of its own, gets of a VM of root's: nothing, with
 * -EPERM or -EACCES, even where it was handed descriptors of it. Roles: root.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "busy_vm.h"
#include "genl.h"
#include "lab.h"
#include "uring.h"

#define PLAIN 1000

/* What the unprivileged process found, in shared memory. */
struct found {
	int device, mem, vm, proof, borrowed, gather, entry;
	int list, listed, list_with_own, state_with_own, state_readonly;
	int subscribe, subscribe_with_own, join;
	bool done;
};

static struct busy_child *vm;
static struct found *found;
static struct genl_message message;

static void make_bed(void)
{
	lab_have_module();
	lab_root_only();
	vm = busy_child_new();
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(found, MAP_FAILED);
	cr_assert_eq(busy_child_start(vm, 1), 0);
}

static void end_all(void)
{
	if (vm)
		lab_kill(vm->pid);
}

static void count_vms(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	(void)command;
	(void)attributes;
	(void)size;
	++*(int *)arg;
}

static int list(struct genl *g, int mem, int *n)
{
	genl_begin(g, &message, IRQSHIFT_GENL_LIST_VMS, NLM_F_DUMP);
	if (mem >= 0)
		genl_put_u32(&message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
	return genl_send(g, &message, count_vms, n);
}

static int state(struct genl *g, int mem, int fd)
{
	size_t nest;

	genl_begin(g, &message, IRQSHIFT_GENL_GET_STATE, 0);
	genl_put_u32(&message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
	nest = genl_nest(&message, IRQSHIFT_A_ENTRY);
	genl_put_u32(&message, IRQSHIFT_A_KVM_FD, (uint32_t)fd);
	genl_put_u32(&message, IRQSHIFT_A_COMMAND, KVM_GET_PIT2);
	genl_nest_end(&message, nest);
	return genl_send(g, &message, NULL, NULL);
}

static int subscribe(struct genl *g, int mem)
{
	genl_begin(g, &message, IRQSHIFT_GENL_SUBSCRIBE, 0);
	if (mem >= 0)
		genl_put_u32(&message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
	return genl_send(g, &message, NULL, NULL);
}

/* With descriptors of the VM and of the device that somebody with rights has handed over. */
static void try_device(int device, int borrowed)
{
	struct kvm_pit_state2 pit;
	struct irqshift_entry e = { .fd = borrowed, .command = KVM_GET_PIT2, .data = (uintptr_t)&pit, .size = sizeof(pit) };
	struct io_uring ring;

	io_uring_queue_init(4, &ring, 0);
	found->gather = uring_batch(&ring, device, IRQSHIFT_URING_GATHER, &e, 1, 0, 0);
	found->entry = e.result;
}

static void try_all(int device, int borrowed)
{
	int own = open("/proc/self/mem", O_RDWR | O_CLOEXEC), readonly = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), n = 0;
	struct genl g;

	found->device = open("/dev/irqshift", O_RDWR) < 0 ? -errno : 0;
	found->mem = busy_child_mem(vm);
	found->vm = busy_child_get(vm, vm->fd);
	try_device(device, borrowed);
	if (genl_open(&g))
		return;
	found->list = list(&g, -1, &found->listed);
	found->list_with_own = list(&g, own, &n);
	found->listed += n;
	found->state_with_own = state(&g, own, borrowed);
	found->state_readonly = state(&g, readonly, borrowed);
	found->subscribe = subscribe(&g, -1);
	found->subscribe_with_own = subscribe(&g, own);
	found->join = genl_join(&g);
	found->done = true;
}

/* As another user in a process that may not be traced by it either. */
static void be_plain(void)
{
	if (setgroups(0, NULL) || setresgid(PLAIN, PLAIN, PLAIN) || setresuid(PLAIN, PLAIN, PLAIN))
		_exit(1);
	/* or its own /proc/self belongs to root */
	prctl(PR_SET_DUMPABLE, 1);
}

static void try_as(bool namespaces)
{
	int device = open("/dev/irqshift", O_RDWR | O_CLOEXEC), borrowed = busy_child_get(vm, vm->fd);
	pid_t pid;

	cr_assert_geq(device, 0);
	cr_assert_geq(borrowed, 0);
	memset(found, 0, sizeof(*found));
	pid = fork();
	if (!pid) {
		be_plain();
		if (!namespaces || !unshare(CLONE_NEWUSER | CLONE_NEWNET))
			try_all(device, borrowed);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	cr_assert(found->done);
	close(device);
	close(borrowed);
}

static void expect_nothing(void)
{
	cr_expect_eq(found->device, -EACCES, "open(/dev/irqshift): %d", found->device);
	cr_expect_eq(found->mem, -EACCES, "open(/proc/PID/mem): %d", found->mem);
	cr_expect_eq(found->vm, -EPERM, "pidfd_getfd(): %d", found->vm);
	cr_expect_eq(found->gather, 0, "a batch with a handed descriptor: %d", found->gather);
	cr_expect_eq(found->entry, -EIO, "and its entry, as from the ioctl: %d", found->entry);
	cr_expect_eq(found->list, 0, "LIST_VMS: %d", found->list);
	cr_expect_eq(found->list_with_own, 0, "LIST_VMS of itself: %d", found->list_with_own);
	cr_expect_eq(found->listed, 0, "VMs listed");
	cr_expect_eq(found->state_with_own, -EACCES, "GET_STATE with its own memory as a proof: %d", found->state_with_own);
	cr_expect_eq(found->state_readonly, -EACCES, "GET_STATE with a proof that is for reading only: %d", found->state_readonly);
	cr_expect_eq(found->subscribe, -EPERM, "SUBSCRIBE: %d", found->subscribe);
	cr_expect_eq(found->subscribe_with_own, -EPERM, "SUBSCRIBE to itself, which takes CAP_PERFMON: %d", found->subscribe_with_own);
}

Test(rights, a_plain_user_gets_nothing_of_what_is_not_its_own, .init = make_bed, .fini = end_all, .timeout = 60)
{
	try_as(false);
	expect_nothing();
	cr_expect_eq(found->join, -EPERM, "the group: %d", found->join);
}

/* The group can be joined in a network namespace of one's own, and nothing is ever sent there. */
Test(rights, being_root_in_a_namespace_of_ones_own_does_not_help, .init = make_bed, .fini = end_all, .timeout = 60)
{
	try_as(true);
	expect_nothing();
}

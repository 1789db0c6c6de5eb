/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/child_vmm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GUEST_AT 0x1000
#define GUEST_BYTES 0x4000
#define PORT 0x10
#define LIFE_S 60
#define RUN_BYTES 8192 /* with the page that PIO data is in */

/* inc ax; out PORT, ax; jmp: 16 bits. */
static const unsigned char counting[] = { 0x40, 0xe7, PORT, 0xeb, 0xfb };
/* hlt; jmp */
static const unsigned char halting[] = { 0xf4, 0xeb, 0xfd };

struct runner {
	struct child_vmm *child;
	unsigned int vm, vcpu;
};

bool child_skip(void)
{
	if (!access("/dev/kvm", R_OK | W_OK))
		return false;
	cr_skip("/dev/kvm: %s", strerror(errno));
	return true;
}

struct child_vmm *child_new(void)
{
	struct child_vmm *child = mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(child != MAP_FAILED);
	child->nvms = child->nvcpus = 1;
	return child;
}

void child_lapic(unsigned int vm, unsigned int vcpu, struct kvm_lapic_state *lapic)
{
	lapic->regs[0x80] = (char)(0x10 + 0x40 * vm + 0x10 * vcpu);
	lapic->regs[0x3e0] = (char)(vcpu & 3);
}

/* The next value, or a gap. A call that a signal would interrupt is counted: the test sends none. */
static void *run_vcpu(void *arg)
{
	const struct runner *runner = arg;
	struct child_vmm *child = runner->child;
	int fd = child->vcpus[runner->vm][runner->vcpu];
	const struct kvm_run *run = mmap(NULL, RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint16_t expected = 1;

	for (;;) {
		uint16_t value;

		if (ioctl(fd, KVM_RUN, 0)) {
			child->interrupted++;
			continue;
		}
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT) {
			child->failures++;
			return NULL;
		}
		memcpy(&value, (const char *)run + run->io.data_offset, sizeof(value));
		child->gaps += value != expected;
		expected = (uint16_t)(value + 1);
		child->counts[runner->vm][runner->vcpu]++;
	}
}

static bool make_vcpu(struct child_vmm *child, unsigned int vm, unsigned int vcpu)
{
	int fd = ioctl(child->vms[vm], KVM_CREATE_VCPU, vcpu);
	struct kvm_mp_state running = { KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = { .rip = GUEST_AT, .rflags = 2 };
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;

	child->vcpus[vm][vcpu] = fd;
	if (fd < 0 || ioctl(fd, KVM_GET_SREGS, &sregs) || ioctl(fd, KVM_GET_LAPIC, &lapic))
		return false;
	sregs.cs.base = sregs.cs.selector = 0;
	child_lapic(vm, vcpu, &lapic);
	return !ioctl(fd, KVM_SET_SREGS, &sregs) && !ioctl(fd, KVM_SET_REGS, &regs) &&
	       !ioctl(fd, KVM_SET_LAPIC, &lapic) && !ioctl(fd, KVM_SET_MP_STATE, &running);
}

static bool make_vm(struct child_vmm *child, int kvm, unsigned int vm)
{
	int fd = ioctl(kvm, KVM_CREATE_VM, 0);
	unsigned char *memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES, .userspace_addr = (uintptr_t)memory };

	child->vms[vm] = fd;
	memcpy(memory + GUEST_AT, child->halted ? halting : counting, sizeof(halting));
	if (!child->halted)
		memcpy(memory + GUEST_AT, counting, sizeof(counting));
	if (fd < 0 || ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region) || ioctl(fd, KVM_CREATE_IRQCHIP, 0))
		return false;
	for (unsigned int i = 0; i < child->nvcpus; i++)
		if (!make_vcpu(child, vm, i))
			return false;
	return true;
}

static void *act_thread(void *arg)
{
	struct child_vmm *child = arg;

	child->act(child);
	return NULL;
}

static void *also_thread(void *arg)
{
	struct child_vmm *child = arg;

	child->also(child);
	return NULL;
}

static void start_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, arg))
		_exit(1);
}

static void live(struct child_vmm *child)
{
	static struct runner runners[CHILD_VMS][CHILD_VCPUS];
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	for (unsigned int vm = 0; vm < child->nvms; vm++)
		if (!make_vm(child, kvm, vm))
			_exit(2);
	for (unsigned int vm = 0; child->dups && vm < child->nvms; vm++) {
		dup(child->vms[vm]);
		for (unsigned int i = 0; i < child->nvcpus; i++)
			dup(child->vcpus[vm][i]);
	}
	for (unsigned int vm = 0; child->runs && vm < child->nvms; vm++)
		for (unsigned int i = 0; i < child->nvcpus; i++) {
			runners[vm][i] = (struct runner){ child, vm, i };
			start_thread(run_vcpu, &runners[vm][i]);
		}
	if (child->also)
		start_thread(also_thread, child);
	child->ready = true;
	if (child->act && child->thread_first)
		start_thread(act_thread, child);
	else if (child->act)
		child->act(child);
	for (;;)
		pause();
}

void child_start(struct child_vmm *child)
{
	pid_t parent = getpid(), pid;

	cr_assert_eq(pipe(child->pipe), 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(LIFE_S);
		if (getppid() == parent)
			live(child);
		_exit(0);
	}
	child->pid = pid;
	cr_assert(child_wait(&child->ready, 5000), "the child did not come up");
	if (child->act)
		cr_assert(child_wait(&child->acting, 5000), "the child does not act");
}

bool child_wait(_Atomic bool *flag, unsigned int ms)
{
	for (unsigned int i = 0; i < 2 * ms && !*flag; i++)
		usleep(500);
	return *flag;
}

int child_end(struct child_vmm *child)
{
	int status = -1;

	kill(child->pid, SIGKILL);
	waitpid(child->pid, &status, 0);
	return status;
}

uint64_t child_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct kvm_attach *child_attach(const struct child_vmm *child)
{
	struct kvm_attach *attach = NULL;
	struct irqs_error err = { .text = "" };

	cr_assert_eq(kvm_attach(child->pid, 0, &attach, &err), 0, "%s", err.text);
	return attach;
}

int child_read_lapic(struct kvm_attach *attach)
{
	struct kvm_lapic_state lapic;

	return kvm_vcpu(&attach->port, 0, KVM_GET_LAPIC, &lapic, sizeof(lapic));
}

void child_finish(struct child_vmm *child, uint64_t begin, long result)
{
	child->error = result < 0 ? errno : 0;
	child->result = (int)result;
	child->took_ns = child_now_ns() - begin;
	child->done = true;
}

void child_act_read(struct child_vmm *child)
{
	uint64_t begin = child_now_ns();
	char c;

	child->acting = true;
	child_finish(child, begin, read(child->pipe[0], &c, 1));
}

/* Later: a futex that changes before the call has begun again is no wait any more, rightly. */
void child_nudge(struct child_vmm *child)
{
	usleep(CHILD_SETTLE_US);
	cr_expect_eq(write(child->pipe[1], "", 1), 1);
	child->futex = 1;
	syscall(SYS_futex, &child->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

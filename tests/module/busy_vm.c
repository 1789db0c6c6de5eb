/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "busy_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define MEMORY (1U << 16)
#define CODE 0x1000
#define STACK_TOP 0x8000
#define MAX_LEAVES 256
#define KICK SIGUSR1

/*
 * Real mode. Enters x2APIC mode, halts, and behind every eighth interrupt sends one to itself and one to its peers, which is few
 * enough to come to rest without new ones. Every vector leads to busy_handler, which ends it at LAPIC and PIC.
 */
extern const uint8_t busy_code[], busy_handler[], busy_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"busy_code:\n"
	"	movl $0x1b, %ecx\n"
	"	rdmsr\n"
	"	orl $0xc00, %eax\n"
	"	wrmsr\n"
	"	xorl %edx, %edx\n"
	"	movl $0x80f, %ecx\n"
	"	movl $0x1ff, %eax\n"
	"	wrmsr\n"
	"	sti\n"
	"	xorl %ebx, %ebx\n"
	"1:	hlt\n"
	"	incl %ebx\n"
	"	testb $7, %bl\n"
	"	jnz 1b\n"
	"	movl $0x83f, %ecx\n"
	"	movl $0x31, %eax\n"
	"	wrmsr\n"
	"	movl $0x830, %ecx\n"
	"	movl $0xc0032, %eax\n"
	"	wrmsr\n"
	"	jmp 1b\n"
	"busy_handler:\n"
	"	pushl %eax\n"
	"	pushl %ecx\n"
	"	pushl %edx\n"
	"	movb $0x20, %al\n"
	"	outb %al, $0x20\n"
	"	xorl %eax, %eax\n"
	"	xorl %edx, %edx\n"
	"	movl $0x80b, %ecx\n"
	"	wrmsr\n"
	"	popl %edx\n"
	"	popl %ecx\n"
	"	popl %eax\n"
	"	iret\n"
	"busy_end:\n"
	".code64\n"
	".popsection\n");

static void load_guest(struct busy_vm *vm)
{
	uint16_t handler = (uint16_t)(CODE + (busy_handler - busy_code));

	memcpy(vm->memory + CODE, busy_code, (size_t)(busy_end - busy_code));
	for (unsigned int vector = 0; vector < 256; vector++)
		memcpy(vm->memory + vector * 4, &handler, sizeof(handler));
}

static int with_pit(struct busy_vm *vm)
{
	struct kvm_pit_config config = { .flags = 0 };
	struct kvm_pit_state2 pit;

	if (ioctl(vm->fd, KVM_CREATE_PIT2, &config) || ioctl(vm->fd, KVM_GET_PIT2, &pit))
		return -errno;
	pit.channels[0].mode = 2;
	pit.channels[0].count = 11932; /* 100 Hz */
	pit.channels[0].gate = 1;
	return ioctl(vm->fd, KVM_SET_PIT2, &pit) ? -errno : 0;
}

static int with_memory(struct busy_vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };

	vm->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->memory == MAP_FAILED)
		return -errno;
	region.userspace_addr = (uintptr_t)vm->memory;
	load_guest(vm);
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int set_registers(int vcpu, unsigned int id)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsp = STACK_TOP + (id + 1) * 0x1000 };
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ||
	    ioctl(vcpu, KVM_SET_MP_STATE, &runnable))
		return -errno;
	return 0;
}

static int add_vcpu(struct busy_vm *vm, int system, unsigned int id, struct kvm_cpuid2 *cpuid)
{
	int size = ioctl(system, KVM_GET_VCPU_MMAP_SIZE, 0);
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);

	if (fd < 0)
		return -errno;
	vm->vcpus[vm->nvcpus++] = fd;
	if (ioctl(fd, KVM_SET_CPUID2, cpuid))
		return -errno;
	vm->runs[id] = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return vm->runs[id] == MAP_FAILED ? -errno : set_registers(fd, id);
}

static int add_vcpus(struct busy_vm *vm, int system, unsigned int nvcpus)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MAX_LEAVES * sizeof(cpuid->entries[0]));
	int rc;

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_LEAVES;
	rc = ioctl(system, KVM_GET_SUPPORTED_CPUID, cpuid) ? -errno : 0;
	for (uint32_t i = 0; !rc && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1U << 21 | 1U << 24; /* x2APIC, TSC deadline */
	for (unsigned int i = 0; !rc && i < nvcpus; i++)
		rc = add_vcpu(vm, system, i, cpuid);
	free(cpuid);
	return rc;
}

int busy_vm_open(struct busy_vm *vm, unsigned int nvcpus)
{
	int rc = 0, system = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	memset(vm, 0, sizeof(*vm));
	if (system < 0)
		return -errno;
	vm->fd = ioctl(system, KVM_CREATE_VM, 0);
	if (vm->fd < 0 || ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		rc = -errno;
	rc = rc ? rc : with_pit(vm);
	rc = rc ? rc : with_memory(vm);
	rc = rc ? rc : add_vcpus(vm, system, nvcpus);
	close(system);
	return rc;
}

static void kicked(int signal)
{
	(void)signal;
}

struct vcpu_thread {
	struct busy_vm *vm;
	int fd;
};

static void *run_vcpu(void *arg)
{
	struct vcpu_thread t = *(struct vcpu_thread *)arg;

	free(arg);
	while (!t.vm->stop)
		if (ioctl(t.fd, KVM_RUN, 0) && errno != EINTR && errno != EAGAIN)
			break;
	return NULL;
}

static void *raise_lines(void *arg)
{
	struct busy_vm *vm = arg;
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = BUSY_MSI_VECTOR };
	unsigned int n = 0;

	while (!vm->stop) {
		struct kvm_irq_level line = { .irq = 1 + n++ % 23, .level = 1 };

		ioctl(vm->fd, KVM_IRQ_LINE, &line);
		line.level = 0;
		ioctl(vm->fd, KVM_IRQ_LINE, &line);
		ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
		lab_sleep_us(2000);
	}
	return NULL;
}

static int start_vcpu(struct busy_vm *vm, unsigned int i)
{
	struct vcpu_thread *t = malloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = (struct vcpu_thread){ .vm = vm, .fd = vm->vcpus[i] };
	return -pthread_create(&vm->threads[i], NULL, run_vcpu, t);
}

int busy_vm_run(struct busy_vm *vm)
{
	struct sigaction action = { .sa_handler = kicked };
	int rc = 0;

	sigaction(KICK, &action, NULL);
	vm->stop = false;
	vm->started = 0;
	while (!rc && vm->started < vm->nvcpus) {
		rc = start_vcpu(vm, vm->started);
		vm->started += !rc;
	}
	return rc ? rc : -pthread_create(&vm->raiser, NULL, raise_lines, vm);
}

/* A kick that comes between the look at stop and KVM_RUN is lost: kicked until it is over. */
void busy_vm_halt(struct busy_vm *vm)
{
	vm->stop = true;
	for (unsigned int i = 0; i < vm->started; i++)
		while (pthread_tryjoin_np(vm->threads[i], NULL)) {
			pthread_kill(vm->threads[i], KICK);
			lab_sleep_us(1000);
		}
	pthread_join(vm->raiser, NULL);
	vm->started = 0;
}

void busy_vm_close(struct busy_vm *vm)
{
	int system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int size = ioctl(system, KVM_GET_VCPU_MMAP_SIZE, 0);

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		munmap(vm->runs[i], (size_t)size);
		close(vm->vcpus[i]);
	}
	munmap(vm->memory, MEMORY);
	close(vm->fd);
	close(system);
}

struct busy_child *busy_child_new(void)
{
	struct busy_child *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return c == MAP_FAILED ? NULL : c;
}

void busy_child_free(struct busy_child *child)
{
	munmap(child, sizeof(*child));
}

static void be_child(struct busy_child *child, unsigned int nvcpus)
{
	struct busy_vm *vm = malloc(sizeof(*vm));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!vm || busy_vm_open(vm, nvcpus) || busy_vm_run(vm)) {
		child->failed = true;
		_exit(1);
	}
	child->fd = vm->fd;
	child->nvcpus = vm->nvcpus;
	memcpy(child->vcpus, vm->vcpus, sizeof(child->vcpus));
	child->ready = true;
	for (;;)
		pause();
}

int busy_child_start(struct busy_child *child, unsigned int nvcpus)
{
	pid_t pid;

	child->ready = child->failed = false;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		be_child(child, nvcpus);
	child->pid = pid; /* not by the child, which shares it */
	while (!child->ready && !child->failed)
		lab_sleep_us(500);
	if (child->failed)
		lab_kill(child->pid);
	return child->failed ? -EIO : 0;
}

int busy_child_get(const struct busy_child *child, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	int rc;

	if (pidfd < 0)
		return -errno;
	rc = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	rc = rc < 0 ? -errno : rc;
	close(pidfd);
	return rc;
}

int busy_child_mem(const struct busy_child *child)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", child->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

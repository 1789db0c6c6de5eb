/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "still_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab.h"

#define MAX_LEAVES 256
#define X2APIC_ENABLE (1U << 10)

/* None of them moves by itself. */
static const uint32_t msrs[STILL_MSRS] = { 0xc0000081, 0xc0000082, 0xc0000102, 0x1b };

static int with_irqchip(const struct still_vm *vm, enum still_irqchip irqchip)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = { .flags = 0 };

	if (irqchip == STILL_SPLIT)
		return ioctl(vm->fd, KVM_ENABLE_CAP, &split) ? -errno : 0;
	if (irqchip == STILL_KERNEL)
		return ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) || ioctl(vm->fd, KVM_CREATE_PIT2, &pit) ? -errno : 0;
	return 0;
}

static int into_x2apic(int vcpu)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.apic_base |= X2APIC_ENABLE;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) ? -errno : 0;
}

static int add_vcpu(struct still_vm *vm, const struct kvm_cpuid2 *cpuid, bool x2apic)
{
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, vm->nvcpus);

	if (fd < 0)
		return -errno;
	vm->vcpus[vm->nvcpus++] = fd;
	if (ioctl(fd, KVM_SET_CPUID2, cpuid))
		return -errno;
	return x2apic ? into_x2apic(fd) : 0;
}

static int add_vcpus(struct still_vm *vm, int system, unsigned int nvcpus, bool x2apic)
{
	struct kvm_enable_cap ids = { .cap = KVM_CAP_X2APIC_API, .args = { KVM_X2APIC_API_USE_32BIT_IDS } };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MAX_LEAVES * sizeof(cpuid->entries[0]));
	int rc;

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_LEAVES;
	rc = ioctl(system, KVM_GET_SUPPORTED_CPUID, cpuid) ? -errno : 0;
	if (!rc && x2apic)
		rc = ioctl(vm->fd, KVM_ENABLE_CAP, &ids) ? -errno : 0;
	while (!rc && vm->nvcpus < nvcpus)
		rc = add_vcpu(vm, cpuid, x2apic);
	free(cpuid);
	return rc;
}

static void want_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int still_vm_open(struct still_vm *vm, unsigned int nvcpus, enum still_irqchip irqchip, bool x2apic)
{
	int rc, system = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (system < 0)
		return -errno;
	want_descriptors();
	vm->nvcpus = 0;
	vm->fd = ioctl(system, KVM_CREATE_VM, 0);
	rc = vm->fd < 0 ? -errno : with_irqchip(vm, irqchip);
	if (!rc)
		rc = add_vcpus(vm, system, nvcpus, x2apic);
	close(system);
	return rc;
}

void still_vm_close(struct still_vm *vm)
{
	while (vm->nvcpus)
		close(vm->vcpus[--vm->nvcpus]);
	close(vm->fd);
}

static void put(struct kvm_lapic_state *lapic, unsigned int at, uint32_t value)
{
	memcpy(lapic->regs + at, &value, sizeof(value));
}

/* TPR, LVT entries, masked, and bits of ISR, TMR and IRR. */
static int fill_lapic(int vcpu, uint64_t *seed)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu, KVM_GET_LAPIC, &lapic))
		return -errno;
	put(&lapic, 0x80, lab_below(seed, 256));
	for (unsigned int at = 0x340; at <= 0x370; at += 0x10)
		put(&lapic, at, 0x10000 | lab_below(seed, 256));
	for (unsigned int at = 0x110; at < 0x280; at += 0x10)
		put(&lapic, at, (uint32_t)lab_random(seed));
	return ioctl(vcpu, KVM_SET_LAPIC, &lapic) ? -errno : 0;
}

static int fill_registers(int vcpu, uint64_t *seed)
{
	struct kvm_regs regs = { .rax = lab_random(seed), .rbx = lab_random(seed), .rip = lab_below(seed, 65536), .rflags = 2 };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} values = { .head.nmsrs = 2 };

	for (unsigned int i = 0; i < 2; i++)
		values.entries[i] = (struct kvm_msr_entry){ .index = msrs[i], .data = lab_below(seed, 1 << 30) };
	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return ioctl(vcpu, KVM_SET_MSRS, &values) == 2 ? 0 : -EIO;
}

int still_vm_fill(struct still_vm *vm, uint64_t *seed)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	int rc = 0;

	for (unsigned int i = 0; i < vm->nvcpus && !rc; i++) {
		rc = fill_lapic(vm->vcpus[i], seed);
		if (!rc)
			rc = fill_registers(vm->vcpus[i], seed);
		mp.mp_state = lab_below(seed, 2) ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE;
		if (!rc && ioctl(vm->vcpus[i], KVM_SET_MP_STATE, &mp))
			rc = -errno;
	}
	return rc;
}

static struct irqshift_entry entry(int fd, uint32_t command, void *data, size_t size)
{
	return (struct irqshift_entry){ fd, command, (uintptr_t)data, (uint32_t)size, 0x5a5a };
}

void still_vcpu_entries(int fd, struct still_vcpu *state, struct irqshift_entry *entries)
{
	memset(state, 0x5a, sizeof(*state));
	memset(&state->msrs, 0, sizeof(state->msrs));
	state->msrs.nmsrs = STILL_MSRS;
	for (unsigned int i = 0; i < STILL_MSRS; i++)
		state->msrs.entries[i].index = msrs[i];
	entries[0] = entry(fd, KVM_GET_LAPIC, &state->lapic, sizeof(state->lapic));
	entries[1] = entry(fd, KVM_GET_REGS, &state->regs, sizeof(state->regs));
	entries[2] = entry(fd, KVM_GET_SREGS, &state->sregs, sizeof(state->sregs));
	entries[3] = entry(fd, KVM_GET_MP_STATE, &state->mp_state, sizeof(state->mp_state));
	entries[4] = entry(fd, KVM_GET_VCPU_EVENTS, &state->events, sizeof(state->events));
	entries[5] = entry(fd, KVM_GET_MSRS, &state->msrs, sizeof(state->msrs));
	entries[6] = entry(fd, KVM_GET_TSC_KHZ, NULL, 0);
}

void still_chips_entries(int fd, struct still_chips *state, struct irqshift_entry *entries)
{
	memset(state, 0, sizeof(*state));
	for (unsigned int i = 0; i < 3; i++) {
		state->chips[i].chip_id = i;
		entries[i] = entry(fd, KVM_GET_IRQCHIP, &state->chips[i], sizeof(state->chips[i]));
	}
	entries[3] = entry(fd, KVM_GET_PIT2, &state->pit, sizeof(state->pit));
}

void still_read(const struct irqshift_entry *entries, unsigned int n, int *results)
{
	for (unsigned int i = 0; i < n; i++) {
		results[i] = ioctl(entries[i].fd, entries[i].command, entries[i].data);
		if (results[i] < 0)
			results[i] = -errno;
	}
}

static int read_all(struct still_child *child)
{
	struct irqshift_entry entries[STILL_ENTRIES];

	for (unsigned int i = 0; i < child->vm.nvcpus; i++) {
		still_vcpu_entries(child->vm.vcpus[i], &child->vcpus[i], entries);
		still_read(entries, STILL_ENTRIES, child->vcpus[i].results);
	}
	still_chips_entries(child->vm.fd, &child->chips, entries);
	still_read(entries, STILL_CHIPS, child->chips.results);
	return 0;
}

static void be_child(struct still_child *child, unsigned int nvcpus, enum still_irqchip irqchip)
{
	uint64_t seed = (uint64_t)getpid();
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = still_vm_open(&child->vm, nvcpus, irqchip, false);
	if (!rc && irqchip != STILL_NONE)
		rc = still_vm_fill(&child->vm, &seed);
	if (!rc)
		rc = read_all(child);
	child->ready = rc ? rc : 1;
	for (;;)
		pause();
}

struct still_child *still_child_start(unsigned int nvcpus, enum still_irqchip irqchip)
{
	pid_t pid;
	struct still_child *child = mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (child == MAP_FAILED)
		return NULL;
	pid = fork();
	if (!pid)
		be_child(child, nvcpus, irqchip);
	child->pid = pid; /* what is shared the child must not write as well */
	while (child->pid > 0 && !child->ready)
		lab_sleep_us(500);
	if (child->ready == 1)
		return child;
	fprintf(stderr, "no child with a VM: %s\n", strerror(child->pid < 0 ? errno : -child->ready));
	still_child_end(child);
	return NULL;
}

void still_child_end(struct still_child *child)
{
	if (child->pid > 0)
		lab_kill(child->pid);
	munmap(child, sizeof(*child));
}

int still_child_get(const struct still_child *child, int fd)
{
	int rc, pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);

	if (pidfd < 0)
		return -errno;
	rc = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	rc = rc < 0 ? -errno : rc;
	close(pidfd);
	return rc;
}

int still_mem(pid_t pid, int flags)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

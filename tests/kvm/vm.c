/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_LEAVES 256

static int system_fd = -1;
static struct kvm_cpuid2 *supported;

void vm_have_kvm(void)
{
	if (system_fd >= 0)
		return;
	system_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (system_fd < 0)
		cr_skip_test("no /dev/kvm here: %s", strerror(errno));
}

static struct kvm_cpuid2 *cpuid_of(const struct vm_config *config)
{
	size_t size = sizeof(*supported) + MAX_LEAVES * sizeof(supported->entries[0]);
	struct kvm_cpuid2 *c = malloc(size);

	if (!supported) {
		supported = calloc(1, size);
		supported->nent = MAX_LEAVES;
		cr_assert_eq(ioctl(system_fd, KVM_GET_SUPPORTED_CPUID, supported), 0);
	}
	memcpy(c, supported, size);
	for (uint32_t i = 0; i < c->nent; i++) {
		if (c->entries[i].function != 1)
			continue;
		c->entries[i].ecx |= 1U << 24 | 1U << 21;
		if (config->no_tsc_deadline)
			c->entries[i].ecx &= ~(1U << 24);
		if (config->no_x2apic)
			c->entries[i].ecx &= ~(1U << 21);
	}
	return c;
}

static void create_irqchip(struct vm *vm, const struct vm_config *config)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
	struct kvm_enable_cap ids = { .cap = KVM_CAP_X2APIC_API, .args = { KVM_X2APIC_API_USE_32BIT_IDS } };
	struct kvm_pit_config pit = { .flags = 0 };

	if (config->mode == IRQCHIP_FULL)
		cr_assert_eq(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	if (config->mode == IRQCHIP_FULL && !config->no_pit)
		cr_assert_eq(ioctl(vm->fd, KVM_CREATE_PIT2, &pit), 0);
	if (config->mode == IRQCHIP_SPLIT)
		cr_assert_eq(ioctl(vm->fd, KVM_ENABLE_CAP, &split), 0);
	if (config->ids_32bit)
		cr_assert_eq(ioctl(vm->fd, KVM_ENABLE_CAP, &ids), 0);
}

static void create_vcpus(struct vm *vm, const struct vm_config *config)
{
	int size = ioctl(system_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_cpuid2 *cpuid = cpuid_of(config);

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		vm->ids[i] = config->ids ? config->ids[i] : i;
		vm->vcpus[i] = ioctl(vm->fd, KVM_CREATE_VCPU, vm->ids[i]);
		cr_assert_geq(vm->vcpus[i], 0, "vCPU %u: %s", i, strerror(errno));
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_SET_CPUID2, cpuid), 0);
		vm->runs[i] = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpus[i], 0);
		cr_assert_neq(vm->runs[i], MAP_FAILED);
	}
	free(cpuid);
}

static void add_memory(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = VM_MEMORY };

	vm->memory = mmap(NULL, VM_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(vm->memory, MAP_FAILED);
	region.userspace_addr = (uintptr_t)vm->memory;
	cr_assert_eq(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
}

void vm_open(struct vm *vm, struct vm_config config)
{
	struct irqs_error err;

	memset(vm, 0, sizeof(*vm));
	vm->nvcpus = config.nvcpus ? config.nvcpus : 1;
	vm->fd = ioctl(system_fd, KVM_CREATE_VM, 0);
	cr_assert_geq(vm->fd, 0);
	create_irqchip(vm, &config);
	create_vcpus(vm, &config);
	if (config.memory)
		add_memory(vm);
	kvm_own_init(&vm->own, vm->fd, vm->vcpus, vm->ids, vm->nvcpus);
	vm->port = &vm->own.port;
	cr_assert_eq(kvm_probe_vm(vm->port, &vm->probe, &err), 0, "%s", err.text);
	cr_assert_eq(vm->probe.mode, config.mode);
}

void vm_close(struct vm *vm)
{
	int size = ioctl(system_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		munmap(vm->runs[i], (size_t)size);
		close(vm->vcpus[i]);
	}
	if (vm->memory)
		munmap(vm->memory, VM_MEMORY);
	close(vm->fd);
}

struct irqchip_state vm_state(enum irqchip_mode mode, unsigned int n)
{
	struct irqchip_state s = { .mode = mode, .nlapics = n };

	s.lapics = calloc(n, sizeof(s.lapics[0]));
	return s;
}

void vm_state_free(struct irqchip_state *s)
{
	free(s->lapics);
	free(s->routes);
}

struct irqchip_state vm_gather(struct vm *vm)
{
	struct irqchip_state s = vm_state(vm->probe.mode, vm->nvcpus);
	struct irqs_error err;

	cr_assert_eq(kvm_gather(vm->port, &vm->probe, NULL, &s, &err), 0, "%s", err.text);
	return s;
}

struct kvm_lapic_state vm_page(struct vm *vm, unsigned int vcpu)
{
	struct kvm_lapic_state page;

	cr_assert_eq(ioctl(vm->vcpus[vcpu], KVM_GET_LAPIC, &page), 0);
	return page;
}

int vm_set_page(struct vm *vm, unsigned int vcpu, const struct kvm_lapic_state *page)
{
	return ioctl(vm->vcpus[vcpu], KVM_SET_LAPIC, page) ? -errno : 0;
}

uint32_t vm_reg(const struct kvm_lapic_state *page, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, page->regs + offset, sizeof(value));
	return value;
}

void vm_put_reg(struct kvm_lapic_state *page, unsigned int offset, uint32_t value)
{
	memcpy(page->regs + offset, &value, sizeof(value));
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

uint64_t vm_msr(struct vm *vm, uint32_t index)
{
	struct one_msr m = { .head.nmsrs = 1, .entry.index = index };

	cr_assert_eq(ioctl(vm->vcpus[0], KVM_GET_MSRS, &m), 1);
	return m.entry.data;
}

int vm_set_msr(struct vm *vm, uint32_t index, uint64_t value)
{
	struct one_msr m = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	return ioctl(vm->vcpus[0], KVM_SET_MSRS, &m);
}

void vm_x2apic(struct vm *vm)
{
	struct kvm_sregs sregs;

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_GET_SREGS, &sregs), 0);
		sregs.apic_base |= LAPIC_BASE_X2APIC;
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_SET_SREGS, &sregs), 0);
	}
}

static bool ignored(const char *name, const char *const *ignore)
{
	for (; ignore && *ignore; ignore++)
		if (!strcmp(*ignore, name))
			return true;
	return false;
}

static void same(const char *what, const struct reg_chip *chip, const void *a, const void *b, const char *const *ignore)
{
	for (uint16_t r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (!row->size || ignored(row->name, ignore))
			continue;
		for (unsigned int i = 0; i < row->count; i++) {
			uint64_t va = reg_get(row, a, i), vb = reg_get(row, b, i);
			bool ka = reg_known(row, a, i), kb = reg_known(row, b, i);

			cr_expect_eq(ka, kb, "%s.%s[%u]: known %d, not %d", what, row->name, i, kb, ka);
			if (ka && kb)
				cr_expect_eq(va, vb, "%s.%s[%u]: %" PRIx64 ", not %" PRIx64, what, row->name, i, vb, va);
		}
	}
}

void vm_expect_same(const struct irqchip_state *a, const struct irqchip_state *b, const char *const *ignore)
{
	char what[24];

	cr_expect_eq(a->nlapics, b->nlapics);
	for (unsigned int i = 0; i < a->nlapics && i < b->nlapics; i++) {
		snprintf(what, sizeof(what), "lapic[%u]", i);
		same(what, &lapic_chip, &a->lapics[i], &b->lapics[i], ignore);
	}
	same("ioapic", &ioapic_chip, &a->ioapic, &b->ioapic, ignore);
	same("pic[0]", &pic_chip, &a->pics[0], &b->pics[0], ignore);
	same("pic[1]", &pic_chip, &a->pics[1], &b->pics[1], ignore);
	same("pit", &pit_chip, &a->pit, &b->pit, ignore);
}

uint64_t vm_seed(void)
{
	const char *given = getenv("IRQSHIFT_SEED");
	struct timespec t;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &t);
	seed = given ? strtoull(given, NULL, 0) : (uint64_t)t.tv_nsec << 20 ^ (uint64_t)t.tv_sec;
	printf("seed 0x%" PRIx64 "\n", seed);
	return seed;
}

uint64_t vm_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

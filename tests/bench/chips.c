/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chips: a guest that writes one register in a loop, with KVM's chip and with a model in user space. The cost of the exit is
 * that of the same loop at an address where the kernel signals an eventfd that nobody waits for, or where user space does
 * nothing; what is left is the chip's, and below 0 when it takes less than the eventfd. The best of ROUNDS rounds each.
 * Says so and ends where there is no KVM.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"

enum { ROUNDS = 25,
       TIMES = 3000,
       MEMORY = 0x10000,
       CODE = 0x1000,
       NOTHING = 0x2000 /* offset from the LAPIC's page of an address where there is no chip */ };

#define LAPIC_PAGE UINT32_C(0xfee00000)
#define IOAPIC_WINDOW UINT32_C(0xfec00000)

struct machine {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	uint8_t *memory;
	bool kernel;
	struct apic_bus bus;
	struct lapic_model lapic;
	struct ioapic_model ioapic;
	unsigned int exits;
};

static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	exit(1);
}

/* ---- the models ---- */

static int64_t on_now(void *ctx)
{
	(void)ctx;
	return 0;
}

static void on_arm(void *ctx, unsigned int cpu, int64_t at_ns)
{
	(void)ctx;
	(void)cpu;
	(void)at_ns;
}

static void on_kick(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
}

static int on_msi(void *ctx, uint64_t address, uint32_t data)
{
	return apic_bus_msi(ctx, address, data);
}

static const struct lapic_model_ops lapic_ops = { on_now, NULL, on_arm, on_kick, NULL };

static void make_models(struct machine *m)
{
	struct lapic_model_config config = { .ops = &lapic_ops, .bsp = true, .phys_bits = 36, .bus_cycle_ns = 1 };
	struct ioapic_model_config io = { .msi = on_msi,
					  .ctx = &m->bus,
					  .base = IOAPIC_WINDOW,
					  .version = IOAPIC_VERSION_11,
					  .npins = 24 };

	apic_bus_init(&m->bus, false);
	must(!lapic_model_init(&m->lapic, &m->bus, &config), "lapic_model_init");
	must(!ioapic_model_init(&m->ioapic, &io), "ioapic_model_init");
	apic_bus_add_ioapic(&m->bus, &m->ioapic);
}

static void answer(struct machine *m)
{
	uint64_t at = m->run->mmio.phys_addr;

	m->exits++;
	if (lapic_model_decodes(&m->lapic, at))
		lapic_model_write(&m->lapic, at & 0xfff, m->run->mmio.data, m->run->mmio.len);
	else if (ioapic_model_decodes(&m->ioapic, at))
		ioapic_model_write(&m->ioapic, (uint32_t)(at - IOAPIC_WINDOW), m->run->mmio.data, m->run->mmio.len);
}

/* ---- the guest ---- */

/* 32-bit: mov %eax,(%ebx); dec %esi; jnz; out %al,$0x10; jmp to the start */
static const uint8_t code[] = { 0x89, 0x03, 0x4e, 0x75, 0xfb, 0xe6, 0x10, 0xeb, 0xf7 };

static void flat_segments(int vcpu)
{
	struct kvm_segment segment = { .limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1 };
	struct kvm_sregs s;

	must(!ioctl(vcpu, KVM_GET_SREGS, &s), "KVM_GET_SREGS");
	s.cs = segment;
	segment.selector = 16;
	segment.type = 3;
	s.ds = s.es = s.ss = s.fs = s.gs = segment;
	s.cr0 |= 1;
	must(!ioctl(vcpu, KVM_SET_SREGS, &s), "KVM_SET_SREGS");
}

/* In the kernel's VM an eventfd takes what is written where nothing is. */
static void add_eventfd(struct machine *m)
{
	struct kvm_ioeventfd e = { .addr = LAPIC_PAGE + NOTHING, .len = 4, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	must(!ioctl(m->vm, KVM_IOEVENTFD, &e), "KVM_IOEVENTFD");
}

static void make(struct machine *m, bool kernel)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };

	m->kernel = kernel;
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	must(m->vm >= 0, "KVM_CREATE_VM");
	if (kernel)
		must(!ioctl(m->vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	m->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(m->memory != MAP_FAILED, "mmap");
	region.userspace_addr = (uintptr_t)m->memory;
	must(!ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	memcpy(m->memory + CODE, code, sizeof(code));
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	must(m->vcpu >= 0, "KVM_CREATE_VCPU");
	m->run = mmap(NULL, (size_t)ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	must(m->run != MAP_FAILED, "mmap of the vCPU");
	flat_segments(m->vcpu);
	if (kernel)
		add_eventfd(m);
	make_models(m);
}

/* TIMES writes; in ns each. */
static double loop(struct machine *m, uint32_t address, uint32_t value)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rbx = address, .rax = value, .rsi = TIMES };
	double start;

	must(!ioctl(m->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	m->exits = 0;
	start = monotonic_s();
	for (;;) {
		must(!ioctl(m->vcpu, KVM_RUN, 0), "KVM_RUN");
		if (m->run->exit_reason != KVM_EXIT_MMIO)
			break;
		answer(m);
	}
	must(m->run->exit_reason == KVM_EXIT_IO && m->exits == (m->kernel ? 0 : TIMES), "the guest's loop");
	return (monotonic_s() - start) * 1e9 / TIMES;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	uint32_t address, value;
} rows[] = {
	{ "LAPIC: write TPR", LAPIC_PAGE + LAPIC_TPR, 0x20 },
	{ "LAPIC: write LVT thermal", LAPIC_PAGE + LAPIC_LVTTHMR, 0x10041 },
	{ "LAPIC: EOI", LAPIC_PAGE + LAPIC_EOI, 0 },
	{ "IOAPIC: write IOREGSEL", IOAPIC_WINDOW, 0x10 },
};

/* Both loops take turns, so that other load finds them alike. */
static void print_row(struct machine *m, const char *name, uint32_t address, uint32_t value)
{
	double least = 0, exit_least = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		double ns = loop(m, address, value), exit_ns = loop(m, LAPIC_PAGE + NOTHING, 0);

		least = !round || ns < least ? ns : least;
		exit_least = !round || exit_ns < exit_least ? exit_ns : exit_least;
	}
	printf("%-26s %-8s %10.0f %10.0f %10.0f\n", name, m->kernel ? "kernel" : "model", least, exit_least,
	       least - exit_least);
}

int main(void)
{
	static struct machine kernel, models;

	kernel.kvm = models.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kernel.kvm < 0) {
		puts("a guest's writes: no /dev/kvm");
		return 0;
	}
	make(&kernel, true);
	make(&models, false);
	printf("%-26s %-8s %10s %10s %10s\n", "a guest's writes", "", "ns", "exit, ns", "chip, ns");
	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++) {
		print_row(&kernel, rows[i].name, rows[i].address, rows[i].value);
		print_row(&models, "", rows[i].address, rows[i].value);
	}
	return 0;
}

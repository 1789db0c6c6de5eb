/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/diff_vm.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "apic/abi.h"

#define MEMORY_SIZE 0x20000
#define GDT 0x1000
#define IDT 0x2000
#define CODE 0x4000
#define ENTRIES 0x5000
#define STACK 0x8000
#define LIST 0x10000

#define PORT_END 0x10
#define PORT_PAUSE 0x11
#define PORT_TAKE 0x12 /* a KVM that emulates looks for interrupts when it enters the guest */

/*
 * The guest: flat 32-bit code. %esi walks the list; #GP in an access marks its entry and goes on behind it. Kinds as in
 * enum diff_kind; those that it does not know are for the host. An interrupt leaves IF=0 and goes on behind its entry, too:
 * a KVM that emulates has no IRET in protected mode.
 */
__asm__(".pushsection .rodata\n"
	".globl diff_guest, diff_guest_taken, diff_guest_fault, diff_guest_end\n"
	".code32\n"
	"diff_guest:\n"
	"	mov	$0x10000, %esi\n"
	"1:	mov	(%esi), %bl\n"
	"	mov	4(%esi), %ecx\n"
	"	mov	8(%esi), %eax\n"
	"	mov	12(%esi), %edx\n"
	"	cmp	$0, %bl\n"
	"	je	10f\n"
	"	cmp	$1, %bl\n"
	"	je	11f\n"
	"	cmp	$2, %bl\n"
	"	je	12f\n"
	"	cmp	$3, %bl\n"
	"	je	13f\n"
	"	cmp	$4, %bl\n"
	"	je	14f\n"
	"	cmp	$5, %bl\n"
	"	je	15f\n"
	"	cmp	$6, %bl\n"
	"	je	16f\n"
	"	cmp	$7, %bl\n"
	"	je	17f\n"
	"	cmp	$8, %bl\n"
	"	je	18f\n"
	"	cmp	$9, %bl\n"
	"	je	19f\n"
	"	out	%al, $0x11\n"
	"2:	add	$16, %esi\n"
	"	jmp	1b\n"
	"10:	out	%al, $0x10\n"
	"	jmp	diff_guest\n"
	"11:	mov	(%ecx), %eax\n"
	"	mov	%eax, 8(%esi)\n"
	"	jmp	2b\n"
	"12:	mov	%eax, (%ecx)\n"
	"	jmp	2b\n"
	"13:	mov	(%ecx), %al\n"
	"	mov	%al, 8(%esi)\n"
	"	jmp	2b\n"
	"14:	mov	%al, (%ecx)\n"
	"	jmp	2b\n"
	"15:	mov	(%ecx), %ax\n"
	"	mov	%ax, 8(%esi)\n"
	"	jmp	2b\n"
	"16:	mov	%ax, (%ecx)\n"
	"	jmp	2b\n"
	"17:	rdmsr\n"
	"	mov	%eax, 8(%esi)\n"
	"	mov	%edx, 12(%esi)\n"
	"	jmp	2b\n"
	"18:	wrmsr\n"
	"	jmp	2b\n"
	"19:	movl	$-1, 8(%esi)\n"
	"	sti\n"
	"	nop\n"
	"	out	%al, $0x12\n"
	"	nop\n"
	"	cli\n"
	"	jmp	2b\n"
	"diff_guest_taken:\n"
	"	add	$12, %esp\n"
	"	jmp	2b\n"
	"diff_guest_fault:\n"
	"	movb	$1, 1(%esi)\n"
	"	add	$16, %esp\n"
	"	jmp	2b\n"
	"diff_guest_end:\n"
	".code64\n"
	".popsection\n");

extern const uint8_t diff_guest[], diff_guest_taken[], diff_guest_fault[], diff_guest_end[];

static int64_t host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* An ioctl that must not fail. */
static int call(int fd, unsigned long request, const char *name, void *arg)
{
	int rc = ioctl(fd, request, arg);

	cr_assert(rc >= 0, "%s: %m", name);
	return rc;
}

#define CALL(fd, request, arg) call(fd, request, #request, (void *)(arg))

/* ---- the VM ---- */

static void set_routes(struct diff_vm *d)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[IOAPIC_PINS];
	} r = { .head.nr = IOAPIC_PINS };

	for (unsigned int i = 0; i < IOAPIC_PINS; i++) {
		r.entries[i].gsi = i;
		r.entries[i].type = KVM_IRQ_ROUTING_IRQCHIP;
		r.entries[i].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		r.entries[i].u.irqchip.pin = i;
	}
	CALL(d->vm, KVM_SET_GSI_ROUTING, &r);
}

/* CPUID as this host has it; says what the models are told to be. */
static void set_cpuid(struct diff_vm *d)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} c = { .head.nent = 256 };

	CALL(d->kvm, KVM_GET_SUPPORTED_CPUID, &c);
	d->config.phys_bits = 36;
	for (unsigned int i = 0; i < c.head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &c.entries[i];

		if (e->function == 1)
			e->ecx |= 1U << 24; /* TSC-deadline: KVM_CAP_TSC_DEADLINE_TIMER stands for it */
		if (e->function == 1)
			d->config.x2apic = e->ecx >> 21 & 1;
		if (e->function == 0x80000008)
			d->config.phys_bits = e->eax & 0xff;
	}
	d->config.tsc_deadline = true;
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		CALL(d->vcpu[i], KVM_SET_CPUID2, &c);
	d->config.tsc_khz = ioctl(d->vcpu[0], KVM_GET_TSC_KHZ, 0);
	if (d->config.tsc_khz < 1)
		d->config.tsc_khz = 1000000;
}

static void put_gate(struct diff_vm *d, unsigned int vector, uint32_t handler)
{
	uint64_t gate = (handler & 0xffff) | 8 << 16 | UINT64_C(0x8e00) << 32 | (uint64_t)(handler >> 16) << 48;

	memcpy(d->memory + IDT + 8 * vector, &gate, sizeof(gate));
}

/* movl $vector, 8(%esi); jmp diff_guest_taken */
static void put_entry(struct diff_vm *d, unsigned int vector)
{
	uint8_t entry[12] = { 0xc7, 0x46, 0x08, (uint8_t)vector, 0, 0, 0, 0xe9 };
	uint32_t at = ENTRIES + vector * (uint32_t)sizeof(entry);
	uint32_t jump = CODE + (uint32_t)(diff_guest_taken - diff_guest) - (at + (uint32_t)sizeof(entry));

	memcpy(&entry[8], &jump, sizeof(jump));
	memcpy(d->memory + at, entry, sizeof(entry));
	put_gate(d, vector, at);
}

static void put_tables(struct diff_vm *d)
{
	static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };

	memcpy(d->memory + GDT, gdt, sizeof(gdt));
	for (unsigned int vector = 16; vector < 256; vector++)
		put_entry(d, vector);
	put_gate(d, 13, CODE + (uint32_t)(diff_guest_fault - diff_guest));
	memcpy(d->memory + CODE, diff_guest, (size_t)(diff_guest_end - diff_guest));
}

static void set_registers(struct diff_vm *d)
{
	struct kvm_segment code = { .limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1 };
	struct kvm_segment data = { .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	CALL(d->vcpu[0], KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 |= 1;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 23;
	sregs.idt.base = IDT;
	sregs.idt.limit = 256 * 8 - 1;
	CALL(d->vcpu[0], KVM_SET_SREGS, &sregs);
	CALL(d->vcpu[0], KVM_SET_REGS, &regs);
}

/* Whether a vector that was taken is no longer in service. */
static bool ends_by_itself(struct diff_vm *d)
{
	struct diff_list l = { .n = 1, .ops = { { .kind = DIFF_TAKE } } };
	struct diff_state s;

	diff_plain_state(&s, false);
	lapic_bank_set(&s.lapics[0], LAPIC_IRR, 0x41);
	diff_vm_set(d, &s);
	diff_vm_run(d, &l);
	cr_assert_eq(l.ops[0].value, 0x41, "the guest takes no interrupts");
	diff_vm_get(d, &s);
	return !lapic_bank_test(&s.lapics[0], LAPIC_ISR, 0x41);
}

bool diff_vm_init(struct diff_vm *d)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };

	memset(d, 0, sizeof(*d));
	d->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (d->kvm < 0 || ioctl(d->kvm, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) <= 0) {
		if (d->kvm >= 0)
			close(d->kvm);
		return false;
	}
	d->vm = CALL(d->kvm, KVM_CREATE_VM, 0);
	CALL(d->vm, KVM_CREATE_IRQCHIP, 0);
	set_routes(d);
	d->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(d->memory != MAP_FAILED);
	region.userspace_addr = (uintptr_t)d->memory;
	CALL(d->vm, KVM_SET_USER_MEMORY_REGION, &region);
	for (unsigned long i = 0; i < DIFF_CPUS; i++)
		d->vcpu[i] = CALL(d->vm, KVM_CREATE_VCPU, i);
	d->run_size = (size_t)CALL(d->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	d->run = mmap(NULL, d->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, d->vcpu[0], 0);
	cr_assert(d->run != MAP_FAILED);
	set_cpuid(d);
	put_tables(d);
	set_registers(d);
	diff_models_init(d);
	d->auto_eoi = ends_by_itself(d);
	return true;
}

void diff_vm_deinit(struct diff_vm *d)
{
	munmap(d->run, d->run_size);
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		close(d->vcpu[i]);
	munmap(d->memory, MEMORY_SIZE);
	close(d->vm);
	close(d->kvm);
}

static void set_cpu(struct diff_vm *d, unsigned int i, const struct lapic_state *s)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_vcpu_events events;
	struct kvm_lapic_state page;
	struct kvm_sregs sregs;

	memset(&page, 0, sizeof(page));
	/* What is pending is taken, then overwritten. */
	CALL(d->vcpu[i], KVM_GET_MP_STATE, &mp);
	CALL(d->vcpu[i], KVM_GET_SREGS, &sregs);
	/* By way of disabled: whatever it was before. */
	if (sregs.apic_base != s->apic_base) {
		sregs.apic_base = s->apic_base & ~(LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
		CALL(d->vcpu[i], KVM_SET_SREGS, &sregs);
		sregs.apic_base = s->apic_base;
		CALL(d->vcpu[i], KVM_SET_SREGS, &sregs);
	}
	abi_put(&lapic_chip, REG_ABI_LAPIC, s, &page);
	/* Twice: a change to or from TSC-deadline mode clears the count that comes with it. */
	CALL(d->vcpu[i], KVM_SET_LAPIC, &page);
	CALL(d->vcpu[i], KVM_SET_LAPIC, &page);
	mp.mp_state = s->mp_state;
	CALL(d->vcpu[i], KVM_SET_MP_STATE, &mp);
	CALL(d->vcpu[i], KVM_GET_VCPU_EVENTS, &events);
	events.nmi.pending = events.nmi.injected = 0;
	events.interrupt.injected = 0;
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	CALL(d->vcpu[i], KVM_SET_VCPU_EVENTS, &events);
}

static void set_line(struct diff_vm *d, uint32_t pin, bool level)
{
	struct kvm_irq_level line = { .irq = pin, .level = level };

	CALL(d->vm, KVM_IRQ_LINE, &line);
}

static void set_ioapic(struct diff_vm *d, const struct ioapic_state *s)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	abi_put(&ioapic_chip, REG_ABI_IOAPIC, s, &chip.chip.ioapic);
	CALL(d->vm, KVM_SET_IRQCHIP, &chip);
}

void diff_vm_set(struct diff_vm *d, const struct diff_state *s)
{
	struct ioapic_state masked;

	/* Lines fall while nothing can come of it. */
	reg_state_reset(&ioapic_chip, &masked, true);
	set_ioapic(d, &masked);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		set_line(d, pin, false);
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		set_cpu(d, i, &s->lapics[i]);
	set_ioapic(d, &s->ioapic);
}

static void act(struct diff_vm *d, const struct diff_op *op)
{
	struct kvm_msi msi = { .address_lo = op->address, .data = (uint32_t)op->value };

	switch (op->kind) {
	case DIFF_LINE:
		set_line(d, op->address, op->value);
		break;
	case DIFF_MSI:
		CALL(d->vm, KVM_SIGNAL_MSI, &msi);
		break;
	case DIFF_SLEEP:
		usleep(1000);
		break;
	case DIFF_PAUSE:
		break;
	default:
		cr_assert(false, "the guest gave kind %u", op->kind);
	}
}

/* Memory where nothing is. */
static void open_bus(struct kvm_run *run)
{
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

void diff_vm_run(struct diff_vm *d, struct diff_list *l)
{
	struct diff_op *list = (struct diff_op *)(d->memory + LIST);
	int64_t started = host_ns();
	unsigned int next = 0;

	cr_assert(l->n < DIFF_OPS);
	memcpy(list, l->ops, sizeof(l->ops));
	memset(&list[l->n], 0, sizeof(*list));
	for (;;) {
		CALL(d->vcpu[0], KVM_RUN, 0);
		if (d->run->exit_reason == KVM_EXIT_MMIO) {
			open_bus(d->run);
			continue;
		}
		cr_assert_eq(d->run->exit_reason, KVM_EXIT_IO, "exit %u, %u", d->run->exit_reason,
			     d->run->internal.suberror);
		if (d->run->io.port == PORT_END)
			break;
		if (d->run->io.port == PORT_TAKE)
			continue;
		while (next < l->n && l->ops[next].kind < DIFF_LINE)
			next++;
		cr_assert(next < l->n);
		act(d, &l->ops[next++]);
	}
	memcpy(l->ops, list, sizeof(l->ops));
	d->took_ns = host_ns() - started;
}

/* ---- what it has in the end ---- */

void diff_vm_get(struct diff_vm *d, struct diff_state *ret)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_vcpu_events events;
	struct kvm_lapic_state page;
	struct kvm_mp_state mp;
	struct kvm_sregs sregs;

	for (unsigned int i = 0; i < DIFF_CPUS; i++) {
		struct lapic_state *s = &ret->lapics[i];

		memset(s, 0, sizeof(*s));
		CALL(d->vcpu[i], KVM_GET_MP_STATE, &mp);
		CALL(d->vcpu[i], KVM_GET_VCPU_EVENTS, &events);
		CALL(d->vcpu[i], KVM_GET_SREGS, &sregs);
		CALL(d->vcpu[i], KVM_GET_LAPIC, &page);
		abi_get(&lapic_chip, REG_ABI_LAPIC, &page, s);
		abi_get(&lapic_chip, REG_ABI_SREGS, &sregs, s);
		abi_get(&lapic_chip, REG_ABI_MP_STATE, &mp, s);
		s->nmi_pending = events.nmi.pending;
	}
	memset(&ret->ioapic, 0, sizeof(ret->ioapic));
	CALL(d->vm, KVM_GET_IRQCHIP, &chip);
	abi_get(&ioapic_chip, REG_ABI_IOAPIC, &chip.chip.ioapic, &ret->ioapic);
}

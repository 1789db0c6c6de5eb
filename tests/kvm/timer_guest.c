/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "timer_guest.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIT_HZ 1193182
#define CODE 0x1000
#define IDT 0x2000
#define STACK 0x8000
#define SHARED 0x10000

extern const uint8_t timer_guest_code[], timer_guest_handler[], timer_guest_counted[], timer_guest_end[];

/*
 * Loaded at CODE, so all jumps are relative; what is shared is at SHARED. The handler goes on with the loop by itself: a
 * KVM that emulates has no IRET for this mode.
 */
__asm__(".pushsection .rodata\n"
	".code32\n"
	"timer_guest_code:\n"
	"	call	2f\n"
	"	cmpl	$1, 0x10000\n"
	"	jne	1f\n"
	"	movl	0x10004, %eax\n"
	"	movl	%eax, 0xfee00380\n"
	"1:	sti\n"
	"	hlt\n"
	"	jmp	1b\n"
	"timer_guest_handler:\n"
	"	movl	0x1000c, %ebx\n"
	"	andl	$8191, %ebx\n"
	"	shll	$4, %ebx\n"
	"	rdtsc\n"
	"	movl	%eax, 0x10018(%ebx)\n"
	"	movl	%edx, 0x1001c(%ebx)\n"
	"	movl	0x10010, %eax\n"
	"	movl	%eax, 0x10020(%ebx)\n"
	"	movl	0x10014, %eax\n"
	"	movl	%eax, 0x10024(%ebx)\n"
	"	incl	0x1000c\n"
	"timer_guest_counted:\n"
	"	call	2f\n"
	"	movl	$0, 0xfee000b0\n"
	"	addl	$12, %esp\n"
	"	jmp	1b\n"
	"2:	rdtsc\n"
	"	cmpl	$2, 0x10000\n"
	"	je	3f\n"
	"	movl	%eax, 0x10010\n"
	"	movl	%edx, 0x10014\n"
	"	cmpl	$0, 0x10000\n"
	"	jne	4f\n"
	"	movl	0x10004, %eax\n"
	"	movl	%eax, 0xfee00380\n"
	"	ret\n"
	"3:	addl	0x10008, %eax\n"
	"	adcl	$0, %edx\n"
	"	movl	%eax, 0x10010\n"
	"	movl	%edx, 0x10014\n"
	"	movl	$0x6e0, %ecx\n"
	"	wrmsr\n"
	"4:	ret\n"
	"timer_guest_end:\n"
	".code64\n"
	".popsection\n");

static void flat(struct kvm_segment *s, uint8_t type, uint16_t selector)
{
	*s = (struct kvm_segment){ .limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .db = 1, .s = 1, .g = 1 };
}

/* One interrupt gate of 32 bits. */
static void gate(uint8_t *idt, uint32_t handler)
{
	uint64_t g = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e) << 40 | (uint64_t)(handler >> 16) << 48;

	memcpy(idt + TIMER_VECTOR * 8, &g, sizeof(g));
}

static void gdt(uint8_t *table)
{
	static const uint64_t entries[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };

	memcpy(table, entries, sizeof(entries));
}

static void set_registers(struct vm *vm)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	cr_assert_eq(ioctl(vm->vcpus[0], KVM_GET_SREGS, &sregs), 0);
	flat(&sregs.cs, 0xb, 8);
	flat(&sregs.ds, 3, 16);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.cr0 |= 1;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0x7ff;
	sregs.gdt.base = IDT + 0x800;
	sregs.gdt.limit = 23;
	cr_assert_eq(ioctl(vm->vcpus[0], KVM_SET_SREGS, &sregs), 0);
	cr_assert_eq(ioctl(vm->vcpus[0], KVM_SET_REGS, &regs), 0);
}

static void set_lapic(struct vm *vm, enum timer_kind kind)
{
	struct kvm_lapic_state page = vm_page(vm, 0);

	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_TDCR, 0xb);
	vm_put_reg(&page, LAPIC_LVT0, LAPIC_LVT_MASKED);
	vm_put_reg(&page, LAPIC_LVTT, kind == TIMER_PIT ? LAPIC_LVT_MASKED : (uint32_t)kind << 17 | TIMER_VECTOR);
	cr_assert_eq(vm_set_page(vm, 0, &page), 0);
}

/* Returns the period in nanoseconds: that of a whole number of the PIT's own ticks. */
static uint32_t set_pit(struct vm *vm, uint32_t period_ns)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_pit_state2 pit;
	uint32_t count = (uint32_t)((uint64_t)period_ns * PIT_HZ / 1000000000);

	cr_assert_eq(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip), 0);
	chip.chip.ioapic.redirtbl[0].bits = TIMER_VECTOR;
	cr_assert_eq(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip), 0);
	cr_assert_eq(ioctl(vm->fd, KVM_GET_PIT2, &pit), 0);
	pit.channels[0].mode = 2;
	pit.channels[0].rw_mode = 3;
	pit.channels[0].gate = 1;
	pit.channels[0].count = count;
	cr_assert_eq(ioctl(vm->fd, KVM_SET_PIT2, &pit), 0);
	return (uint32_t)((uint64_t)count * 1000000000 / PIT_HZ);
}

struct timer_shared *timer_guest_load(struct vm *vm, enum timer_kind kind, uint32_t period_ns, uint32_t tsc_khz)
{
	struct timer_shared *shared = (struct timer_shared *)(vm->memory + SHARED);

	cr_assert_leq(SHARED + sizeof(*shared), VM_MEMORY);
	memset(vm->memory, 0, VM_MEMORY);
	memcpy(vm->memory + CODE, timer_guest_code, (size_t)(timer_guest_end - timer_guest_code));
	gate(vm->memory + IDT, CODE + (uint32_t)(timer_guest_handler - timer_guest_code));
	gdt(vm->memory + IDT + 0x800);
	set_registers(vm);
	set_lapic(vm, kind);
	if (kind == TIMER_PIT)
		period_ns = set_pit(vm, period_ns);
	shared->mode = kind;
	shared->ticks = period_ns;
	shared->cycles = (uint32_t)((uint64_t)period_ns * tsc_khz / 1000000);
	return shared;
}

bool timer_guest_uncounted(uint64_t rip)
{
	return rip >= CODE + (uint64_t)(timer_guest_handler - timer_guest_code) &&
	       rip < CODE + (uint64_t)(timer_guest_counted - timer_guest_code);
}

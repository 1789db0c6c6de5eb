/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entry of the boot processor (Multiboot 0.6.96, section 3.2) and of the application processors (SDM vol. 3, 9.4). */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002

	.section .multiboot, "ax"
	.align	4
	.long	MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

	.text
	.code32
	.globl	boot_start
boot_start:
	cli
	lgdt	gdt_pointer
	ljmp	$SEL_CODE, $1f
1:	movl	$cpu_stacks + STACK_SIZE, %esp	/* ss is flat; esp is anything */
	call	load_segments
	pushl	%ebx				/* struct multiboot_info * */
	call	guest_main

load_segments:
	movl	$SEL_DATA, %ecx
	movl	%ecx, %ds
	movl	%ecx, %es
	movl	%ecx, %fs
	movl	%ecx, %gs
	movl	%ecx, %ss
	ret

/* Copied to AP_PAGE; a SIPI starts it in real mode with CS:IP = AP_PAGE >> 4 : 0. */
	.code16
	.globl	ap_trampoline, ap_trampoline_end
ap_trampoline:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	ap_gdt_pointer - ap_trampoline
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$SEL_CODE, $ap_start
ap_gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
ap_trampoline_end:

	.code32
ap_start:
	movl	$SEL_DATA, %ecx
	movl	%ecx, %ds
	movl	%ecx, %es
	movl	%ecx, %fs
	movl	%ecx, %gs
	movl	%ecx, %ss
	lock incl ap_starts
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx			/* initial APIC id */
	movl	%ebx, %eax
	incl	%eax
	imull	$STACK_SIZE, %eax, %eax
	leal	cpu_stacks(%eax), %esp
	pushl	%ebx
	call	ap_main

	.section .rodata
	.align	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff		/* SEL_CODE: flat, 32 bit */
	.quad	0x00cf93000000ffff		/* SEL_DATA: flat */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.section .note.GNU-stack, "", @progbits

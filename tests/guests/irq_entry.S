/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of 16 bytes per vector: pushes the vector and goes on in common_entry. */
#define EFLAGS_IF 0x200

	.text
	.code32
	.globl	irq_entries
	.align	16
irq_entries:
	.set	vector, 0
	.rept	256
	.align	16
	pushl	$vector
	jmp	common_entry
	.set	vector, vector + 1
	.endr

common_entry:
	pushal
	cld
	pushl	%esp				/* struct irq_frame * */
	call	irq_dispatch
	addl	$4, %esp
	popal
/*
 * IRET from protected mode is missing in a KVM that emulates. Here it is by hand: the vector's slot takes eflags with
 * IF clear, and STI holds interrupts back over the far return that drops the real eflags. What came while interrupts
 * were off, as an NMI can, leaves them off.
 */
	pushl	%eax
	movl	16(%esp), %eax
	testl	$EFLAGS_IF, %eax
	jz	1f
	andl	$~EFLAGS_IF, %eax
	movl	%eax, 4(%esp)
	popl	%eax
	popfl
	sti
	lret	$4
1:	movl	%eax, 4(%esp)
	popl	%eax
	popfl
	lret	$4

	.section .note.GNU-stack, "", @progbits

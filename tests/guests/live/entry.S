/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of 16 bytes per vector; as tests/guests/irq_entry.S, but for an NMI that came while interrupts were off. */
#define EFLAGS_IF 0x200

	.text
	.code32
	.globl	live_entries
	.align	16
live_entries:
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
	pushl	32(%esp)			/* the vector */
	call	live_dispatch
	addl	$4, %esp
	popal
/* A KVM that emulates has no IRET for this mode: the vector's slot takes eflags with IF clear. */
	pushl	%eax
	movl	16(%esp), %eax
	testl	$EFLAGS_IF, %eax
	jz	1f
	andl	$~EFLAGS_IF, %eax
	movl	%eax, 4(%esp)
	popl	%eax
	popfl
	sti					/* holds interrupts back over the far return */
	lret	$4
1:	movl	%eax, 4(%esp)
	popl	%eax
	popfl
	lret	$4

	.section .note.GNU-stack, "", @progbits

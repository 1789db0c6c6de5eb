/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The instructions that C has no word for. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

extern u8 cpu_stacks[MAX_CPUS][STACK_SIZE];

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1"
			 :
			 : "a"(value), "Nd"(port));
}

static inline void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1"
			 :
			 : "a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0"
			 : "=a"(value)
			 : "Nd"(port));
	return value;
}

static inline void out32(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1"
			 :
			 : "a"(value), "Nd"(port));
}

static inline u32 in32(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0"
			 : "=a"(value)
			 : "Nd"(port));
	return value;
}

static inline u64 rdtsc(void)
{
	u64 value;

	__asm__ volatile("rdtsc"
			 : "=A"(value));
	return value;
}

static inline u64 rdmsr(u32 msr)
{
	u64 value;

	__asm__ volatile("rdmsr"
			 : "=A"(value)
			 : "c"(msr));
	return value;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "A"(value)
			 : "memory");
}

/* cpuid_1_ecx - The feature bits in CPUID.01H:ECX. */
static inline u32 cpuid_1_ecx(void)
{
	u32 eax = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid"
			 : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ecx;
}

/* cpu_index - Which processor this is, told by the stack it runs on: its initial APIC id. */
static inline u32 cpu_index(void)
{
	u32 esp;

	__asm__ volatile("movl %%esp, %0"
			 : "=r"(esp));
	return (esp - (u32)cpu_stacks) / STACK_SIZE;
}

/* cpu_wait - Sleep until the next interrupt has been handled. */
static inline void cpu_wait(void)
{
	__asm__ volatile("sti; hlt; cli"
			 :
			 :
			 : "memory");
}

/* div64 - @n / @d without libgcc. */
static inline u64 div64(u64 n, u32 d)
{
	u32 high = (u32)(n >> 32), low = (u32)n;
	u32 q_high = high / d, rest = high % d, q_low;

	__asm__("divl %3"
		: "=a"(q_low), "+d"(rest)
		: "0"(low), "rm"(d)
		: "cc");
	return (u64)q_high << 32 | q_low;
}

#endif

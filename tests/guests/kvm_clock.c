/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documentation/virt/kvm/x86/msr.rst and cpuid.rst of Linux. */
#include "kvm_clock.h"

#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define LEAF_SIGNATURE 0x40000000u
#define LEAF_FEATURES 0x40000001u
#define SIGNATURE_KVM 0x4b4d564bu /* "KVMK" */
#define FEATURE_CLOCKSOURCE2 0x8u

struct kvm_time {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	signed char shift;
	u8 flags, pads[2];
};

static volatile struct kvm_time page __attribute__((aligned(64)));

static u32 leaf(u32 eax, u32 *ret_ebx)
{
	u32 ecx, edx;

	__asm__ volatile("cpuid"
			 : "+a"(eax), "=b"(*ret_ebx), "=c"(ecx), "=d"(edx));
	return eax;
}

bool kvm_clock_init(void)
{
	u32 signature, unused;

	if (leaf(LEAF_SIGNATURE, &signature) < LEAF_FEATURES || signature != SIGNATURE_KVM ||
	    !(leaf(LEAF_FEATURES, &unused) & FEATURE_CLOCKSOURCE2))
		return false;
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, (u32)&page | 1);
	return page.version != 0;
}

u64 kvm_clock_us(void)
{
	u32 version;
	u64 delta, time;

	do {
		version = page.version;
		delta = rdtsc() - page.tsc_timestamp;
		delta = page.shift < 0 ? delta >> -page.shift : delta << page.shift;
		time = page.system_time + (delta >> 32) * page.mul + ((delta & 0xffffffffu) * page.mul >> 32);
	} while (version & 1 || version != page.version);
	return div64(time, 1000);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* INIT and SIPI (SDM vol. 3, 9.4.4); the number of processors from fw_cfg (QEMU docs/specs/fw_cfg). */
#include "smp.h"

#include "apic.h"
#include "clock.h"

#define FW_CFG_SELECTOR 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_NB_CPUS 5

#define INIT_WAIT_US 10000
#define START_WAIT_US 1000000

extern const u8 ap_trampoline[], ap_trampoline_end[];

u8 cpu_stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
volatile u32 ap_starts;

u32 smp_cpus(void)
{
	u32 cpus;

	out16(FW_CFG_SELECTOR, FW_CFG_NB_CPUS);
	cpus = in8(FW_CFG_DATA);
	return cpus < 1 ? 1 : cpus > MAX_CPUS ? MAX_CPUS
					      : cpus;
}

void smp_prepare(void)
{
	volatile u8 *page = (volatile u8 *)AP_PAGE;

	for (u32 i = 0; ap_trampoline + i < ap_trampoline_end; i++)
		page[i] = ap_trampoline[i];
}

static void wait_us(u32 us)
{
	u64 end = clock_us() + us;

	while (clock_us() < end)
		;
}

void smp_init_ipi(u32 cpu)
{
	lapic_ipi(cpu, ICR_INIT);
	wait_us(INIT_WAIT_US);
}

int smp_startup(u32 cpu)
{
	u32 before = ap_starts;
	u64 end = clock_us() + START_WAIT_US;

	lapic_ipi(cpu, ICR_SIPI | AP_PAGE >> 12);
	while (ap_starts == before)
		if (clock_us() > end)
			return -1;
	return 0;
}

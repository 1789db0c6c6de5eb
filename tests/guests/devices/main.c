/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest for QEMU's test machines: looks at what a loader gives, touches each device that test guests use, and takes an
 * interrupt from each source and by each way. It says PASS or FAIL, and exits by port 0xf4 with 21, or 1 after a FAIL.
 * It knows of no VMM: QEMU with pc-testdev and isa-debug-exit and the example VMM must give the same output.
 */
#include "../apic.h"
#include "../clock.h"
#include "../console.h"
#include "../irq.h"
#include "../legacy.h"
#include "../smp.h"
#include "../words.h"

#define EXIT_PORT 0xf4
#define LATCH 0xe0
#define FLUSH 0xe4
#define LATCH_AGAIN 0xe8
#define LINES 0x2000
#define WINDOW 0xff000000u

#define FW_CFG 0x510
#define FW_SIGNATURE 0
#define FW_RAM_SIZE 3
#define FW_NB_CPUS 5

#define RTC_INDEX 0x70
#define RTC_DATA 0x71

#define PATIENCE_US 5000000

enum { LINE_EDGE = 14,
       LINE_OTHER = 15,
       LINE_LEVEL = 10,
       LINE_PIC = 5 };

enum { VEC_LOW = 0x66,
       VEC_HIGH = 0x78 };

struct multiboot_module {
	u32 start, end, text, reserved;
};

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};

struct memory_range {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

void guest_main(const struct multiboot_info *info) __attribute__((noreturn));
void ap_main(u32 cpu) __attribute__((noreturn));

static bool failed;
static volatile u32 edges, others, levels, pics, rtcs, coms, ipis, nmis, timers, order;

static void report(bool ok, const char *what)
{
	con_text(ok ? "PASS: " : "FAIL: ");
	con_text(what);
	con_text("\n");
	failed |= !ok;
}

/*
 * Until a handler has run so often. Return: whether it did in time. Interrupts are on while the clock is read, too: some
 * hosts look for them at an exit only.
 */
static bool wait_for(const volatile u32 *count, u32 wanted)
{
	u64 end = clock_us() + PATIENCE_US;

	__asm__ volatile("sti");
	while (*count < wanted && clock_us() < end)
		;
	__asm__ volatile("cli");
	return *count >= wanted;
}

/* What should not come has the time to. */
static void settle(void)
{
	u64 end = clock_us() + 20000;

	__asm__ volatile("sti");
	while (clock_us() < end)
		;
	__asm__ volatile("cli");
}

/* ---- what the loader gives ---- */

/* Behind the first word, which is a file's name. */
static void print_arguments(const char *name, const char *text)
{
	while (*text && *text != ' ')
		text++;
	con_text(name);
	con_text(text);
	con_text("\n");
}

static void print_module(const struct multiboot_module *m)
{
	u32 sum = 0;

	for (const u8 *p = (const u8 *)m->start; p < (const u8 *)m->end; p++)
		sum += *p;
	print_arguments("module:", (const char *)m->text);
	con_text("module");
	con_field("bytes", m->end - m->start);
	con_field("sum", sum);
	con_text("\n");
}

static void check_map(const struct multiboot_info *info)
{
	u32 at = info->mmap_addr, end = at + info->mmap_length;
	bool low = false, high = false;

	while (at < end) {
		const struct memory_range *r = (const struct memory_range *)at;

		low |= r->type == 1 && r->base == 0 && r->length > 0x80000;
		high |= r->type == 1 && r->base == 0x100000 && r->length > 0x1000000;
		at += r->size + 4;
	}
	report(low && high && at == end, "the memory map has what is below 640 KiB and above 1 MiB");
}

static void check_loader(const struct multiboot_info *info)
{
	const struct multiboot_module *m = (const struct multiboot_module *)info->mods_addr;

	print_arguments("command line:", (const char *)info->cmdline);
	con_text("loader");
	con_field("modules", info->mods_count);
	con_text("\n");
	for (u32 i = 0; i < info->mods_count; i++)
		print_module(m + i);
	report((info->flags & 0x4f) == 0x4f, "memory, boot device, command line, modules and map are given");
	report(info->mem_lower > 512 && info->mem_upper > 16384, "memory sizes");
	check_map(info);
}

static u64 fw_item(u16 item, u32 bytes)
{
	u64 value = 0;

	out16(FW_CFG, item);
	for (u32 i = 0; i < bytes; i++)
		value |= (u64)in8(FW_CFG + 1) << (8 * i);
	return value;
}

static void check_fw_cfg(void)
{
	report(fw_item(FW_SIGNATURE, 4) == 0x554d4551, "fw_cfg signature");
	con_text("fw_cfg");
	con_field("memory", fw_item(FW_RAM_SIZE, 8));
	con_field("cpus", fw_item(FW_NB_CPUS, 2));
	con_text("\n");
}

/* ---- devices without interrupts ---- */

static void check_test_device(void)
{
	volatile u32 *window = (volatile u32 *)WINDOW;

	out32(LATCH, 0x44332211);
	report(in32(LATCH) == 0x44332211 && in8(LATCH) == 0x11 && in8(LATCH + 2) == 0x33, "latch");
	out8(LATCH, 0x5a);
	report(in8(LATCH) == 0x5a && in32(LATCH_AGAIN) == 0x4433225a, "latch, a byte of it");
	window[0] = 0x12345678;
	window[0x3fff] = 0x9abcdef0;
	report(window[0] == 0x12345678 && window[0x3fff] == 0x9abcdef0, "window");
	out32(FLUSH, (u32)&failed);
	report(!failed, "memory is what it was after a flush");
}

static u8 rtc_read(u8 reg)
{
	out8(RTC_INDEX, reg);
	return in8(RTC_DATA);
}

static void rtc_write(u8 reg, u8 value)
{
	out8(RTC_INDEX, reg);
	out8(RTC_DATA, value);
}

static void check_cmos(void)
{
	rtc_write(0x70, 0xa5);
	report(rtc_read(0x70) == 0xa5 && rtc_read(0x0d) == 0x80, "CMOS RAM and battery");
	report(rtc_read(0x15) == 0x80 && rtc_read(0x16) == 0x02, "CMOS says 640 KiB");
}

/* ---- interrupts ---- */

static void on_low(void)
{
	others++;
	order = order * 10 + 2;
	lapic_eoi();
}

static void on_high(void)
{
	edges++;
	order = order * 10 + 1;
	lapic_eoi();
}

static void on_level(void)
{
	levels++;
	out8(LINES + LINE_LEVEL, 0);
	lapic_eoi();
}

static void on_pic(void)
{
	pics++;
	pic_eoi(LINE_PIC);
}

static void on_slave(void)
{
	pics++;
	pic_eoi(LINE_EDGE);
}

static void on_rtc(void)
{
	rtcs++;
	rtc_flags();
	lapic_eoi();
}

static void on_com(void)
{
	coms++;
	con_line_lower();
	lapic_eoi();
}

static void on_ipi(void)
{
	ipis++;
	lapic_eoi();
}

static void on_nmi(void)
{
	nmis++;
}

static void on_timer(void)
{
	timers++;
	lapic_eoi();
}

static void toggle(u32 line)
{
	out8((u16)(LINES + line), 1);
	out8((u16)(LINES + line), 0);
}

static void check_ioapic(void)
{
	ioapic_route(LINE_EDGE, VEC_HIGH, 0, 0);
	ioapic_route(LINE_OTHER, VEC_LOW, 0, 0);
	toggle(LINE_EDGE);
	report(wait_for(&edges, 1), "an edge by the IOAPIC");
	settle();
	report(edges == 1, "comes once");
	order = 0;
	toggle(LINE_OTHER);
	toggle(LINE_EDGE);
	report(wait_for(&others, 1) && wait_for(&edges, 2) && order == 12, "of two at once the higher vector is first");
	ioapic_route(LINE_LEVEL, VEC_LEVEL, 0, RTE_LEVEL);
	out8(LINES + LINE_LEVEL, 1);
	report(wait_for(&levels, 1), "a level by the IOAPIC");
	settle();
	levels = 0;
	settle();
	report(!levels, "is over when the line is down");
	out8(LINES + LINE_LEVEL, 1);
	report(wait_for(&levels, 1), "and comes again");
	ioapic_mask_all();
}

static void check_pic(void)
{
	pic_init();
	lapic_extint();
	pic_unmask(LINE_PIC);
	toggle(LINE_PIC);
	report(wait_for(&pics, 1), "an edge by the PIC and LINT0");
	pic_unmask(LINE_EDGE);
	toggle(LINE_EDGE);
	report(wait_for(&pics, 2), "an edge by the second PIC");
	settle();
	report(pics == 2, "come once each");
	pic_init();
}

static void check_serial(void)
{
	ioapic_route(IRQ_COM1, VEC_PIT, 0, 0);
	con_line_raise();
	report(wait_for(&coms, 1), "COM1 interrupts when there is room");
	ioapic_mask_all();
}

/* Late ones are the host's, early ones would be the devices': time is judged from below. */
static void check_rtc(void)
{
	u64 start;

	ioapic_route(IRQ_RTC, VEC_RTC, 0, 0);
	rtc_flags();
	start = clock_us();
	rtc_write(0x0b, 0x12);
	report(wait_for(&rtcs, 1), "the RTC interrupts when a second ends");
	report(wait_for(&rtcs, 3), "and again, and again");
	report(clock_us() - start >= 1990000, "two seconds later, by the PM timer");
	rtcs = 0;
	start = clock_us();
	rtc_start(10);
	report(wait_for(&rtcs, 33), "the RTC interrupts at 64 Hz");
	report(clock_us() - start >= 490000, "33 times in half a second");
	rtc_write(0x0b, 0x02);
	ioapic_mask_all();
}

static void check_lapic(u32 cpus)
{
	lapic_ipi(0, VEC_PING);
	report(wait_for(&ipis, 1), "an IPI to itself");
	lapic_ipi(0, 0x4400);
	report(wait_for(&nmis, 1), "an NMI to itself");
	lapic_timer_set(TIMER_ONESHOT, VEC_LAPIC);
	lapic_timer_start(clock_lapic_khz);
	report(wait_for(&timers, 1), "the timer, one shot");
	smp_prepare();
	for (u32 cpu = 1; cpu < cpus; cpu++) {
		smp_init_ipi(cpu);
		report(!smp_startup(cpu), "a CPU starts");
		ipis = 0;
		lapic_ipi(cpu, VEC_PING);
		report(wait_for(&ipis, 1), "and takes an IPI");
	}
}

static void set_handlers(void)
{
	irq_set(2, on_nmi);
	irq_set(VEC_LOW, on_low);
	irq_set(VEC_HIGH, on_high);
	irq_set(VEC_LEVEL, on_level);
	irq_set(VEC_PIC_MASTER + LINE_PIC, on_pic);
	irq_set(VEC_PIC_SLAVE + LINE_EDGE % 8, on_slave);
	irq_set(VEC_RTC, on_rtc);
	irq_set(VEC_PIT, on_com);
	irq_set(VEC_PING, on_ipi);
	irq_set(VEC_LAPIC, on_timer);
}

void ap_main(u32 cpu)
{
	(void)cpu;
	idt_load();
	lapic_init(false);
	for (;;)
		cpu_wait();
}

void guest_main(const struct multiboot_info *info)
{
	con_init(false);
	idt_fill();
	set_handlers();
	idt_load();
	ioapic_mask_all();
	pic_init();
	lapic_init(false);
	clock_init(false);
	check_loader(info);
	check_fw_cfg();
	check_test_device();
	check_cmos();
	check_ioapic();
	check_pic();
	check_serial();
	check_rtc();
	check_lapic(smp_cpus());
	out32(EXIT_PORT, failed ? 1 : 21);
	for (;;)
		__asm__ volatile("cli; hlt");
}

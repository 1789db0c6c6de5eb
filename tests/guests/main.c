/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The test guest: drives every interrupt source it was asked for and prints what it counted, several times a second.
 *
 * Words of its command line:
 *   lapic oneshot pit rtc level ipi   the sources to drive; none of them: all
 *   route=pic | route=ioapic          how PIT and RTC come: 8259 and LINT0 (default), or IOAPIC
 *   level=pic                         the level source by the 8259 (ELCR) instead of the IOAPIC
 *   x2apic, tscdeadline               where CPUID has it: x2APIC mode; the one-shot source by TSC deadline
 *   sipi=SECONDS                      the last AP gets its INIT at once and its SIPI only then
 *   spin=SECONDS                      APs do not halt until then
 *   clock=tsc                         the guest's clock is the TSC, not the PM timer
 *   kvmclock                          where CPUID has it: switch KVM's clock on, and print it
 *   dirty=PAGES                       write to so many pages at every turn, and look whether the last turn's are there
 *   debugcon                          copy the output to port 0xe9
 *   lapic_us= oneshot_us= pit_us=     periods; rtc_rate= is the RTC's rate select (12: 16 Hz)
 *   kick_us= ping_us= print_us=       least time between two kicks of the level line, IPIs, lines
 *   lost= early=                      percent of a period beyond which a gap is an error
 */
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "irq.h"
#include "kvm_clock.h"
#include "legacy.h"
#include "smp.h"
#include "source.h"
#include "words.h"

#define PIN_PIT 2    /* QEMU's override of ISA IRQ 0 */
#define LEVEL_RUNS 2 /* handler runs of one kick: the line stays up over the first EOI */
#define ALTERNATE_TICKS 16
#define ANSWER_US 500000
#define DIRTY_BASE 0x800000u /* behind everything else */
#define DIRTY_MAX 1024u
#define PAGE_BYTES 4096u

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
};

#define MULTIBOOT_CMDLINE 0x4

void guest_main(const struct multiboot_info *info) __attribute__((noreturn));
void ap_main(u32 cpu) __attribute__((noreturn));

static struct source lapic = { .name = "gap_lapic" };
static struct source oneshot = { .name = "gap_oneshot" };
static struct source pit = { .name = "gap_pit" };
static struct source rtc = { .name = "gap_rtc" };
static struct source level = { .name = "gap_level" };

static struct {
	bool use_lapic, use_oneshot, use_pit, use_rtc, use_level, use_ipi;
	bool by_pic, level_by_pic, x2apic, tsc_deadline, debugcon, kvm_clock;
	u32 kick_us, ping_us, print_us, sipi_us, spin_us;
	u32 cpus, active, rtc_rate, dirty;
} cfg;

static volatile u32 kicks, level_runs_left;
static volatile u32 pings_sent, pings_seen, pongs_seen;
static volatile u32 level_again;
static volatile bool probe_done;
static volatile bool aps_spin;
static bool last_ap_waits;
static bool auto_eoi;

/* ---- timers ---- */

static void oneshot_arm(void)
{
	u64 now = clock_us();
	u64 next = oneshot.start_us;

	next += (u64)(source_expected(&oneshot) - oneshot.base + 1) * oneshot.period_us;
	if (cfg.tsc_deadline)
		lapic_timer_deadline(clock_tsc_after(next - now));
	else
		lapic_timer_start((u32)div64((next - now) * clock_lapic_khz, 1000));
}

static void oneshot_begin(void)
{
	lapic_timer_set(cfg.tsc_deadline ? TIMER_TSC_DEADLINE : TIMER_ONESHOT, VEC_ONESHOT);
	source_start(&oneshot);
	oneshot_arm();
}

static void periodic_begin(void)
{
	lapic_timer_set(TIMER_PERIODIC, VEC_LAPIC);
	source_start(&lapic);
	lapic_timer_start((u32)div64((u64)lapic.period_us * clock_lapic_khz, 1000));
}

/* With a single processor its one timer takes both modes by turns. */
static bool turn_over(const struct source *src)
{
	return cfg.active == 1 && cfg.use_lapic && cfg.use_oneshot && src->count % ALTERNATE_TICKS == 0;
}

static void on_lapic(void)
{
	source_tick(&lapic);
	if (turn_over(&lapic)) {
		source_stop(&lapic);
		oneshot_begin();
	}
	lapic_eoi();
}

static void on_oneshot(void)
{
	source_tick(&oneshot);
	if (turn_over(&oneshot)) {
		source_stop(&oneshot);
		periodic_begin();
	} else {
		oneshot_arm();
	}
	lapic_eoi();
}

static void on_pit_ioapic(void)
{
	source_tick(&pit);
	lapic_eoi();
}

static void on_pit_pic(void)
{
	source_tick(&pit);
	pic_eoi(IRQ_PIT);
}

static void rtc_tick(void)
{
	rtc_flags();
	source_tick(&rtc);
}

static void on_rtc_ioapic(void)
{
	rtc_tick();
	lapic_eoi();
}

static void on_rtc_pic(void)
{
	rtc_tick();
	pic_eoi(IRQ_RTC);
}

static void on_pic_spurious_master(void)
{
	if (pic_in_service(7))
		pic_eoi(7);
	error_count("spurious_pic_master");
}

static void on_pic_spurious_slave(void)
{
	pic_eoi(IRQ_CASCADE);
	error_count("spurious_pic_slave");
}

/* ---- level ---- */

/*
 * The first run leaves the line up: only EOI, IOAPIC and remote IRR together bring the second one. A host that ends an
 * interrupt as it delivers it brings one run more than it should, and may leave it pending for the next host.
 */
static void level_tick(bool in_service)
{
	if (!level_runs_left) {
		level_again++;
		if (in_service && !auto_eoi)
			error_count("level_without_kick");
		return;
	}
	source_tick(&level);
	if (--level_runs_left == 0)
		con_line_lower();
}

static void on_level_ioapic(void)
{
	level_tick(level_runs_left || lapic_in_service(VEC_LEVEL));
	lapic_eoi();
}

static void on_level_pic(void)
{
	level_tick(pic_in_service(IRQ_COM1));
	pic_eoi(IRQ_COM1);
}

/* ---- inter-processor interrupts ---- */

static void on_ping(void)
{
	if (pings_sent != pings_seen + 1)
		error_count("ping_out_of_order");
	else
		pings_seen++;
	lapic_ipi(0, VEC_PONG);
	lapic_eoi();
}

static void on_pong(void)
{
	if (pings_seen != pongs_seen + 1)
		error_count("pong_out_of_order");
	else
		pongs_seen++;
	lapic_eoi();
}

/* Does the host leave the end of an interrupt to the guest? */
static void on_probe(void)
{
	auto_eoi = !lapic_in_service(VEC_PING);
	probe_done = true;
	lapic_eoi();
}

static void probe_eoi(void)
{
	irq_set(VEC_PING, on_probe);
	lapic_ipi(0, VEC_PING);
	while (!probe_done)
		__asm__ volatile("sti; nop; cli");
	irq_set(VEC_PING, on_ping);
}

static u32 ping_target(void)
{
	return cfg.active == 1 ? 0 : 1 + pings_sent % (cfg.active - 1);
}

static void on_apic_error(void)
{
	error_count("apic_error");
	lapic_eoi();
}

static void on_spurious(void)
{
	error_count("spurious_lapic");
}

/* ---- set-up ---- */

static void read_words(void)
{
	cfg.use_lapic = words_have("lapic");
	cfg.use_oneshot = words_have("oneshot");
	cfg.use_pit = words_have("pit");
	cfg.use_rtc = words_have("rtc");
	cfg.use_level = words_have("level");
	cfg.use_ipi = words_have("ipi");
	if (!cfg.use_lapic && !cfg.use_oneshot && !cfg.use_pit && !cfg.use_rtc && !cfg.use_level &&
	    !cfg.use_ipi) {
		cfg.use_lapic = cfg.use_oneshot = cfg.use_pit = cfg.use_rtc = true;
		cfg.use_level = cfg.use_ipi = true;
	}
	cfg.by_pic = !words_have("route=ioapic");
	cfg.level_by_pic = words_have("level=pic");
	cfg.x2apic = words_have("x2apic") && cpuid_1_ecx() >> 21 & 1;
	cfg.tsc_deadline = words_have("tscdeadline") && cpuid_1_ecx() >> 24 & 1;
	cfg.spin_us = words_number("spin=", 0) * 1000000;
	aps_spin = cfg.spin_us != 0;
	cfg.debugcon = words_have("debugcon");
	lapic.period_us = words_number("lapic_us=", 50000);
	oneshot.period_us = words_number("oneshot_us=", 40000);
	pit.period_us = words_number("pit_us=", 40000);
	cfg.rtc_rate = words_number("rtc_rate=", 12);
	rtc.period_us = (1000000u << (cfg.rtc_rate - 1)) / 32768;
	cfg.kick_us = words_number("kick_us=", 100000);
	cfg.ping_us = words_number("ping_us=", 100000);
	cfg.print_us = words_number("print_us=", 150000);
	cfg.dirty = words_number("dirty=", 0);
	if (cfg.dirty > DIRTY_MAX)
		cfg.dirty = DIRTY_MAX;
	cfg.sipi_us = words_number("sipi=", 0) * 1000000;
	source_lost_percent = words_number("lost=", source_lost_percent);
	source_early_percent = words_number("early=", source_early_percent);
}

static void start_processors(void)
{
	last_ap_waits = cfg.sipi_us && cfg.cpus > 1;
	cfg.active = cfg.cpus - last_ap_waits;
	smp_prepare();
	for (u32 cpu = 1; cpu < cfg.cpus; cpu++) {
		smp_init_ipi(cpu);
		if (cpu < cfg.active && smp_startup(cpu))
			error_count("ap_did_not_start");
	}
}

static void set_handlers(void)
{
	irq_set(VEC_LAPIC, on_lapic);
	irq_set(VEC_ONESHOT, on_oneshot);
	irq_set(VEC_PIT, on_pit_ioapic);
	irq_set(VEC_RTC, on_rtc_ioapic);
	irq_set(VEC_LEVEL, on_level_ioapic);
	irq_set(VEC_PING, on_ping);
	irq_set(VEC_PONG, on_pong);
	irq_set(VEC_APIC_ERROR, on_apic_error);
	irq_set(VEC_SPURIOUS, on_spurious);
	irq_set(VEC_PIC_MASTER + IRQ_PIT, on_pit_pic);
	irq_set(VEC_PIC_MASTER + IRQ_COM1, on_level_pic);
	irq_set(VEC_PIC_MASTER + 7, on_pic_spurious_master);
	irq_set(VEC_PIC_SLAVE + IRQ_RTC % 8, on_rtc_pic);
	irq_set(VEC_PIC_SLAVE + 7, on_pic_spurious_slave);
}

/* The sources already run: pic_init() drops the edges they left in the PIC. */
static void route_sources(void)
{
	u32 rtc_cpu = cfg.active > 2 ? 2 : 0, level_cpu = cfg.active > 1 ? 1 : 0;

	pic_init();
	if (cfg.by_pic || cfg.level_by_pic)
		lapic_extint();
	if (cfg.level_by_pic)
		pic_level(IRQ_COM1);
	if (cfg.use_pit && cfg.by_pic)
		pic_unmask(IRQ_PIT);
	else if (cfg.use_pit)
		ioapic_route(PIN_PIT, VEC_PIT, 0, 0);
	if (cfg.use_rtc && cfg.by_pic)
		pic_unmask(IRQ_RTC);
	else if (cfg.use_rtc)
		ioapic_route(IRQ_RTC, VEC_RTC, rtc_cpu, 0);
	if (cfg.use_level && cfg.level_by_pic)
		pic_unmask(IRQ_COM1);
	else if (cfg.use_level)
		ioapic_route(IRQ_COM1, VEC_LEVEL, level_cpu, RTE_LEVEL);
}

static void start_sources(void)
{
	if (cfg.use_pit) {
		pit_start((u16)div64((u64)pit.period_us * PIT_HZ + 500000, 1000000));
		source_start(&pit);
	}
	if (cfg.use_rtc) {
		rtc_start(cfg.rtc_rate);
		source_start(&rtc);
	}
}

static void start_local_timer(void)
{
	if (cfg.use_lapic)
		periodic_begin();
	else if (cfg.use_oneshot && cfg.active == 1)
		oneshot_begin();
}

void ap_main(u32 cpu)
{
	idt_load();
	lapic_init(cfg.x2apic);
	if (cpu == 1 && cfg.use_oneshot && cfg.active > 1)
		oneshot_begin();
	for (;;) {
		if (aps_spin)
			__asm__ volatile("sti; nop; pause; cli");
		else
			cpu_wait();
	}
}

/* ---- what the boot processor does between interrupts ---- */

static void kick(u64 now)
{
	static u64 next, deadline;

	if (level_runs_left && now > deadline) {
		error_count("level_lost");
		deadline = now + ANSWER_US;
	}
	if (level_runs_left || now < next)
		return;
	next = now + cfg.kick_us;
	deadline = now + ANSWER_US;
	kicks++;
	level_runs_left = LEVEL_RUNS;
	con_line_raise();
}

static void ping(u64 now)
{
	static u64 next, deadline;

	if (pongs_seen != pings_sent && now > deadline) {
		error_count("ping_lost");
		deadline = now + ANSWER_US;
	}
	if (pongs_seen != pings_sent || now < next)
		return;
	next = now + cfg.ping_us;
	deadline = now + ANSWER_US;
	u32 target = ping_target();

	pings_sent++;
	lapic_ipi(target, VEC_PING);
}

/* Until its SIPI the last processor must not have run; after it, it takes part in the pings. */
static void start_last_ap(u64 now)
{
	if (!last_ap_waits || now < cfg.sipi_us)
		return;
	last_ap_waits = false;
	if (ap_starts != cfg.cpus - 2)
		error_count("ap_ran_before_sipi");
	if (smp_startup(cfg.cpus - 1))
		error_count("ap_did_not_start");
	else if (cfg.cpus > 2)
		cfg.active = cfg.cpus;
}

/* A page that a migration leaves behind, or takes from an earlier turn, shows. */
static void dirty(void)
{
	static u32 turn;

	for (u32 i = 0; i < cfg.dirty; i++) {
		volatile u32 *word = (volatile u32 *)(DIRTY_BASE + i * PAGE_BYTES + i % (PAGE_BYTES / 4) * 4);

		if (turn && *word != turn + i) {
			error_count("page_lost");
			con_text("page_lost\n"); /* a line of its own: no later error hides it */
		}
		*word = turn + 1 + i;
	}
	turn++;
}

static void print_source(const char *name, const struct source *src)
{
	if (!src->period_us || !(src->running || src->base))
		return;
	con_field(name, src->count);
	con_text("/");
	con_number(source_expected(src));
}

static void print_worst(const char *name, struct source *src)
{
	con_text(name);
	con_number(source_take_worst(src));
}

static void print_line(u64 now)
{
	static u64 next;
	static u32 seq;

	if (now < next)
		return;
	next = now + cfg.print_us;
	con_text("t=");
	con_number(now);
	con_field("seq", seq++);
	con_field("tsc", clock_tsc_us());
	if (cfg.kvm_clock)
		con_field("kvm", kvm_clock_us());
	print_source("lapic", &lapic);
	print_source("oneshot", &oneshot);
	print_source("pit", &pit);
	print_source("rtc", &rtc);
	if (cfg.use_level) {
		con_field("level", level.count);
		con_text("/");
		con_number(kicks * LEVEL_RUNS);
		con_field("kick", kicks);
		con_field("again", level_again);
	}
	if (cfg.use_ipi) {
		con_field("ping", pings_sent);
		con_field("pong", pongs_seen);
	}
	con_field("ap", ap_starts);
	con_text(" late=");
	print_worst("lapic:", &lapic);
	print_worst(",oneshot:", &oneshot);
	print_worst(",pit:", &pit);
	print_worst(",rtc:", &rtc);
	con_field("err", errors);
	con_text(" ");
	con_text(last_error);
	con_text("\n");
}

static void print_header(void)
{
	con_text("irqshift-guest");
	con_field("cpus", cfg.cpus);
	con_text(cfg.by_pic ? " route=pic" : " route=ioapic");
	con_text(cfg.x2apic ? " apic=x2apic" : " apic=xapic");
	con_text(cfg.tsc_deadline ? " oneshot=tscdeadline" : " oneshot=count");
	con_text(auto_eoi ? " eoi=auto" : " eoi=guest");
	con_text(clock_tsc_follows_vm() ? " tsc=vm" : " tsc=host");
	con_field("tsc_khz", clock_tsc_khz);
	con_field("lapic_khz", clock_lapic_khz);
	con_text("\n");
}

void guest_main(const struct multiboot_info *info)
{
	words_init(info->flags & MULTIBOOT_CMDLINE ? (const char *)info->cmdline : 0);
	read_words();
	con_init(cfg.debugcon);
	cfg.cpus = smp_cpus();
	idt_fill();
	set_handlers();
	idt_load();
	ioapic_mask_all();
	pic_init();
	lapic_init(cfg.x2apic);
	clock_init(words_have("clock=tsc"));
	cfg.kvm_clock = words_have("kvmclock") && kvm_clock_init();
	probe_eoi();
	print_header();
	start_processors();
	start_sources();
	route_sources();
	start_local_timer();
	for (;;) {
		u64 now = clock_us();

		if (cfg.use_level)
			kick(now);
		if (cfg.use_ipi)
			ping(now);
		if (now >= cfg.spin_us)
			aps_spin = false;
		start_last_ap(now);
		dirty();
		print_line(now);
		cpu_wait();
	}
}

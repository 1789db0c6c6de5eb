/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift dump --pid` of a real QEMU, against what its monitor says of the same paused guest. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/snapshot.h"
#include "stream/native.h"
#include "tests/qemu/process.h"
#include "tests/qemu/vm.h"

#define DUMP_S 20
#define LINES 5
#define LINE_MS 15000
/* Ticks of timers in the kernel that come although the guest is paused have set their bits by then. */
#define QUIET_MS 300
#define TRIES 5

static char folder[] = P_tmpdir "/irqshift-qemu-dump-XXXXXX";
static struct vm vm;
static bool started;

static void teardown(void)
{
	char path[128];

	if (started)
		vm_stop(&vm);
	snprintf(path, sizeof(path), "%s/s", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/out", folder);
	unlink(path);
	rmdir(folder);
}

TestSuite(dump, .fini = teardown, .timeout = 180);

static void start_paused(enum vm_release release, const char *append)
{
	const struct vm_config config = { .release = release, .kind = VM_KVM, .cpus = 2, .append = append, .limit_s = 120 };
	const char *why;

	if (!vm_can(release, VM_KVM, &why))
		cr_skip_test("%s", why);
	cr_assert(mkdtemp(folder));
	started = true;
	cr_assert_eq(vm_start(&vm, &config), 0, "%s", vm.error);
	cr_assert_eq(vm_wait_lines(&vm, LINES, LINE_MS), 0, "%s", vm.error);
	cr_assert_eq(vm_qmp(&vm, "{\"execute\":\"stop\"}", NULL, 0), 0, "%s", vm.error);
	sleep_ms(QUIET_MS);
}

/* What a monitor command says of a CPU; the caller frees it. ("info lapic 1" does not ask KVM, as the current CPU's does.) */
static char *monitor(const char *command, unsigned int cpu)
{
	char line[256], reply[8192], *text;
	json_t *json;

	snprintf(line, sizeof(line),
		 "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\",\"cpu-index\":%u}}", command, cpu);
	cr_assert_eq(vm_qmp(&vm, line, reply, sizeof(reply)), 0, "%s", vm.error);
	json = json_loads(reply, 0, NULL);
	cr_assert(json && json_is_string(json_object_get(json, "return")), "%s", reply);
	text = strdup(json_string_value(json_object_get(json, "return")));
	json_decref(json);
	return text;
}

static void dump(struct irqchip_state *ret)
{
	const char *program = getenv("IRQSHIFT");
	char pid[16], path[128], out[128], *said;
	const char *const argv[] = { program ? program : "build/irqshift", "dump", "--pid", pid, "--save", path, NULL };
	struct irqs_error err = { 0 };
	struct vms_tree t;
	FILE *f;

	snprintf(pid, sizeof(pid), "%d", (int)vm_pid(&vm));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	cr_assert_eq(process_run(argv, DUMP_S, out), 0, "%s", read_text(out));
	said = read_text(out);
	/* A vCPU that runs may be met while QEMU does its I/O. */
	cr_expect(said && (!*said || strstr(said, "in the middle of an instruction")), "%s", said);
	free(said);
	f = fopen(path, "r");
	cr_assert(f && !vms_tree_init(&t, NULL));
	cr_assert(!native_read_tree(fileno(f), &t, NULL, &err), "%s", err.text);
	cr_assert(!snapshot_from_tree(t.machine, ret, &err), "%s: %s", err.path, err.text);
	vms_tree_deinit(&t);
	fclose(f);
}

/* ---- what the monitor prints ---- */

/* The text behind @label, which begins a line or a word. */
static const char *behind(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	while (at && at != text && !strchr(" \t\r\n", at[-1]))
		at = strstr(at + 1, label);
	cr_assert(at, "no \"%s\" in: %s", label, text);
	return at + strlen(label);
}

static uint64_t number(const char *text, const char *label, int base)
{
	return strtoull(behind(text, label), NULL, base);
}

/* Numbers up to the end of the line, as bits: "(none)", "64 70 (level)". */
static void bits(const char *text, const char *label, uint32_t *words, size_t n)
{
	const char *at = behind(text, label);
	unsigned long bit;
	char *end;

	memset(words, 0, n * sizeof(*words));
	for (at += strspn(at, " \t"); *at && *at != '\r' && *at != '\n'; at = end + strspn(end, " ")) {
		bit = strtoul(at, &end, 10);
		if (end == at)
			end += strcspn(at, " \r\n"); /* a word in brackets */
		else if (bit < 32 * n)
			words[bit / 32] |= UINT32_C(1) << bit % 32;
	}
}

static void expect_number(const char *text, const char *label, int base, uint64_t ours)
{
	uint64_t theirs = number(text, label, base);

	cr_expect_eq(theirs, ours, "%s is 0x%" PRIx64 " for QEMU, 0x%" PRIx64 " in the dump: %s", label, theirs, ours, text);
}

static void expect_bits(const char *text, const char *label, const uint32_t *ours, size_t n)
{
	uint32_t theirs[8];

	bits(text, label, theirs, n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(theirs[i], ours[i], "%s, word %zu: 0x%x for QEMU, 0x%x in the dump: %s", label, i, theirs[i], ours[i],
			     text);
}

/* ---- field for field ---- */

static void expect_bank(const char *text, const char *label, const struct lapic_state *s, unsigned int offset)
{
	uint32_t words[8];

	for (unsigned int i = 0; i < 8; i++)
		words[i] = lapic_reg(s, offset + 16 * i);
	expect_bits(text, label, words, 8);
}

static void compare_lapic(const char *text, const struct lapic_state *s)
{
	static const struct {
		const char *label;
		unsigned int offset, shift;
	} rows[] = {
		{ "LVT0\t", LAPIC_LVT0, 0 },
		{ "LVT1\t", LAPIC_LVT1, 0 },
		{ "LVTPC\t", LAPIC_LVTPC, 0 },
		{ "LVTERR\t", LAPIC_LVTERR, 0 },
		{ "LVTTHMR\t", LAPIC_LVTTHMR, 0 },
		{ "LVTT\t", LAPIC_LVTT, 0 },
		{ "DCR=", LAPIC_TDCR, 0 },
		{ "SPIV\t", LAPIC_SVR, 0 },
		{ "ICR\t", LAPIC_ICR, 0 },
		{ "ICR2\t", LAPIC_ICR2, 0 },
		{ "ESR\t", LAPIC_ESR, 0 },
		{ "APR ", LAPIC_APR, 0 },
		{ "TPR ", LAPIC_TPR, 0 },
		{ "DFR ", LAPIC_DFR, 28 },
		{ "LDR ", LAPIC_LDR, 24 },
		{ "PPR ", LAPIC_PPR, 0 },
	};
	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++) {
		cr_expect(lapic_reg_known(s, rows[i].offset), "%s", rows[i].label);
		expect_number(text, rows[i].label, 16, lapic_reg(s, rows[i].offset) >> rows[i].shift);
	}
	expect_number(text, "initial_count = ", 10, lapic_reg(s, LAPIC_TMICT));
	expect_bank(text, "ISR\t", s, LAPIC_ISR);
	expect_bank(text, "IRR\t", s, LAPIC_IRR);
}

static void compare_pic(const char *text, unsigned int which, const struct pic_state *s)
{
	char label[8];
	const char *line;

	snprintf(label, sizeof(label), "pic%u:", which);
	line = behind(text, label);
	expect_number(line, "irr=", 16, s->irr);
	expect_number(line, "imr=", 16, s->imr);
	expect_number(line, "isr=", 16, s->isr);
	expect_number(line, "hprio=", 10, s->priority_add);
	expect_number(line, "irq_base=", 16, s->irq_base);
	expect_number(line, "rr_sel=", 10, s->read_reg_select);
	expect_number(line, "elcr=", 16, s->elcr);
	expect_number(line, "fnm=", 10, s->special_fully_nested_mode);
}

static void compare_ioapic(const char *text, const struct ioapic_state *s)
{
	const char *chip = behind(text, "ioapic0:"), *pins = behind(chip, "sel=");
	uint32_t remote = 0;
	char label[16];

	expect_number(chip, "ver=", 16, s->version & 0xff);
	expect_number(chip, "id=", 16, s->id >> 24);
	expect_number(chip, "sel=", 16, s->ioregsel);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		snprintf(label, sizeof(label), "pin %-2u ", pin);
		expect_number(pins, label, 16, s->redirtbl[pin]);
		remote |= (uint32_t) !!(s->redirtbl[pin] & IOAPIC_RTE_REMOTE_IRR) << pin;
	}
	expect_bits(pins, "IRR ", &s->irr, 1);
	expect_bits(pins, "Remote IRR", &remote, 1);
}

static void compare(enum vm_release release, const char *append)
{
	struct irqchip_state s;
	unsigned int vectors = 0;
	char *text;

	start_paused(release, append);
	dump(&s);
	cr_expect_eq(s.mode, IRQCHIP_FULL);
	cr_assert_eq(s.nlapics, 2);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		text = monitor("info lapic", cpu);
		compare_lapic(text, &s.lapics[cpu]);
		free(text);
		for (unsigned int i = 0; i < 8; i++)
			vectors += lapic_reg(&s.lapics[cpu], LAPIC_IRR + 16 * i) != 0;
	}
	text = monitor("info pic", 0);
	compare_pic(text, PIC_MASTER, &s.pics[PIC_MASTER]);
	compare_pic(text, PIC_SLAVE, &s.pics[PIC_SLAVE]);
	compare_ioapic(text, &s.ioapic);
	free(text);
	/* The PIT ticks on: through the IOAPIC, or through the PIC. */
	cr_expect(vectors || s.pics[PIC_MASTER].irr & 1, "nothing was requested: not much was compared");
	irqchip_deinit(&s);
	vm_stop(&vm);
	started = false;
}

Test(dump, agrees_with_the_monitor_where_the_ioapic_delivers)
{
	compare(VM_QEMU_7_2, "route=ioapic");
}

Test(dump, agrees_with_the_monitor_where_the_pic_delivers)
{
	compare(VM_QEMU_7_2, "route=pic");
}

Test(dump, agrees_with_the_monitor_of_a_newer_qemu)
{
	compare(VM_QEMU_10_0, "route=ioapic");
}

/* ---- the count that QEMU does not show ---- */

/* How far the count of a periodic timer went, against the TSC that was read with it, in counts; negative: it lags. */
static int64_t count_error(const struct lapic_state *a, const struct lapic_state *b)
{
	int64_t period = lapic_reg(a, LAPIC_TMICT), counted = (int64_t)lapic_reg(a, LAPIC_TMCCT) - lapic_reg(b, LAPIC_TMCCT);
	int64_t ns = (int64_t)((double)(b->tsc - a->tsc) * 1e6 / (double)b->tsc_khz);
	int64_t error = (counted - ns / lapic_divide(lapic_reg(a, LAPIC_TDCR))) % period;

	/* the nearest of those a period apart */
	if (error > period / 2)
		error -= period;
	return error < -period / 2 ? error + period : error;
}

Test(dump, shows_the_current_count_that_qemu_does_not)
{
	struct irqchip_state a, b;
	uint32_t count, current;
	int64_t error = INT64_MAX;
	char *text;

	start_paused(VM_QEMU_7_2, "route=ioapic");
	text = monitor("info lapic", 0);
	count = (uint32_t)number(text, "initial_count = ", 10);
	current = (uint32_t)number(text, "current_count = ", 10);
	free(text);
	cr_assert_gt(count, 0, "the guest's timer does not run");
	cr_expect_geq(current, count - count / 100, "QEMU's own idea begins when it asks: %u of %u", current, count);
	/* Two ioctls of a dump may be apart on a busy machine. */
	for (unsigned int try = 0; try < TRIES && llabs(error) > count / 20; try++) {
		dump(&a);
		sleep_ms(7);
		dump(&b);
		cr_assert_eq(lapic_reg(&a.lapics[0], LAPIC_TMICT), count);
		cr_expect(lapic_reg_known(&a.lapics[0], LAPIC_TMCCT));
		cr_expect_leq(lapic_reg(&a.lapics[0], LAPIC_TMCCT), count);
		cr_expect_neq(lapic_reg(&a.lapics[0], LAPIC_TMCCT), lapic_reg(&b.lapics[0], LAPIC_TMCCT));
		cr_expect(reg_known(lapic_member("timer_remaining"), &a.lapics[0], 0));
		error = count_error(&a.lapics[0], &b.lapics[0]);
		irqchip_deinit(&a);
		irqchip_deinit(&b);
	}
	cr_expect_leq(llabs(error), count / 20, "the count is off by %" PRId64 " of %u", error, count);
	cr_log_info("the count is off by %" PRId64 " of %u", error, count);
}

/* The guest that was dumped while it ran has noticed nothing. */
Test(dump, a_guest_that_runs_goes_on)
{
	struct irqchip_state s;
	char *log;
	unsigned int before;

	start_paused(VM_QEMU_7_2, "route=ioapic");
	cr_assert_eq(vm_qmp(&vm, "{\"execute\":\"cont\"}", NULL, 0), 0, "%s", vm.error);
	for (unsigned int i = 0; i < 10; i++) {
		dump(&s);
		cr_expect_eq(s.nlapics, 2);
		irqchip_deinit(&s);
	}
	log = vm_serial(&vm);
	before = 0;
	for (const char *at = log; at && (at = strchr(at, '\n')); at++)
		before++;
	cr_expect(log && strstr(log, "err=0"), "%s", log);
	free(log);
	cr_expect_eq(vm_wait_lines(&vm, before + 3, LINE_MS), 0, "%s", vm.error);
}

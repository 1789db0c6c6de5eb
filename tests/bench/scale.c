/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scale: what a machine takes in memory and time by its number of CPUs: its tree is built out of the bytes that a
 * KVM host saved, converted for TCG and written as a stream. Times are medians of rounds that use the allocator's memory again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apic/cpu.h"
#include "apic/registry.h"
#include "filters/filter.h"
#include "stream/qemu.h"

#define ROUNDS 15
#define NOW_NS INT64_C(10000000000)
#define TSC UINT64_C(26000000000)
#define CHIP_SECTIONS 7

/* A section as it was saved. */
struct saved {
	const struct vms_desc *desc;
	uint32_t instance;
	uint8_t *data;
	uint64_t size;
};

struct machine {
	struct saved *sections;
	size_t count;
};

enum step { BUILD,
	    FILTER,
	    WRITE,
	    TOTAL,
	    NSTEPS };

struct sample {
	double seconds[ROUNDS];
};

static void die(const char *what, const struct irqs_error *err)
{
	fprintf(stderr, "scale: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint8_t *copy_bytes(const struct vms_node *n, uint8_t *to)
{
	if (n->kind == VMS_INT || n->kind == VMS_BYTES) {
		memcpy(to, n->data, vms_size(n));
		return to + vms_size(n);
	}
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		to = copy_bytes(c, to);
	return to;
}

struct value {
	const char *path;
	uint64_t value;
};

static void save_section(struct machine *m, const char *name, uint32_t instance, const struct value *values)
{
	struct saved *s = &m->sections[m->count++];
	struct irqs_error err = { 0 };
	struct vms_node *n;
	struct vms_tree t;

	s->desc = apic_find_desc(name);
	s->instance = instance;
	if (vms_tree_init(&t, &err))
		die(name, &err);
	n = vms_node_create(&t, VMS_SECTION, name, name);
	if (!n || vms_desc_instantiate(&t, s->desc, n))
		die(name, NULL);
	for (; values && values->path; values++)
		if (vms_set(n, values->path, values->value, &err))
			die(values->path, &err);
	s->size = vms_size(n);
	s->data = malloc(s->size);
	if (!s->data)
		die(name, NULL);
	copy_bytes(n, s->data);
	vms_tree_deinit(&t);
}

/*
 * Every 4th CPU has an interrupt that was acknowledged and not taken, the last quarter waits for its start-up IPI,
 * the others halt; the timers of all but the waiting ones run.
 */
static void save_cpu(struct machine *m, uint32_t i, uint32_t cpus)
{
	bool waits = i && i >= cpus - cpus / 4, injected = !waits && i % 4 == 1;
	const struct value cpu[] = {
		{ "env.eflags", 0x246 },
		{ "env.hflags", 0x40c2b0 },
		{ "env.hflags2", 0x101 },
		{ "env.cr[4]", 0x6b0 },
		{ "env.efer", 0xd01 },
		{ "env.xcr0", 1 },
		{ "env.interrupt_injected", injected ? 0x51 : UINT64_MAX },
		{ "env.exception_nr", UINT64_MAX },
		{ "env.mp_state", waits ? LAPIC_MP_UNINITIALIZED : i ? LAPIC_MP_HALTED
								     : LAPIC_MP_RUNNABLE },
		{ "env.tsc", TSC },
		{ NULL, 0 },
	};
	const struct value common[] = { { "halted", i != 0 }, { NULL, 0 } };
	const struct value apic[] = {
		{ "apicbase", LAPIC_BASE_X2APIC | LAPIC_BASE_ENABLE | 0xfee00000 | (i ? 0 : LAPIC_BASE_BSP) },
		{ "id", i & 0xff },
		{ "spurious_vec", 0x1ff },
		{ "dest_mode", 0xf },
		{ "isr[2]", injected ? 1 << 17 : 0 },
		{ "lvt[0]", waits ? LAPIC_LVT_MASKED : 0x200ec },
		{ "lvt[3]", LAPIC_LVT_MASKED },
		{ "lvt[4]", LAPIC_LVT_MASKED },
		{ "divide_conf", 3 },
		{ "count_shift", 4 },
		{ "initial_count", waits ? 0 : 62500 },
		{ "initial_count_load_time", NOW_NS },
		{ "next_time", waits ? 0 : NOW_NS + 1000016 },
		{ "timer_expiry", waits ? UINT64_MAX : NOW_NS + 1000016 },
		{ NULL, 0 },
	};

	save_section(m, "cpu_common", i, common);
	save_section(m, "cpu", i, cpu);
	save_section(m, "apic", i, apic);
}

static void save_machine(struct machine *m, uint32_t cpus)
{
	static const struct value timer[] = {
		{ "cpu_clock_offset", NOW_NS },
		{ "cpu_ticks_offset", 7777 },
		{ NULL, 0 },
	};
	static const struct value clock[] = { { "clock", UINT64_C(9876543210) }, { NULL, 0 } };
	static const struct value pit[] = {
		{ "channels[0].count", 0x10000 },
		{ "channels[0].mode", 2 },
		{ "channels[1].count", 0x10000 },
		{ "channels[2].count", 0x10000 },
		{ NULL, 0 },
	};
	static const struct value ioapic[] = {
		{ "ioredtbl[4]", 0x10000 },
		{ "ioredtbl[10]", 0x8061 },
		{ "irr", 1 << 10 },
		{ NULL, 0 },
	};

	*m = (struct machine){ .sections = calloc(CHIP_SECTIONS + 3 * (size_t)cpus, sizeof(*m->sections)) };
	if (!m->sections)
		die("machine", NULL);
	save_section(m, "timer", 0, timer);
	for (uint32_t i = 0; i < cpus; i++)
		save_cpu(m, i, cpus);
	save_section(m, "kvmclock", 0, clock);
	save_section(m, "i8259", 0, NULL);
	save_section(m, "i8259", 1, NULL);
	save_section(m, "ioapic", 0, ioapic);
	save_section(m, "i8254", 0, pit);
}

static void free_machine(struct machine *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->sections[i].data);
	free(m->sections);
}

static void build(struct qemu_stream *s, const struct machine *m)
{
	struct irqs_error err = { 0 };
	uint64_t offset = 0, used;

	if (vms_tree_init(&s->tree, &err))
		die("tree", &err);
	for (size_t i = 0; i < m->count; i++) {
		const struct saved *from = &m->sections[i];
		struct vms_node *n =
			vms_node_create(&s->tree, VMS_SECTION, from->desc->name, from->desc->name);

		if (!n)
			die("section", NULL);
		n->instance = from->instance;
		n->version = from->desc->version;
		vms_append(s->tree.machine, n);
		if (vms_desc_parse(&s->tree, from->desc, n, from->data, from->size, offset, &used, &err))
			die("parse", &err);
		n->codec = &s->items[i];
		s->items[i] = (struct qemu_item){ .kind = QEMU_ITEM_DEVICE, .section_id = (uint32_t)i, .node = n };
		offset += used;
	}
}

static void convert(struct qemu_stream *s)
{
	struct irqs_error err = { 0 };
	struct profile from, to;
	struct report report;

	report_init(&report);
	if (profile_parse("kvm", &from, &err) || profile_parse("tcg@qemu-10.0", &to, &err) ||
	    filter_convert(&s->tree, &from, &to, NULL, &report, &err))
		die("convert", &err);
	report_deinit(&report);
}

/* One round. Return: bytes of the tree. */
static size_t run_round(const struct machine *m, struct sample *samples, size_t round, int null)
{
	struct qemu_stream s = { .nitems = m->count, .has_footers = true };
	struct irqs_error err = { 0 };
	double t[NSTEPS];
	size_t bytes;

	s.items = calloc(m->count, sizeof(*s.items));
	if (!s.items)
		die("items", NULL);
	t[BUILD] = now_s();
	build(&s, m);
	t[FILTER] = now_s();
	convert(&s);
	t[WRITE] = now_s();
	if (qemu_stream_write(&s, null, &err))
		die("write", &err);
	t[TOTAL] = now_s();
	bytes = vms_tree_memory(&s.tree);
	for (int i = BUILD; i < TOTAL; i++)
		samples[i].seconds[round] = t[i + 1] - t[i];
	samples[TOTAL].seconds[round] = t[TOTAL] - t[BUILD];
	vms_tree_deinit(&s.tree);
	free(s.items);
	return bytes;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_us(struct sample *s)
{
	qsort(s->seconds, ROUNDS, sizeof(s->seconds[0]), by_value);
	return s->seconds[ROUNDS / 2] * 1e6;
}

static void measure(uint32_t cpus, int null)
{
	struct sample samples[NSTEPS];
	struct machine m;
	size_t bytes = 0;
	double us[NSTEPS];

	save_machine(&m, cpus);
	for (size_t round = 0; round < ROUNDS; round++)
		bytes = run_round(&m, samples, round, null);
	for (int i = 0; i < NSTEPS; i++)
		us[i] = median_us(&samples[i]);
	printf("%6u %10.3f %10.3f %10.3f %10.3f %12.2f %12.1f\n", cpus, us[BUILD] / 1e3, us[FILTER] / 1e3,
	       us[WRITE] / 1e3, us[TOTAL] / 1e3, us[TOTAL] / cpus, (double)bytes / cpus / 1024);
	free_machine(&m);
}

int main(void)
{
	static const uint32_t cpus[] = { 1, 64, 256, 1024 };
	int null = open("/dev/null", O_WRONLY);

	if (null < 0)
		die("/dev/null", NULL);
	printf("%6s %10s %10s %10s %10s %12s %12s\n", "vCPUs", "build, ms", "filter, ms", "write, ms", "total, ms",
	       "us per vCPU", "KiB per vCPU");
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		measure(cpus[i], null);
	close(null);
	return 0;
}

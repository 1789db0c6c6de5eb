/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scale: what a machine takes in memory and time by its number of CPUs: its tree is built out of the bytes that a
 * KVM host saved, converted for TCG and written as a stream. First its sections alone, by our descriptions; then a stream
 * with a vmdescription, that text included. Times are medians of rounds that use the allocator's memory again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/registry.h"
#include "base/monotonic.h"
#include "filters/filter.h"
#include "stream/qemu.h"
#include "tests/bench/machine.h"

#define ROUNDS 15

enum step { BUILD,
	    FILTER,
	    WRITE,
	    TOTAL,
	    NSTEPS };

struct sample {
	double seconds[ROUNDS];
};

/* How a tree comes to be; what qemu_stream_deinit() releases. */
typedef void build_fn(struct qemu_stream *s, const struct machine *m, int stream);

static void build_sections(struct qemu_stream *s, const struct machine *m, int stream)
{
	struct irqs_error err = { 0 };
	uint64_t offset = 0, used;

	(void)stream;
	*s = (struct qemu_stream){ .nitems = m->count, .has_footers = true, .source.fd = -1 };
	s->items = calloc(m->count, sizeof(*s->items));
	if (!s->items || vms_tree_init(&s->tree, &err))
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

static void read_stream(struct qemu_stream *s, const struct machine *m, int stream)
{
	const struct qemu_read_options opt = { .find_desc = apic_find_desc };
	struct irqs_error err = { 0 };

	(void)m;
	if (qemu_stream_read(s, stream, &opt, &err))
		die("read", &err);
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

/* A machine in both its forms. */
struct saved_machine {
	struct machine m;
	int stream;
};

/* One round. Return: bytes of the tree. */
static size_t run_round(const struct saved_machine *from, build_fn *build, struct sample *samples, size_t round, int null)
{
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	double t[NSTEPS];
	size_t bytes;

	t[BUILD] = monotonic_s();
	build(&s, &from->m, from->stream);
	t[FILTER] = monotonic_s();
	convert(&s);
	t[WRITE] = monotonic_s();
	if (qemu_stream_write(&s, null, &err))
		die("write", &err);
	t[TOTAL] = monotonic_s();
	bytes = vms_tree_memory(&s.tree);
	for (int i = BUILD; i < TOTAL; i++)
		samples[i].seconds[round] = t[i + 1] - t[i];
	samples[TOTAL].seconds[round] = t[TOTAL] - t[BUILD];
	qemu_stream_deinit(&s);
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

static void measure(uint32_t cpus, build_fn *build, int null)
{
	struct sample samples[NSTEPS];
	struct saved_machine from;
	size_t bytes = 0;
	double us[NSTEPS];

	machine_save(&from.m, cpus);
	from.stream = machine_stream(&from.m);
	for (size_t round = 0; round < ROUNDS; round++)
		bytes = run_round(&from, build, samples, round, null);
	for (int i = 0; i < NSTEPS; i++)
		us[i] = median_us(&samples[i]);
	printf("%6u %10.3f %10.3f %10.3f %10.3f %12.2f %12.1f\n", cpus, us[BUILD] / 1e3, us[FILTER] / 1e3,
	       us[WRITE] / 1e3, us[TOTAL] / 1e3, us[TOTAL] / cpus, (double)bytes / cpus / 1024);
	close(from.stream);
	machine_free(&from.m);
}

static void measure_all(const char *what, const char *step, build_fn *build, int null)
{
	static const uint32_t cpus[] = { 1, 64, 256, 1024 };

	printf("%s\n%6s %6s, ms %10s %10s %10s %12s %12s\n", what, "vCPUs", step, "filter, ms", "write, ms", "total, ms",
	       "us per vCPU", "KiB per vCPU");
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		measure(cpus[i], build, null);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0)
		die("/dev/null", NULL);
	measure_all("sections, by our descriptions", "build", build_sections, null);
	measure_all("a stream with a vmdescription", "read", read_stream, null);
	close(null);
	return 0;
}

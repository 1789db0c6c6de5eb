/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine as KVM saves it, as bytes: its sections by our descriptions, and a stream of them. */
#include "tests/bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apic/cpu.h"
#include "apic/registry.h"
#include "base/endian.h"
#include "stream/qemu.h"
#include "stream/section_json.h"
#include "vmstate/visit_bytes.h"

#define NOW_NS INT64_C(10000000000)
#define TSC UINT64_C(26000000000)
#define CHIP_SECTIONS 7

void die(const char *what, const struct irqs_error *err)
{
	fprintf(stderr, "scale: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

static char *entry_of(const struct vms_node *n)
{
	json_t *o = section_json(n, false);
	char *text = o ? json_dumps(o, 0) : NULL;

	if (!text)
		die(n->name, NULL);
	json_decref(o);
	return text;
}

struct value {
	const char *path;
	uint64_t value;
};

/* What KVM's CPUs always have. */
static void add_tsc_khz(struct vms_tree *t, struct vms_node *cpu, const struct vms_desc *d)
{
	const struct vms_desc *const *sub = d->subsections;
	struct irqs_error err = { 0 };
	struct vms_node *n;

	while (strcmp((*sub)->name, "cpu/tsc_khz") != 0)
		sub++;
	n = vms_add_subsection(t, cpu, (*sub)->name, (*sub)->version);
	if (!n || vms_desc_instantiate(t, *sub, n) || vms_set(n, "env.tsc_khz", 2600000, &err))
		die("tsc_khz", &err);
}

static void save_section(struct machine *m, const char *name, uint32_t instance, const struct value *values)
{
	struct saved *s = &m->sections[m->count++];
	struct visit_bytes_out out;
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
	n->instance = instance;
	if (!strcmp(name, "cpu"))
		add_tsc_khz(&t, n, s->desc);
	for (; values && values->path; values++)
		if (vms_set(n, values->path, values->value, &err))
			die(values->path, &err);
	visit_bytes_out_init(&out);
	if (visit_node(&out.v, n, &err))
		die(name, &err);
	s->data = out.data;
	s->size = out.size;
	s->entry = entry_of(n);
	vms_tree_deinit(&t);
}

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

void machine_save(struct machine *m, uint32_t cpus)
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

void machine_free(struct machine *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->sections[i].data);
		free(m->sections[i].entry);
	}
	free(m->sections);
}

static void put(FILE *f, size_t width, uint64_t value)
{
	uint8_t bytes[8];

	put_be(bytes, width, value);
	fwrite(bytes, 1, width, f);
}

static void put_section(FILE *f, const struct saved *s, uint32_t id)
{
	size_t len = strlen(s->desc->name);

	put(f, 1, QEMU_VM_SECTION_FULL);
	put(f, 4, id);
	put(f, 1, len);
	fwrite(s->desc->name, 1, len, f);
	put(f, 4, s->instance);
	put(f, 4, s->desc->version);
	fwrite(s->data, 1, s->size, f);
	put(f, 1, QEMU_VM_SECTION_FOOTER);
	put(f, 4, id);
}

static void put_vmdesc(FILE *f, const struct machine *m)
{
	static const char start[] = "{\"page_size\": 4096, \"devices\": [", end[] = "]}";
	size_t size = strlen(start) + strlen(end) + 2 * (m->count - 1);

	for (size_t i = 0; i < m->count; i++)
		size += strlen(m->sections[i].entry);
	put(f, 1, QEMU_VM_VMDESCRIPTION);
	put(f, 4, size);
	fputs(start, f);
	for (size_t i = 0; i < m->count; i++)
		fprintf(f, "%s%s", i ? ", " : "", m->sections[i].entry);
	fputs(end, f);
}

int machine_stream(const struct machine *m)
{
	int fd = memfd_create("stream", MFD_CLOEXEC), copy = dup(fd);
	FILE *f = fdopen(copy, "w");

	if (fd < 0 || !f)
		die("stream", NULL);
	fputs("QEVM", f);
	put(f, 4, 3);
	for (size_t i = 0; i < m->count; i++)
		put_section(f, &m->sections[i], (uint32_t)i);
	put(f, 1, QEMU_VM_EOF);
	put_vmdesc(f, m);
	if (fclose(f))
		die("stream", NULL);
	return fd;
}

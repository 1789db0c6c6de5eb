/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine built by hand. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/clock.h"
#include "apic/cpu.h"
#include "apic/registry.h"
#include "machine.h"

static bool kernel_lapic(enum profile_kind kind)
{
	return kind == PROFILE_KVM || kind == PROFILE_KVM_SPLIT;
}

static void add_section(struct machine *m, const char *name, uint32_t instance)
{
	struct vms_node *n = vms_node_create(&m->tree, VMS_SECTION, name, name);

	cr_assert(n != NULL);
	n->instance = instance;
	vms_append(m->tree.machine, n);
	cr_assert(!vms_desc_instantiate(&m->tree, apic_find_desc(name), n));
}

static void set_at(struct machine *m, const char *section, unsigned int i, const char *field, uint64_t value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s[%u].%s", section, i, field);
	machine_set(m, path, value);
}

static void add_cpu(struct machine *m, enum profile_kind kind, unsigned int i)
{
	bool halted = i > 0;

	add_section(m, "cpu_common", i);
	add_section(m, "cpu", i);
	add_section(m, "apic", i);
	set_at(m, "cpu_common", i, "halted", halted);
	set_at(m, "cpu", i, "env.eflags", 0x246);
	set_at(m, "cpu", i, "env.hflags", 0x40c2b0);
	set_at(m, "cpu", i, "env.hflags2", 0x101);
	set_at(m, "cpu", i, "env.cr[4]", 0x6b0);
	set_at(m, "cpu", i, "env.efer", 0xd01);
	set_at(m, "cpu", i, "env.xcr0", 1);
	set_at(m, "cpu", i, "env.interrupt_injected", UINT64_MAX);
	set_at(m, "cpu", i, "env.exception_nr", UINT64_MAX);
	set_at(m, "cpu", i, "env.mp_state",
	       kernel_lapic(kind) && halted ? LAPIC_MP_HALTED : LAPIC_MP_RUNNABLE);
	set_at(m, "cpu", i, "env.tsc", kind == PROFILE_TCG ? 0 : MACHINE_TSC);
	set_at(m, "apic", i, "apicbase", 0xfee00800 | (i ? 0 : LAPIC_BASE_BSP));
	set_at(m, "apic", i, "id", i);
	set_at(m, "apic", i, "spurious_vec", 0x1ff);
	set_at(m, "apic", i, "log_dest", 1 << i);
	set_at(m, "apic", i, "dest_mode", 0xf);
	for (unsigned int lvt = 0; lvt < 6; lvt++) {
		char path[32];

		snprintf(path, sizeof(path), "lvt[%u]", lvt);
		set_at(m, "apic", i, path, LAPIC_LVT_MASKED);
	}
	set_at(m, "apic", i, "count_shift", 1);
	set_at(m, "apic", i, "timer_expiry", UINT64_MAX);
	set_at(m, "apic", i, "initial_count_load_time", kernel_lapic(kind) ? (uint64_t)MACHINE_NOW : 5000);
}

static void add_chips(struct machine *m, enum profile_kind kind)
{
	add_section(m, "i8259", 0);
	add_section(m, "i8259", 1);
	add_section(m, "ioapic", 0);
	add_section(m, "i8254", 0);
	for (unsigned int i = 0; i < 2; i++) {
		set_at(m, "i8259", i, "irq_base", 0x30 + 8 * i);
		set_at(m, "i8259", i, "init4", 1);
	}
	for (unsigned int pin = 0; pin < 24; pin++) {
		char path[32];

		snprintf(path, sizeof(path), "ioredtbl[%u]", pin);
		set_at(m, "ioapic", 0, path, 0x10000);
	}
	for (unsigned int i = 0; i < 3; i++) {
		char path[48];

		snprintf(path, sizeof(path), "channels[%u].count", i);
		set_at(m, "i8254", 0, path, 0x10000);
		snprintf(path, sizeof(path), "channels[%u].mode", i);
		set_at(m, "i8254", 0, path, i ? 3 : 2);
	}
	if (kind == PROFILE_KVM) {
		set_at(m, "i8254", 0, "channels[0].count_load_time", (uint64_t)-840822);
		set_at(m, "i8254", 0, "channels[0].next_transition_time", (uint64_t)-840821);
	} else {
		set_at(m, "i8254", 0, "channels[0].count_load_time", 18514468);
		set_at(m, "i8254", 0, "channels[0].next_transition_time", (uint64_t)MACHINE_NOW + 20000000);
	}
}

void machine_init(struct machine *m, enum profile_kind kind, unsigned int cpus)
{
	memset(m, 0, sizeof(*m));
	cr_assert(!vms_tree_init(&m->tree, NULL));
	report_init(&m->report);
	add_section(m, "timer", 0);
	machine_set(m, "timer.cpu_clock_offset", MACHINE_NOW);
	machine_set(m, "timer.cpu_ticks_offset", kind == PROFILE_TCG ? MACHINE_TSC : 7777);
	for (unsigned int i = 0; i < cpus; i++)
		add_cpu(m, kind, i);
	if (kind == PROFILE_TCG) {
		for (unsigned int i = 0; i < cpus; i++)
			machine_add(m, "cpu", i, &cpu_poll_control_msr_desc);
	} else {
		add_section(m, "kvmclock", 0);
		machine_set(m, "kvmclock.clock", 9876543210);
		machine_add(m, "kvmclock", 0, &kvmclock_reliable_vms_desc);
	}
	add_chips(m, kind);
}

void machine_deinit(struct machine *m)
{
	report_deinit(&m->report);
	vms_tree_deinit(&m->tree);
}

void machine_set(struct machine *m, const char *path, uint64_t value)
{
	struct irqs_error err;

	cr_assert(!vms_set(m->tree.machine, path, value, &err), "%s: %s", path, err.text);
}

uint64_t machine_get(struct machine *m, const char *path)
{
	uint64_t value = 0;

	cr_assert(!vms_get(m->tree.machine, path, &value, NULL), "no such field: %s", path);
	return value;
}

struct vms_node *machine_add(struct machine *m, const char *name, uint32_t instance, const struct vms_desc *d)
{
	struct vms_node *section = vms_find_section(m->tree.machine, name, instance), *sub;

	cr_assert(section && d, "no such section or description: %s", name);
	sub = vms_add_subsection(&m->tree, section, d->name, d->version);
	cr_assert(sub && !vms_desc_instantiate(&m->tree, d, sub));
	return sub;
}

void machine_add_cpu(struct machine *m, const char *name, uint64_t value)
{
	const struct cpu_sub *s = cpu_find_sub(name);
	struct vms_node *sub;

	cr_assert(s != NULL, "no such subsection: %s", name);
	sub = machine_add(m, "cpu", 0, s->desc);
	vms_element_set(vms_first_child(sub), 0, value);
}

int machine_convert_allow(struct machine *m, const char *from, const char *to, enum report_cost allow)
{
	struct filter_options opt = { .allow = allow };
	struct profile a, b;

	cr_assert(!profile_parse(from, &a, NULL) && !profile_parse(to, &b, NULL));
	report_deinit(&m->report);
	memset(&m->err, 0, sizeof(m->err));
	return filter_convert(&m->tree, &a, &b, &opt, &m->report, &m->err);
}

int machine_convert(struct machine *m, const char *from, const char *to)
{
	return machine_convert_allow(m, from, to, COST_APPROXIMATE);
}

const struct report_entry *machine_entry(const struct machine *m, const char *path)
{
	const struct report_entry *found = NULL;

	for (size_t i = 0; i < m->report.count; i++) {
		const struct report_entry *e = &m->report.entries[i];

		if (!strcmp(e->path, path) && (!found || e->cost > found->cost))
			found = e;
	}
	return found;
}

bool machine_refuses(struct machine *m, const char *from, const char *to, const char *path,
		     enum report_cost cost)
{
	int rc = machine_convert(m, from, to);
	const struct report_entry *e = machine_entry(m, path);

	return rc == -EOPNOTSUPP && m->err.status == IRQS_REFUSED && e && e->action == REPORT_REFUSED &&
	       e->cost == cost;
}

static void print_node(FILE *out, const struct vms_node *n)
{
	char path[160];

	fprintf(out, "%s", vms_path(n, path, sizeof(path)));
	if (n->kind == VMS_SECTION)
		fprintf(out, " (%s)", n->type);
	for (uint32_t i = 0; n->kind == VMS_INT && i < n->count; i++)
		fprintf(out, " %" PRIx64, vms_element_get(n, i));
	fputc('\n', out);
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		print_node(out, c);
}

char *machine_text(const struct machine *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out != NULL);
	print_node(out, m->tree.machine);
	fclose(out);
	return text;
}

void machine_expect_at(struct machine *m, const char *path, uint64_t want, const char *file, int line)
{
	uint64_t got = machine_get(m, path);

	cr_expect(got == want, "%s:%d: %s: got 0x%" PRIx64 ", want 0x%" PRIx64 ", differ in 0x%" PRIx64, file,
		  line, path, got, want, got ^ want);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine built by hand out of irqshift's own descriptions, for the tests of the filters. */
#ifndef IRQSHIFT_TESTS_MACHINE_H
#define IRQSHIFT_TESTS_MACHINE_H

#include <errno.h>

#include "apic/lapic.h"
#include "filters/filter.h"

/* When every such machine was saved, and the value of its TSC. */
#define MACHINE_NOW INT64_C(10000000000)
#define MACHINE_TSC UINT64_C(26000000000)

struct machine {
	struct vms_tree tree;
	struct report report;
	struct irqs_error err;
};

/* machine_init - an idle PC as a host of @kind saves it, with @cpus CPUs: the first runs, the others halt. */
void machine_init(struct machine *m, enum profile_kind kind, unsigned int cpus);
void machine_deinit(struct machine *m);

/* machine_set/machine_get - an integer by path; the test fails when there is none. */
void machine_set(struct machine *m, const char *path, uint64_t value);
uint64_t machine_get(struct machine *m, const char *path);

/* machine_add - a subsection of section @name[@instance] with the fields of @d, zeroed. */
struct vms_node *machine_add(struct machine *m, const char *name, uint32_t instance,
			     const struct vms_desc *d);

/* machine_add_cpu - a subsection of cpu[0] by its name ("cpu/xss"), with its first field set. */
void machine_add_cpu(struct machine *m, const char *name, uint64_t value);

/* machine_convert - with a fresh report; profiles by name. Return: as filter_convert(). */
int machine_convert(struct machine *m, const char *from, const char *to);
int machine_convert_allow(struct machine *m, const char *from, const char *to, enum report_cost allow);

/* machine_entry - the entry about exactly @path, the dearest one, or NULL. */
const struct report_entry *machine_entry(const struct machine *m, const char *path);

/* machine_refuses - whether @from to @to is refused with an entry of @cost about @path. */
bool machine_refuses(struct machine *m, const char *from, const char *to, const char *path,
		     enum report_cost cost);

/* machine_text - all sections, fields and values as one text, allocated with malloc(). */
char *machine_text(const struct machine *m);

/* machine_expect - the test fails unless the field has that value; shows both in hexadecimal. */
#define machine_expect(m, path, want) machine_expect_at((m), (path), (uint64_t)(want), __FILE__, __LINE__)
void machine_expect_at(struct machine *m, const char *path, uint64_t want, const char *file, int line);

#endif

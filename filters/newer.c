/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subsections that a QEMU older than the one that saved does not know: it would refuse the whole stream. */
#include <string.h>

#include "apic/cpu.h"
#include "filters/builtin.h"
#include "filters/change.h"

/* The first release tried that knows what 7.2 does not; those between were not looked at. */
#define NEWER_MAJOR 10
#define NEWER_MINOR 0

/* Only for a version that was stated: the assumed one would cost a guest what its real target keeps. */
static bool wants_newer(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind && to->qemu_major && !profile_at_least(to, NEWER_MAJOR, NEWER_MINOR);
}

static bool is_newer(const char *name)
{
	const struct cpu_sub *sub = cpu_find_sub(name);

	return sub ? sub->seen != CPU_SUB_QEMU_7_2 : !strcmp(name, "i8259/ltim");
}

static void drop_newer(struct filter_run *run, struct vms_node *section)
{
	struct vms_node *next;

	for (struct vms_node *c = vms_first_node(section); c; c = next) {
		next = c->next;
		if (c->kind == VMS_SUBSECTION && is_newer(c->name))
			change_drop(run, c, COST_LOSSY,
				    "QEMU %u.%u does not know this subsection and would refuse the stream",
				    run->to->qemu_major, run->to->qemu_minor);
	}
}

static int run_newer(struct filter_run *run, struct irqs_error *reterr)
{
	static const char *const sections[] = { "cpu", "i8259" };
	struct vms_node *s;

	(void)reterr;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		for (s = NULL; (s = vms_next_section(run->tree->machine, s, sections[i]));)
			drop_newer(run, s);
	return 0;
}

const struct filter filter_newer = {
	.name = "newer",
	.summary = "drop subsections that the target's QEMU does not know",
	.after = (const char *const[]){ "subsections", NULL },
	.wants = wants_newer,
	.run = run_newer,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the target exists at all, and the types of its sections. */
#include <string.h>

#include "filters/builtin.h"
#include "filters/change.h"

static bool wants_host(const struct profile *from, const struct profile *to)
{
	(void)from;
	return !profile_exists(to);
}

static int run_host(struct filter_run *run, struct irqs_error *reterr)
{
	(void)reterr;
	report_add(run->report, run->self->name, REPORT_REFUSED, COST_FATAL, "machine", NULL, NULL,
		   "QEMU from 10.0 on has no LAPIC in user space under KVM: there is no such target");
	return 0;
}

const struct filter filter_host = {
	.name = "host",
	.summary = "refuse a kind of host that no longer exists",
	.wants = wants_host,
	.run = run_host,
};

static bool wants_types(const struct profile *from, const struct profile *to)
{
	return profile_kernel_lapic(from) != profile_kernel_lapic(to) ||
	       profile_kernel_ioapic(from) != profile_kernel_ioapic(to);
}

static int run_types(struct filter_run *run, struct irqs_error *reterr)
{
	for (struct vms_node *s = vms_first_child(run->tree->machine); s; s = s->next) {
		const char *type = s->kind == VMS_SECTION ? profile_section_type(run->to, s->name) : NULL;
		char path[64];

		if (!type || !strcmp(s->type, type))
			continue;
		report_add(run->report, run->self->name, REPORT_RENAMED, COST_LOSSLESS,
			   vms_path(s, path, sizeof(path)), s->type, type,
			   strcmp(s->name, type) ? "this chip goes into the kernel"
						 : "this chip comes into user space");
		if (vms_set_type(run->tree, s, type))
			return irqs_fail_nomem(reterr);
	}
	return 0;
}

const struct filter filter_types = {
	.name = "types",
	.summary = "give the interrupt controllers the section types of the target",
	.wants = wants_types,
	.run = run_types,
};

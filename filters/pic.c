/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wires between PIT, slave and master. In the kernel they are pulses: a line is low again as soon as it
 * was high. In user space they are levels, and an edge is seen only when the level was low before.
 */
#include <errno.h>

#include "apic/pic.h"
#include "filters/builtin.h"
#include "filters/change.h"

#define PIT_LINE 0

static bool wants_pic(const struct profile *from, const struct profile *to)
{
	return profile_kernel_ioapic(from) != profile_kernel_ioapic(to);
}

static int run_pic(struct filter_run *run, struct irqs_error *reterr)
{
	struct vms_node *chips[2], *pit = vms_find_section(run->tree->machine, "i8254", 0);
	struct pic_state pics[2];
	uint8_t cascade = 1 << PIC_CASCADE, lines;
	int rc = 0;

	rc = machine_pics(run->tree->machine, chips, pics, reterr);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	lines = pics[PIC_MASTER].last_irr & (uint8_t)~cascade;
	if (profile_kernel_ioapic(run->to)) {
		/* The PIT in the kernel pulses: a line left high would swallow its first edge. */
		if (pit && !vms_get_or(pit, "channels[0].irq_disabled", 0))
			lines &= (uint8_t) ~(1 << PIT_LINE);
		return change_field(run, chips[PIC_MASTER], "last_irr", lines, COST_LOSSLESS, reterr,
				    "the PIT and the slave pulse their lines in the kernel: a line left high "
				    "would swallow the next edge");
	}
	if (pic_pending(&pics[PIC_SLAVE], false) < 0)
		return change_field(run, chips[PIC_MASTER], "last_irr", lines, COST_LOSSLESS, reterr,
				    "the slave does not ask: its line is low");
	rc = change_field(run, chips[PIC_MASTER], "last_irr", lines | cascade, COST_LOSSLESS, reterr,
			  "the slave asks: its line is high");
	if (!rc)
		rc = change_field(run, chips[PIC_MASTER], "irr", pics[PIC_MASTER].irr | cascade,
				  COST_LOSSLESS, reterr, "the slave asks: the master has its request");
	return rc;
}

const struct filter filter_pic = {
	.name = "pic",
	.summary = "set the line levels between PIT, slave and master",
	.after = (const char *const[]){ "unack", NULL },
	.wants = wants_pic,
	.run = run_pic,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine in which every register is known and nothing is wrong, to break one thing in. */
#ifndef IRQSHIFT_TESTS_LINT_MACHINE_H
#define IRQSHIFT_TESTS_LINT_MACHINE_H

#include "apic/lint.h"

#define LINT_CPUS 2

struct lint_box {
	struct irqchip_state s;
	struct lapic_state lapics[LINT_CPUS];
	struct lint_machine m;
};

/* lint_box_init - two CPUs run, flat logical mode, pin 9 level 0x31 and pin 4 edge 0x41 to CPU 0, PICs masked. */
void lint_box_init(struct lint_box *b);

/* A broken state of a check, and a healthy one beside it. */
struct lint_case {
	const char *check;
	void (*breaks)(struct lint_box *b);
	void (*spares)(struct lint_box *b);
};

/* One per check at least; NULL check last. */
extern const struct lint_case lint_cases[];

#endif

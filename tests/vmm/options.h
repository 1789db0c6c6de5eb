/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of the example VMM. */
#ifndef TESTS_VMM_OPTIONS_H
#define TESTS_VMM_OPTIONS_H

#include "tests/vmm/vmm.h"

struct options {
	enum vmm_mode mode;
	unsigned int ncpus;
	uint64_t memory;
	int64_t move_every_ns; /* 0: never */
	bool move_random, x2apic, help;
	uint64_t seed;                        /* 0: none was given */
	const char *kernel, *initrd, *append; /* @initrd may be NULL */
};

extern const char options_help[];

/* options_parse - @ret is for whoever gets 0. Return: 0, or -EINVAL with what is wrong. */
int options_parse(int argc, char **argv, struct options *ret, struct irqs_error *reterr);

/* options_mode_name - "kernel", "split" or "userspace". */
const char *options_mode_name(enum vmm_mode mode);

#endif

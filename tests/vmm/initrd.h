/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The argument of --initrd, as QEMU reads that of -initrd for Multiboot kernels. */
#ifndef TESTS_VMM_INITRD_H
#define TESTS_VMM_INITRD_H

#include "base/error.h"

struct initrd_entry {
	char *text; /* "FILE ARGUMENT...", what the guest is told */
	char *file;
};

struct initrd {
	struct initrd_entry *entries;
	unsigned int n;
};

/**
 * initrd_parse - split "FILE[ ARGUMENT]...[,FILE...]..."
 * @arg: the argument; two commas are one that belongs to a name or an argument; spaces before a name go
 * @ret: release with initrd_free()
 * @reterr: an entry without a name
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int initrd_parse(const char *arg, struct initrd *ret, struct irqs_error *reterr);
void initrd_free(struct initrd *i);

#endif

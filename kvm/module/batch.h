/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of ioctls on descriptors of the current process, run one after another, and by several tasks where it is shared. */
#ifndef IRQSHIFT_BATCH_H
#define IRQSHIFT_BATCH_H

#include <linux/types.h>

#include "uapi.h"

/*
 * @entries: copied once; what the caller does to its own meanwhile has no effect
 * @first: where to begin, for a list that is shared
 */
struct batch {
	struct irqshift_entry __user *user;
	struct irqshift_entry *entries;
	u32 count, first;
	bool restores, shared;
};

/*
 * batch_run - run it and write the entries' results
 * @batch: all but @entries filled in
 *
 * Return: how many entries succeeded, in a restore before the first that failed; or -errno, as uapi.h says.
 */
int batch_run(struct batch *batch);

#endif

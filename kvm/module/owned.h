/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMs and vCPUs that a process owns, by its descriptors. */
#ifndef IRQSHIFT_OWNED_H
#define IRQSHIFT_OWNED_H

#include <linux/types.h>

#include "access.h"

struct mm_struct;
struct task_struct;

/* @vm: the same for all rows of a VM, another for another VM. @id: of a vCPU. @irqchip: enum irqshift_irqchip. */
struct owned {
	u32 vm;
	u32 fd;
	u32 id;
	u8 kind; /* enum access_kind */
	u8 irqchip;
};

/* One VM after the other; of each the VM first, if there is a descriptor, then vCPUs by identifier; each by its lowest. */
struct owned_list {
	struct owned *rows;
	unsigned int n;
};

/*
 * owned_read - look through the descriptors of a process
 * @only: the memory that the process must have; NULL: any
 * @ret: to be released by owned_release(); empty for a process without VMs
 *
 * A VM belongs to the process whose memory it has: a descriptor that was passed on does not make another owner.
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int owned_read(struct task_struct *task, const struct mm_struct *only, struct owned_list *ret);
void owned_release(struct owned_list *list);

#endif

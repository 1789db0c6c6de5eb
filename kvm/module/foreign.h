/* SPDX-License-Identifier: GPL-2.0-only */
/* Ioctls on another process's VM, which KVM answers only to a thread that has that process's memory. */
#ifndef IRQSHIFT_FOREIGN_H
#define IRQSHIFT_FOREIGN_H

#include "command.h"

struct file;
struct mm_struct;

/*
 * One ioctl that reads.
 * @size, @data: of the structure; goes in, and comes back when the ioctl succeeds
 * @result: what the ioctl returned, or -errno: -EBUSY another thread has the vCPU, -ECANCELED not run because one before
 *          it had to wait too long
 */
struct foreign_call {
	const struct command *command;
	struct file *file;
	void *data;
	u32 size;
	int result;
};

/*
 * foreign_run - run them, one after the other
 * @mm: the memory of the VMs; held by their files
 *
 * A vCPU that another thread has is waited for some milliseconds; when a call takes half a second all the same, it is
 * interrupted and the rest not run.
 *
 * Return: 0, and each has its result; -ESRCH the process is gone, -ENOMEM, -EINTR the caller is being killed.
 */
int foreign_run(struct mm_struct *mm, struct foreign_call *calls, unsigned int n);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Ioctls on another process's VM, which KVM answers only to a thread that has that process's memory. */
#ifndef IRQSHIFT_FOREIGN_H
#define IRQSHIFT_FOREIGN_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/spinlock.h>

#include "command.h"
#include "uapi.h"

struct file;
struct mm_struct;
struct task_struct;

/*
 * One ioctl that reads.
 * @file: held, or NULL. @size, @data: of the structure; goes in, and comes back when the ioctl succeeds
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
 * Calls for the VMs of one process, and how they get on.
 * @proof: of the right to them, held
 * @mm: the process's memory
 * @at: the call that is being made
 * @lock: of what follows. @over: the calls have been made, and the thread must not be sent a signal any more, which would keep it
 *        from tidying up. @ended: it has nothing left to do. @abandoned: nobody waits for it, it frees all of this.
 * @list: of those that are abandoned
 */
struct foreign {
	struct file *proof;
	struct foreign_call calls[IRQSHIFT_STATE_ENTRIES_MAX];
	unsigned int n;

	struct mm_struct *mm;
	struct task_struct *thread;
	struct completion done;
	unsigned int at;
	int error;
	bool given_up;
	spinlock_t lock;
	bool over, ended, abandoned;
	struct list_head list;
};

/* foreign_new, foreign_free - without calls, or NULL; with the calls' data and files. */
struct foreign *foreign_new(void);
void foreign_free(struct foreign *f);

/*
 * foreign_run - run them, one after the other
 * @f: calls for VMs with the memory @mm, held by their files; becomes NULL when they are left to themselves
 *
 * A vCPU that another thread has is waited for some milliseconds; when a call takes half a second all the same, it is
 * interrupted and the rest not run. That goes well but where the process lets nobody at its memory's lock: after half a
 * second more the thread is left alone, and as long as it waits there are no other calls for this process.
 *
 * Return: 0, and each has its result; -ESRCH the process is gone, -ENOMEM, -EINTR the caller is being killed, -ETIMEDOUT the
 * process's memory could not be had, -EBUSY somebody else still waits for it.
 */
int foreign_run(struct foreign **f, struct mm_struct *mm);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls that the module runs for somebody, by the rows of uapi.h. */
#ifndef IRQSHIFT_COMMAND_H
#define IRQSHIFT_COMMAND_H

#include <linux/types.h>

#include "access.h"

struct command {
	u32 ioctl;
	enum access_kind on;
	bool gets;  /* only reads */
	bool array; /* of MSRs follows */
	u32 size;   /* of what is at the data, without the array; 0: nothing is there */
};

/* command_find - NULL when it is not listed. */
const struct command *command_find(u32 ioctl);

/* command_size_ok - whether so many bytes of data are what the command takes; with an array: for some number of elements. */
bool command_size_ok(const struct command *command, u32 size);

/* command_elements - of the array, for a size that is ok. */
u32 command_elements(const struct command *command, u32 size);

/* command_allowed - what security modules say to the current task's running it; 0 or -errno. */
int command_allowed(const struct command *command, struct file *file, unsigned long data);

/*
 * command_run - run it on a file that is of its kind, as ioctl(2) does
 * @data: an address of the process that current->mm is of
 *
 * Return: what the ioctl returned, or -errno; -EOPNOTSUPP: not in a thread of this kind.
 */
int command_run(const struct command *command, struct file *file, unsigned long data);

/* command_check_data - whether data that is at hand says the same as its size; 0 or -EINVAL. */
int command_check_data(const struct command *command, u32 size, const void *data);

/* command_succeeded - whether a result is a success: one that takes MSRs and comes to fewer has failed at one of them. */
bool command_succeeded(const struct command *command, u32 size, int result);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/irqshift: batches of ioctls by io_uring. They run in the submitting process, on its descriptors and its memory, so
 * that KVM and the security modules judge each as they would the ioctl itself.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "batch.h"
#include "compat.h"
#include "module.h"

/* Of a command, such as those for fixed buffers: none is of use here. The others are io_uring's own. */
#define SUBMITTER_FLAGS 0xffffffU

#define FLAGS (IRQSHIFT_BATCH_INLINE | IRQSHIFT_BATCH_SHARED)

/*
 * A result that is exchanged in a shared list must not cross a cache line: a split lock in the kernel is an oops where
 * the processor reports it.
 */
static bool aligned(const struct batch *batch)
{
	return IS_ALIGNED((unsigned long)batch->user, sizeof(batch->user->result));
}

static bool flags_ok(const struct batch *batch, u16 flags)
{
	if (flags & ~FLAGS || (batch->shared && (batch->restores || !aligned(batch))))
		return false;
	return batch->shared ? batch->first < batch->count : !batch->first;
}

/*
 * What can be said at once is said at once; the rest may sleep. The command stands in memory that the caller can write, so
 * each field is read once.
 */
static int device_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct irqshift_batch *asked = compat_uring_payload(cmd);
	u16 flags = READ_ONCE(asked->flags);
	struct batch batch = {
		.user = u64_to_user_ptr(READ_ONCE(asked->entries)),
		.count = READ_ONCE(asked->count),
		.first = READ_ONCE(asked->first),
		.restores = cmd->cmd_op == IRQSHIFT_URING_RESTORE,
		.shared = flags & IRQSHIFT_BATCH_SHARED,
	};

	if (!batch.restores && cmd->cmd_op != IRQSHIFT_URING_GATHER)
		return -EINVAL;
	if (cmd->flags & SUBMITTER_FLAGS || !batch.count)
		return -EINVAL;
	if (batch.count > IRQSHIFT_BATCH_MAX)
		return -E2BIG;
	if (!flags_ok(&batch, flags))
		return -EINVAL;
	/* -EAGAIN makes io_uring ask again from a thread that may sleep */
	if (issue_flags & IO_URING_F_NONBLOCK && !(flags & IRQSHIFT_BATCH_INLINE))
		return -EAGAIN;
	compat_uring_done(cmd, batch_run(&batch), issue_flags);
	return -EIOCBQUEUED;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.uring_cmd = device_uring_cmd,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = IRQSHIFT_DEVICE_NAME,
	.fops = &device_fops,
	.mode = 0600,
};

int irqshift_device_init(void)
{
	return misc_register(&device);
}

void irqshift_device_exit(void)
{
	misc_deregister(&device);
}

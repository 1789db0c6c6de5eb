// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/irqshift: batches of ioctls by io_uring. They run in the submitting process, on its descriptors and its memory, so
 * that KVM and the security modules judge each as they would the ioctl itself.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "access.h"
#include "command.h"
#include "compat.h"
#include "module.h"

/* Of a command, such as those for fixed buffers: none is of use here. The others are io_uring's own. */
#define SUBMITTER_FLAGS 0xffffffU

/* @entries: copied once; what the caller does to its own meanwhile has no effect. */
struct batch {
	struct irqshift_entry __user *user;
	struct irqshift_entry *entries;
	u32 count;
	bool restores;
};

/* One entry, and what was found out about it. */
struct job {
	const struct irqshift_entry *entry;
	const struct command *command;
	struct file *file;
};

/*
 * The array of MSRs has its own count in front, which KVM goes by. That it says the same as the entry keeps a mistake
 * from being run; a count that changes after this look at it harms only the caller's own memory.
 */
static int check_elements(const struct job *job)
{
	const __u32 __user *nmsrs = u64_to_user_ptr(job->entry->data);
	u32 n;

	if (!job->command->array)
		return 0;
	if (get_user(n, nmsrs))
		return -EFAULT;
	return n == command_elements(job->command, job->entry->size) ? 0 : -EINVAL;
}

static int check_file(const struct job *job)
{
	if (access_kind(job->file) != job->command->on)
		return -EINVAL;
	if (!command_size_ok(job->command, job->entry->size))
		return -EINVAL;
	return check_elements(job);
}

/* On success the job holds its file. @job: zeroed, or of the entry before: commands tend to repeat. */
static int job_init(struct job *job, const struct batch *batch, u32 n)
{
	const struct irqshift_entry *entry = &batch->entries[n];
	int ret;

	job->entry = entry;
	if (!job->command || job->command->ioctl != entry->command)
		job->command = command_find(entry->command);
	if (!job->command || (!job->command->gets && !batch->restores))
		return -EPERM;
	job->file = fget(entry->fd);
	if (!job->file)
		return -EBADF;
	ret = check_file(job);
	if (ret)
		fput(job->file);
	return ret;
}

static int job_run(const struct job *job)
{
	int err = command_allowed(job->command, job->file, job->entry->data);

	return err ? err : command_run(job->command, job->file, job->entry->data);
}

static bool job_succeeded(const struct job *job, int result)
{
	return command_succeeded(job->command, job->entry->size, result);
}

/* What the caller took away meanwhile it does not get. */
static void put_result(const struct batch *batch, u32 n, int result)
{
	(void)!put_user(result, &batch->user[n].result);
}

static int gather(const struct batch *batch)
{
	int succeeded = 0, result;
	struct job job = {};
	u32 n;

	for (n = 0; n < batch->count && !fatal_signal_pending(current); n++) {
		result = job_init(&job, batch, n);
		if (!result) {
			result = job_run(&job);
			succeeded += job_succeeded(&job, result);
			fput(job.file);
		}
		put_result(batch, n, result);
		cond_resched();
	}
	return succeeded;
}

/* What would stop an entry of a restore on its way, with the VM half changed. */
static int check_restorable(const struct job *job)
{
	char __user *data = u64_to_user_ptr(job->entry->data);
	size_t size = job->entry->size;

	if (access_vm(job->file)->mm != current->mm)
		return -EIO;
	if (fault_in_readable(data, size))
		return -EFAULT;
	if (job->command->gets && fault_in_safe_writeable(data, size))
		return -EFAULT;
	return 0;
}

/* check_all - the first thing that is wrong, after which *checked jobs hold their files. */
static int check_all(const struct batch *batch, struct job *jobs, u32 *checked)
{
	int ret = 0;
	u32 n;

	for (n = 0; n < batch->count && !ret; n++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = job_init(&jobs[n], batch, n);
		if (!ret) {
			*checked = n + 1;
			ret = check_restorable(&jobs[n]);
		}
		if (ret)
			put_result(batch, n, ret);
		cond_resched();
	}
	return ret;
}

static int run_until_one_fails(const struct batch *batch, const struct job *jobs)
{
	int result;
	u32 n;

	for (n = 0; n < batch->count && !fatal_signal_pending(current); n++) {
		result = job_run(&jobs[n]);
		put_result(batch, n, result);
		if (!job_succeeded(&jobs[n], result))
			break;
		cond_resched();
	}
	return n;
}

static int restore(const struct batch *batch)
{
	struct job *jobs = kvcalloc(batch->count, sizeof(*jobs), GFP_KERNEL_ACCOUNT);
	u32 n, checked = 0;
	int ret;

	if (!jobs)
		return -ENOMEM;
	ret = check_all(batch, jobs, &checked);
	if (!ret)
		ret = run_until_one_fails(batch, jobs);
	for (n = 0; n < checked; n++)
		fput(jobs[n].file);
	kvfree(jobs);
	return ret;
}

/* All results say "not run" to begin with, which shows that they can be written as well. */
static int read_entries(const struct batch *batch)
{
	u32 n;

	if (copy_from_user(batch->entries, batch->user, batch->count * sizeof(*batch->entries)))
		return -EFAULT;
	for (n = 0; n < batch->count; n++)
		if (put_user(-ECANCELED, &batch->user[n].result))
			return -EFAULT;
	return 0;
}

static int run(struct batch *batch)
{
	int ret;

	batch->entries = kvmalloc_array(batch->count, sizeof(*batch->entries), GFP_KERNEL_ACCOUNT);
	if (!batch->entries)
		return -ENOMEM;
	ret = read_entries(batch);
	if (!ret)
		ret = batch->restores ? restore(batch) : gather(batch);
	kvfree(batch->entries);
	return ret;
}

/*
 * What can be said at once is said at once; the rest may sleep. The command stands in memory that the caller can write, so
 * each field is read once.
 */
static int device_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct irqshift_batch *asked = compat_uring_payload(cmd);
	u32 flags = READ_ONCE(asked->flags);
	struct batch batch = {
		.user = u64_to_user_ptr(READ_ONCE(asked->entries)),
		.count = READ_ONCE(asked->count),
		.restores = cmd->cmd_op == IRQSHIFT_URING_RESTORE,
	};

	if (!batch.restores && cmd->cmd_op != IRQSHIFT_URING_GATHER)
		return -EINVAL;
	if (cmd->flags & SUBMITTER_FLAGS || flags & ~IRQSHIFT_BATCH_INLINE || !batch.count)
		return -EINVAL;
	if (batch.count > IRQSHIFT_BATCH_MAX)
		return -E2BIG;
	/* -EAGAIN makes io_uring ask again from a thread that may sleep */
	if (issue_flags & IO_URING_F_NONBLOCK && !(flags & IRQSHIFT_BATCH_INLINE))
		return -EAGAIN;
	compat_uring_done(cmd, run(&batch), issue_flags);
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

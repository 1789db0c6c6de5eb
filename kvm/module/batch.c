// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "access.h"
#include "batch.h"
#include "command.h"

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

/*
 * What another task has taken, or the caller did not offer, is not run. The mark stands in the caller's memory: one that
 * is changed there meanwhile costs only the caller.
 */
static bool take(const struct batch *batch, u32 n)
{
	int __user *result = &batch->user[n].result;
	int offered = -ECANCELED, got;

	if (get_user(got, result) || got != offered)
		return false;
	return __try_cmpxchg_user(result, &offered, -EINPROGRESS, fault) == 0;
}

/* The entries of a descriptor that follow each other are one task's, so that they run in their order. */
static bool continues(const struct batch *batch, u32 n)
{
	return n && n != batch->first && batch->entries[n].fd == batch->entries[n - 1].fd;
}

static bool mine(const struct batch *batch, u32 n, bool before)
{
	if (!batch->shared)
		return true;
	return (before || !continues(batch, n)) && take(batch, n);
}

static bool gather_one(const struct batch *batch, struct job *job, u32 n)
{
	int result = job_init(job, batch, n);
	bool succeeded = false;

	if (!result) {
		result = job_run(job);
		succeeded = job_succeeded(job, result);
		fput(job->file);
	}
	put_result(batch, n, result);
	return succeeded;
}

static int gather(const struct batch *batch)
{
	int succeeded = 0;
	struct job job = {};
	bool runs = true;
	u32 i, n = batch->first;

	for (i = 0; i < batch->count && !fatal_signal_pending(current); i++) {
		runs = mine(batch, n, runs);
		if (runs)
			succeeded += gather_one(batch, &job, n);
		n = n + 1 < batch->count ? n + 1 : 0;
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

/* All results say "not run" to begin with, which shows that they can be written as well; in a shared list the caller's do. */
static int read_entries(const struct batch *batch)
{
	u32 n;

	if (copy_from_user(batch->entries, batch->user, batch->count * sizeof(*batch->entries)))
		return -EFAULT;
	for (n = 0; n < batch->count && !batch->shared; n++)
		if (put_user(-ECANCELED, &batch->user[n].result))
			return -EFAULT;
	return 0;
}

int batch_run(struct batch *batch)
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

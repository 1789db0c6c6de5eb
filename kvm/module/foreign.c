// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread of the kernel takes on the memory of the process, maps some pages of its own there for the structures, calls and
 * unmaps them. What the process's threads do to the pages meanwhile they do to their own answers.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "foreign.h"

#define ROOM PAGE_ALIGN(sizeof(struct kvm_msrs) + IRQSHIFT_MSRS_MAX * sizeof(struct kvm_msr_entry))
#define LOOKS 5           /* at a vCPU that another thread has, a millisecond apart */
#define PATIENCE (HZ / 2) /* with one call, and then with the end */

static LIST_HEAD(abandoned);
static DEFINE_SPINLOCK(abandoned_lock); /* inside of that of a struct foreign */

struct foreign *foreign_new(void)
{
	struct foreign *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	init_completion(&f->done);
	spin_lock_init(&f->lock);
	return f;
}

void foreign_free(struct foreign *f)
{
	while (f->n--) {
		kfree(f->calls[f->n].data);
		if (f->calls[f->n].file)
			fput(f->calls[f->n].file);
	}
	if (f->proof)
		fput(f->proof);
	kfree(f);
}

/* A thread in KVM_RUN has the vCPU for as long as it likes, one that makes another call for microseconds. */
static bool has_time(struct kvm_vcpu *vcpu)
{
	unsigned int n;

	for (n = 0; n < LOOKS; n++) {
		if (!mutex_is_locked(&vcpu->mutex))
			return true;
		usleep_range(500, 1000);
	}
	return false;
}

static int call(const struct foreign_call *c, unsigned long room)
{
	struct kvm_vcpu *vcpu = access_vcpu(c->file);
	int ret;

	if (vcpu && !has_time(vcpu))
		return -EBUSY;
	if (copy_to_user((void __user *)room, c->data, c->size))
		return -EFAULT;
	ret = command_run(c->command, c->file, c->size ? room : 0);
	/* another thread was quicker after all, and keeps it */
	if (ret == -EINTR)
		return -EBUSY;
	if (ret >= 0 && copy_from_user(c->data, (void __user *)room, c->size))
		return -EFAULT;
	return ret;
}

static void call_all(struct foreign *f, unsigned long room)
{
	struct foreign_call *c;
	unsigned int n;

	for (n = 0; n < f->n; n++) {
		WRITE_ONCE(f->at, n);
		c = &f->calls[n];
		c->result = READ_ONCE(f->given_up) ? -ECANCELED : call(c, room);
		cond_resched();
	}
}

static void finish_calls(struct foreign *f)
{
	spin_lock(&f->lock);
	f->over = true;
	spin_unlock(&f->lock);
	flush_signals(current);
}

/* Whether there is somebody left to free it. */
static bool end(struct foreign *f)
{
	bool awaited;

	spin_lock(&f->lock);
	f->ended = true;
	awaited = !f->abandoned;
	spin_unlock(&f->lock);
	return awaited;
}

/* Pages that are shared are a mapping of their own, which can be taken away again without splitting another. */
static void make_calls(struct foreign *f)
{
	unsigned long room = vm_mmap(NULL, 0, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);

	if (IS_ERR_VALUE(room))
		f->error = READ_ONCE(f->given_up) ? -ETIMEDOUT : (int)room;
	else
		call_all(f, room);
	finish_calls(f);
	if (!IS_ERR_VALUE(room))
		vm_munmap(room, ROOM);
}

static int foreign_thread(void *arg)
{
	struct foreign *f = arg;

	allow_kernel_signal(SIGKILL);
	kthread_use_mm(f->mm);
	make_calls(f);
	kthread_unuse_mm(f->mm);
	/* if the process has died meanwhile, all of its memory goes now, and somebody may be waiting for this thread */
	mmput_async(f->mm);
	if (end(f))
		kthread_complete_and_exit(&f->done, 0);
	spin_lock(&abandoned_lock);
	list_del(&f->list);
	spin_unlock(&abandoned_lock);
	foreign_free(f);
	module_put_and_kthread_exit(0);
}

static void give_up(struct foreign *f)
{
	WRITE_ONCE(f->given_up, true);
	spin_lock(&f->lock);
	if (!f->over)
		send_sig(SIGKILL, f->thread, 1);
	spin_unlock(&f->lock);
}

/* abandon - true: the thread has it all, and keeps the module until it ends; false: it is about to end, or the module is. */
static bool abandon(struct foreign *f)
{
	bool left;

	spin_lock(&f->lock);
	left = !f->ended && try_module_get(THIS_MODULE);
	if (left) {
		f->abandoned = true;
		spin_lock(&abandoned_lock);
		list_add(&f->list, &abandoned);
		spin_unlock(&abandoned_lock);
	}
	spin_unlock(&f->lock);
	return left;
}

static bool is_abandoned(const struct mm_struct *mm)
{
	const struct foreign *f;
	bool found = false;

	spin_lock(&abandoned_lock);
	list_for_each_entry(f, &abandoned, list)
		found |= f->mm == mm;
	spin_unlock(&abandoned_lock);
	return found;
}

/* Until the thread has ended or makes no progress: as wait_for_completion_killable_timeout(). */
static long wait(struct foreign *f)
{
	unsigned int at;
	long left;

	do {
		at = READ_ONCE(f->at);
		left = wait_for_completion_killable_timeout(&f->done, PATIENCE);
	} while (!left && at != READ_ONCE(f->at));
	return left;
}

/* It has not ended by itself. */
static void end_it(struct foreign **f)
{
	give_up(*f);
	if (wait_for_completion_timeout(&(*f)->done, PATIENCE))
		return;
	if (abandon(*f))
		*f = NULL;
	else
		wait_for_completion(&(*f)->done);
}

static int run_thread(struct foreign **f, struct task_struct *thread)
{
	long left;

	get_task_struct(thread);
	(*f)->thread = thread;
	wake_up_process(thread);
	left = wait(*f);
	if (left <= 0)
		end_it(f);
	put_task_struct(thread);
	if (left < 0)
		return -EINTR;
	return *f ? (*f)->error : -ETIMEDOUT;
}

int foreign_run(struct foreign **f, struct mm_struct *mm)
{
	struct task_struct *thread;

	if (is_abandoned(mm))
		return -EBUSY;
	if (!mmget_not_zero(mm))
		return -ESRCH;
	(*f)->mm = mm;
	thread = kthread_create(foreign_thread, *f, "irqshift");
	if (IS_ERR(thread)) {
		mmput_async(mm);
		return PTR_ERR(thread);
	}
	return run_thread(f, thread);
}

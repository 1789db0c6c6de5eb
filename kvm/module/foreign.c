// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread of the kernel takes on the memory of the process, maps some pages of its own there for the structures, calls and
 * unmaps them. What the process's threads do to the pages meanwhile they do to their own answers.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "foreign.h"
#include "uapi.h"

#define ROOM PAGE_ALIGN(sizeof(struct kvm_msrs) + IRQSHIFT_MSRS_MAX * sizeof(struct kvm_msr_entry))
#define LOOKS 5           /* at a vCPU that another thread has, a millisecond apart */
#define PATIENCE (HZ / 2) /* with one call */

/* @lock, @over: after the calls the thread must not be sent a signal any more, which would keep it from tidying up. */
struct foreign {
	struct mm_struct *mm;
	struct foreign_call *calls;
	unsigned int n, at;
	struct task_struct *thread;
	struct completion done;
	spinlock_t lock;
	bool over, given_up;
	int error;
};

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

/* Pages that are shared are a mapping of their own, which can be taken away again without splitting another. */
static int foreign_thread(void *arg)
{
	struct foreign *f = arg;
	unsigned long room;

	allow_kernel_signal(SIGKILL);
	kthread_use_mm(f->mm);
	room = vm_mmap(NULL, 0, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(room))
		f->error = room;
	else
		call_all(f, room);
	finish_calls(f);
	if (!IS_ERR_VALUE(room))
		vm_munmap(room, ROOM);
	kthread_unuse_mm(f->mm);
	kthread_complete_and_exit(&f->done, 0);
}

static void give_up(struct foreign *f)
{
	WRITE_ONCE(f->given_up, true);
	spin_lock(&f->lock);
	if (!f->over)
		send_sig(SIGKILL, f->thread, 1);
	spin_unlock(&f->lock);
}

/* Until the thread has ended; it is not left alone whatever happens. */
static int wait(struct foreign *f)
{
	unsigned int at;
	long left;

	do {
		at = READ_ONCE(f->at);
		left = wait_for_completion_killable_timeout(&f->done, PATIENCE);
	} while (!left && at != READ_ONCE(f->at));
	if (left > 0)
		return 0;
	give_up(f);
	wait_for_completion(&f->done);
	return left ? -EINTR : 0;
}

static int run_thread(struct foreign *f)
{
	int err;

	f->thread = kthread_create(foreign_thread, f, "irqshift");
	if (IS_ERR(f->thread))
		return PTR_ERR(f->thread);
	get_task_struct(f->thread);
	wake_up_process(f->thread);
	err = wait(f);
	put_task_struct(f->thread);
	return err ? err : f->error;
}

int foreign_run(struct mm_struct *mm, struct foreign_call *calls, unsigned int n)
{
	struct foreign f = {
		.mm = mm,
		.calls = calls,
		.n = n,
		.done = COMPLETION_INITIALIZER_ONSTACK(f.done),
		.lock = __SPIN_LOCK_UNLOCKED(f.lock),
	};
	int err;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	err = run_thread(&f);
	/* if the process has died meanwhile, all of its memory goes now: not in the caller, who has genetlink's lock */
	mmput_async(mm);
	return err;
}

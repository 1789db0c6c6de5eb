// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sort.h>

#include "owned.h"
#include "uapi.h"

#define DESCRIPTORS_AT_ONCE 1024 /* with locks held */

struct found {
	struct file *file;
	unsigned int fd;
};

/* A walk through the descriptors of a process. What was found is held: no other object can take its place meanwhile. */
struct walk {
	const struct mm_struct *only, *mm;
	struct found *found;
	unsigned int n, room;
	unsigned int next, budget;
};

/* The callback of iterate_fd(), under the lock of the table: other than 0 ends the round, to go on at walk->next. */
static int take(const void *context, struct file *file, unsigned int fd)
{
	struct walk *walk = (struct walk *)context;

	walk->next = fd;
	if (walk->n == walk->room || walk->budget-- == 0)
		return 1;
	if (access_kind(file) != ACCESS_NOT_KVM && access_vm(file)->mm == walk->mm) {
		get_file(file);
		walk->found[walk->n++] = (struct found){ file, fd };
	}
	return 0;
}

static bool walk_some(struct walk *walk, struct task_struct *task)
{
	bool more = false;

	task_lock(task);
	walk->mm = task->mm;
	walk->budget = DESCRIPTORS_AT_ONCE;
	if (task->files && walk->mm && (!walk->only || walk->only == walk->mm))
		more = iterate_fd(task->files, walk->next, take, walk);
	task_unlock(task);
	return more;
}

static int walk_grow(struct walk *walk)
{
	unsigned int room = walk->room ? 2 * walk->room : 16;
	struct found *found = kvmalloc_array(room, sizeof(*found), GFP_KERNEL_ACCOUNT);

	if (!found)
		return -ENOMEM;
	if (walk->n)
		memcpy(found, walk->found, walk->n * sizeof(*found));
	kvfree(walk->found);
	walk->found = found;
	walk->room = room;
	return 0;
}

static int walk_all(struct walk *walk, struct task_struct *task)
{
	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (walk->n == walk->room && walk_grow(walk))
			return -ENOMEM;
		cond_resched();
	} while (walk_some(walk, task));
	return 0;
}

static u8 irqchip_of(const struct kvm *kvm)
{
	switch (READ_ONCE(kvm->arch.irqchip_mode)) {
	case KVM_IRQCHIP_KERNEL:
		return IRQSHIFT_IRQCHIP_KERNEL;
	case KVM_IRQCHIP_SPLIT:
		return IRQSHIFT_IRQCHIP_SPLIT;
	default:
		return IRQSHIFT_IRQCHIP_NONE;
	}
}

static int by_vm(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	const struct kvm *vm_x = access_vm(x->file), *vm_y = access_vm(y->file);

	if (vm_x != vm_y)
		return vm_x < vm_y ? -1 : 1;
	return x->fd < y->fd ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->fd < y->fd ? -1 : 1;
}

static bool same(const struct owned *a, const struct owned *b)
{
	return a->vm == b->vm && a->kind == b->kind && a->id == b->id;
}

/* A VM is called by the lowest of the descriptors that lead to it or to a vCPU of it. */
static void name_rows(struct walk *walk, struct owned *rows)
{
	const struct kvm *vm = NULL;
	const struct kvm_vcpu *vcpu;
	unsigned int n, name = 0;

	sort(walk->found, walk->n, sizeof(*walk->found), by_vm, NULL);
	for (n = 0; n < walk->n; n++) {
		if (access_vm(walk->found[n].file) != vm) {
			vm = access_vm(walk->found[n].file);
			name = walk->found[n].fd;
		}
		vcpu = access_vcpu(walk->found[n].file);
		rows[n] = (struct owned){
			.vm = name,
			.fd = walk->found[n].fd,
			.id = vcpu ? vcpu->vcpu_id : 0,
			.kind = access_kind(walk->found[n].file),
			.irqchip = irqchip_of(vm),
		};
	}
}

static int list_of(struct walk *walk, struct owned_list *ret)
{
	struct owned *rows;
	unsigned int n;

	if (!walk->n)
		return 0;
	rows = kvmalloc_array(walk->n, sizeof(*rows), GFP_KERNEL_ACCOUNT);
	if (!rows)
		return -ENOMEM;
	name_rows(walk, rows);
	sort(rows, walk->n, sizeof(*rows), by_place, NULL);
	ret->rows = rows;
	for (n = 0; n < walk->n; n++)
		if (!ret->n || !same(&rows[ret->n - 1], &rows[n]))
			rows[ret->n++] = rows[n];
	return 0;
}

int owned_read(struct task_struct *task, const struct mm_struct *only, struct owned_list *ret)
{
	struct walk walk = { .only = only };
	int err = walk_all(&walk, task);

	*ret = (struct owned_list){};
	if (!err)
		err = list_of(&walk, ret);
	while (walk.n)
		fput(walk.found[--walk.n].file);
	kvfree(walk.found);
	return err;
}

void owned_release(struct owned_list *list)
{
	kvfree(list->rows);
	*list = (struct owned_list){};
}

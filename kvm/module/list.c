// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIST_VMS. CAP_SYS_PTRACE in the first user namespace sees every process of its pid namespace; everybody else the processes
 * that have one memory: the caller's own, or that of MEM_FD. A process is looked through when its turn comes, and told
 * whole.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <net/genetlink.h>

#include "access.h"
#include "compat.h"
#include "module.h"
#include "owned.h"

#define VCPU_SIZE (nla_total_size(0) + 2 * nla_total_size(sizeof(u32)))

/* @own, @proof: hold the memory that @only is, one or the other. @pid: of the process whose list is being told, from @at. */
struct dump {
	struct pid_namespace *ns;
	const struct mm_struct *only;
	struct mm_struct *own;
	struct file *proof;
	int next, pid;
	struct owned_list list;
	unsigned int at;
};

const struct nla_policy irqshift_list_policy[IRQSHIFT_A_COUNT] = {
	[IRQSHIFT_A_MEM_FD] = { .type = NLA_U32 },
};

/* Whom the dump is for is settled here: its later parts are made for whoever reads the socket. */
static int choose(struct dump *dump, struct netlink_callback *cb)
{
	const struct nlattr *mem_fd = compat_dump_attrs(cb)[IRQSHIFT_A_MEM_FD];

	if (mem_fd) {
		dump->proof = access_proof_get(nla_get_u32(mem_fd));
		if (IS_ERR(dump->proof))
			return PTR_ERR(dump->proof);
		dump->only = access_proof_mm(dump->proof);
	} else if (!netlink_capable(cb->skb, CAP_SYS_PTRACE)) {
		dump->own = current->mm;
		if (!dump->own)
			return -EPERM;
		mmgrab(dump->own);
		dump->only = dump->own;
	}
	return 0;
}

int irqshift_list_start(struct netlink_callback *cb)
{
	struct dump *dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);
	int err;

	if (!dump)
		return -ENOMEM;
	err = choose(dump, cb);
	if (err) {
		kfree(dump);
		return err;
	}
	dump->ns = get_pid_ns(task_active_pid_ns(current));
	dump->next = 1;
	cb->args[0] = (long)dump;
	return 0;
}

int irqshift_list_done(struct netlink_callback *cb)
{
	struct dump *dump = (struct dump *)cb->args[0];

	owned_release(&dump->list);
	if (dump->proof)
		fput(dump->proof);
	if (dump->own)
		mmdrop(dump->own);
	put_pid_ns(dump->ns);
	kfree(dump);
	return 0;
}

/* A thread of the process that still has its memory; the first one may be dead and the others alive. */
static struct task_struct *alive(struct task_struct *leader)
{
	struct task_struct *task;

	for_each_thread(leader, task) if (READ_ONCE(task->mm) && !(task->flags & PF_KTHREAD)) return task;
	return NULL;
}

/* next_process - false when there is no further number; *ret is NULL when that of dump->pid is no process. */
static bool next_process(struct dump *dump, struct task_struct **ret)
{
	struct task_struct *leader;
	struct pid *pid;

	*ret = NULL;
	rcu_read_lock();
	pid = find_ge_pid(dump->next, dump->ns);
	if (pid) {
		dump->pid = pid_nr_ns(pid, dump->ns);
		leader = pid_task(pid, PIDTYPE_TGID);
		if (leader)
			*ret = alive(leader);
		if (*ret)
			get_task_struct(*ret);
	}
	rcu_read_unlock();
	return pid;
}

/* look_on - 1: the dump has the list of a process that owns a VM; 0: there is none any more; -errno. */
static int look_on(struct dump *dump)
{
	struct task_struct *task;
	int err;

	while (next_process(dump, &task)) {
		dump->next = dump->pid + 1;
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
		else
			err = task ? owned_read(task, dump->only, &dump->list) : 0;
		if (task)
			put_task_struct(task);
		dump->at = 0;
		if (err || dump->list.n)
			return err ? err : 1;
	}
	return 0;
}

static int put_vcpu(struct sk_buff *skb, const struct owned *vcpu)
{
	struct nlattr *nest = nla_nest_start(skb, IRQSHIFT_A_VCPU);

	if (!nest || nla_put_u32(skb, IRQSHIFT_A_VCPU_ID, vcpu->id) || nla_put_u32(skb, IRQSHIFT_A_VCPU_FD, vcpu->fd))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* The row of the VM that a row belongs to; its own when the VM itself has no descriptor. */
static const struct owned *vm_of(const struct owned_list *list, unsigned int at)
{
	while (at && list->rows[at - 1].vm == list->rows[at].vm)
		at--;
	return &list->rows[at];
}

static int put_vm(struct sk_buff *skb, const struct dump *dump)
{
	const struct owned *vm = vm_of(&dump->list, dump->at);

	if (nla_put_u32(skb, IRQSHIFT_A_PID, dump->pid) || nla_put_u32(skb, IRQSHIFT_A_IRQCHIP, vm->irqchip))
		return -EMSGSIZE;
	return vm->kind == ACCESS_VM ? nla_put_u32(skb, IRQSHIFT_A_VM_FD, vm->fd) : 0;
}

/* put_rows - so many of a VM's rows as there is room for, with room for MORE behind them; how many. */
static unsigned int put_rows(struct sk_buff *skb, const struct dump *dump)
{
	const struct owned *rows = dump->list.rows;
	unsigned int at = dump->at;

	for (; at < dump->list.n && rows[at].vm == rows[dump->at].vm; at++) {
		if (skb_tailroom(skb) < VCPU_SIZE + nla_total_size(0))
			break;
		if (rows[at].kind == ACCESS_VCPU && put_vcpu(skb, &rows[at]))
			break;
	}
	if (at < dump->list.n && rows[at].vm == rows[dump->at].vm && nla_put_flag(skb, IRQSHIFT_A_MORE))
		return 0;
	return at - dump->at;
}

/* put_message - false when the message has no more room; nothing of it is there then. */
static bool put_message(struct sk_buff *skb, struct netlink_callback *cb, struct dump *dump)
{
	unsigned int n = 0;
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &irqshift_family, NLM_F_MULTI,
				 IRQSHIFT_GENL_LIST_VMS);

	if (!head)
		return false;
	if (!put_vm(skb, dump))
		n = put_rows(skb, dump);
	if (!n) {
		genlmsg_cancel(skb, head);
		return false;
	}
	genlmsg_end(skb, head);
	dump->at += n;
	return true;
}

int irqshift_list(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = (struct dump *)cb->args[0];
	int more;

	for (;;) {
		while (dump->at < dump->list.n)
			if (!put_message(skb, cb, dump))
				return skb->len;
		owned_release(&dump->list);
		dump->at = 0;
		more = look_on(dump);
		if (more <= 0)
			return more ? more : skb->len;
	}
}

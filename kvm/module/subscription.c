// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "access.h"
#include "events.h"
#include "module.h"
#include "subscription.h"

#define EVENTS_ALL (BIT_ULL(IRQSHIFT_EVENT_TYPES) - 1)

static struct netlink_range_validation buffer_range = { .min = IRQSHIFT_BUFFER_MIN, .max = IRQSHIFT_BUFFER_MAX };

const struct nla_policy irqshift_subscribe_policy[IRQSHIFT_A_COUNT] = {
	[IRQSHIFT_A_MEM_FD] = { .type = NLA_U32 },
	[IRQSHIFT_A_EVENTS] = NLA_POLICY_MASK(NLA_U64, EVENTS_ALL),
	[IRQSHIFT_A_BUFFER] = NLA_POLICY_FULL_RANGE(NLA_U32, &buffer_range),
	[IRQSHIFT_A_GROUP] = { .type = NLA_FLAG },
};

static DEFINE_MUTEX(lock);       /* of changes to what follows */
static LIST_HEAD(subscriptions); /* read under RCU */
static unsigned int count;
static bool open;

/*
 * Whose doing an event is shows in the memory of the task alone. A vCPU's thread has the VM's, and so have the threads of
 * the kernel that work for it with its memory; an interrupt has that of whom it happened to interrupt.
 */
static bool concerns(const struct subscription *s)
{
	if (!s->proof)
		return true;
	if (!in_task())
		return false;
	if (current->mm)
		return current->mm == s->mm;
	return (current->flags & PF_KTHREAD) && strcmp(current->comm, s->pit) == 0;
}

static void name_task(struct irqshift_event *event, struct pid_namespace *ns)
{
	if (!in_task() || !pid_alive(current)) {
		event->pid = event->tid = 0;
	} else if (ns == &init_pid_ns) { /* nearly always, and they are at hand */
		event->pid = current->tgid;
		event->tid = current->pid;
	} else {
		event->pid = task_tgid_nr_ns(current, ns);
		event->tid = task_pid_nr_ns(current, ns);
	}
}

void subscription_note(unsigned int type, const u64 *arg, unsigned int n)
{
	struct irqshift_event event = { .type = type };
	struct subscription *s;
	unsigned long used;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &subscriptions, list) {
		if (!(s->events & BIT_ULL(type)) || !concerns(s))
			continue;
		if (!event.time) {
			event.time = ktime_get_mono_fast_ns();
			event.cpu = raw_smp_processor_id();
			memcpy(event.arg, arg, n * sizeof(*arg));
		}
		name_task(&event, s->pid_ns);
		used = ring_put(&s->ring, &event);
		if (used)
			sender_kick(s, used);
	}
	rcu_read_unlock();
}

static int hook_wanted(void)
{
	struct subscription *s;
	u64 events = 0;

	list_for_each_entry(s, &subscriptions, list)
		events |= s->events;
	return events_hook(events);
}

static void destroy(struct subscription *s)
{
	if (s->proof)
		fput(s->proof);
	put_pid_ns(s->pid_ns);
	sock_put(s->sock);
	ring_deinit(&s->ring);
	kfree(s);
}

/* With the lock held: no more events for it, once a grace period has passed. */
static void take_off(struct subscription *s)
{
	list_del_rcu(&s->list);
	count--;
	hook_wanted();
}

/* Without the lock, so that many can wait for the same grace period. @tell: somebody is there to hear the rest. */
static void finish(struct subscription *s, bool tell)
{
	synchronize_rcu();
	sender_stop(s);
	if (tell)
		sender_finish(s);
	destroy(s);
}

/* KVM calls the thread of a PIT after the process that made the VM, by the number it has in its own pid namespace. */
static void name_pit(struct subscription *s)
{
	struct task_struct *task;
	struct pid *pid;
	int nr = 1;

	do {
		rcu_read_lock();
		pid = find_ge_pid(nr, s->pid_ns);
		nr = pid ? pid_nr_ns(pid, s->pid_ns) + 1 : 0;
		task = pid_task(pid, PIDTYPE_PID);
		if (task && READ_ONCE(task->mm) == s->mm) {
			snprintf(s->pit, sizeof(s->pit), "kvm-pit/%d", task_tgid_nr_ns(task, task_active_pid_ns(task)));
			nr = 0;
		}
		rcu_read_unlock();
		cond_resched();
	} while (nr);
}

static int take_proof(struct subscription *s, const struct nlattr *fd)
{
	struct file *proof = access_proof_get(nla_get_u32(fd));

	if (IS_ERR(proof))
		return PTR_ERR(proof);
	s->proof = proof;
	s->mm = access_proof_mm(proof);
	name_pit(s);
	return 0;
}

static struct subscription *create(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct subscription *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->events = attrs[IRQSHIFT_A_EVENTS] ? nla_get_u64(attrs[IRQSHIFT_A_EVENTS]) : EVENTS_ALL;
	s->group = nla_get_flag(attrs[IRQSHIFT_A_GROUP]);
	s->pid_ns = get_pid_ns(task_active_pid_ns(current));
	s->sock = NETLINK_CB(request).sk;
	s->portid = info->snd_portid;
	sock_hold(s->sock);
	sender_init(s);
	ret = ring_init(&s->ring, attrs[IRQSHIFT_A_BUFFER] ? nla_get_u32(attrs[IRQSHIFT_A_BUFFER]) : IRQSHIFT_BUFFER_DEFAULT);
	if (!ret && attrs[IRQSHIFT_A_MEM_FD])
		ret = take_proof(s, attrs[IRQSHIFT_A_MEM_FD]);
	if (!ret)
		return s;
	destroy(s);
	return ERR_PTR(ret);
}

static struct subscription *find(const struct sock *sock)
{
	struct subscription *s;

	list_for_each_entry(s, &subscriptions, list)
		if (s->sock == sock)
			return s;
	return NULL;
}

static int add_locked(struct subscription *s)
{
	int ret;

	if (!open)
		return -ESHUTDOWN;
	if (find(s->sock))
		return -EEXIST;
	if (count == IRQSHIFT_SUBSCRIPTIONS_MAX)
		return -ENOSPC;
	list_add_tail_rcu(&s->list, &subscriptions);
	count++;
	ret = hook_wanted();
	if (ret)
		take_off(s);
	return ret;
}

/* The subscription is gone when it fails. */
static int add(struct subscription *s)
{
	int ret;

	mutex_lock(&lock);
	ret = add_locked(s);
	mutex_unlock(&lock);
	if (ret)
		finish(s, false);
	return ret;
}

/* perf and tracefs ask for the same before they show tracepoints, and so does lockdown. */
static int may_subscribe(const struct sk_buff *request, const struct genl_info *info)
{
	if (!netlink_capable(request, CAP_PERFMON))
		return -EPERM;
	if (!info->attrs[IRQSHIFT_A_MEM_FD] && !netlink_capable(request, CAP_SYS_PTRACE))
		return -EPERM;
	return security_locked_down(LOCKDOWN_PERF);
}

int irqshift_subscribe(struct sk_buff *request, struct genl_info *info)
{
	struct subscription *s;
	int ret = may_subscribe(request, info);

	if (ret)
		return ret;
	if (info->attrs[IRQSHIFT_A_EVENTS] && !nla_get_u64(info->attrs[IRQSHIFT_A_EVENTS]))
		return -EINVAL;
	if (nla_get_flag(info->attrs[IRQSHIFT_A_GROUP]) && !net_eq(genl_info_net(info), &init_net))
		return -EOPNOTSUPP;
	s = create(request, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	return add(s);
}

int irqshift_unsubscribe(struct sk_buff *request, struct genl_info *info)
{
	struct subscription *s;

	mutex_lock(&lock);
	s = find(NETLINK_CB(request).sk);
	if (s)
		take_off(s);
	mutex_unlock(&lock);
	if (!s)
		return -ENOENT;
	finish(s, true);
	return 0;
}

static bool is_any(const struct subscription *s)
{
	return true;
}

/* A socket is dead before socket_closed() is called, and one that took over its port number is not. */
static bool is_dead(const struct subscription *s)
{
	return sock_flag(s->sock, SOCK_DEAD);
}

static struct subscription *take_one(bool (*which)(const struct subscription *s))
{
	struct subscription *s, *found = NULL;

	mutex_lock(&lock);
	list_for_each_entry(s, &subscriptions, list) {
		if (which(s)) {
			found = s;
			take_off(s);
			break;
		}
	}
	mutex_unlock(&lock);
	return found;
}

static int socket_closed(struct notifier_block *block, unsigned long action, void *data)
{
	const struct netlink_notify *notify = data;
	struct subscription *s;

	if (action != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	while ((s = take_one(is_dead)) != NULL)
		finish(s, s->group);
	return NOTIFY_OK;
}

static struct notifier_block sockets = { .notifier_call = socket_closed };

int irqshift_subscription_init(void)
{
	int ret = netlink_register_notifier(&sockets);

	if (ret)
		return ret;
	mutex_lock(&lock);
	open = true;
	mutex_unlock(&lock);
	return 0;
}

void irqshift_subscription_exit(void)
{
	struct subscription *s;

	mutex_lock(&lock);
	open = false;
	mutex_unlock(&lock);
	while ((s = take_one(is_any)) != NULL)
		finish(s, true);
	netlink_unregister_notifier(&sockets);
}

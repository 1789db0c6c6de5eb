// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "module.h"
#include "subscription.h"

#define RECORDS_MAX 56            /* in a message, which then fits into a page with its socket buffer's own data */
#define PAUSE msecs_to_jiffies(4) /* until a look whether a slow reader has read */

static struct workqueue_struct *queue;

/*
 * A reader's queue is filled to the half only. A message that finds it full would be lost, the reader would be told ENOBUFS,
 * and answers to its requests would be lost as well.
 */
static bool has_room(const struct subscription *s)
{
	unsigned int used = atomic_read(&s->sock->sk_rmem_alloc);

	return s->group || !used || used < READ_ONCE(s->sock->sk_rcvbuf) / 2;
}

/* A message without records when @n is 0. */
static struct sk_buff *message(const struct subscription *s, unsigned int n)
{
	size_t size = n * sizeof(struct irqshift_event);
	struct sk_buff *skb = genlmsg_new(2 * nla_total_size_64bit(8) + nla_total_size_64bit(size), GFP_KERNEL);
	struct nlattr *records = NULL;
	void *head;

	if (!skb)
		return NULL;
	head = genlmsg_put(skb, s->portid, 0, &irqshift_family, 0, IRQSHIFT_GENL_EVENT);
	if (head && !nla_put_u64_64bit(skb, IRQSHIFT_A_SEQ, s->ring.tail + s->ring.dropped, IRQSHIFT_A_PAD) &&
	    !nla_put_u64_64bit(skb, IRQSHIFT_A_DROPPED, s->ring.dropped, IRQSHIFT_A_PAD))
		records = n ? nla_reserve_64bit(skb, IRQSHIFT_A_RECORDS, size, IRQSHIFT_A_PAD) : head;
	if (!records) {
		nlmsg_free(skb);
		return NULL;
	}
	if (n)
		ring_copy(&s->ring, nla_data(records), n);
	genlmsg_end(skb, head);
	return skb;
}

/* The file of a socket, to be given to fput(); NULL when it is being closed. */
static struct file *file_of(struct sock *sock)
{
	struct file *file = NULL;

	read_lock_bh(&sock->sk_callback_lock); /* a socket that it belongs to is not freed, nor is the socket's file */
	if (sock->sk_socket)
		file = compat_get_file(&sock->sk_socket->file);
	read_unlock_bh(&sock->sk_callback_lock);
	return file;
}

/*
 * Messages go by the socket's number, which anybody may take as soon as it is closed, without a right to what is in them. It
 * is not closed while its file is held.
 */
static int send_to_socket(const struct subscription *s, unsigned int n)
{
	struct file *file = file_of(s->sock);
	struct sk_buff *skb;
	int ret = -ENOMEM;

	if (!file)
		return -ENOTCONN;
	skb = message(s, n);
	if (skb)
		ret = genlmsg_unicast(sock_net(s->sock), skb, s->portid);
	fput(file);
	return ret;
}

/* Nobody may be a member, and each member looks after itself. */
static int send_to_group(const struct subscription *s, unsigned int n)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&irqshift_family, &init_net, IRQSHIFT_GROUP_EVENTS))
		return 0;
	skb = message(s, n);
	if (!skb)
		return -ENOMEM;
	genlmsg_multicast(&irqshift_family, skb, 0, IRQSHIFT_GROUP_EVENTS, GFP_KERNEL);
	return 0;
}

static int send(const struct subscription *s, unsigned int n)
{
	return s->group ? send_to_group(s, n) : send_to_socket(s, n);
}

/* drain - until there is nothing more: 0, or until nothing more can be sent for now: -errno */
static int drain(struct subscription *s)
{
	unsigned int n;
	int ret;

	while ((n = ring_ready(&s->ring, RECORDS_MAX)) > 0) {
		if (!has_room(s))
			return -EAGAIN;
		ret = send(s, n);
		if (ret)
			return ret;
		ring_done(&s->ring, n);
		cond_resched();
	}
	return 0;
}

static void work(struct work_struct *work)
{
	struct subscription *s = container_of(to_delayed_work(work), struct subscription, work);

	WRITE_ONCE(s->kicked, false);
	smp_mb(); /* with sender_kick(): drain() sees the event, or its producer sees that it has to kick */
	if (drain(s) == 0)
		return;
	WRITE_ONCE(s->kicked, true);
	queue_delayed_work(queue, &s->work, PAUSE);
}

static void kicked(struct irq_work *kick)
{
	struct subscription *s = container_of(kick, struct subscription, kick);

	queue_delayed_work(queue, &s->work, 0);
}

static void hurried(struct irq_work *hurry)
{
	struct subscription *s = container_of(hurry, struct subscription, hurry);

	queue_delayed_work(queue, &s->work, 0);
}

void sender_kick(struct subscription *s, unsigned long used)
{
	smp_mb(); /* with work() */
	if (!READ_ONCE(s->kicked) && !xchg(&s->kicked, true))
		irq_work_queue(&s->kick);
	if (used == s->ring.limit / 2)
		irq_work_queue(&s->hurry);
}

void sender_init(struct subscription *s)
{
	s->kick = IRQ_WORK_INIT_LAZY(kicked);
	s->hurry = IRQ_WORK_INIT(hurried);
	INIT_DELAYED_WORK(&s->work, work);
}

void sender_stop(struct subscription *s)
{
	irq_work_sync(&s->kick);
	irq_work_sync(&s->hurry);
	cancel_delayed_work_sync(&s->work);
}

void sender_finish(struct subscription *s)
{
	drain(s);
	ring_give_up(&s->ring);
	send(s, 0);
}

int irqshift_sender_init(void)
{
	queue = alloc_workqueue("irqshift", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

void irqshift_sender_exit(void)
{
	destroy_workqueue(queue);
}

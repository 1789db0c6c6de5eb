/* SPDX-License-Identifier: GPL-2.0-only */
/* Who hears of events, of which, and how: one subscription per netlink socket. */
#ifndef IRQSHIFT_SUBSCRIPTION_H
#define IRQSHIFT_SUBSCRIPTION_H

#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "ring.h"

struct pid_namespace;
struct sock;

/*
 * @list: RCU
 * @events: bit n: event n is wanted
 * @proof: of the right to the VM's process, held; NULL: all VMs
 * @mm: the memory that @proof is for: compared with, never followed
 * @pit: name of the kernel's thread for the PIT of the process's VM; empty: not known
 * @pid_ns: in which the subscriber sees tasks; held
 * @sock: the subscriber's; held
 * @portid: of @sock
 * @group: to the multicast group instead of to @sock
 * @kicked: @kick is on its way, or @work is: no need for another
 * @kick: starts @work at the CPU's next tick: events come in crowds, and one that waits 4 ms is in time
 * @hurry: starts it at once, because the ring is half full
 * @work: sends
 */
struct subscription {
	struct list_head list;
	u64 events;
	struct file *proof;
	const struct mm_struct *mm;
	char pit[TASK_COMM_LEN];
	struct pid_namespace *pid_ns;
	struct sock *sock;
	u32 portid;
	bool group;
	bool kicked;
	struct irq_work kick, hurry;
	struct delayed_work work;
	struct ring ring;
};

/* subscription_note - an event came up, here and now, in whatever context: to those that it concerns. */
void subscription_note(unsigned int type, const u64 *arg, unsigned int n);

/* sender_init/sender_stop - starts and ends sending; the second once there are no more producers. */
void sender_init(struct subscription *s);
void sender_stop(struct subscription *s);

/* sender_finish - after sender_stop: what the subscriber still takes, and a last message that says how many there were. */
void sender_finish(struct subscription *s);

/* sender_kick - by a producer: there is an event, the @used-th in the ring. */
void sender_kick(struct subscription *s, unsigned long used);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of irqshift.ko, as main.c starts and ends them, and the commands of the netlink family, as genl.c names them. */
#ifndef IRQSHIFT_MODULE_H
#define IRQSHIFT_MODULE_H

#include <linux/types.h>
#include <net/netlink.h>

#include "uapi.h"

struct genl_family;
struct genl_info;
struct netlink_callback;
struct sk_buff;

/* device.c */
int irqshift_device_init(void);
void irqshift_device_exit(void);

/* events.c. irqshift_events_there: the events whose tracepoint is there and fits its row, bit n for event n. */
int irqshift_events_init(void);
void irqshift_events_exit(void);
u64 irqshift_events_there(void);

/* genl.c */
enum irqshift_group {
	IRQSHIFT_GROUP_EVENTS,
	IRQSHIFT_GROUPS
};
extern struct genl_family irqshift_family;
int irqshift_genl_init(void);
void irqshift_genl_exit(void);

/* list.c */
extern const struct nla_policy irqshift_list_policy[IRQSHIFT_A_COUNT];
int irqshift_list_start(struct netlink_callback *cb);
int irqshift_list(struct sk_buff *skb, struct netlink_callback *cb);
int irqshift_list_done(struct netlink_callback *cb);

/* state.c */
extern const struct nla_policy irqshift_state_policy[IRQSHIFT_A_COUNT];
int irqshift_state(struct sk_buff *request, struct genl_info *info);

/* sender.c: the workqueue that subscriptions send in. */
int irqshift_sender_init(void);
void irqshift_sender_exit(void);

/* subscription.c. Before the first and after the second there are no subscriptions; the second ends all. */
int irqshift_subscription_init(void);
void irqshift_subscription_exit(void);
extern const struct nla_policy irqshift_subscribe_policy[IRQSHIFT_A_COUNT];
int irqshift_subscribe(struct sk_buff *request, struct genl_info *info);
int irqshift_unsubscribe(struct sk_buff *request, struct genl_info *info);

#endif

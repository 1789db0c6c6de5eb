// SPDX-License-Identifier: GPL-2.0-only
/*
 * The family "irqshift". Commands run in parallel, each with locks of its own: one that waits for a vCPU must not hold up
 * all generic netlink.
 */
#include <linux/module.h>
#include <net/genetlink.h>

#include "module.h"

static int get_info(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *answer = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	u32 features = IRQSHIFT_FEATURE_GATHER | IRQSHIFT_FEATURE_STATE;
	u64 events = irqshift_events_there();
	void *head;

	if (!answer)
		return -ENOMEM;
	if (events)
		features |= IRQSHIFT_FEATURE_EVENTS;
	head = genlmsg_put_reply(answer, info, &irqshift_family, 0, IRQSHIFT_GENL_GET_INFO);
	if (!head || nla_put_u32(answer, IRQSHIFT_A_ABI, IRQSHIFT_ABI) ||
	    nla_put_u64_64bit(answer, IRQSHIFT_A_EVENTS, events, IRQSHIFT_A_PAD) ||
	    nla_put_u32(answer, IRQSHIFT_A_FEATURES, features)) {
		nlmsg_free(answer);
		return -EMSGSIZE;
	}
	genlmsg_end(answer, head);
	return genlmsg_reply(answer, info);
}

static const struct genl_ops ops[] = {
	{
		.cmd = IRQSHIFT_GENL_GET_INFO,
		.doit = get_info,
	},
	{
		.cmd = IRQSHIFT_GENL_LIST_VMS,
		.policy = irqshift_list_policy,
		.maxattr = IRQSHIFT_A_COUNT - 1,
		.start = irqshift_list_start,
		.dumpit = irqshift_list,
		.done = irqshift_list_done,
	},
	{
		.cmd = IRQSHIFT_GENL_GET_STATE,
		.policy = irqshift_state_policy,
		.maxattr = IRQSHIFT_A_COUNT - 1,
		.doit = irqshift_state,
	},
	{
		.cmd = IRQSHIFT_GENL_SUBSCRIBE,
		.policy = irqshift_subscribe_policy,
		.maxattr = IRQSHIFT_A_COUNT - 1,
		.doit = irqshift_subscribe,
	},
	{
		.cmd = IRQSHIFT_GENL_UNSUBSCRIBE,
		.doit = irqshift_unsubscribe,
	},
};

static const struct genl_multicast_group groups[IRQSHIFT_GROUPS] = {
	[IRQSHIFT_GROUP_EVENTS] = {
		.name = IRQSHIFT_GENL_GROUP,
#ifdef GENL_MCAST_CAP_SYS_ADMIN
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
#else /* kernels up to 6.6 and their updates of 2023: CAP_NET_ADMIN */
		.flags = GENL_UNS_ADMIN_PERM,
#endif
	},
};

struct genl_family irqshift_family = {
	.name = IRQSHIFT_GENL_NAME,
	.version = IRQSHIFT_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int irqshift_genl_init(void)
{
	return genl_register_family(&irqshift_family);
}

void irqshift_genl_exit(void)
{
	genl_unregister_family(&irqshift_family);
}

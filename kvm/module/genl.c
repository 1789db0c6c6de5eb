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
	void *head;

	if (!answer)
		return -ENOMEM;
	head = genlmsg_put_reply(answer, info, &irqshift_family, 0, IRQSHIFT_GENL_GET_INFO);
	if (!head || nla_put_u32(answer, IRQSHIFT_A_ABI, IRQSHIFT_ABI) ||
	    nla_put_u64_64bit(answer, IRQSHIFT_A_EVENTS, 0, IRQSHIFT_A_PAD) ||
	    nla_put_u32(answer, IRQSHIFT_A_FEATURES, IRQSHIFT_FEATURE_GATHER)) {
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
};

struct genl_family irqshift_family = {
	.name = IRQSHIFT_GENL_NAME,
	.version = IRQSHIFT_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = IRQSHIFT_GENL_COMMANDS,
};

int irqshift_genl_init(void)
{
	return genl_register_family(&irqshift_family);
}

void irqshift_genl_exit(void)
{
	genl_unregister_family(&irqshift_family);
}

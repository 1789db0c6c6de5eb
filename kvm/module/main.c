// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqshift.ko: what a kernel can do for irqshift that ioctls one by one cannot. Each part comes and goes by itself; none
 * needs kvm.ko to be there, and none keeps it loaded for longer than a request takes.
 */
#include <linux/module.h>

#include "module.h"

static const struct part {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ irqshift_device_init, irqshift_device_exit },
	{ irqshift_sender_init, irqshift_sender_exit },
	{ irqshift_events_init, irqshift_events_exit },
	{ irqshift_genl_init, irqshift_genl_exit },
	{ irqshift_subscription_init, irqshift_subscription_exit }, /* tells subscribers, while there is a family */
};

static void parts_exit(unsigned int n)
{
	while (n-- > 0)
		parts[n].exit();
}

static int __init irqshift_init(void)
{
	unsigned int n;
	int ret;

	for (n = 0; n < ARRAY_SIZE(parts); n++) {
		ret = parts[n].init();
		if (ret) {
			parts_exit(n);
			return ret;
		}
	}
	return 0;
}

static void __exit irqshift_exit(void)
{
	parts_exit(ARRAY_SIZE(parts));
}

module_init(irqshift_init);
module_exit(irqshift_exit);

MODULE_DESCRIPTION("State of KVM's interrupt controllers in batches, and their events");
MODULE_LICENSE("GPL");

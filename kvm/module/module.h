/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of irqshift.ko, as main.c starts and ends them, and the commands of the netlink family, as genl.c names them. */
#ifndef IRQSHIFT_MODULE_H
#define IRQSHIFT_MODULE_H

#include <linux/types.h>

#include "uapi.h"

struct genl_family;
struct genl_info;
struct sk_buff;

/* device.c */
int irqshift_device_init(void);
void irqshift_device_exit(void);

/* genl.c */
extern struct genl_family irqshift_family;
int irqshift_genl_init(void);
void irqshift_genl_exit(void);

#endif

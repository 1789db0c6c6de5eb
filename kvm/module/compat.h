/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces that differ between kernels, under one name; configure has found out which form this kernel has. */
#ifndef IRQSHIFT_COMPAT_H
#define IRQSHIFT_COMPAT_H

#include <net/genetlink.h>

#include "config.h"

/* The attributes of a dump's request. */
static inline struct nlattr **compat_dump_attrs(struct netlink_callback *cb)
{
#ifdef HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif

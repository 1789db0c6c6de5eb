/* SPDX-License-Identifier: GPL-2.0-only */
/* Hooking those of KVM's tracepoints that somebody wants to hear of. */
#ifndef IRQSHIFT_EVENTS_H
#define IRQSHIFT_EVENTS_H

#include <linux/types.h>

/*
 * events_hook - from now on exactly these come to subscription_note(), now or once kvm.ko is there
 *
 * Events that are no longer hooked may still come from other CPUs until an RCU grace period has passed.
 * Return: 0, or -errno if one cannot be hooked; the others are.
 */
int events_hook(u64 events);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events from the kernel module (kvm/netlink.h): each with its time and its place in the order, and every loss counted. */
#ifndef IRQSHIFT_KVM_EVENT_MODULE_H
#define IRQSHIFT_KVM_EVENT_MODULE_H

#include "kvm/event_source.h"

/**
 * module_open - begin to watch
 * @scope: its tasks are not possible here; all: needs CAP_SYS_PTRACE, else the right to ptrace the process
 * @ret: a source; event_source_close()
 *
 * Return: 0; -ENOENT when the module is not loaded; -EPERM or -EACCES without the right; -EOPNOTSUPP when KVM has no
 * tracepoints, or for tasks; other -errno.
 */
int module_open(const struct event_scope *scope, struct event_source **ret, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events from the kernel's tracing, without the module. A tracing instance of its own below tracefs' instances/ is made and
 * taken away again, so other users of tracing are not disturbed; one that a killed process left is removed by the
 * next. Where tracefs is not mounted it is mounted for the caller alone, without a place in any folder.
 *
 * No event says of which VM it is: what is shown is what the process' threads raised, those that they start, and the
 * kernel's threads that work for it by their names (kvm-pit/PID, vhost-PID). What other tasks and the host's interrupts
 * raise for the VM is not shown, and the VMs of one process are shown as one.
 */
#ifndef IRQSHIFT_KVM_TRACEFS_H
#define IRQSHIFT_KVM_TRACEFS_H

#include "kvm/event_source.h"

/**
 * tracefs_open - begin to watch
 * @ret: a source; event_source_close(). There is no rest when it is closed
 *
 * Return: 0; -ESRCH without the process; -EACCES or -EPERM without the right (root's); -EOPNOTSUPP in another pid
 * namespace than the host's, or when this kernel has none of the events; -ENODEV without tracefs; other -errno.
 */
int tracefs_open(const struct event_scope *scope, struct event_source **ret, struct irqs_error *reterr);

#endif

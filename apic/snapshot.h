/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot: the interrupt state of a machine as a tree of its own (docs/snapshot.md). Its first section,
 * `irqshift-snapshot`, says so and holds what belongs to no chip; then one section per vCPU and chip, whose
 * fields are the known rows of its table under their names in lower case. A row that is not known is absent.
 *
 * The sections have the names of a QEMU stream's (`apic`, type `kvm-apic` or `apic`), but not its fields:
 * their description is `irqshift-snapshot`, and filters do not take them.
 */
#ifndef IRQSHIFT_APIC_SNAPSHOT_H
#define IRQSHIFT_APIC_SNAPSHOT_H

#include "apic/irqchip.h"

#define SNAPSHOT_NAME    "irqshift-snapshot"
#define SNAPSHOT_VERSION 1u

/* The most routes, KVM_MAX_IRQ_ROUTES. */
#define SNAPSHOT_ROUTES_MAX 4096u

/* snapshot_is_tree - whether a machine's tree is a snapshot, whole or not. */
bool snapshot_is_tree(const struct vms_node *machine);

/**
 * snapshot_to_tree - a state as a tree
 * @s: the state; not changed
 * @t: an empty tree
 * @reterr: IRQS_USAGE when two CPUs have one id, or there are too many routes
 *
 * Rows that only do something when they are written (REG_ACTION) have no field. Return: 0 or -errno.
 */
int snapshot_to_tree(const struct irqchip_state *s, struct vms_tree *t, struct irqs_error *reterr);

/**
 * snapshot_from_tree - a state from a tree; all of it, or nothing
 * @machine: the tree
 * @ret: receives the state; ends with irqchip_deinit()
 * @reterr: with the path: IRQS_MALFORMED for a field, section or type that means nothing here, one that is
 *          missing or comes twice, one of another width or length; IRQS_REFUSED for another version
 *
 * Return: 0, -EBADMSG, -EOPNOTSUPP, -ENOMEM; @ret is empty after an error.
 */
int snapshot_from_tree(const struct vms_node *machine, struct irqchip_state *ret, struct irqs_error *reterr);

#endif

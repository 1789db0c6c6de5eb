/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine's tree as JSON text, and back: what `irqshift dump --json` prints and `show`, `diff` and `check`
 * take. An object with "format" ("irqshift-tree"), "version", "machine" and "devices", whose elements are
 * sections as docs/format-native.md says them, with QEMU's names: "instance_id", "vmsd_name", "array_len".
 */
#ifndef IRQSHIFT_STREAM_TREE_JSON_H
#define IRQSHIFT_STREAM_TREE_JSON_H

#include "base/error.h"
#include "vmstate/tree.h"

#define TREE_JSON_FORMAT "irqshift-tree"
#define TREE_JSON_VERSION 1

/* tree_json - a machine as text, allocated with malloc(); NULL when out of memory. */
char *tree_json(const struct vms_node *machine);

/**
 * tree_json_load - a machine from JSON text
 * @fd: the text
 * @t: an empty tree
 * @reterr: IRQS_MALFORMED with the path, or with line and column
 *
 * A key that means nothing, a value outside its type, a length that is not the one announced: each is an
 * error. A name for the description that is the section's own is not told from none.
 *
 * Return: 0; -EBADMSG; -EOPNOTSUPP for another version of the format; -errno.
 */
int tree_json_load(int fd, struct vms_tree *t, struct irqs_error *reterr);

#endif

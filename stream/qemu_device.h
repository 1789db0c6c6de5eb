/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The data of one device section, read by its entry in the vmdescription. */
#ifndef IRQSHIFT_STREAM_QEMU_DEVICE_H
#define IRQSHIFT_STREAM_QEMU_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/qemu_layout.h"
#include "stream/source.h"
#include "vmstate/describe.h"
#include "vmstate/tree.h"

struct qemu_device_reader {
	struct vms_tree *tree;
	struct source *source;
	uint64_t pos; /* in the input; moves as data is read */
	/* The vmdescription is of a twin: its subsections may be absent, and others may be there. */
	bool twin;
	/* Our own descriptions: for subsections that a twin did not have, and to know what is as they say; may be NULL. */
	const struct vms_desc *(*find_desc)(const char *idstr);
	struct qemu_layouts *layouts; /* of the tree and its vmdescription; NULL: a node for each field from the start */
	struct irqs_error *reterr;
};

/**
 * qemu_device_read - read the fields and subsections of a section
 * @r: the reader, standing behind the section's header
 * @entry: the section's element of "devices"
 * @section: empty node with name, instance and version set; filled
 *
 * Return: 0; -EBADMSG when the data and the vmdescription do not agree, with the offset and the path.
 */
int qemu_device_read(struct qemu_device_reader *r, const json_t *entry, struct vms_node *section);

#endif

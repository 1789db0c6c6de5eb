/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device sections of a stream that brings no vmdescription, found by their headers and our descriptions. */
#ifndef IRQSHIFT_STREAM_QEMU_SCAN_H
#define IRQSHIFT_STREAM_QEMU_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vmstate/describe.h"
#include "vmstate/tree.h"

/* The device part of a stream, held whole: from the first section with state up to the end of the input. */
struct qemu_scan {
	const uint8_t *data;
	uint64_t size;
	uint64_t base; /* offset of @data in the input */
	bool has_footers;
	const struct vms_desc *(*find_desc)(const char *idstr);
};

/**
 * qemu_scan_payload - the data of one section
 * @s: the device part
 * @t: tree that will own the nodes
 * @pos: offset in @s->data behind the section's header
 * @section_id: the section's id, as its footer repeats it
 * @section: empty node with name, instance and version set; receives the fields by its description, and what
 *           follows them (or everything, when there is no description) as one VMS_BYTES field "data"
 * @ret_end: receives the offset in @s->data of the footer, or without footers of the next section
 *
 * Where the description does not say the end, it is where a footer with this id, or without footers a section
 * header that makes sense, or the end of the stream comes next.
 *
 * Return: 0; -EBADMSG when no end is found; -ENOMEM.
 */
int qemu_scan_payload(const struct qemu_scan *s, struct vms_tree *t, uint64_t pos, uint32_t section_id,
		      struct vms_node *section, uint64_t *ret_end, struct irqs_error *reterr);

#endif

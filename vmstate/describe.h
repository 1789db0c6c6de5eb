/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions: the layout of a device's state as VMState writes it, stated once as data. A description
 * makes a section out of bytes when a stream brings no vmdescription, and makes the sections and
 * subsections that a filter adds.
 */
#ifndef IRQSHIFT_VMSTATE_DESCRIBE_H
#define IRQSHIFT_VMSTATE_DESCRIBE_H

#include <stdint.h>

#include "vmstate/tree.h"

struct vms_desc;

/* One field, in stream order. */
struct vms_field {
	const char *name;
	const char *type;            /* vmdesc type; "struct" needs @desc; a type that is no integer needs @size */
	uint32_t count;              /* array length; 0: a plain field */
	uint32_t size;               /* bytes of one element, for types that are no integers */
	uint32_t since;              /* first version_id that has it; 0: always there */
	const struct vms_desc *desc; /* of a struct */
};

struct vms_desc {
	const char *name;         /* vmsd_name; for a section also its name in the stream */
	uint32_t version;         /* written */
	uint32_t minimum_version; /* oldest that can be read */
	const struct vms_field *fields;
	uint32_t nfields;
	const struct vms_desc *const *subsections; /* NULL-terminated, in stream order; or NULL */
};

/**
 * vms_desc_parse - turn bytes into the nodes of a section by its description
 * @t: tree that will own the nodes
 * @d: description
 * @section: an empty VMS_SECTION, VMS_SUBSECTION or VMS_STRUCT node; its version selects the fields
 * @data: the bytes; copied
 * @size: bytes available; more than the section needs is fine
 * @offset: offset of @data in the input, for messages and nodes
 * @ret_used: receives the bytes consumed, subsections included
 * @reterr: what was wrong, and where
 *
 * A subsection is recognised as QEMU does it: the byte 5, a name longer than the parent's that starts with
 * it; one that the description does not know is left unread, and @ret_used ends before it.
 *
 * Return: 0; -EBADMSG when the version is not in [minimum_version, version] or the bytes end early; -ENOMEM.
 */
int vms_desc_parse(struct vms_tree *t, const struct vms_desc *d, struct vms_node *section, const uint8_t *data,
		   uint64_t size, uint64_t offset, uint64_t *ret_used, struct irqs_error *reterr);

/**
 * vms_desc_instantiate - add the fields of a description, all zero, to an empty section or subsection
 * @t: tree that owns @n
 * @d: description; its newest version is used
 * @n: empty node; receives vmsd and version
 *
 * Return: 0 or -ENOMEM.
 */
int vms_desc_instantiate(struct vms_tree *t, const struct vms_desc *d, struct vms_node *n);

/* vms_desc_match - whether a section has exactly the description's fields (names, widths, counts). */
bool vms_desc_match(const struct vms_desc *d, const struct vms_node *n);

#endif

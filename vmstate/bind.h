/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A description bound to a C struct, walked by a visitor: saved, loaded, or listed as a schema.
 *
 * Save: pre_save, the fields of the newest version, the subsections that are needed. Load: the version is
 * checked, pre_load, the fields of the version that arrived, the subsections that arrived, post_load; what
 * is inside is complete before what is around it. Structs that are fields have the same hooks.
 *
 * After a failed load the state is unspecified, but all its pointers are good: a device throws it away.
 */
#ifndef IRQSHIFT_VMSTATE_BIND_H
#define IRQSHIFT_VMSTATE_BIND_H

#include "base/error.h"
#include "vmstate/describe.h"
#include "vmstate/visit.h"

/**
 * vms_save - save a device as a section
 * @v: visitor that saves
 * @d: description
 * @instance: instance_id
 * @state: the C struct; pre_save may change it
 * @reterr: IRQS_USAGE for a state that breaks its own bounds, or what the visitor or a hook said
 *
 * Return: 0 or -errno.
 */
int vms_save(struct visitor *v, const struct vms_desc *d, uint32_t instance, void *state,
	     struct irqs_error *reterr);

/**
 * vms_load - load a device from a section
 * @v: visitor that loads
 * @d: description
 * @instance: instance_id
 * @state: receives what arrived
 * @reterr: IRQS_MALFORMED when something arrived that is not described, or did not arrive; IRQS_REFUSED when
 *          a version is not in [minimum_version, version] or an immutable field arrives with another value;
 *          each with the path of the field
 *
 * Return: 0 or -errno.
 */
int vms_load(struct visitor *v, const struct vms_desc *d, uint32_t instance, void *state,
	     struct irqs_error *reterr);

/* vms_schema - show every field, and every subsection, of a description to a visitor of schemas. */
int vms_schema(struct visitor *v, const struct vms_desc *d, struct irqs_error *reterr);

#endif

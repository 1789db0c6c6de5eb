/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a machine, each with its description: checked when they are registered, saved and loaded
 * together. A registry borrows descriptions and states. One thread at a time.
 */
#ifndef IRQSHIFT_VMSTATE_REGISTRY_H
#define IRQSHIFT_VMSTATE_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmstate/describe.h"
#include "vmstate/tree.h"

struct vms_device {
	const struct vms_desc *desc;
	uint32_t instance;
	const char *path; /* where the device is in the machine, or NULL; borrowed */
	void *state;
};

struct vms_registry {
	struct vms_device *devices; /* in the order in which they were registered */
	size_t ndevices;
	/* private: */
	size_t capacity;
};

void vms_registry_init(struct vms_registry *r);
void vms_registry_deinit(struct vms_registry *r);

/**
 * vms_register - add a device
 *
 * Return: 0; -EINVAL (IRQS_USAGE) with the first fault of the description, see vms_desc_check(); -EEXIST when
 * there is one of that name and instance; -ENOMEM.
 */
int vms_register(struct vms_registry *r, const struct vms_desc *d, uint32_t instance, const char *path,
		 void *state, struct irqs_error *reterr);

/* vms_registry_save - every device as a section of @t, in order. Return: 0 or -errno, with @t half filled. */
int vms_registry_save(const struct vms_registry *r, struct vms_tree *t, struct irqs_error *reterr);

/**
 * vms_registry_load - load every section of a machine into its device
 *
 * In the order of the sections. A device without a section keeps its state, as does one without a
 * subsection. Return: 0; -EOPNOTSUPP (IRQS_REFUSED) for a section without a device, before anything was
 * loaded; another -errno.
 */
int vms_registry_load(const struct vms_registry *r, const struct vms_node *machine,
		      struct irqs_error *reterr);

/* What may be wrong with a description. */
enum vms_fault {
	VMS_FAULT_VERSIONS,   /* minimum_version above version, since or until out of them */
	VMS_FAULT_NAME,       /* none, the same twice, or longer than the stream can hold */
	VMS_FAULT_SUBSECTION, /* a name that does not start with its parent's; no test whether it is needed */
	VMS_FAULT_TYPE,       /* no such type, no size, a struct without a description */
	VMS_FAULT_COUNT,      /* a partial array without a bound, or without the row of its count above it */
	VMS_FAULT_DERIVED,    /* derived, and there is no post_load */
	VMS_FAULT_FIXED,      /* derived, immutable or outlived, and of no fixed size */
	VMS_FAULT_BINDING,    /* bound rows beside unbound ones; a struct of another size than described */
	VMS_FAULT_RECURSION,  /* structs nest too deep, or inside themselves */
};

/**
 * vms_desc_check - look for faults in a description and all that it refers to
 * @d: description
 * @found: called for each with the path and one line of text; a value other than 0 ends the check
 * @ctx: handed to @found
 *
 * Return: 0, or what @found returned.
 */
int vms_desc_check(const struct vms_desc *d,
		   int (*found)(void *ctx, enum vms_fault fault, const char *path, const char *text),
		   void *ctx);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/registry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind.h"
#include "vmstate/visit_tree.h"

void vms_registry_init(struct vms_registry *r)
{
	memset(r, 0, sizeof(*r));
}

void vms_registry_deinit(struct vms_registry *r)
{
	free(r->devices);
	vms_registry_init(r);
}

static int first_fault(void *ctx, enum vms_fault fault, const char *path, const char *text)
{
	(void)fault;
	return irqs_fail(ctx, IRQS_USAGE, IRQS_NO_OFFSET, path, "%s", text);
}

static const struct vms_device *find(const struct vms_registry *r, const char *name, uint32_t instance)
{
	for (size_t i = 0; i < r->ndevices; i++)
		if (r->devices[i].instance == instance && !strcmp(r->devices[i].desc->name, name))
			return &r->devices[i];
	return NULL;
}

int vms_register(struct vms_registry *r, const struct vms_desc *d, uint32_t instance, const char *path,
		 void *state, struct irqs_error *reterr)
{
	int rc = vms_desc_check(d, first_fault, reterr);

	if (rc)
		return rc;
	if (find(r, d->name, instance)) {
		irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, d->name,
			  "instance %" PRIu32 " is registered already", instance);
		return -EEXIST;
	}
	if (r->ndevices == r->capacity) {
		size_t n = r->capacity ? r->capacity * 2 : 16;
		struct vms_device *more = realloc(r->devices, n * sizeof(*more));

		if (!more)
			return irqs_fail_nomem(reterr);
		r->devices = more;
		r->capacity = n;
	}
	r->devices[r->ndevices++] = (struct vms_device){ d, instance, path, state };
	return 0;
}

int vms_registry_save(const struct vms_registry *r, struct vms_tree *t, struct irqs_error *reterr)
{
	struct visit_tree_out out;
	int rc = 0;

	for (size_t i = 0; i < r->ndevices && !rc; i++) {
		const struct vms_device *d = &r->devices[i];

		visit_tree_out_init(&out, t, t->machine);
		rc = vms_save(&out.v, d->desc, d->instance, d->state, reterr);
		if (!rc && d->path) {
			vms_last_child(t->machine)->path = arena_strndup(&t->arena, d->path, strlen(d->path));
			if (!vms_last_child(t->machine)->path)
				rc = irqs_fail_nomem(reterr);
		}
	}
	return rc;
}

int vms_registry_load(const struct vms_registry *r, const struct vms_node *machine, struct irqs_error *reterr)
{
	struct visit_tree_in in;
	char path[160];
	int rc = 0;

	for (const struct vms_node *n = vms_first_child(machine); n; n = n->next)
		if (!find(r, n->name, n->instance))
			return irqs_fail(reterr, IRQS_REFUSED,
					 n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET,
					 vms_path(n, path, sizeof(path)), "no such device is registered");
	for (const struct vms_node *n = vms_first_child(machine); n && !rc; n = n->next) {
		const struct vms_device *d = find(r, n->name, n->instance);

		visit_tree_in_init(&in, n);
		rc = vms_load(&in.v, d->desc, d->instance, d->state, reterr);
	}
	return rc;
}

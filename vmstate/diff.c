/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct walk {
	int (*found)(void *ctx, const struct vms_difference *d);
	void *ctx;
};

static int tell(const struct walk *w, const struct vms_node *a, const struct vms_node *b, uint32_t element)
{
	char path[256];
	struct vms_difference d = { .path = path, .a = a, .b = b, .element = element };
	size_t used;

	vms_path(a ? a : b, path, sizeof(path));
	used = strlen(path);
	if (element != VMS_NO_INDEX)
		snprintf(path + used, sizeof(path) - used, "[%" PRIu32 "]", element);
	return w->found(w->ctx, &d);
}

static bool same_key(const struct vms_node *a, const struct vms_node *b)
{
	return a->kind == b->kind && a->instance == b->instance && a->index == b->index && !strcmp(a->name, b->name);
}

/* The twin of @n among the children of @parent, looked for from @hint on. */
static const struct vms_node *find_twin(const struct vms_node *parent, const struct vms_node *hint,
					const struct vms_node *n)
{
	const struct vms_node *c;

	for (c = hint; c; c = c->next)
		if (same_key(c, n))
			return c;
	for (c = vms_first_child(parent); c != hint; c = c->next)
		if (same_key(c, n))
			return c;
	return NULL;
}

static int diff_leaf(const struct walk *w, const struct vms_node *a, const struct vms_node *b)
{
	int rc = 0;

	if (a->width != b->width || a->count != b->count)
		return tell(w, a, b, VMS_NO_INDEX);
	if (!memcmp(a->data, b->data, (size_t)a->width * a->count))
		return 0;
	if (a->kind == VMS_BYTES || !a->array)
		return tell(w, a, b, VMS_NO_INDEX);
	for (uint32_t i = 0; i < a->count && !rc; i++)
		if (vms_element_get(a, i) != vms_element_get(b, i))
			rc = tell(w, a, b, i);
	return rc;
}

static int diff_node(const struct walk *w, const struct vms_node *a, const struct vms_node *b)
{
	const struct vms_node *hint = vms_first_child(b), *twin;
	int rc = 0;

	if (a->kind == VMS_INT || a->kind == VMS_BYTES)
		return diff_leaf(w, a, b);
	if (a->version != b->version)
		rc = tell(w, a, b, VMS_NO_INDEX);
	for (const struct vms_node *c = vms_first_child(a); c && !rc; c = c->next) {
		twin = find_twin(b, hint, c);
		rc = twin ? diff_node(w, c, twin) : tell(w, c, NULL, VMS_NO_INDEX);
		if (twin)
			hint = twin->next;
	}
	hint = vms_first_child(a);
	if (!rc && (vms_packed(a) || vms_packed(b)))
		rc = -ENOMEM;
	for (const struct vms_node *c = vms_first_child(b); c && !rc; c = c->next) {
		twin = find_twin(a, hint, c);
		if (!twin)
			rc = tell(w, NULL, c, VMS_NO_INDEX);
		else
			hint = twin->next;
	}
	return rc;
}

int vms_diff(const struct vms_node *a, const struct vms_node *b,
	     int (*found)(void *ctx, const struct vms_difference *d), void *ctx)
{
	struct walk w = { .found = found, .ctx = ctx };

	return diff_node(&w, a, b);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of a description, found before it saves or loads anything. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmstate/registry.h"

#define DEPTH_MAX 16u
#define PATH_SIZE 320

struct check {
	int (*found)(void *ctx, enum vms_fault fault, const char *path, const char *text);
	void *ctx;
};

static int tell(const struct check *c, enum vms_fault fault, const char *path, const char *text)
{
	return c->found(c->ctx, fault, path, text);
}

static bool known_type(const char *type)
{
	static const char *const types[] = { "float64", "buffer", "bitmap", "string", "unused_buffer" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return true;
	return vms_int_type(type, NULL, NULL);
}

static bool is_list(const struct vms_field *f)
{
	return f->bind == VMS_TAILQ || f->bind == VMS_LIST || f->bind == VMS_MAP;
}

static int check_type(const struct check *c, const struct vms_field *f, const char *path)
{
	bool needs_size;

	if (!f->type)
		return tell(c, VMS_FAULT_TYPE, path, "it has no type");
	if (f->desc)
		return 0;
	if (!strcmp(f->type, "struct") || is_list(f) || f->bind == VMS_TMP)
		return tell(c, VMS_FAULT_TYPE, path, "it has no description");
	/* An unbound row may have a type that only its device knows; a bound one is converted by us. */
	if (f->bind != VMS_UNBOUND && !known_type(f->type))
		return tell(c, VMS_FAULT_TYPE, path, "no such type");
	needs_size = strcmp(f->type, "string") != 0 && !vms_int_type(f->type, NULL, NULL);
	return needs_size && !f->size ? tell(c, VMS_FAULT_TYPE, path, "its type has no size") : 0;
}

static int check_versions(const struct check *c, const struct vms_desc *d, const struct vms_field *f,
			  const char *path)
{
	if (f->since > d->version)
		return tell(c, VMS_FAULT_VERSIONS, path, "its first version is newer than the description's");
	if (f->until && (f->until < f->since || f->until >= d->version))
		return tell(c, VMS_FAULT_VERSIONS, path,
			    "its last version is before its first, or not before the description's");
	if (f->desc && f->struct_version &&
	    (f->struct_version > f->desc->version || f->struct_version < f->desc->minimum_version))
		return tell(c, VMS_FAULT_VERSIONS, path, "the struct has no such version");
	return 0;
}

/* The count of a partial array must be loaded before the array. */
static int check_count(const struct check *c, const struct vms_desc *d, uint32_t i, const char *path)
{
	const struct vms_field *f = &d->fields[i];

	if (!f->count_name && !f->count_size)
		return 0;
	if (!f->count)
		return tell(c, VMS_FAULT_COUNT, path, "the number of elements has no bound");
	for (uint32_t j = 0; j < i; j++)
		if (!strcmp(d->fields[j].name, f->count_name) && d->fields[j].since <= f->since)
			return 0;
	return tell(c, VMS_FAULT_COUNT, path, "no row above it holds the number of its elements");
}

/* Whether a value can be skipped, compared or sent as zeros: its size does not depend on it. */
static bool has_fixed_size(const struct vms_field *f, unsigned int depth)
{
	switch (f->bind) {
	case VMS_CHARS:
	case VMS_CHARP:
	case VMS_FILLER:
		return true;
	case VMS_UNBOUND:
	case VMS_INLINE:
	case VMS_POINTED:
		break;
	default:
		return false;
	}
	if (f->count_size || f->count_name || depth > DEPTH_MAX)
		return false;
	for (uint32_t i = 0; f->desc && i < f->desc->nfields; i++)
		if (!has_fixed_size(&f->desc->fields[i], depth + 1))
			return false;
	return true;
}

static int check_flags(const struct check *c, const struct vms_desc *d, const struct vms_field *f,
		       const char *path)
{
	if (f->flags & VMS_DERIVED && !d->post_load)
		return tell(c, VMS_FAULT_DERIVED, path, "derived, and there is no post_load that sets it");
	if ((f->flags & (VMS_DERIVED | VMS_IMMUTABLE)) == (VMS_DERIVED | VMS_IMMUTABLE))
		return tell(c, VMS_FAULT_DERIVED, path, "derived and immutable at once");
	if ((f->flags & (VMS_DERIVED | VMS_IMMUTABLE) || f->until) && !has_fixed_size(f, 0))
		return tell(c, VMS_FAULT_FIXED, path,
			    "of no fixed size, which cannot be derived, immutable or outlived");
	return 0;
}

static int check_binding(const struct check *c, const struct vms_desc *d, const struct vms_field *f,
			 const char *path)
{
	if ((f->bind != VMS_UNBOUND) != (d->state_size != 0))
		return tell(c, VMS_FAULT_BINDING, path,
			    d->state_size ? "not bound, in a description that is"
					  : "bound to a struct without a size");
	if (!f->bind || !f->desc)
		return 0;
	if (f->desc->state_size != f->step)
		return tell(c, VMS_FAULT_BINDING, path,
			    "the struct has not the size that its description says");
	if (f->key_desc && !f->key_desc->state_size)
		return tell(c, VMS_FAULT_BINDING, path, "the key's description is not bound");
	return 0;
}

/* Names decide where a value goes, except for filler and temporaries, which have none of their own. */
static int check_name(const struct check *c, const struct vms_desc *d, uint32_t i, const char *path)
{
	const struct vms_field *f = &d->fields[i];

	if (!f->name || !f->name[0])
		return tell(c, VMS_FAULT_NAME, path, "a field without a name");
	if (f->bind == VMS_FILLER || f->bind == VMS_TMP || !strcmp(f->name, "unused") ||
	    !strcmp(f->name, "tmp"))
		return 0;
	for (uint32_t j = 0; j < i; j++)
		if (!strcmp(d->fields[j].name, f->name))
			return tell(c, VMS_FAULT_NAME, path, "two fields have this name");
	return 0;
}

static int check_desc(const struct check *c, const struct vms_desc *d, const char *path, unsigned int depth);

static int check_field(const struct check *c, const struct vms_desc *d, uint32_t i, const char *parent,
		       unsigned int depth)
{
	const struct vms_field *f = &d->fields[i];
	char path[PATH_SIZE];
	int rc;

	snprintf(path, sizeof(path), "%s.%s", parent, f->name ? f->name : "");
	if ((rc = check_name(c, d, i, path)) || !f->name || (rc = check_type(c, f, path)) || !f->type ||
	    (rc = check_versions(c, d, f, path)) || (rc = check_count(c, d, i, path)) ||
	    (rc = check_flags(c, d, f, path)) || (rc = check_binding(c, d, f, path)))
		return rc;
	if (f->key_desc && (rc = check_desc(c, f->key_desc, path, depth + 1)))
		return rc;
	return f->desc ? check_desc(c, f->desc, path, depth + 1) : 0;
}

static int check_subsection(const struct check *c, const struct vms_desc *d, const struct vms_desc *sub,
			    const char *path, unsigned int depth)
{
	char below[PATH_SIZE];
	int rc = 0;

	snprintf(below, sizeof(below), "%s.%s", path, sub->name ? sub->name : "");
	if (!sub->name || strncmp(sub->name, d->name, strlen(d->name)) != 0 ||
	    strlen(sub->name) <= strlen(d->name))
		return tell(c, VMS_FAULT_SUBSECTION, below,
			    "a subsection's name starts with that of what it extends");
	if (d->state_size && !sub->needed)
		rc = tell(c, VMS_FAULT_SUBSECTION, below, "no test says when it is needed");
	if (!rc && d->state_size != sub->state_size)
		rc = tell(c, VMS_FAULT_BINDING, below, "a subsection describes the struct that it extends");
	return rc ? rc : check_desc(c, sub, below, depth + 1);
}

static int check_desc(const struct check *c, const struct vms_desc *d, const char *path, unsigned int depth)
{
	int rc = 0;

	if (depth > DEPTH_MAX)
		return tell(c, VMS_FAULT_RECURSION, path, "structs nest too deep");
	if (!d->name || !d->name[0] || strlen(d->name) > UINT8_MAX)
		return tell(c, VMS_FAULT_NAME, path, "a description's name has 1 to 255 bytes");
	if (d->minimum_version > d->version)
		rc = tell(c, VMS_FAULT_VERSIONS, path,
			  "the oldest version that loads is newer than the newest");
	for (uint32_t i = 0; i < d->nfields && !rc; i++)
		rc = check_field(c, d, i, path, depth);
	for (const struct vms_desc *const *s = d->subsections; s && *s && !rc; s++)
		rc = check_subsection(c, d, *s, path, depth);
	return rc;
}

int vms_desc_check(const struct vms_desc *d,
		   int (*found)(void *ctx, enum vms_fault fault, const char *path, const char *text),
		   void *ctx)
{
	struct check c = { .found = found, .ctx = ctx };

	return check_desc(&c, d, d->name ? d->name : "", 0);
}

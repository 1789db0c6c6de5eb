/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"

/* Structs inside structs; real devices stay below ten. */
#define DEPTH_MAX 32

static int fail(struct qemu_device_reader *r, const struct vms_node *n, const char *what)
{
	char path[160];

	return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)r->pos, vms_path(n, path, sizeof(path)), "%s", what);
}

static const char *get_string(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* A number of bytes or elements. Return: false when it is there and makes no sense. */
static bool get_count(const json_t *o, const char *key, uint32_t otherwise, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);
	json_int_t i = json_integer_value(v);

	if (!v) {
		*ret = otherwise;
		return true;
	}
	if (!json_is_integer(v) || i < 0 || i >= UINT32_MAX)
		return false;
	*ret = (uint32_t)i;
	return true;
}

static int read_data(struct qemu_device_reader *r, struct vms_node *n, uint64_t bytes)
{
	/* Before the allocation: a size from outside must not decide how much memory is taken. */
	if (r->pos > r->source->size || bytes > r->source->size - r->pos) {
		char path[160];

		return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)r->source->size,
				 vms_path(n, path, sizeof(path)), "the input ends here: %" PRIu64 " bytes at %" PRIu64 " were expected", bytes, r->pos);
	}
	n->data = arena_alloc(&r->tree->arena, bytes);
	if (!n->data)
		return irqs_fail_nomem(r->reterr);
	return source_read(r->source, r->pos, n->data, bytes, r->reterr);
}

static int read_body(struct qemu_device_reader *r, const json_t *desc, struct vms_node *n, unsigned int depth);

/*
 * The struct that a field entry describes: under "struct", or written into the entry itself (VMSTATE_WITH_TMP and
 * VMSTATE_VSTRUCT).
 */
static const json_t *struct_of(const json_t *field, const char *type)
{
	const json_t *s = json_object_get(field, "struct");

	if (s)
		return s;
	return (!strcmp(type, "tmp") || !strcmp(type, "vstruct")) && json_object_get(field, "fields") ? field : NULL;
}

static int read_struct(struct qemu_device_reader *r, const json_t *desc, struct vms_node *parent,
		       const char *name, const char *type, uint32_t index, uint32_t size, unsigned int depth)
{
	struct vms_node *n = vms_node_create(r->tree, VMS_STRUCT, name, type);
	uint64_t start = r->pos;
	int rc;

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->index = index;
	n->offset = start;
	vms_append(parent, n);
	rc = read_body(r, desc, n, depth + 1);
	if (rc)
		return rc;
	if (!r->twin && r->pos - start != size)
		return fail(r, n, "the struct's size in the vmdescription is not that of its fields");
	return 0;
}

static int read_leaf(struct qemu_device_reader *r, struct vms_node *parent, const char *name, const char *type,
		     uint32_t index, bool array, uint32_t count, uint32_t size)
{
	uint32_t width = 0;
	bool is_signed = false;
	bool is_int = vms_int_type(type, &width, &is_signed) && width == size;
	struct vms_node *n = vms_node_create(r->tree, is_int ? VMS_INT : VMS_BYTES, name, type);
	int rc;

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->index = index;
	n->array = array;
	n->count = count;
	n->width = size;
	n->is_signed = is_int && is_signed;
	n->offset = r->pos;
	vms_append(parent, n);
	rc = read_data(r, n, vms_size(n));
	if (!rc)
		r->pos += vms_size(n);
	return rc;
}

/*
 * QEMU 10.0 gives no index to the last element of an array that it lists one by one: nothing but the name tells that
 * it is one.
 */
static uint32_t index_behind(const struct vms_node *last, const char *name)
{
	return last && last->index != VMS_NO_INDEX && !strcmp(last->name, name) ? last->index + 1 : VMS_NO_INDEX;
}

static int read_field(struct qemu_device_reader *r, const json_t *field, struct vms_node *parent,
		      unsigned int depth)
{
	const char *name = get_string(field, "name"), *type = get_string(field, "type");
	bool array = json_object_get(field, "array_len");
	uint32_t size, count, index;
	struct vms_node *list;
	const json_t *desc;
	int rc = 0;

	if (!name || !type || !json_object_get(field, "size") || !get_count(field, "size", 0, &size) ||
	    !get_count(field, "array_len", 1, &count) || !get_count(field, "index", VMS_NO_INDEX, &index))
		return fail(r, parent, "a field without a name, type or size in the vmdescription");
	if (index == VMS_NO_INDEX && !array)
		index = index_behind(vms_last_child(parent), name);
	/* Elements without bytes cost memory or time all the same: no more of them than bytes are left. */
	if (array && (uint64_t)count * (size ? size : 1) > r->source->size - r->pos)
		return fail(r, parent, "an array that is longer than the input");
	desc = struct_of(field, type);
	if (!desc)
		return read_leaf(r, parent, name, type, index, array, count, size);
	if (!array)
		return read_struct(r, desc, parent, name, type, index, size, depth);
	list = vms_node_create(r->tree, VMS_ARRAY, name, type);
	if (!list)
		return irqs_fail_nomem(r->reterr);
	list->array = true;
	list->count = count;
	list->index = index;
	list->offset = r->pos;
	vms_append(parent, list);
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = read_struct(r, desc, list, name, type, i, size, depth);
	return rc;
}

/* Whether a subsection of @n starts here, as QEMU's loader judges it; its name and version. */
static bool peek_subsection(struct qemu_device_reader *r, const struct vms_node *n, char name[256], uint32_t *version)
{
	size_t prefix = n->vmsd ? strlen(n->vmsd) : 0, len;
	const uint8_t *p;

	if (source_peek(r->source, r->pos, 2, &p, NULL) || p[0] != QEMU_VM_SUBSECTION)
		return false;
	len = p[1];
	if (len < prefix + 1 || source_peek(r->source, r->pos + 2, len + 4, &p, NULL) ||
	    (prefix && memcmp(p, n->vmsd, prefix)) || memchr(p, 0, len))
		return false;
	memcpy(name, p, len);
	name[len] = '\0';
	*version = (uint32_t)get_be(p + len, 4);
	return true;
}

static const json_t *find_subsection(const json_t *list, const char *name)
{
	const json_t *sub;
	size_t i;

	json_array_foreach(list, i, sub) {
		const char *s = get_string(sub, "vmsd_name");

		if (s && !strcmp(s, name))
			return sub;
	}
	return NULL;
}

/* A subsection that the twin did not have, by our own description of the section's subsections. */
static int read_undescribed(struct qemu_device_reader *r, struct vms_node *n, const char *name)
{
	const struct vms_desc *d = r->find_desc && n->parent->vmsd ? r->find_desc(n->parent->vmsd) : NULL;
	uint64_t used, left = r->source->size - r->pos;
	size_t len = left < SOURCE_PEEK_MAX ? (size_t)left : SOURCE_PEEK_MAX;
	const uint8_t *p;
	int rc;

	for (size_t i = 0; d && d->subsections && d->subsections[i]; i++) {
		if (strcmp(d->subsections[i]->name, name))
			continue;
		rc = source_peek(r->source, r->pos, len, &p, r->reterr);
		if (!rc)
			rc = vms_desc_parse(r->tree, d->subsections[i], n, p, len, r->pos, &used, r->reterr);
		if (!rc)
			r->pos += used;
		return rc;
	}
	return fail(r, n, "a subsection that the vmdescription does not have");
}

static int read_subsection(struct qemu_device_reader *r, const json_t *list, struct vms_node *parent,
			   const char *name, uint32_t version, unsigned int depth)
{
	const json_t *desc = find_subsection(list, name);
	struct vms_node *n = vms_node_create(r->tree, VMS_SUBSECTION, name, NULL);

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->vmsd = n->name;
	n->version = version;
	n->offset = r->pos;
	vms_append(parent, n);
	r->pos += 2 + strlen(name) + 4;
	return desc ? read_body(r, desc, n, depth + 1) : read_undescribed(r, n, name);
}

static int read_subsections(struct qemu_device_reader *r, const json_t *desc, struct vms_node *n,
			    unsigned int depth)
{
	const json_t *list = json_object_get(desc, "subsections");
	size_t want = json_array_size(list), seen = 0;
	char name[256];
	uint32_t version;
	int rc = 0;

	while (!rc && (r->twin || seen < want) && peek_subsection(r, n, name, &version)) {
		rc = read_subsection(r, list, n, name, version, depth);
		seen++;
	}
	if (!rc && !r->twin && seen < want)
		return fail(r, n, "a subsection of the vmdescription is not there");
	return rc;
}

/* A struct, section or subsection: "vmsd_name", "version", "fields", "subsections". */
static int read_body(struct qemu_device_reader *r, const json_t *desc, struct vms_node *n, unsigned int depth)
{
	const char *vmsd = get_string(desc, "vmsd_name");
	const json_t *field;
	uint32_t version;
	size_t i;
	int rc = 0;

	if (depth > DEPTH_MAX)
		return fail(r, n, "the vmdescription nests too deep");
	if (vmsd && n->kind != VMS_SUBSECTION) {
		n->vmsd = arena_strndup(&r->tree->arena, vmsd, strlen(vmsd));
		if (!n->vmsd)
			return irqs_fail_nomem(r->reterr);
	}
	if (n->kind == VMS_STRUCT && get_count(desc, "version", 0, &version))
		n->version = version;
	json_array_foreach(json_object_get(desc, "fields"), i, field) {
		rc = read_field(r, field, n, depth);
		if (rc)
			return rc;
	}
	return read_subsections(r, desc, n, depth);
}

int qemu_device_read(struct qemu_device_reader *r, const json_t *entry, struct vms_node *section)
{
	uint32_t version;

	if (!r->twin && get_count(entry, "version", section->version, &version) && version != section->version)
		return fail(r, section, "its version is not that of the vmdescription");
	return read_body(r, entry, section, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"

static int fail(struct qemu_device_reader *r, const struct vms_node *n, const char *what)
{
	char path[160];

	return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)r->pos, vms_path(n, path, sizeof(path)), "%s", what);
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

/* A struct, section or subsection on its way. */
struct body {
	const json_t *desc;
	const struct vms_desc *own; /* our own description, or NULL */
	unsigned int depth;
};

static int read_body(struct qemu_device_reader *r, struct body body, struct vms_node *n);

/* The struct of @f, or with @index an element of its list. */
static int read_struct(struct qemu_device_reader *r, const struct qemu_field *f, struct vms_node *parent, uint32_t index,
		       unsigned int depth)
{
	struct vms_node *n = vms_node_create(r->tree, VMS_STRUCT, f->name, f->type);
	uint64_t start = r->pos;
	int rc;

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->index = index;
	n->offset = start;
	vms_append(parent, n);
	rc = read_body(r, (struct body){ f->body, NULL, depth + 1 }, n);
	if (rc)
		return rc;
	if (!r->twin && r->pos - start != f->size)
		return fail(r, n, "the struct's size in the vmdescription is not that of its fields");
	return 0;
}

static int read_leaf(struct qemu_device_reader *r, const struct qemu_field *f, struct vms_node *parent)
{
	uint32_t width = 0;
	bool is_signed = false;
	bool is_int = vms_int_type(f->type, &width, &is_signed) && width == f->size;
	struct vms_node *n = vms_node_create(r->tree, is_int ? VMS_INT : VMS_BYTES, f->name, f->type);
	int rc;

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->index = f->index;
	n->array = f->array;
	n->count = f->count;
	n->width = f->size;
	n->is_signed = is_int && is_signed;
	n->offset = r->pos;
	vms_append(parent, n);
	rc = read_data(r, n, vms_size(n));
	if (!rc)
		r->pos += vms_size(n);
	return rc;
}

static int read_structs(struct qemu_device_reader *r, const struct qemu_field *f, struct vms_node *parent,
			unsigned int depth)
{
	struct vms_node *list = vms_node_create(r->tree, VMS_ARRAY, f->name, f->type);
	int rc = 0;

	if (!list)
		return irqs_fail_nomem(r->reterr);
	list->array = true;
	list->count = f->count;
	list->index = f->index;
	list->offset = r->pos;
	vms_append(parent, list);
	for (uint32_t i = 0; i < f->count && !rc; i++)
		rc = read_struct(r, f, list, i, depth);
	return rc;
}

static int read_field(struct qemu_device_reader *r, const struct qemu_field *f, struct vms_node *parent, unsigned int depth)
{
	/* Elements without bytes cost memory or time all the same: no more of them than bytes are left. */
	if (f->array && (uint64_t)f->count * (f->size ? f->size : 1) > r->source->size - r->pos)
		return fail(r, parent, "an array that is longer than the input");
	if (!f->body)
		return read_leaf(r, f, parent);
	return f->array ? read_structs(r, f, parent, depth) : read_struct(r, f, parent, f->index, depth);
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
		const char *s = qemu_entry_string(sub, "vmsd_name");

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

static const struct vms_desc *own_subsection(const struct vms_desc *own, const char *name)
{
	for (size_t i = 0; own && own->subsections && own->subsections[i]; i++)
		if (!strcmp(own->subsections[i]->name, name))
			return own->subsections[i];
	return NULL;
}

static int read_subsection(struct qemu_device_reader *r, struct body body, struct vms_node *parent, const char *name,
			   uint32_t version)
{
	const json_t *desc = find_subsection(json_object_get(body.desc, "subsections"), name);
	struct vms_node *n = vms_node_create(r->tree, VMS_SUBSECTION, name, NULL);

	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->vmsd = n->name;
	n->version = version;
	n->offset = r->pos;
	vms_append(parent, n);
	r->pos += 2 + strlen(name) + 4;
	if (!desc)
		return read_undescribed(r, n, name);
	return read_body(r, (struct body){ desc, own_subsection(body.own, name), body.depth + 1 }, n);
}

static int read_subsections(struct qemu_device_reader *r, struct body body, struct vms_node *n)
{
	size_t want = json_array_size(json_object_get(body.desc, "subsections")), seen = 0;
	char name[256];
	uint32_t version;
	int rc = 0;

	while (!rc && (r->twin || seen < want) && peek_subsection(r, n, name, &version)) {
		rc = read_subsection(r, body, n, name, version);
		seen++;
	}
	if (!rc && !r->twin && seen < want)
		return fail(r, n, "a subsection of the vmdescription is not there");
	return rc;
}

static int read_fields(struct qemu_device_reader *r, struct body body, struct vms_node *n)
{
	struct qemu_field field, last;
	const json_t *o;
	size_t i;
	int rc = 0;

	json_array_foreach(json_object_get(body.desc, "fields"), i, o) {
		if (!qemu_field_read(o, i ? &last : NULL, &field))
			return fail(r, n, "a field without a name, type or size in the vmdescription");
		rc = read_field(r, &field, n, body.depth);
		if (rc)
			return rc;
		last = field;
	}
	return 0;
}

/*
 * All fields in one piece, where they have a layout. Structs of a twin may have subsections that its vmdescription does
 * not have, and where the input is too short it is told at which field.
 */
static int read_packed(struct qemu_device_reader *r, struct body body, struct vms_node *n)
{
	const struct vms_shape *s = r->layouts && !r->twin ? qemu_layout(r->layouts, r->tree, body.desc, body.own) : NULL;
	uint64_t left = r->pos < r->source->size ? r->source->size - r->pos : 0;
	uint8_t *room = s && vms_layout_size(s) <= left ? vms_layout_room(r->tree, n, s, r->pos) : NULL;
	int rc;

	if (!room)
		return read_fields(r, body, n);
	rc = source_read(r->source, r->pos, room, vms_layout_size(s), r->reterr);
	if (!rc)
		r->pos += vms_layout_size(s);
	return rc;
}

/* "vmsd_name", "version", "fields", "subsections". */
static int read_body(struct qemu_device_reader *r, struct body body, struct vms_node *n)
{
	const char *vmsd = qemu_entry_string(body.desc, "vmsd_name");
	uint32_t version;
	int rc;

	if (body.depth > QEMU_DEPTH_MAX)
		return fail(r, n, "the vmdescription nests too deep");
	if (vmsd && n->kind != VMS_SUBSECTION) {
		n->vmsd = arena_strndup(&r->tree->arena, vmsd, strlen(vmsd));
		if (!n->vmsd)
			return irqs_fail_nomem(r->reterr);
	}
	if (n->kind == VMS_STRUCT && qemu_entry_number(body.desc, "version", 0, &version))
		n->version = version;
	rc = read_packed(r, body, n);
	return rc ? rc : read_subsections(r, body, n);
}

int qemu_device_read(struct qemu_device_reader *r, const json_t *entry, struct vms_node *section)
{
	const struct vms_desc *own = r->find_desc ? r->find_desc(section->name) : NULL;
	uint32_t version;

	if (!r->twin && qemu_entry_number(entry, "version", section->version, &version) && version != section->version)
		return fail(r, section, "its version is not that of the vmdescription");
	return read_body(r, (struct body){ entry, own, 0 }, section);
}

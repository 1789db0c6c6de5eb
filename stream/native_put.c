/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A section as the CBOR of a record. */
#include "stream/native_priv.h"

#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"

static void put_members(struct cbor_out *o, const struct vms_node *n);

static void put_pair(struct cbor_out *o, const char *key, const char *text)
{
	cbor_put_text(o, key);
	cbor_put_text(o, text);
}

static void put_number(struct cbor_out *o, const char *key, uint64_t v)
{
	cbor_put_text(o, key);
	cbor_put_uint(o, v);
}

/* A string without its length, which CBOR has itself; anything that is none goes as its raw bytes. */
static void put_string(struct cbor_out *o, const uint8_t *data, size_t len)
{
	uint64_t said = len < VMS_STRING_HEADER ? UINT64_MAX : get_be(data, VMS_STRING_HEADER);

	if (said == VMS_STRING_NULL && len == VMS_STRING_HEADER)
		cbor_put_null(o);
	else if (said == len - VMS_STRING_HEADER && cbor_is_utf8(data + VMS_STRING_HEADER, said))
		cbor_put_text_len(o, data + VMS_STRING_HEADER, said);
	else
		cbor_put_bytes(o, data, len);
}

static void put_element(struct cbor_out *o, const struct vms_node *n, uint32_t i)
{
	const uint8_t *data = n->data + (size_t)i * n->width;

	if (n->kind == VMS_BYTES && !strcmp(n->type, "float64") && n->width == 8)
		cbor_put_double_be(o, data);
	else if (n->kind == VMS_BYTES && !strcmp(n->type, "string"))
		put_string(o, data, n->width);
	else if (n->kind == VMS_BYTES)
		cbor_put_bytes(o, data, n->width);
	else if (n->is_signed)
		cbor_put_int(o, (int64_t)vms_element_get(n, i));
	else
		cbor_put_uint(o, vms_element_get(n, i));
}

static void put_leaf(struct cbor_out *o, const struct vms_node *n)
{
	put_number(o, "size", n->width);
	if (!n->array) {
		cbor_put_text(o, "value");
		put_element(o, n, 0);
		return;
	}
	cbor_put_text(o, "values");
	cbor_put_array(o, n->count);
	for (uint32_t i = 0; i < n->count; i++)
		put_element(o, n, i);
}

static unsigned int member_pairs(const struct vms_node *n)
{
	return vms_last_child(n) && vms_last_child(n)->kind == VMS_SUBSECTION ? 2 : 1;
}

static void put_struct(struct cbor_out *o, const struct vms_node *n)
{
	cbor_put_map(o, 1 + (n->vmsd ? 1 : 0) + member_pairs(n));
	if (n->vmsd)
		put_pair(o, "vmsd", n->vmsd);
	put_number(o, "version", n->version);
	put_members(o, n);
}

static void put_field(struct cbor_out *o, const struct vms_node *n)
{
	bool leaf = n->kind == VMS_INT || n->kind == VMS_BYTES, indexed = n->index != VMS_NO_INDEX;

	cbor_put_map(o, 2u + (indexed ? 1 : 0) + (leaf ? 2 : 1));
	put_pair(o, "name", n->name);
	put_pair(o, "type", n->type ? n->type : "struct");
	if (indexed)
		put_number(o, "index", n->index);
	if (leaf) {
		put_leaf(o, n);
	} else if (n->kind == VMS_STRUCT) {
		cbor_put_text(o, "struct");
		put_struct(o, n);
	} else {
		cbor_put_text(o, "elements");
		cbor_put_array(o, n->count);
		for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
			put_struct(o, c);
		o->failed |= vms_packed(n) != 0;
	}
}

static void put_subsection(struct cbor_out *o, const struct vms_node *n)
{
	cbor_put_map(o, 2 + member_pairs(n));
	put_pair(o, "name", n->name);
	put_number(o, "version", n->version);
	put_members(o, n);
}

/* "fields", and "subsections" when there are any: two lists, so that one is never taken for the other. */
static void put_members(struct cbor_out *o, const struct vms_node *n)
{
	size_t fields = 0, subsections = 0;

	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		(*(c->kind == VMS_SUBSECTION ? &subsections : &fields))++;
	o->failed |= vms_packed(n) != 0;
	cbor_put_text(o, "fields");
	cbor_put_array(o, fields);
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		if (c->kind != VMS_SUBSECTION)
			put_field(o, c);
	if (!subsections)
		return;
	cbor_put_text(o, "subsections");
	cbor_put_array(o, subsections);
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		if (c->kind == VMS_SUBSECTION)
			put_subsection(o, c);
}

void native_put_section(struct cbor_out *o, const struct vms_node *section)
{
	char path[320];

	cbor_put_map(o, 5u + (section->vmsd ? 1 : 0) + member_pairs(section));
	put_pair(o, "section", section->name);
	put_pair(o, "path", section->path ? section->path : vms_path(section, path, sizeof(path)));
	put_pair(o, "type", section->type ? section->type : section->name);
	put_number(o, "instance", section->instance);
	put_number(o, "version", section->version);
	if (section->vmsd)
		put_pair(o, "vmsd", section->vmsd);
	put_members(o, section);
}

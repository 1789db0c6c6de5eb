/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/section_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_struct(json_t *o, const struct vms_node *n, bool values);

static json_t *hex_json(const uint8_t *data, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	char *s = malloc(2 * len + 1);
	json_t *o;

	if (!s)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		s[2 * i] = digit[data[i] >> 4];
		s[2 * i + 1] = digit[data[i] & 15];
	}
	o = json_stringn_nocheck(s, 2 * len);
	free(s);
	return o;
}

static json_t *element_json(const struct vms_node *n, uint32_t i)
{
	char text[24];
	uint64_t v;

	if (n->kind == VMS_BYTES)
		return hex_json(n->data + (size_t)i * n->width, n->width);
	v = vms_element_get(n, i);
	if (n->is_signed || v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

static int set_values(json_t *o, const struct vms_node *n)
{
	json_t *list;
	int rc = 0;

	if (!n->array)
		return json_object_set_new(o, "value", element_json(n, 0));
	list = json_array();
	for (uint32_t i = 0; i < n->count; i++)
		rc |= json_array_append_new(list, element_json(n, i));
	return rc | json_object_set_new(o, "values", list);
}

static int set_elements(json_t *o, const struct vms_node *array)
{
	json_t *list = json_array();
	int rc = json_object_set_new(o, "elements", list);

	for (const struct vms_node *e = vms_first_child(array); e; e = e->next) {
		json_t *s = json_object();

		rc |= set_struct(s, e, true);
		rc |= json_array_append_new(list, s);
	}
	return rc | (vms_packed(array) ? -1 : 0);
}

static int set_body(json_t *o, const struct vms_node *n, const struct vms_node *body, bool values)
{
	json_t *s;
	int rc;

	if (values && n->kind == VMS_ARRAY)
		return set_elements(o, n);
	if (strcmp(n->type, "struct") != 0) /* VMSTATE_WITH_TMP writes the struct into the field itself */
		return set_struct(o, body, values);
	s = json_object();
	rc = set_struct(s, body, values);
	return rc | json_object_set_new(o, "struct", s);
}

static json_t *field_json(const struct vms_node *n, bool values)
{
	const struct vms_node *body = n->kind == VMS_ARRAY ? vms_first_child(n) : n->kind == VMS_STRUCT ? n
													: NULL;
	json_t *o = json_object();
	int rc = json_object_set_new(o, "name", json_string(n->name));

	if (n->index != VMS_NO_INDEX)
		rc |= json_object_set_new(o, "index", json_integer(n->index));
	else if (n->array)
		rc |= json_object_set_new(o, "array_len", json_integer(n->count));
	rc |= json_object_set_new(o, "type", json_string(n->type));
	if (body)
		rc |= set_body(o, n, body, values);
	else if (values && vms_is_leaf(n))
		rc |= set_values(o, n);
	rc |= json_object_set_new(o, "size", json_integer(body ? (json_int_t)vms_size(body) : n->width));
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int set_struct(json_t *o, const struct vms_node *n, bool values)
{
	json_t *fields = json_array(), *subs = NULL;
	int rc = json_object_set_new(o, "vmsd_name", json_string(n->vmsd ? n->vmsd : n->name));

	rc |= json_object_set_new(o, "version", json_integer(n->version));
	rc |= json_object_set_new(o, "fields", fields);
	for (const struct vms_node *c = vms_first_child(n); c && !rc; c = c->next) {
		json_t *s;

		if (c->kind != VMS_SUBSECTION) {
			rc |= json_array_append_new(fields, field_json(c, values));
			continue;
		}
		if (!subs) {
			subs = json_array();
			rc |= json_object_set_new(o, "subsections", subs);
		}
		s = json_object();
		rc |= set_struct(s, c, values);
		rc |= json_array_append_new(subs, s);
	}
	return rc | (vms_packed(n) ? -1 : 0);
}

json_t *section_json(const struct vms_node *section, bool values)
{
	json_t *o = json_object();
	int rc = json_object_set_new(o, "name", json_string(section->name));

	rc |= json_object_set_new(o, "instance_id", json_integer(section->instance));
	if (values)
		rc |= json_object_set_new(o, "type", json_string(section->type ? section->type : section->name));
	rc |= set_struct(o, section, values);
	if (rc) {
		json_decref(o);
		return NULL;
	}
	return o;
}

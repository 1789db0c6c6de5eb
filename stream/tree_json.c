/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON to tree. The other way is stream/section_json.c. */
#include "stream/tree_json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/json_file.h"
#include "stream/section_json.h"
#include "vmstate/visit.h"

char *tree_json(const struct vms_node *machine)
{
	json_t *o = json_object(), *devices = json_array();
	int rc = json_object_set_new(o, "format", json_string(TREE_JSON_FORMAT));
	char *text;

	rc |= json_object_set_new(o, "version", json_integer(TREE_JSON_VERSION));
	rc |= json_object_set_new(o, "machine", json_string(machine->name));
	for (const struct vms_node *n = vms_first_child(machine); n; n = n->next)
		rc |= json_array_append_new(devices, section_json(n, true));
	rc |= json_object_set_new(o, "devices", devices);
	text = rc ? NULL : json_dumps(o, JSON_INDENT(1));
	json_decref(o);
	return text;
}

/* ---- reading ---- */

struct reader {
	struct vms_tree *tree;
	struct irqs_error *reterr;
};

static int fail(const struct reader *r, const struct vms_node *n, const char *what, const char *key)
{
	char path[160];

	return irqs_fail(r->reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, n ? vms_path(n, path, sizeof(path)) : NULL,
			 "\"%s\": %s", key, what);
}

/* Every key of @o is one of @keys. */
static int check_keys(const struct reader *r, const struct vms_node *n, json_t *o, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return fail(r, n, "a key that means nothing here", key);
	}
	return 0;
}

static int get_text(const struct reader *r, const struct vms_node *n, const json_t *o, const char *key,
		    const char **ret)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v))
		return fail(r, n, "no text", key);
	*ret = arena_strndup(&r->tree->arena, json_string_value(v), json_string_length(v));
	return *ret ? 0 : irqs_fail_nomem(r->reterr);
}

static int get_number(const struct reader *r, const struct vms_node *n, const json_t *o, const char *key,
		      uint32_t max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return fail(r, n, "no number of 32 bits", key);
	*ret = (uint32_t)json_integer_value(v);
	return 0;
}

static int get_array(const struct reader *r, const struct vms_node *n, const json_t *o, const char *key,
		     const json_t **ret)
{
	*ret = json_object_get(o, key);
	return json_is_array(*ret) ? 0 : fail(r, n, "no array", key);
}

static int get_struct(const struct reader *r, struct vms_node *n, json_t *o, unsigned int depth);

/* ---- leaves ---- */

/* An integer, or a decimal text of one that JSON numbers have no room for. */
static bool integer_of(const json_t *v, uint64_t *ret, bool *ret_negative)
{
	const char *s = json_string_value(v);
	char *end;

	*ret_negative = json_is_integer(v) && json_integer_value(v) < 0;
	if (json_is_integer(v)) {
		*ret = (uint64_t)json_integer_value(v);
		return true;
	}
	if (!s || s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return !errno && !*end && *ret > INT64_MAX;
}

static int get_int(const struct reader *r, struct vms_node *n, uint32_t i, const json_t *v, const char *key)
{
	unsigned int bits = n->width * 8 - (n->is_signed ? 1 : 0);
	uint64_t top = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, value;
	bool negative;

	if (!integer_of(v, &value, &negative))
		return fail(r, n, "no integer", key);
	if ((negative ? ~value : value) > top || (negative && !n->is_signed))
		return fail(r, n, "a value that its type cannot hold", key);
	vms_element_set(n, i, value);
	return 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int get_bytes(const struct reader *r, struct vms_node *n, uint32_t i, const json_t *v, const char *key)
{
	uint8_t *to = n->data + (size_t)i * n->width;
	const char *s = json_string_value(v);

	if (!s || json_string_length(v) != 2 * (size_t)n->width)
		return fail(r, n, "not so many bytes in hexadecimal digits as its size says", key);
	for (uint32_t b = 0; b < n->width; b++) {
		int high = nibble(s[2 * b]), low = nibble(s[2 * b + 1]);

		if (high < 0 || low < 0)
			return fail(r, n, "no hexadecimal digits", key);
		to[b] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* Whether the text has room for so much: a size must not decide what is allocated. */
static bool plausible(const struct vms_node *n, const json_t *first)
{
	if (n->kind == VMS_INT || !n->count)
		return true;
	return json_is_string(first) && json_string_length(first) == 2 * (size_t)n->width;
}

static int get_leaf(const struct reader *r, struct vms_node *n, const json_t *o, bool list)
{
	const char *key = list ? "values" : "value";
	const json_t *v = json_object_get(o, key), *first = list ? json_array_get(v, 0) : v;
	bool is_signed = false;
	uint32_t width = 0;
	int rc = get_number(r, n, o, "size", UINT32_MAX - 1, &n->width);

	if (rc)
		return rc;
	n->kind = vms_int_type(n->type, &width, &is_signed) && width == n->width ? VMS_INT : VMS_BYTES;
	n->is_signed = n->kind == VMS_INT && is_signed;
	n->array = list;
	if (list && (!json_is_array(v) || json_array_size(v) != n->count))
		return fail(r, n, "not as many as array_len says", key);
	if (!plausible(n, first))
		return fail(r, n, "not so many bytes in hexadecimal digits as its size says", key);
	if (vms_node_data(r->tree, n))
		return irqs_fail_nomem(r->reterr);
	for (uint32_t i = 0; i < n->count && !rc; i++) {
		const json_t *e = list ? json_array_get(v, i) : v;

		rc = n->kind == VMS_INT ? get_int(r, n, i, e, key) : get_bytes(r, n, i, e, key);
	}
	return rc;
}

/* ---- structure ---- */

static int get_elements(const struct reader *r, struct vms_node *array, const json_t *list, unsigned int depth)
{
	int rc = 0;

	array->kind = VMS_ARRAY;
	array->array = true;
	if ((list && !json_is_array(list)) || json_array_size(list) != array->count)
		return fail(r, array, "not as many as array_len says", "elements");
	for (uint32_t i = 0; i < array->count && !rc; i++) {
		struct vms_node *e = vms_node_create(r->tree, VMS_STRUCT, array->name, array->type);
		json_t *o = json_array_get(list, i);

		if (!e)
			return irqs_fail_nomem(r->reterr);
		e->index = i;
		vms_append(array, e);
		rc = get_struct(r, e, o, depth + 1);
	}
	return rc;
}

/* What a field holds. A struct may be written into the field itself: then its own keys are there. */
static int get_content(const struct reader *r, struct vms_node *n, json_t *o, unsigned int depth)
{
	static const char *const leaf[] = { "name", "index", "array_len", "type", "size", "value", "values",
					    "elements", "struct", NULL };
	json_t *body = json_object_get(o, "struct"), *elements = json_object_get(o, "elements");
	bool value = json_object_get(o, "value"), values = json_object_get(o, "values");
	bool inside = json_object_get(o, "fields"), numbered = json_object_get(o, "array_len");
	int rc = inside ? 0 : check_keys(r, n, o, leaf);

	if (rc)
		return rc;
	if (value + values + inside + (body != NULL) + (elements != NULL) > 1)
		return fail(r, n, "more than one value", "name");
	if (numbered != (values || elements || (!value && !body && !inside)))
		return fail(r, n, "it goes with arrays only", "array_len");
	if (numbered && (rc = get_number(r, n, o, "array_len", UINT32_MAX - 1, &n->count)))
		return rc;
	if (value || values)
		return get_leaf(r, n, o, values);
	if (elements || numbered)
		return get_elements(r, n, elements, depth);
	return get_struct(r, n, inside ? o : body, depth + 1);
}

static int get_field(const struct reader *r, struct vms_node *parent, json_t *o, unsigned int depth)
{
	const char *name = NULL, *type = NULL;
	struct vms_node *n;
	int rc = get_text(r, parent, o, "name", &name);

	if (!rc)
		rc = get_text(r, parent, o, "type", &type);
	if (rc)
		return rc;
	n = vms_node_create_named(r->tree, VMS_STRUCT, name, type);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	vms_append(parent, n);
	if (json_object_get(o, "index"))
		rc = get_number(r, n, o, "index", VMS_NO_INDEX - 1, &n->index);
	return rc ? rc : get_content(r, n, o, depth);
}

static int get_subsection(const struct reader *r, struct vms_node *parent, json_t *o, unsigned int depth)
{
	const char *name = NULL;
	struct vms_node *n;
	int rc = get_text(r, parent, o, "vmsd_name", &name);

	if (rc)
		return rc;
	n = vms_node_create_named(r->tree, VMS_SUBSECTION, name, NULL);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	vms_append(parent, n);
	return get_struct(r, n, o, depth + 1);
}

/* The body of a section, a struct or a subsection. */
static int get_struct(const struct reader *r, struct vms_node *n, json_t *o, unsigned int depth)
{
	static const char *const keys[] = { "name", "instance_id", "type", "index", "size", "vmsd_name", "version",
					    "fields", "subsections", NULL };
	const json_t *fields = NULL, *subs = NULL;
	int rc = check_keys(r, n, o, keys);

	if (!rc && depth >= VISIT_DEPTH_MAX)
		rc = fail(r, n, "nests too deep", "fields");
	if (!rc)
		rc = get_text(r, n, o, "vmsd_name", &n->vmsd);
	if (!rc)
		rc = get_number(r, n, o, "version", UINT32_MAX, &n->version);
	if (!rc)
		rc = get_array(r, n, o, "fields", &fields);
	if (!rc && json_object_get(o, "subsections"))
		rc = get_array(r, n, o, "subsections", &subs);
	for (size_t i = 0; !rc && i < json_array_size(fields); i++)
		rc = get_field(r, n, json_array_get(fields, i), depth);
	for (size_t i = 0; !rc && i < json_array_size(subs); i++)
		rc = get_subsection(r, n, json_array_get(subs, i), depth);
	return rc;
}

static int get_section(const struct reader *r, json_t *o)
{
	const char *name = NULL, *type = NULL;
	struct vms_node *n;
	int rc = get_text(r, NULL, o, "name", &name);

	if (!rc)
		rc = get_text(r, NULL, o, "type", &type);
	if (rc)
		return rc;
	n = vms_node_create_named(r->tree, VMS_SECTION, name, type);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	vms_append(r->tree->machine, n);
	rc = get_number(r, n, o, "instance_id", UINT32_MAX, &n->instance);
	return rc ? rc : get_struct(r, n, o, 0);
}

static int get_machine(const struct reader *r, json_t *root)
{
	static const char *const keys[] = { "format", "version", "machine", "devices", NULL };
	const json_t *format = json_object_get(root, "format"), *devices = NULL;
	uint32_t version = 0;
	int rc;

	if (!json_is_string(format) || strcmp(json_string_value(format), TREE_JSON_FORMAT) != 0)
		return irqs_fail(r->reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "JSON, but not of the format " TREE_JSON_FORMAT);
	rc = get_number(r, NULL, root, "version", UINT32_MAX, &version);
	if (!rc && version != TREE_JSON_VERSION)
		return irqs_fail(r->reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				 "version %" PRIu32 " of the format " TREE_JSON_FORMAT ", %d is known here", version,
				 TREE_JSON_VERSION);
	if (!rc)
		rc = check_keys(r, NULL, root, keys);
	if (!rc)
		rc = get_text(r, NULL, root, "machine", &r->tree->machine->name);
	if (!rc)
		rc = get_array(r, NULL, root, "devices", &devices);
	for (size_t i = 0; !rc && i < json_array_size(devices); i++)
		rc = get_section(r, json_array_get(devices, i));
	return rc;
}

int tree_json_load(int fd, struct vms_tree *t, struct irqs_error *reterr)
{
	const struct reader r = { t, reterr };
	json_t *root = NULL;
	int rc = json_file_load(fd, &root, reterr);

	if (!rc)
		rc = get_machine(&r, root);
	json_decref(root);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/visit_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/section_json.h"

struct reader {
	struct vms_tree *tree;
	struct irqs_error *reterr;
};

static int fail(const struct reader *r, const struct vms_node *n, const char *what, const char *key)
{
	char path[160];

	return irqs_fail(r->reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, vms_path(n, path, sizeof(path)),
			 "%s '%.80s'", what, key);
}

/* Whether all keys of an object are among the @known, which ends with NULL. */
static int check_keys(const struct reader *r, const struct vms_node *n, const json_t *o,
		      const char *const *known)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		const char *const *k = known;

		while (*k && strcmp(*k, key) != 0)
			k++;
		if (!*k)
			return fail(r, n, "a key that means nothing here:", key);
	}
	return 0;
}

static int get_string(const struct reader *r, const struct vms_node *n, const json_t *o, const char *key,
		      const char **ret)
{
	*ret = json_string_value(json_object_get(o, key));
	return *ret ? 0 : fail(r, n, "a string is missing:", key);
}

/* A number below 2^32; @otherwise when it is not there. */
static int get_number(const struct reader *r, const struct vms_node *n, const json_t *o, const char *key,
		      uint32_t otherwise, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);

	*ret = otherwise;
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
		return fail(r, n, "no number of 32 bits:", key);
	*ret = (uint32_t)json_integer_value(v);
	return 0;
}

/* ---- values ---- */

static bool int_fits(const struct vms_node *n, bool negative, uint64_t magnitude)
{
	unsigned int bits = n->width * 8 - (n->is_signed ? 1 : 0);
	uint64_t top = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

	if (negative)
		return n->is_signed && magnitude && magnitude - 1 <= top;
	return magnitude <= top;
}

static int set_int(const struct reader *r, struct vms_node *n, uint32_t i, const json_t *v)
{
	const char *text = json_string_value(v);
	json_int_t number = json_integer_value(v);
	bool negative = number < 0;
	uint64_t magnitude = negative ? 0 - (uint64_t)number : (uint64_t)number;
	char *end = NULL;

	if (text && text[0] >= '0' && text[0] <= '9') {
		errno = 0;
		magnitude = strtoull(text, &end, 10);
		if (errno || *end)
			return fail(r, n, "no decimal number:", text);
	} else if (!json_is_integer(v)) {
		return fail(r, n, "a value that is no integer of type", n->type);
	}
	if (!int_fits(n, negative, magnitude))
		return fail(r, n, "a value that does not fit into", n->type);
	vms_element_set(n, i, negative ? 0 - magnitude : magnitude);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int set_bytes(const struct reader *r, struct vms_node *n, uint32_t i, const json_t *v)
{
	const char *hex = json_string_value(v);
	uint8_t *to = n->data + (size_t)i * n->width;

	if (!hex || json_string_length(v) != (size_t)n->width * 2)
		return fail(r, n, "not as many hexadecimal digits as its size says:", n->type);
	for (uint32_t j = 0; j < n->width; j++) {
		int high = hex_digit(hex[2 * j]), low = hex_digit(hex[2 * j + 1]);

		if (high < 0 || low < 0)
			return fail(r, n, "no hexadecimal digits:", n->type);
		to[j] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_leaf(const struct reader *r, const json_t *o, struct vms_node *n, uint32_t size)
{
	const json_t *list = json_object_get(o, "values"), *value = json_object_get(o, "value");
	uint32_t width = 0;
	bool is_signed = false;
	int rc = 0;

	n->kind = vms_int_type(n->type, &width, &is_signed) && width == size ? VMS_INT : VMS_BYTES;
	n->is_signed = n->kind == VMS_INT && is_signed;
	n->width = size;
	n->array = list != NULL;
	if (list && (!json_is_array(list) || json_array_size(list) >= UINT32_MAX))
		return fail(r, n, "no array:", "values");
	n->count = list ? (uint32_t)json_array_size(list) : 1;
	/* Each element is there as text already, which bounds what is allocated. */
	if (n->kind == VMS_BYTES)
		for (uint32_t i = 0; i < n->count; i++)
			if (json_string_length(list ? json_array_get(list, i) : value) != (size_t)size * 2)
				return fail(r, n,
					    "not as many hexadecimal digits as its size says:", n->type);
	n->data = arena_alloc(&r->tree->arena, (size_t)n->count * size);
	if (!n->data)
		return irqs_fail_nomem(r->reterr);
	for (uint32_t i = 0; i < n->count && !rc; i++) {
		const json_t *v = list ? json_array_get(list, i) : value;

		rc = n->kind == VMS_INT ? set_int(r, n, i, v) : set_bytes(r, n, i, v);
	}
	return rc;
}

/* ---- structure ---- */

static int read_struct(const struct reader *r, const json_t *o, struct vms_node *n, unsigned int depth);

static const char *const struct_keys[] = { "vmsd_name", "version", "fields", "subsections", NULL };

static int read_elements(const struct reader *r, const json_t *list, struct vms_node *array,
			 unsigned int depth)
{
	int rc = 0;

	array->kind = VMS_ARRAY;
	array->array = true;
	array->count = (uint32_t)json_array_size(list);
	for (uint32_t i = 0; i < array->count && !rc; i++) {
		const json_t *o = json_array_get(list, i);
		struct vms_node *e = vms_node_create(r->tree, VMS_STRUCT, array->name, array->type);

		if (!e)
			return irqs_fail_nomem(r->reterr);
		e->index = i;
		vms_append(array, e);
		rc = check_keys(r, e, o, struct_keys);
		if (!rc)
			rc = read_struct(r, o, e, depth);
	}
	return rc;
}

/* Which of the keys that hold a value is there; exactly one has to be. */
static const char *value_key(const json_t *o)
{
	static const char *const keys[] = { "value", "values", "struct", "elements", "fields" };
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!json_object_get(o, keys[i]))
			continue;
		if (found)
			return NULL;
		found = keys[i];
	}
	/* An array of structs without an element has no value either. */
	return found ? found : "elements";
}

static int read_content(const struct reader *r, const json_t *o, struct vms_node *n, unsigned int depth)
{
	const json_t *array_len = json_object_get(o, "array_len");
	const char *key = value_key(o);
	uint32_t size;
	int rc = get_number(r, n, o, "size", 0, &size);

	if (rc)
		return rc;
	if (!key)
		return fail(r, n, "more than one value of type", n->type);
	if (!strcmp(key, "struct")) {
		const json_t *s = json_object_get(o, "struct");

		n->kind = VMS_STRUCT;
		rc = check_keys(r, n, s, struct_keys);
		return rc ? rc : read_struct(r, s, n, depth);
	}
	if (!strcmp(key, "fields")) {
		n->kind = VMS_STRUCT;
		return read_struct(r, o, n, depth);
	}
	if (!strcmp(key, "elements")) {
		rc = read_elements(r, json_object_get(o, key), n, depth);
	} else {
		if (!json_object_get(o, "size"))
			return fail(r, n, "a number is missing:", "size");
		rc = read_leaf(r, o, n, size);
	}
	if (!rc && n->index == VMS_NO_INDEX &&
	    (n->array ? json_integer_value(array_len) != n->count || !json_is_integer(array_len)
		      : array_len != NULL))
		return fail(r, n, "not the number of its elements:", "array_len");
	return rc;
}

static int read_field(const struct reader *r, const json_t *o, struct vms_node *parent, unsigned int depth)
{
	static const char *const keys[] = { "name", "index", "array_len", "type", "size",
					    "value", "values", "struct", "elements", "vmsd_name",
					    "version", "fields", "subsections", NULL };
	const char *name, *type;
	struct vms_node *n;
	int rc;

	if ((rc = get_string(r, parent, o, "name", &name)) || (rc = get_string(r, parent, o, "type", &type)))
		return rc;
	n = vms_node_create(r->tree, VMS_STRUCT, name, type);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	vms_append(parent, n);
	if ((rc = check_keys(r, n, o, keys)) || (rc = get_number(r, n, o, "index", VMS_NO_INDEX, &n->index)))
		return rc;
	return read_content(r, o, n, depth);
}

static int read_subsection(const struct reader *r, const json_t *o, struct vms_node *parent,
			   unsigned int depth)
{
	const char *name;
	struct vms_node *n;
	int rc = get_string(r, parent, o, "vmsd_name", &name);

	if (rc)
		return rc;
	n = vms_node_create(r->tree, VMS_SUBSECTION, name, NULL);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	vms_append(parent, n);
	rc = check_keys(r, n, o, struct_keys);
	return rc ? rc : read_struct(r, o, n, depth);
}

static int read_struct(const struct reader *r, const json_t *o, struct vms_node *n, unsigned int depth)
{
	const json_t *fields = json_object_get(o, "fields"), *subs = json_object_get(o, "subsections"), *v;
	const char *vmsd = json_string_value(json_object_get(o, "vmsd_name"));
	size_t i;
	int rc = get_number(r, n, o, "version", 0, &n->version);

	if (rc)
		return rc;
	if (depth >= VISIT_DEPTH_MAX)
		return fail(r, n, "nests too deep:", n->name);
	if (!json_is_array(fields) || (subs && !json_is_array(subs)))
		return fail(r, n, "no array:", json_is_array(fields) ? "subsections" : "fields");
	if (vmsd) {
		n->vmsd = arena_strndup(&r->tree->arena, vmsd, strlen(vmsd));
		if (!n->vmsd)
			return irqs_fail_nomem(r->reterr);
	}
	json_array_foreach(fields, i, v) {
		rc = read_field(r, v, n, depth + 1);
		if (rc)
			return rc;
	}
	json_array_foreach(subs, i, v) {
		rc = read_subsection(r, v, n, depth + 1);
		if (rc)
			return rc;
	}
	return 0;
}

int section_from_json(struct vms_tree *t, const json_t *o, struct vms_node **ret, struct irqs_error *reterr)
{
	static const char *const keys[] = { "name", "instance_id", "type", "path", "vmsd_name",
					    "version", "fields", "subsections", NULL };
	const struct reader r = { t, reterr };
	const char *name, *type = json_string_value(json_object_get(o, "type")),
			  *path = json_string_value(json_object_get(o, "path"));
	struct vms_node *n;
	int rc = get_string(&r, t->machine, o, "name", &name);

	if (rc)
		return rc;
	n = vms_node_create(t, VMS_SECTION, name, type ? type : name);
	if (!n)
		return irqs_fail_nomem(reterr);
	if (path && !(n->path = arena_strndup(&t->arena, path, strlen(path))))
		return irqs_fail_nomem(reterr);
	if ((rc = get_number(&r, n, o, "instance_id", 0, &n->instance)) ||
	    (rc = check_keys(&r, n, o, keys)) || (rc = read_struct(&r, o, n, 0)))
		return rc;
	vms_append(t->machine, n);
	*ret = n;
	return 0;
}

/* ---- visitors ---- */

int visit_json_out_init(struct visit_json_out *o, struct irqs_error *reterr)
{
	int rc = vms_tree_init(&o->tree, reterr);

	if (!rc)
		visit_tree_out_init(&o->out, &o->tree, o->tree.machine);
	return rc;
}

void visit_json_out_deinit(struct visit_json_out *o)
{
	vms_tree_deinit(&o->tree);
}

int visit_json_out_finish(struct visit_json_out *o, json_t **ret, struct irqs_error *reterr)
{
	const struct vms_node *section = vms_first_child(o->tree.machine);

	if (!section || o->out.v.depth)
		return visit_fail(&o->out.v, NULL, reterr, IRQS_USAGE, "no section was saved");
	*ret = section_json(section, true);
	return *ret ? 0 : irqs_fail_nomem(reterr);
}

int visit_json_in_init(struct visit_json_in *in, const json_t *section, struct irqs_error *reterr)
{
	struct vms_node *n;
	int rc = vms_tree_init(&in->tree, reterr);

	if (rc)
		return rc;
	rc = section_from_json(&in->tree, section, &n, reterr);
	if (rc)
		vms_tree_deinit(&in->tree);
	else
		visit_tree_in_init(&in->in, n);
	return rc;
}

void visit_json_in_deinit(struct visit_json_in *in)
{
	vms_tree_deinit(&in->tree);
}

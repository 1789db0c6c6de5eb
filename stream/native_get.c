/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A section from the CBOR of a record: everything in it is checked, nothing is skipped. */
#include "stream/native_priv.h"

#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"
#include "vmstate/visit.h"

struct reader {
	struct vms_tree *tree;
	const uint8_t *data;
	size_t size;
	uint64_t offset;
	struct irqs_error *reterr;
};

static int fail(const struct reader *r, const struct vms_node *n, size_t pos, const char *what)
{
	char path[160];

	return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)(r->offset + pos),
			 vms_path(n, path, sizeof(path)), "%s", what);
}

const char *native_get_map(struct cbor_in *in, const char *const *keys, struct native_map *ret)
{
	struct cbor_item item;
	uint64_t pairs;

	memset(ret, 0, sizeof(*ret));
	if (!cbor_next(in, &item) || item.kind != CBOR_MAP)
		return "no map";
	for (pairs = item.value; pairs; pairs--) {
		unsigned int i = 0;

		if (!cbor_next(in, &item))
			return "a map that ends too early";
		while (keys[i] && !cbor_is_text(&item, keys[i]))
			i++;
		if (!keys[i])
			return "a key that means nothing here";
		if (ret->at[i].size)
			return "the same key twice";
		ret->at[i] = *in;
		if (!cbor_skip(in))
			return "a value that is no CBOR of this format";
	}
	return NULL;
}

bool native_get_uint(const struct native_map *m, unsigned int key, uint64_t max, uint64_t *ret)
{
	struct cbor_in in = m->at[key];
	struct cbor_item item;

	if (!cbor_next(&in, &item) || item.kind != CBOR_UINT || item.value > max)
		return false;
	*ret = item.value;
	return true;
}

/* A text as a C string; NULL when it is none, holds a NUL, or memory is short. */
static char *take_text(const struct reader *r, const struct native_map *m, unsigned int key)
{
	struct cbor_in in = m->at[key];
	struct cbor_item item;

	if (!cbor_next(&in, &item) || item.kind != CBOR_TEXT || memchr(item.data, 0, item.value))
		return NULL;
	return arena_strndup(&r->tree->arena, (const char *)item.data, item.value);
}

enum {
	FIELD_NAME,
	FIELD_TYPE,
	FIELD_INDEX,
	FIELD_SIZE,
	FIELD_VALUE,
	FIELD_VALUES,
	FIELD_STRUCT,
	FIELD_ELEMENTS
};
static const char *const field_keys[] = { "name", "type", "index", "size", "value",
					  "values", "struct", "elements", NULL };

/* A struct may have a "vmsd", a subsection has a "name". */
enum { BODY_NAME,
       BODY_VERSION,
       BODY_FIELDS,
       BODY_SUBSECTIONS };
static const char *const struct_keys[] = { "vmsd", "version", "fields", "subsections", NULL };
static const char *const subsection_keys[] = { "name", "version", "fields", "subsections", NULL };

static int get_members(const struct reader *r, const struct native_map *m, unsigned int fields,
		       unsigned int subsections, struct vms_node *n, unsigned int depth);

static int get_struct(const struct reader *r, struct cbor_in *in, struct vms_node *n, unsigned int depth)
{
	size_t start = in->pos;
	struct native_map m;
	const char *wrong = native_get_map(in, struct_keys, &m);
	uint64_t version;

	if (wrong)
		return fail(r, n, in->pos, wrong);
	if (!native_get_uint(&m, BODY_VERSION, UINT32_MAX, &version))
		return fail(r, n, start, "a struct without a version of 32 bits");
	n->version = (uint32_t)version;
	if (m.at[BODY_NAME].size) {
		n->vmsd = take_text(r, &m, BODY_NAME);
		if (!n->vmsd)
			return fail(r, n, m.at[BODY_NAME].pos, "a vmsd that is no text");
	}
	return get_members(r, &m, BODY_FIELDS, BODY_SUBSECTIONS, n, depth);
}

static int get_elements(const struct reader *r, struct cbor_in in, struct vms_node *array, unsigned int depth)
{
	struct cbor_item head;
	int rc = 0;

	if (!cbor_next(&in, &head) || head.kind != CBOR_ARRAY || head.value >= UINT32_MAX)
		return fail(r, array, in.pos, "elements that are no array");
	array->kind = VMS_ARRAY;
	array->array = true;
	array->count = (uint32_t)head.value;
	for (uint32_t i = 0; i < array->count && !rc; i++) {
		struct vms_node *e = vms_node_create(r->tree, VMS_STRUCT, array->name, array->type);

		if (!e)
			return irqs_fail_nomem(r->reterr);
		e->index = i;
		e->offset = r->offset + in.pos;
		vms_append(array, e);
		rc = get_struct(r, &in, e, depth + 1);
	}
	return rc;
}

/* ---- leaves ---- */

static int get_int(const struct reader *r, struct vms_node *n, uint32_t i, const struct cbor_item *item,
		   size_t pos)
{
	unsigned int bits = n->width * 8 - (n->is_signed ? 1 : 0);
	uint64_t top = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

	if (item->kind != CBOR_UINT && item->kind != CBOR_NEGINT)
		return fail(r, n, pos, "a value that is no integer");
	if (item->value > top || (item->kind == CBOR_NEGINT && !n->is_signed))
		return fail(r, n, pos, "a value that its type cannot hold");
	vms_element_set(n, i, item->kind == CBOR_UINT ? item->value : ~item->value);
	return 0;
}

/* The bytes of one element of a leaf that holds no integers; a string gets its length back. */
static int get_bytes(const struct reader *r, struct vms_node *n, uint32_t i, const struct cbor_item *item,
		     size_t pos)
{
	uint8_t *to = n->data + (size_t)i * n->width;
	bool string = !strcmp(n->type, "string");

	if (string && n->width >= VMS_STRING_HEADER && (item->kind == CBOR_NULL || item->kind == CBOR_TEXT)) {
		uint64_t len = item->kind == CBOR_TEXT ? item->value : 0;

		if (len != n->width - VMS_STRING_HEADER)
			return fail(r, n, pos, "a string whose size is not that of its text");
		put_be(to, VMS_STRING_HEADER, item->kind == CBOR_TEXT ? len : VMS_STRING_NULL);
		if (len)
			memcpy(to + VMS_STRING_HEADER, item->data, len);
		return 0;
	}
	if (item->kind != CBOR_BYTES && !(item->kind == CBOR_DOUBLE && !strcmp(n->type, "float64")))
		return fail(r, n, pos, "a value that is not of its type");
	if (item->value != n->width)
		return fail(r, n, pos, "a value whose size is not the one that is said");
	if (n->width)
		memcpy(to, item->data, n->width);
	return 0;
}

/* Whether so many elements of that width can be in the input: a size must not decide what is allocated. */
static bool plausible(const struct vms_node *n, size_t left)
{
	uint64_t bytes = (uint64_t)n->width * n->count;

	return n->kind == VMS_INT ? n->count <= left
				  : bytes <= (uint64_t)left + VMS_STRING_HEADER * (uint64_t)n->count;
}

static int get_leaf(const struct reader *r, const struct native_map *m, struct vms_node *n)
{
	bool list = m->at[FIELD_VALUES].size;
	struct cbor_in in = m->at[list ? FIELD_VALUES : FIELD_VALUE];
	struct cbor_item item;
	uint32_t width = 0;
	bool is_signed = false;
	uint64_t size;
	int rc = 0;

	if (!native_get_uint(m, FIELD_SIZE, UINT32_MAX - 1, &size))
		return fail(r, n, in.pos, "a value without a size of 32 bits");
	n->kind = vms_int_type(n->type, &width, &is_signed) && width == size ? VMS_INT : VMS_BYTES;
	n->is_signed = n->kind == VMS_INT && is_signed;
	n->width = (uint32_t)size;
	n->array = list;
	if (list) {
		if (!cbor_next(&in, &item) || item.kind != CBOR_ARRAY || item.value >= UINT32_MAX)
			return fail(r, n, in.pos, "values that are no array");
		n->count = item.value <= r->size ? (uint32_t)item.value : UINT32_MAX;
	}
	if (!plausible(n, r->size))
		return fail(r, n, in.pos, "values that are longer than the section");
	if (vms_node_data(r->tree, n))
		return irqs_fail_nomem(r->reterr);
	for (uint32_t i = 0; i < n->count && !rc; i++) {
		size_t pos = in.pos;

		if (!cbor_next(&in, &item))
			return fail(r, n, pos, "a value is missing");
		rc = n->kind == VMS_INT ? get_int(r, n, i, &item, pos) : get_bytes(r, n, i, &item, pos);
	}
	return rc;
}

/* ---- structure ---- */

static int get_content(const struct reader *r, const struct native_map *m, struct vms_node *n,
		       unsigned int depth)
{
	static const unsigned int values[] = { FIELD_VALUE, FIELD_VALUES, FIELD_STRUCT, FIELD_ELEMENTS };
	unsigned int found = 0, key = FIELD_NAME;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!m->at[values[i]].size)
			continue;
		key = values[i];
		found++;
	}
	if (found != 1)
		return fail(r, n, m->at[FIELD_NAME].pos, "a field with no value, or more than one");
	if (key == FIELD_VALUE || key == FIELD_VALUES)
		return get_leaf(r, m, n);
	if (m->at[FIELD_SIZE].size)
		return fail(r, n, m->at[FIELD_SIZE].pos, "a size of what has none");
	if (key == FIELD_ELEMENTS)
		return get_elements(r, m->at[key], n, depth);
	n->kind = VMS_STRUCT;
	return get_struct(r, &(struct cbor_in){ r->data, r->size, m->at[key].pos }, n, depth + 1);
}

static int get_field(const struct reader *r, struct cbor_in *in, struct vms_node *parent, unsigned int depth)
{
	size_t start = in->pos;
	struct native_map m;
	const char *wrong = native_get_map(in, field_keys, &m), *name, *type;
	struct vms_node *n;
	uint64_t index = VMS_NO_INDEX;

	if (wrong)
		return fail(r, parent, in->pos, wrong);
	name = take_text(r, &m, FIELD_NAME);
	type = take_text(r, &m, FIELD_TYPE);
	if (!name || !type)
		return fail(r, parent, start, "a field without a name or a type");
	if (m.at[FIELD_INDEX].size && !native_get_uint(&m, FIELD_INDEX, VMS_NO_INDEX - 1, &index))
		return fail(r, parent, start, "an index that is none");
	n = vms_node_create(r->tree, VMS_STRUCT, name, type);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->index = (uint32_t)index;
	n->offset = r->offset + start;
	vms_append(parent, n);
	return get_content(r, &m, n, depth);
}

static int get_subsection(const struct reader *r, struct cbor_in *in, struct vms_node *parent,
			  unsigned int depth)
{
	size_t start = in->pos;
	struct native_map m;
	const char *wrong = native_get_map(in, subsection_keys, &m), *name;
	struct vms_node *n;
	uint64_t version;

	if (wrong)
		return fail(r, parent, in->pos, wrong);
	name = take_text(r, &m, BODY_NAME);
	if (!name || !native_get_uint(&m, BODY_VERSION, UINT32_MAX, &version))
		return fail(r, parent, start, "a subsection without a name or a version");
	n = vms_node_create(r->tree, VMS_SUBSECTION, name, NULL);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->vmsd = n->name;
	n->version = (uint32_t)version;
	n->offset = r->offset + start;
	vms_append(parent, n);
	return get_members(r, &m, BODY_FIELDS, BODY_SUBSECTIONS, n, depth + 1);
}

typedef int get_fn(const struct reader *r, struct cbor_in *in, struct vms_node *parent, unsigned int depth);

static int get_list(const struct reader *r, struct cbor_in in, struct vms_node *n, unsigned int depth,
		    get_fn *get)
{
	struct cbor_item head;
	int rc = 0;

	if (!cbor_next(&in, &head) || head.kind != CBOR_ARRAY)
		return fail(r, n, in.pos, "no array of fields or subsections");
	for (uint64_t i = 0; i < head.value && !rc; i++)
		rc = get(r, &in, n, depth);
	return rc;
}

static int get_members(const struct reader *r, const struct native_map *m, unsigned int fields,
		       unsigned int subsections, struct vms_node *n, unsigned int depth)
{
	int rc;

	if (depth >= VISIT_DEPTH_MAX)
		return fail(r, n, m->at[fields].pos, "nests too deep");
	rc = get_list(r, m->at[fields], n, depth, get_field);
	if (!rc && m->at[subsections].size)
		rc = get_list(r, m->at[subsections], n, depth, get_subsection);
	return rc;
}

int native_get_section(struct vms_tree *t, const uint8_t *data, size_t size, uint64_t offset,
		       struct vms_node **ret, struct irqs_error *reterr)
{
	enum { NAME,
	       PATH,
	       TYPE,
	       INSTANCE,
	       VERSION,
	       VMSD,
	       FIELDS,
	       SUBSECTIONS };
	static const char *const keys[] = { "section", "path", "type", "instance", "version",
					    "vmsd", "fields", "subsections", NULL };
	const struct reader r = { t, data, size, offset, reterr };
	struct cbor_in in = { data, size, 0 };
	struct native_map m;
	const char *wrong = native_get_map(&in, keys, &m), *name, *type;
	uint64_t instance, version;
	struct vms_node *n;
	int rc;

	if (!wrong && in.pos != size)
		wrong = "bytes behind the section";
	if (wrong)
		return fail(&r, NULL, in.pos, wrong);
	name = take_text(&r, &m, NAME);
	type = take_text(&r, &m, TYPE);
	if (!name || !type || !native_get_uint(&m, INSTANCE, UINT32_MAX, &instance) ||
	    !native_get_uint(&m, VERSION, UINT32_MAX, &version))
		return fail(&r, NULL, 0, "a section without a name, a type, an instance or a version");
	n = vms_node_create(t, VMS_SECTION, name, type);
	if (!n)
		return irqs_fail_nomem(reterr);
	n->instance = (uint32_t)instance;
	n->version = (uint32_t)version;
	n->offset = offset;
	n->path = take_text(&r, &m, PATH);
	if (!n->path)
		return fail(&r, n, 0, "a section without a path");
	if (m.at[VMSD].size && !(n->vmsd = take_text(&r, &m, VMSD)))
		return fail(&r, n, m.at[VMSD].pos, "a vmsd that is no text");
	rc = get_members(&r, &m, FIELDS, SUBSECTIONS, n, 0);
	if (rc)
		return rc;
	vms_append(t->machine, n);
	*ret = n;
	return 0;
}

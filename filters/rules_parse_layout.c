/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "layouts": what lies in raw fields. A layout uses only those above it, so none holds itself. */
#include <string.h>

#include "filters/rules_priv.h"

#define COUNT_MAX 65536u

const struct rules_layout *rules_find_layout(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->nlayouts; i++)
		if (!strcmp(r->layouts[i].name, name))
			return &r->layouts[i];
	return NULL;
}

static const struct rules_row *find_row(const struct rules_layout *l, const char *name)
{
	for (size_t i = 0; i < l->nrows; i++)
		if (!strcmp(l->rows[i].name, name))
			return &l->rows[i];
	return NULL;
}

/* The earlier row that the number of elements is in. */
static int check_source(struct rules_reader *r, const struct rules_at *at, const struct rules_layout *l,
			struct rules_count *c)
{
	struct rules_at here = { at, "field", 0 };
	const struct rules_row *row = find_row(l, c->field);

	if (!row || row->array || row->layout)
		return rules_mistake(r, &here, false, "no integer or buffer of fixed size above this one");
	if (row->is_int && (c->at || c->width || c->little_endian))
		return rules_mistake(r, &here, false, "an integer: \"at\", \"width\" and \"order\" are for buffers");
	if (!row->is_int && !c->width)
		return rules_mistake(r, at, false, "\"width\" is missing: the field is a buffer");
	if (!row->is_int && (uint64_t)c->at + c->width > row->width)
		return rules_mistake(r, at, false, "this is behind the end of %s", row->name);
	return 0;
}

static int parse_count(struct rules_reader *r, const json_t *o, const struct rules_at *at,
		       const struct rules_layout *l, struct rules_row *row)
{
	static const char *const keys[] = { "!field", "at", "width", "order", "mask", "add", "multiply", "divide", NULL };
	static const char *const orders[] = { "big", "little", NULL };
	const json_t *count = json_object_get(o, "count");
	struct rules_at here = { at, "count", 0 };
	struct rules_number mask = { UINT64_MAX, false };
	size_t order = 0;
	int rc;

	row->count = (struct rules_count){ .multiply = 1, .divide = 1 };
	row->array = count;
	if (!json_is_object(count))
		return rules_get_u32(r, o, at, "count", 1, COUNT_MAX, &row->count.fixed);
	rc = rules_keys(r, count, &here, keys);
	if (rc || (rc = rules_get_name(r, count, &here, "field", &row->count.field)) ||
	    (rc = rules_get_u32(r, count, &here, "at", 0, COUNT_MAX, &row->count.at)) ||
	    (rc = rules_get_u32(r, count, &here, "width", 1, 8, &row->count.width)) ||
	    (rc = rules_get_choice(r, count, &here, "order", orders, &order)) ||
	    (rc = rules_get_number(r, count, &here, "mask", &mask)) ||
	    (rc = rules_get_u32(r, count, &here, "add", 0, COUNT_MAX, &row->count.add)) ||
	    (rc = rules_get_u32(r, count, &here, "multiply", 1, COUNT_MAX, &row->count.multiply)) ||
	    (rc = rules_get_u32(r, count, &here, "divide", 1, COUNT_MAX, &row->count.divide)))
		return rc;
	row->count.little_endian = order;
	row->count.mask = mask.bits;
	return check_source(r, &here, l, &row->count);
}

static int nest(struct rules_reader *r, const struct rules_at *at, struct rules_layout *l,
		const struct rules_layout *inner)
{
	if (l->depth <= inner->depth)
		l->depth = inner->depth + 1;
	if (l->depth < RULES_DEPTH_MAX)
		return 0;
	return rules_mistake(r, at, false, "layouts nest deeper than %u", RULES_DEPTH_MAX);
}

static int parse_struct(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_layout *l,
			struct rules_row *row)
{
	struct rules_at here = { at, "layout", 0 };
	const char *name = NULL;
	int rc = rules_get_name(r, o, at, "layout", &name);

	if (rc)
		return rc;
	if (!name)
		return rules_mistake(r, at, false, "\"layout\" is missing: the field is a struct");
	row->layout = rules_find_layout(r->rules, name);
	return row->layout ? nest(r, &here, l, row->layout)
			   : rules_mistake(r, &here, false, "no such layout above this one");
}

static int parse_type(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_layout *l,
		      struct rules_row *row)
{
	struct rules_at size = { at, "size", 0 }, layout = { at, "layout", 0 }, must = { at, "must", 0 };
	bool is_struct = !strcmp(row->type, "struct"), has_size = json_object_get(o, "size");

	row->is_int = vms_int_type(row->type, &row->width, &row->is_signed);
	if (has_size && (row->is_int || is_struct))
		return rules_mistake(r, &size, true, "only a buffer has a size of its own");
	if (json_object_get(o, "layout") && !is_struct)
		return rules_mistake(r, &layout, true, "only a struct has a layout");
	if (json_object_get(o, "must") && (!row->is_int || row->array))
		return rules_mistake(r, &must, true, "only a single integer has a value that it must have");
	if (is_struct)
		return parse_struct(r, o, at, l, row);
	if (!row->is_int && has_size == row->array)
		return rules_mistake(r, at, false, "a buffer has a \"size\", or a \"count\" when it varies");
	return 0;
}

static int parse_row(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_layout *l)
{
	static const char *const keys[] = { "!name", "!type", "size", "count", "must", "layout", NULL };
	struct rules_at name = { at, "name", 0 };
	struct rules_row *row = &l->rows[l->nrows];
	int rc = rules_keys(r, o, at, keys);

	if (rc || (rc = rules_get_name(r, o, at, "name", &row->name)) ||
	    (rc = rules_get_name(r, o, at, "type", &row->type)) || (rc = parse_count(r, o, at, l, row)) ||
	    (rc = parse_type(r, o, at, l, row)) || (rc = rules_get_u32(r, o, at, "size", 1, COUNT_MAX, &row->width)) ||
	    (rc = rules_get_number(r, o, at, "must", &row->must)))
		return rc;
	if (find_row(l, row->name))
		return rules_mistake(r, &name, false, "a second field of that name");
	row->has_must = json_object_get(o, "must");
	l->nrows++;
	return 0;
}

static int parse_subsections(struct rules_reader *r, const json_t *o, const struct rules_at *at,
			     struct rules_layout *l)
{
	struct rules_at here = { at, "subsections", 0 };
	struct rules_strings names = { 0 };
	int rc = rules_get_strings(r, o, at, "subsections", &names);

	if (rc)
		return rc;
	l->subsections = rules_array(r, names.count, sizeof(*l->subsections));
	if (!l->subsections)
		return irqs_fail_nomem(r->reterr);
	for (size_t i = 0; i < names.count; i++) {
		struct rules_at there = { &here, NULL, i };
		const struct rules_layout *sub = rules_find_layout(r->rules, names.items[i]);

		if (!sub)
			return rules_mistake(r, &there, false, "no such layout above this one");
		/* As QEMU knows a subsection: by a name that goes on where that of its parent ends. */
		if (strlen(sub->vmsd) <= strlen(l->vmsd) || strncmp(sub->vmsd, l->vmsd, strlen(l->vmsd)))
			return rules_mistake(r, &there, false, "the name of a subsection goes on from \"%s\"",
					     l->vmsd);
		rc = nest(r, &there, l, sub);
		if (rc)
			return rc;
		l->subsections[l->nsubsections++] = sub;
	}
	return 0;
}

static int parse_layout(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_layout *l)
{
	static const char *const keys[] = { "vmsd", "version", "!fields", "subsections", NULL };
	const json_t *fields = json_object_get(o, "fields"), *field;
	struct rules_at here = { at, "fields", 0 };
	int rc = rules_keys(r, o, at, keys);
	size_t i;

	l->vmsd = l->name;
	if (rc || (rc = rules_get_name(r, o, at, "vmsd", &l->vmsd)) ||
	    (rc = rules_get_u32(r, o, at, "version", 0, INT32_MAX, &l->version)))
		return rc;
	if (!json_is_array(fields))
		return rules_mistake(r, &here, false, "a list of fields is needed here");
	l->rows = rules_array(r, json_array_size(fields), sizeof(*l->rows));
	if (!l->rows)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(fields, i, field) {
		struct rules_at there = { &here, NULL, i };

		rc = parse_row(r, field, &there, l);
		if (rc)
			return rc;
	}
	return parse_subsections(r, o, at, l);
}

int rules_parse_layouts(struct rules_reader *r, const json_t *root)
{
	json_t *layouts = json_object_get(root, "layouts"), *layout;
	struct rules_at here = { NULL, "layouts", 0 };
	const char *name;

	if (!layouts)
		return 0;
	if (!json_is_object(layouts))
		return rules_mistake(r, &here, false, "an object of layouts by name is needed here");
	r->rules->layouts = rules_array(r, json_object_size(layouts), sizeof(struct rules_layout));
	if (!r->rules->layouts)
		return irqs_fail_nomem(r->reterr);
	json_object_foreach(layouts, name, layout) {
		struct rules_layout *l = &r->rules->layouts[r->rules->nlayouts];
		struct rules_at there = { &here, name, 0 };
		int rc;

		if (!*name || strlen(name) > RULES_NAME_MAX)
			return rules_mistake(r, &there, true, "a name of 1 to %u bytes is needed here", RULES_NAME_MAX);
		l->name = arena_strndup(&r->rules->arena, name, strlen(name));
		if (!l->name)
			return irqs_fail_nomem(r->reterr);
		rc = parse_layout(r, layout, &there, l);
		if (rc)
			return rc;
		r->rules->nlayouts++;
	}
	return 0;
}

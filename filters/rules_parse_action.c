/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One action of a rule: {"rename": {...}} and its like. */
#include <stdio.h>
#include <string.h>

#include "filters/rules_priv.h"

#define COUNT_MAX 65536u

typedef int (*parse_fn)(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);

static int parse_rename(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_drop(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_set(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_move(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_map(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_require(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_parts(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);
static int parse_layout(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a);

static const char *const rename_keys[] = { "field", "to", "was", "type", "was_type", "multiply", "divide", "round",
					   "section", "name", "vmsd", NULL };
static const char *const drop_keys[] = { "field", "was", "type", "count", "after", NULL };
static const char *const set_keys[] = { "field", "version", "value", "was", "mask", "type", "count", "after", NULL };
static const char *const copy_keys[] = { "!field", "!to", "in", "after", "type", "multiply", "divide", "round", NULL };
static const char *const move_keys[] = { "!field", "!to", "in", "after", "was_after", "type", "was_type", "multiply",
					 "divide", "round", NULL };
static const char *const map_keys[] = { "field", "!values", "else", NULL };
static const char *const require_keys[] = { "field", "in", "op", "value", "all", NULL };
static const char *const parts_keys[] = { "!parts", "order", NULL };
static const char *const layout_keys[] = { "!field", "!layout", "type", NULL };

static const struct verb {
	const char *name;
	parse_fn parse;
	const char *const *keys;
} verbs[] = {
	[RULES_RENAME] = { "rename", parse_rename, rename_keys },
	[RULES_DROP] = { "drop", parse_drop, drop_keys },
	[RULES_SET] = { "set", parse_set, set_keys },
	[RULES_COPY] = { "copy", parse_move, copy_keys },
	[RULES_MOVE] = { "move", parse_move, move_keys },
	[RULES_MAP] = { "map", parse_map, map_keys },
	[RULES_REQUIRE] = { "require", parse_require, require_keys },
	[RULES_SPLIT] = { "split", parse_parts, parts_keys },
	[RULES_MERGE] = { "merge", parse_parts, parts_keys },
	[RULES_UNPACK] = { "unpack", parse_layout, layout_keys },
	[RULES_PACK] = { "pack", parse_layout, layout_keys },
};

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

const char *rules_verb_name(enum rules_verb v)
{
	return verbs[v].name;
}

static int get_after(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		     struct rules_place *ret)
{
	const json_t *v = json_object_get(o, key);
	const char *one = NULL;
	int rc;

	if (!v)
		return 0;
	ret->after = rules_array(r, 1, sizeof(*ret->after));
	if (!ret->after)
		return irqs_fail_nomem(r->reterr);
	if (json_is_array(v))
		return rules_get_strings(r, o, at, key, ret->after);
	rc = rules_get_name(r, o, at, key, &one);
	if (rc)
		return rc;
	ret->after->items = rules_array(r, 1, sizeof(char *));
	if (!ret->after->items)
		return irqs_fail_nomem(r->reterr);
	ret->after->items[ret->after->count++] = one;
	return 0;
}

static int get_int_type(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
			const char **ret)
{
	struct rules_at here = { at, key, 0 };
	int rc = rules_get_name(r, o, at, key, ret);

	if (!rc && *ret && !vms_int_type(*ret, NULL, NULL))
		rc = rules_mistake(r, &here, false,
				   "a type of integers is needed here: bool, uint8 to uint64, int8 to int64 or timer");
	return rc;
}

static int get_change(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_change *ret)
{
	struct rules_at was = { at, "was_type", 0 };
	int rc = get_int_type(r, o, at, "type", &ret->type);

	*ret = (struct rules_change){ .type = ret->type, .multiply = 1, .divide = 1 };
	if (rc || (rc = get_int_type(r, o, at, "was_type", &ret->was_type)) ||
	    (rc = rules_get_positive(r, o, at, "multiply", &ret->multiply)) ||
	    (rc = rules_get_positive(r, o, at, "divide", &ret->divide)))
		return rc;
	if (ret->was_type && !ret->type)
		return rules_mistake(r, &was, true, "\"type\" is missing: the field keeps its type");
	return rules_get_bool(r, o, at, "round", &ret->round);
}

/* Either a field gets another name and type, or a section another type, name or vmsd_name. */
static int parse_rename(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	static const char *const of_field[] = { "field", "to", "was", "type", "was_type", "multiply", "divide", "round",
						NULL };
	int rc;

	if ((rc = rules_get_text(r, o, at, "field", &a->field)) || (rc = rules_get_name(r, o, at, "to", &a->to)) ||
	    (rc = rules_get_name(r, o, at, "was", &a->was_name)) || (rc = get_change(r, o, at, &a->change)) ||
	    (rc = rules_get_name(r, o, at, "section", &a->section)) ||
	    (rc = rules_get_name(r, o, at, "name", &a->name)) || (rc = rules_get_name(r, o, at, "vmsd", &a->vmsd)))
		return rc;
	if (!a->section && !a->name && !a->vmsd)
		return a->to ? 0
			     : rules_mistake(r, at, false, "\"to\" is missing, or for a section \"section\", \"name\" "
							   "or \"vmsd\"");
	for (const char *const *key = of_field; *key; key++) {
		struct rules_at here = { at, *key, 0 };

		if (json_object_get(o, *key))
			return rules_mistake(r, &here, true, "is for fields; \"section\", \"name\" and \"vmsd\" are for "
							     "sections");
	}
	return 0;
}

static int get_made_field(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	struct rules_at count = { at, "count", 0 };
	int rc = get_int_type(r, o, at, "type", &a->type);

	if (rc || (rc = rules_get_u32(r, o, at, "count", 1, COUNT_MAX, &a->count)) ||
	    (rc = get_after(r, o, at, "after", &a->place)))
		return rc;
	if (!a->type && (a->count || a->place.after))
		return rules_mistake(r, a->count ? &count : at, a->count,
				     "\"type\" is missing: there is a field to make");
	if (a->type && !a->field)
		return rules_mistake(r, at, false, "\"field\" is missing: there is a field to make");
	return 0;
}

static int parse_drop(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	int rc = rules_get_text(r, o, at, "field", &a->field);

	a->has_was = json_object_get(o, "was");
	if (rc || (rc = rules_get_number(r, o, at, "was", &a->was)))
		return rc;
	return get_made_field(r, o, at, a);
}

static int get_values(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	const json_t *v = json_object_get(o, "value"), *item;
	struct rules_at here = { at, "value", 0 };
	size_t i, n = json_is_array(v) ? json_array_size(v) : 1;

	if (!n)
		return rules_mistake(r, &here, false, "no value is in this list");
	a->values = rules_array(r, n, sizeof(*a->values));
	if (!a->values)
		return irqs_fail_nomem(r->reterr);
	a->nvalues = n;
	if (!json_is_array(v))
		return rules_number(r, v, &here, a->values);
	json_array_foreach(v, i, item) {
		struct rules_at there = { &here, NULL, i };
		int rc = rules_number(r, item, &there, &a->values[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static int parse_version(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	static const char *const keys[] = { "!version", "field", "was", NULL };
	uint32_t version = 0, was = 0;
	int rc = rules_keys(r, o, at, keys);

	if (rc || (rc = rules_get_u32(r, o, at, "version", 0, INT32_MAX, &version)) ||
	    (rc = rules_get_u32(r, o, at, "was", 0, INT32_MAX, &was)))
		return rc;
	a->values = rules_array(r, 1, sizeof(*a->values));
	if (!a->values)
		return irqs_fail_nomem(r->reterr);
	a->nvalues = 1;
	a->values[0].bits = version;
	a->was.bits = was;
	a->has_version = true;
	return 0;
}

static int parse_set(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	struct rules_at here = { at, "mask", 0 };
	struct rules_number mask = { UINT64_MAX, false };
	int rc = rules_get_text(r, o, at, "field", &a->field);

	a->has_was = json_object_get(o, "was");
	if (rc)
		return rc;
	if (json_object_get(o, "version"))
		return parse_version(r, o, at, a);
	if (!json_object_get(o, "value"))
		return rules_mistake(r, at, false, "\"value\" is missing, or \"version\"");
	if ((rc = get_values(r, o, at, a)) || (rc = rules_get_number(r, o, at, "was", &a->was)) ||
	    (rc = rules_get_number(r, o, at, "mask", &mask)) || (rc = get_made_field(r, o, at, a)))
		return rc;
	a->mask = mask.bits;
	if (!mask.bits)
		return rules_mistake(r, &here, false, "a mask has at least one bit");
	if (json_object_get(o, "mask") && a->type)
		return rules_mistake(r, &here, true, "a field that is made has no bits to keep");
	if (a->nvalues > 1 && a->type && a->nvalues != a->count)
		return rules_mistake(r, at, false, "%zu values for %u elements", a->nvalues, a->count);
	return 0;
}

/* An array of structs on one side, on the other an array of integers: "queues[*].vector" and "vectors[*]". */
static bool stars_pair(const char *field, const char *to)
{
	const char *f = strstr(field, "[*]"), *t = strstr(to, "[*]");

	if (!f && !t)
		return true;
	if (!f || !t || strstr(f + 3, "[*]") || strstr(t + 3, "[*]") || !f[3] == !t[3])
		return false;
	return f[3] ? f[3] == '.' && f[4] : t[3] == '.' && t[4];
}

static int parse_move(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	struct rules_at to = { at, "to", 0 };
	int rc;

	if ((rc = rules_get_text(r, o, at, "field", &a->field)) || (rc = rules_get_text(r, o, at, "to", &a->to)) ||
	    (rc = rules_get_name(r, o, at, "in", &a->in)) || (rc = get_after(r, o, at, "after", &a->place)) ||
	    (rc = get_after(r, o, at, "was_after", &a->was_place)) || (rc = get_change(r, o, at, &a->change)))
		return rc;
	if (!stars_pair(a->field, a->to))
		return rules_mistake(r, &to, false, "\"[*]\" is in both paths or in none: at the end of one, and in the "
						    "other followed by the name of a member");
	return 0;
}

static int parse_map(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	json_t *values = json_object_get(o, "values"), *otherwise = json_object_get(o, "else"), *v;
	struct rules_at here = { at, "values", 0 }, other = { at, "else", 0 };
	const char *key;
	int rc = rules_get_text(r, o, at, "field", &a->field);

	if (rc)
		return rc;
	if (!json_is_object(values) || !json_object_size(values))
		return rules_mistake(r, &here, false, "an object of old and new values is needed here");
	a->pairs = rules_array(r, json_object_size(values), sizeof(*a->pairs));
	if (!a->pairs)
		return irqs_fail_nomem(r->reterr);
	json_object_foreach(values, key, v) {
		struct rules_at there = { &here, key, 0 };
		struct rules_pair *p = &a->pairs[a->npairs];

		if (!rules_parse_number(key, &p->from))
			return rules_mistake(r, &there, true, "a text with a number is needed here");
		for (size_t i = 0; i < a->npairs; i++)
			if (a->pairs[i].from.bits == p->from.bits && a->pairs[i].from.negative == p->from.negative)
				return rules_mistake(r, &there, true, "a second new value for the same old one");
		rc = rules_number(r, v, &there, &p->to);
		if (rc)
			return rc;
		a->npairs++;
	}
	if (!otherwise || (json_is_string(otherwise) && !strcmp(json_string_value(otherwise), "refuse")))
		return 0;
	if (json_is_string(otherwise) && !strcmp(json_string_value(otherwise), "keep")) {
		a->otherwise = RULES_ELSE_KEEP;
		return 0;
	}
	a->otherwise = RULES_ELSE_VALUE;
	if (rules_number(r, otherwise, &other, &a->otherwise_value))
		return rules_mistake(r, &other, false, "\"keep\", \"refuse\" or a number is needed here");
	return 0;
}

static int parse_require(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	static const char *const keys[] = { "!all", NULL };
	int rc;

	if (a->cost < COST_LOSSY)
		return rules_mistake(r, at, true, "its cost is lossy or fatal, or nothing would ever be refused");
	if (json_object_get(o, "all")) {
		rc = rules_keys(r, o, at, keys);
		return rc ? rc : rules_parse_conditions(r, o, at, "all", &a->conditions);
	}
	a->conditions.items = rules_array(r, 1, sizeof(*a->conditions.items));
	if (!a->conditions.items)
		return irqs_fail_nomem(r->reterr);
	a->conditions.count = 1;
	return rules_parse_condition(r, o, at, a->conditions.items);
}

static int parse_part(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_part *ret)
{
	static const char *const keys[] = { "!name", "section", "vmsd", "!version", "before", "!fields", NULL };
	int rc = rules_keys(r, o, at, keys);
	const char *slash;

	if (rc || (rc = rules_get_name(r, o, at, "name", &ret->name)) ||
	    (rc = rules_get_name(r, o, at, "section", &ret->section)) ||
	    (rc = rules_get_name(r, o, at, "vmsd", &ret->vmsd)) ||
	    (rc = rules_get_u32(r, o, at, "version", 0, INT32_MAX, &ret->version)) ||
	    (rc = rules_get_bool(r, o, at, "before", &ret->before)) ||
	    (rc = rules_get_strings(r, o, at, "fields", &ret->fields)))
		return rc;
	if (!ret->section)
		ret->section = ret->name;
	slash = strrchr(ret->name, '/');
	if (!ret->vmsd)
		ret->vmsd = slash && slash[1] ? slash + 1 : ret->name;
	return 0;
}

static int parse_parts(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	const json_t *list = json_object_get(o, "parts"), *item;
	struct rules_at here = { at, "parts", 0 };
	size_t i;

	if (!json_is_array(list) || !json_array_size(list))
		return rules_mistake(r, &here, false, "a list of sections is needed here");
	a->parts = rules_array(r, json_array_size(list), sizeof(*a->parts));
	if (!a->parts)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(list, i, item) {
		struct rules_at there = { &here, NULL, i };
		int rc = parse_part(r, item, &there, &a->parts[i]);

		if (rc)
			return rc;
		a->nparts++;
	}
	return rules_get_strings(r, o, at, "order", &a->order);
}

static int parse_layout(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *a)
{
	struct rules_at here = { at, "layout", 0 }, type = { at, "type", 0 };
	const char *name = NULL;
	int rc = rules_get_text(r, o, at, "field", &a->field);

	if (rc || (rc = rules_get_name(r, o, at, "layout", &name)) || (rc = rules_get_name(r, o, at, "type", &a->type)))
		return rc;
	a->layout = name ? rules_find_layout(r->rules, name) : NULL;
	if (!a->layout)
		return rules_mistake(r, &here, false, "no such layout");
	if (!a->type)
		a->type = "buffer";
	if (!strcmp(a->type, "struct") || vms_int_type(a->type, NULL, NULL))
		return rules_mistake(r, &type, false, "raw bytes have another type");
	return 0;
}

int rules_parse_action(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *ret)
{
	const char *keys[NVERBS + 5] = { "cost", "why", "why_back", "optional" };
	struct rules_at here = { at, NULL, 0 };
	const json_t *body = NULL;
	int rc;

	for (size_t i = 0; i < NVERBS; i++)
		keys[4 + i] = verbs[i].name;
	rc = rules_keys(r, o, at, keys);
	if (rc)
		return rc;
	for (size_t i = 0; i < NVERBS; i++) {
		const json_t *v = json_object_get(o, verbs[i].name);

		if (!v)
			continue;
		here.key = verbs[i].name;
		if (body)
			return rules_mistake(r, &here, true, "a second action in one object");
		body = v;
		ret->verb = (enum rules_verb)i;
	}
	if (!body)
		return rules_mistake(r, at, false, "no action is in this object, such as \"rename\" or \"drop\"");
	here.key = verbs[ret->verb].name;
	if ((rc = rules_parse_cost(r, o, at, ret)) ||
	    (rc = rules_get_bool(r, o, at, "optional", &ret->optional)) ||
	    (rc = rules_keys(r, body, &here, verbs[ret->verb].keys)))
		return rc;
	return verbs[ret->verb].parse(r, body, &here, ret);
}

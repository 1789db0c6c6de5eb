/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json_schema.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker {
	const json_t *root;
	char *why;
	size_t size;
};

static bool valid(struct checker *c, const json_t *schema, const json_t *v, const char *path);

static bool fail(struct checker *c, const char *path, const char *what)
{
	if (c->why)
		snprintf(c->why, c->size, "%s: %s", path, what);
	return false;
}

static bool is_type(const json_t *v, const char *type)
{
	static const struct {
		const char *name;
		json_type type;
	} types[] = {
		{ "object", JSON_OBJECT },
		{ "array", JSON_ARRAY },
		{ "string", JSON_STRING },
		{ "integer", JSON_INTEGER },
	};

	if (!strcmp(type, "boolean"))
		return json_is_boolean(v);
	if (!strcmp(type, "number"))
		return json_is_number(v);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, type))
			return json_typeof(v) == types[i].type;
	return false;
}

static bool matches(const char *pattern, const char *s)
{
	regex_t re;
	bool found;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		abort();
	found = !regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	return found;
}

static const json_t *resolve(struct checker *c, const char *ref)
{
	static const char prefix[] = "#/$defs/";

	if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
		abort();
	return json_object_get(json_object_get(c->root, "$defs"), ref + sizeof(prefix) - 1);
}

static bool one_of(struct checker *c, const json_t *list, const json_t *v, const char *path)
{
	struct checker quiet = { .root = c->root };
	const json_t *s;
	size_t i, n = 0;

	json_array_foreach(list, i, s)
		n += valid(&quiet, s, v, path);
	return n == 1 || fail(c, path, n ? "oneOf: several" : "oneOf: none");
}

static bool in_enum(const json_t *list, const json_t *v)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
		if (json_equal((json_t *)s, (json_t *)v))
			return true;
	return false;
}

static bool has_all(const json_t *names, const json_t *o)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		if (!json_object_get(o, json_string_value(name)))
			return false;
	return true;
}

static bool members(struct checker *c, const json_t *schema, const json_t *v, const char *path)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *others = json_object_get(schema, "additionalProperties");
	const json_t *names = json_object_get(schema, "propertyNames"), *m;
	const char *key;
	char below[512];

	json_object_foreach((json_t *)v, key, m) {
		const json_t *s = json_object_get(properties, key);
		json_t *name = json_string(key);
		bool good;

		snprintf(below, sizeof(below), "%s.%s", path, key);
		good = !names || valid(c, names, name, below);
		json_decref(name);
		if (!good || (s ? !valid(c, s, m, below) : others && !valid(c, others, m, below)))
			return false;
	}
	return true;
}

static bool dependent(const json_t *rules, const json_t *v)
{
	const json_t *needs;
	const char *key;

	json_object_foreach((json_t *)rules, key, needs)
		if (json_object_get(v, key) && !has_all(needs, v))
			return false;
	return true;
}

static bool elements(struct checker *c, const json_t *schema, const json_t *v, const char *path)
{
	char below[512];
	const json_t *m;
	size_t i;

	json_array_foreach(v, i, m) {
		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		if (!valid(c, schema, m, below))
			return false;
	}
	return true;
}

/* One keyword. Keywords hold for values of their own type and say nothing of others. */
static bool keyword(struct checker *c, const json_t *schema, const char *key, const json_t *k, const json_t *v,
		    const char *path)
{
	static const char *const ignored[] = { "$schema", "$id", "title", "description", "$defs", "properties",
					       "additionalProperties", "propertyNames" };
	json_int_t n = json_integer_value(k);

	(void)schema;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (!strcmp(key, ignored[i]))
			return true;
	if (!strcmp(key, "$ref"))
		return valid(c, resolve(c, json_string_value(k)), v, path);
	if (!strcmp(key, "oneOf"))
		return one_of(c, k, v, path);
	if (!strcmp(key, "type"))
		return is_type(v, json_string_value(k));
	if (!strcmp(key, "const"))
		return json_equal((json_t *)k, (json_t *)v);
	if (!strcmp(key, "enum"))
		return in_enum(k, v);
	if (!strcmp(key, "required"))
		return !json_is_object(v) || has_all(k, v);
	if (!strcmp(key, "dependentRequired"))
		return !json_is_object(v) || dependent(k, v);
	if (!strcmp(key, "minProperties"))
		return !json_is_object(v) || (json_int_t)json_object_size(v) >= n;
	if (!strcmp(key, "minItems"))
		return !json_is_array(v) || (json_int_t)json_array_size(v) >= n;
	if (!strcmp(key, "items"))
		return !json_is_array(v) || elements(c, k, v, path);
	if (!strcmp(key, "minimum"))
		return !json_is_integer(v) || json_integer_value(v) >= n;
	if (!strcmp(key, "maximum"))
		return !json_is_integer(v) || json_integer_value(v) <= n;
	if (!strcmp(key, "minLength"))
		return !json_is_string(v) || (json_int_t)json_string_length(v) >= n;
	if (!strcmp(key, "maxLength"))
		return !json_is_string(v) || (json_int_t)json_string_length(v) <= n;
	if (!strcmp(key, "pattern"))
		return !json_is_string(v) || matches(json_string_value(k), json_string_value(v));
	return false;
}

static bool valid(struct checker *c, const json_t *schema, const json_t *v, const char *path)
{
	const json_t *k;
	const char *key;

	if (json_is_boolean(schema))
		return json_is_true(schema) || fail(c, path, "it must not be there");
	json_object_foreach((json_t *)schema, key, k) {
		if (c->why)
			c->why[0] = '\0';
		if (keyword(c, schema, key, k, v, path))
			continue;
		return c->why && c->why[0] ? false : fail(c, path, key);
	}
	return !json_is_object(v) || members(c, schema, v, path);
}

bool json_schema_valid(const json_t *schema, const json_t *value, char *why, size_t size)
{
	struct checker c = { schema, why, size };

	return valid(&c, schema, value, "");
}

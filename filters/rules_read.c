/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values out of JSON objects; what is wrong is named with its line and column. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filters/rules_priv.h"

/* A message is one line, whatever the names in it hold. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

int rules_mistake(struct rules_reader *r, const struct rules_at *at, bool key, const char *fmt, ...)
{
	struct rules_position pos;
	char path[128], what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	rules_text_find(r->text, r->size, at, key, &pos);
	rules_text_path(at, path, sizeof(path));
	one_line(path);
	one_line(what);
	irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)pos.offset, NULL, "line %u, column %u: %s%s%s", pos.line,
		  pos.column, path, path[0] ? ": " : "", what);
	return -EBADMSG;
}

void *rules_array(struct rules_reader *r, size_t count, size_t size)
{
	return arena_alloc(&r->rules->arena, (count ? count : 1) * size);
}

static bool known(const char *const *keys, const char *key)
{
	for (; *keys; keys++)
		if (!strcmp(*keys + (**keys == '!'), key))
			return true;
	return false;
}

int rules_keys(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *const *keys)
{
	const json_t *value;
	const char *key;

	if (!json_is_object(o))
		return rules_mistake(r, at, false, "an object is needed here");
	json_object_foreach((json_t *)o, key, value) {
		struct rules_at here = { at, key, 0 };

		if (!known(keys, key))
			return rules_mistake(r, &here, true, "no such key");
	}
	for (; *keys; keys++)
		if (**keys == '!' && !json_object_get(o, *keys + 1))
			return rules_mistake(r, at, false, "\"%s\" is missing", *keys + 1);
	return 0;
}

int rules_get_text(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		   const char **ret)
{
	const json_t *v = json_object_get(o, key);
	struct rules_at here = { at, key, 0 };
	const char *s = json_string_value(v);

	if (!v)
		return 0;
	if (!s || !*s)
		return rules_mistake(r, &here, false, "a text is needed here");
	s = arena_strndup(&r->rules->arena, s, strlen(s));
	if (!s)
		return irqs_fail_nomem(r->reterr);
	*ret = s;
	return 0;
}

int rules_get_name(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		   const char **ret)
{
	struct rules_at here = { at, key, 0 };
	const char *name = NULL;
	int rc = rules_get_text(r, o, at, key, &name);

	if (rc || !name)
		return rc;
	if (strlen(name) > RULES_NAME_MAX)
		return rules_mistake(r, &here, false, "a name of more than %u bytes", RULES_NAME_MAX);
	*ret = name;
	return 0;
}

int rules_get_bool(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key, bool *ret)
{
	const json_t *v = json_object_get(o, key);
	struct rules_at here = { at, key, 0 };

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return rules_mistake(r, &here, false, "true or false is needed here");
	*ret = json_is_true(v);
	return 0;
}

int rules_get_u32(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key, uint32_t min,
		  uint32_t max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);
	struct rules_at here = { at, key, 0 };

	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return rules_mistake(r, &here, false, "a whole number from %" PRIu32 " to %" PRIu32 " is needed here",
				     min, max);
	*ret = (uint32_t)json_integer_value(v);
	return 0;
}

bool rules_parse_number(const char *s, struct rules_number *ret)
{
	bool negative = *s == '-';
	int base = 10;
	char *end;

	s += negative;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!isxdigit((unsigned char)*s))
		return false;
	errno = 0;
	ret->bits = strtoull(s, &end, base);
	if (errno || *end || end == s || (negative && ret->bits > (uint64_t)INT64_MAX + 1))
		return false;
	ret->negative = negative && ret->bits;
	if (negative)
		ret->bits = 0 - ret->bits;
	return true;
}

int rules_number(struct rules_reader *r, const json_t *v, const struct rules_at *at, struct rules_number *ret)
{
	if (json_is_integer(v)) {
		*ret = (struct rules_number){ (uint64_t)json_integer_value(v), json_integer_value(v) < 0 };
		return 0;
	}
	if (!json_is_string(v) || !rules_parse_number(json_string_value(v), ret))
		return rules_mistake(r, at, false,
				     "a whole number of 64 bits is needed here, or a text with one (\"0x80\")");
	return 0;
}

int rules_get_number(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		     struct rules_number *ret)
{
	const json_t *v = json_object_get(o, key);
	struct rules_at here = { at, key, 0 };

	return v ? rules_number(r, v, &here, ret) : 0;
}

int rules_get_positive(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		       uint64_t *ret)
{
	struct rules_at here = { at, key, 0 };
	struct rules_number n = { 1, false };
	int rc = rules_get_number(r, o, at, key, &n);

	if (rc || !json_object_get(o, key))
		return rc;
	if (n.negative || !n.bits || n.bits > INT64_MAX)
		return rules_mistake(r, &here, false, "a number from 1 to 2^63 - 1 is needed here");
	*ret = n.bits;
	return 0;
}

int rules_get_strings(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		      struct rules_strings *ret)
{
	const json_t *list = json_object_get(o, key), *item;
	struct rules_at here = { at, key, 0 };
	struct rules_strings made = { 0 };
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return rules_mistake(r, &here, false, "a list of texts is needed here");
	made.items = rules_array(r, json_array_size(list) + 1, sizeof(char *));
	if (!made.items)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(list, i, item) {
		struct rules_at there = { &here, NULL, i };
		const char *s = json_string_value(item);

		if (!s || !*s || strlen(s) > RULES_NAME_MAX)
			return rules_mistake(r, &there, false, "a text of 1 to %u bytes is needed here", RULES_NAME_MAX);
		s = arena_strndup(&r->rules->arena, s, strlen(s));
		if (!s)
			return irqs_fail_nomem(r->reterr);
		made.items[made.count++] = s;
	}
	*ret = made;
	return 0;
}

/* "a, b or c" */
static void list_names(const char *const *names, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; names[i] && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", !i ? "" : names[i + 1] ? ", "
												 : " or ",
					 names[i]);
}

int rules_get_choice(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		     const char *const *names, size_t *ret)
{
	const json_t *v = json_object_get(o, key);
	struct rules_at here = { at, key, 0 };
	char all[160];

	if (!v)
		return 0;
	for (size_t i = 0; names[i] && json_is_string(v); i++) {
		if (strcmp(json_string_value(v), names[i]))
			continue;
		*ret = i;
		return 0;
	}
	list_names(names, all, sizeof(all));
	return rules_mistake(r, &here, false, "%s is needed here", all);
}

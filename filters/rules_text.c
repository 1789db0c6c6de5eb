/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a path of keys and indices to the line and column in a JSON text. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "filters/rules_priv.h"

static size_t skip_space(const char *s, size_t i, size_t size)
{
	while (i < size && strchr(" \t\r\n", s[i]) && s[i])
		i++;
	return i;
}

/* Behind the string that starts at @i. */
static size_t skip_string(const char *s, size_t i, size_t size)
{
	for (i++; i < size && s[i] != '"'; i++)
		if (s[i] == '\\')
			i++;
	return i < size ? i + 1 : size;
}

/* Behind the value that starts at @i. */
static size_t skip_value(const char *s, size_t i, size_t size)
{
	size_t depth = 0;

	while (i < size) {
		if (s[i] == '"') {
			i = skip_string(s, i, size);
		} else if (s[i] == '{' || s[i] == '[') {
			depth++;
			i++;
		} else if (s[i] == '}' || s[i] == ']') {
			if (!depth)
				return i;
			depth--;
			i++;
		} else if (!depth && strchr(", \t\r\n", s[i])) {
			return i;
		} else {
			i++;
			if (depth || (i < size && !strchr(",]} \t\r\n", s[i])))
				continue;
		}
		if (!depth)
			return i;
	}
	return size;
}

static bool is_key(const char *s, size_t start, size_t end, const char *key)
{
	json_t *v = json_loadb(s + start, end - start, JSON_DECODE_ANY, NULL);
	bool same = json_is_string(v) && !strcmp(json_string_value(v), key);

	json_decref(v);
	return same;
}

/* One step into the container at @i. Return: whether there is such a member; where it and its key start. */
static bool step(const char *s, size_t size, size_t i, const struct rules_at *at, size_t *ret, size_t *ret_key)
{
	bool object = i < size && s[i] == '{';
	size_t n = 0;

	if (i >= size || (s[i] != '{' && s[i] != '[') || object != !!at->key)
		return false;
	for (i = skip_space(s, i + 1, size); i < size && s[i] != '}' && s[i] != ']'; n++) {
		size_t key = i, end = i;

		if (object) {
			end = skip_string(s, i, size);
			i = skip_space(s, end, size);
			i = skip_space(s, i + 1, size);
		}
		if (object ? is_key(s, key, end, at->key) : n == at->index) {
			*ret = i;
			*ret_key = key;
			return i < size;
		}
		i = skip_space(s, skip_value(s, i, size), size);
		if (i < size && s[i] == ',')
			i = skip_space(s, i + 1, size);
	}
	return false;
}

static bool find(const char *s, size_t size, const struct rules_at *at, size_t *offset, size_t *key)
{
	if (!at) {
		*offset = *key = skip_space(s, 0, size);
		return *offset < size;
	}
	return find(s, size, at->up, offset, key) && step(s, size, *offset, at, offset, key);
}

void rules_text_find(const char *text, size_t size, const struct rules_at *at, bool key, struct rules_position *ret)
{
	size_t offset = 0, key_offset = 0;
	bool found = find(text, size, at, &offset, &key_offset);

	*ret = (struct rules_position){ .offset = found && key ? key_offset : offset, .line = 1, .column = 1 };
	for (size_t i = 0; i < ret->offset && i < size; i++) {
		if (text[i] == '\n') {
			ret->line++;
			ret->column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			ret->column++;
		}
	}
}

char *rules_text_path(const struct rules_at *at, char *buf, size_t size)
{
	size_t used;

	buf[0] = '\0';
	if (!at)
		return buf;
	rules_text_path(at->up, buf, size);
	used = strlen(buf);
	if (at->key)
		snprintf(buf + used, size - used, "%s%s", used ? "." : "", at->key);
	else
		snprintf(buf + used, size - used, "[%zu]", at->index);
	return buf;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which form a file has, and the list of known exceptions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/json_file.h"
#include "stream/schema_forms.h"
#include "stream/schema_json.h"
#include "stream/vmdesc.h"

int schema_broken(struct irqs_error *reterr, const char *path, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, path, "%s", what);
}

static int load_json(struct schema *ret, const char *text, size_t size, struct irqs_error *reterr)
{
	json_t *root = NULL;
	int rc = json_file_parse(text, size, &root, reterr);

	if (rc)
		return rc;
	if (json_object_get(root, "irqshift-schema"))
		rc = schema_from_normal(ret, root, reterr);
	else if (json_object_get(root, "vmschkmachine"))
		rc = schema_from_dump(ret, root, reterr);
	else if (json_object_get(root, "devices"))
		rc = schema_from_vmdesc(ret, text, size, IRQS_NO_OFFSET, reterr);
	else
		rc = schema_broken(
			reterr, NULL,
			"no schema: neither \"irqshift-schema\", \"vmschkmachine\" nor \"devices\" is in it");
	json_decref(root);
	return rc;
}

static int load_stream(struct schema *ret, struct source *src, struct irqs_error *reterr)
{
	uint64_t offset;
	size_t size;
	char *text;
	int rc = vmdesc_find(src, &offset, &size, reterr);

	if (rc == -ENOENT)
		return schema_broken(reterr, NULL, "neither JSON nor a stream with a vmdescription");
	if (rc)
		return rc;
	offset += VMDESC_HEADER;
	text = malloc(size);
	if (!text)
		return irqs_fail_nomem(reterr);
	rc = source_read(src, offset, text, size, reterr);
	if (!rc)
		rc = schema_from_vmdesc(ret, text, size, (int64_t)offset, reterr);
	free(text);
	return rc;
}

static int starts_like_json(struct source *src, bool *ret, struct irqs_error *reterr)
{
	size_t len = src->size < 64 ? (size_t)src->size : 64, i = 0;
	const uint8_t *p;
	int rc = source_peek(src, 0, len, &p, reterr);

	if (rc)
		return rc;
	while (i < len && strchr(" \t\r\n", p[i]) && p[i])
		i++;
	*ret = i < len && (p[i] == '{' || p[i] == '[');
	return 0;
}

int schema_load(struct schema *ret, int fd, struct irqs_error *reterr)
{
	struct source src;
	char *text = NULL;
	bool is_json;
	size_t size;
	int rc = source_init(&src, fd, reterr);

	if (rc)
		return rc;
	schema_init(ret, SCHEMA_REGISTRY);
	rc = starts_like_json(&src, &is_json, reterr);
	if (!rc && is_json)
		rc = json_file_text(&src, &text, &size, reterr);
	if (!rc)
		rc = is_json ? load_json(ret, text, size, reterr) : load_stream(ret, &src, reterr);
	free(text);
	source_deinit(&src);
	if (rc)
		schema_deinit(ret);
	else
		schema_sort(ret);
	return rc;
}

static int read_known(struct schema_known_list *list, const json_t *o, size_t i, struct irqs_error *reterr)
{
	static const char *const keys[] = { "path", "what", "old", "new", "reason" };
	struct schema_known *k = &list->entries[i];
	const char **const members[] = { &k->path, &k->what, &k->old_text, &k->new_text, &k->reason };
	enum schema_what what;
	char path[32];
	int named = 0;

	snprintf(path, sizeof(path), "[%zu]", i);
	for (size_t m = 0; m < sizeof(keys) / sizeof(keys[0]); m++) {
		const char *text = json_string_value(json_object_get(o, keys[m]));

		if (!text)
			continue;
		*members[m] = arena_strndup(&list->arena, text, strlen(text));
		if (!*members[m])
			return irqs_fail_nomem(reterr);
		named += members[m] != &k->reason;
	}
	if (!k->reason || !k->reason[0])
		return schema_broken(reterr, path, "an exception needs a \"reason\"");
	if (!named)
		return schema_broken(reterr, path,
				     "it names nothing: \"path\", \"what\", \"old\" or \"new\"");
	if (k->what && schema_find_what(k->what, &what))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, path, "there is no finding \"%s\"",
				 k->what);
	return 0;
}

int schema_known_load(struct schema_known_list *ret, int fd, struct irqs_error *reterr)
{
	json_t *root = NULL;
	int rc = json_file_load(fd, &root, reterr);

	if (rc)
		return rc;
	*ret = (struct schema_known_list){ 0 };
	arena_init(&ret->arena);
	if (!json_is_array(root))
		rc = schema_broken(reterr, NULL, "known exceptions are an array");
	ret->count = json_array_size(root);
	ret->entries = calloc(ret->count + 1, sizeof(*ret->entries));
	if (!rc && !ret->entries)
		rc = irqs_fail_nomem(reterr);
	for (size_t i = 0; i < ret->count && !rc; i++)
		rc = read_known(ret, json_array_get(root, i), i, reterr);
	json_decref(root);
	if (rc)
		schema_known_deinit(ret);
	return rc;
}

void schema_known_deinit(struct schema_known_list *list)
{
	free(list->entries);
	arena_deinit(&list->arena);
	list->entries = NULL;
	list->count = 0;
}

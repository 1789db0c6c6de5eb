/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/json_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int json_file_text(struct source *src, char **ret_text, size_t *ret_size, struct irqs_error *reterr)
{
	char *text;
	int rc;

	if (src->size > JSON_FILE_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "a text of more than %zu MiB",
				 JSON_FILE_MAX >> 20);
	text = malloc((size_t)src->size + 1);
	if (!text)
		return irqs_fail_nomem(reterr);
	rc = source_read(src, 0, text, (size_t)src->size, reterr);
	if (rc) {
		free(text);
		return rc;
	}
	*ret_text = text;
	*ret_size = (size_t)src->size;
	return 0;
}

int json_file_parse(const char *text, size_t size, json_t **ret, struct irqs_error *reterr)
{
	json_error_t err;
	json_t *root = json_loadb(text, size, 0, &err);

	if (!root && json_error_code(&err) == json_error_out_of_memory)
		return irqs_fail_nomem(reterr);
	if (!root)
		return irqs_fail(reterr, IRQS_MALFORMED, err.position, NULL, "line %d, column %d: %s",
				 err.line, err.column, err.text);
	*ret = root;
	return 0;
}

int json_file_load(int fd, json_t **ret, struct irqs_error *reterr)
{
	struct source src;
	char *text = NULL;
	size_t size;
	int rc = source_init(&src, fd, reterr);

	if (rc)
		return rc;
	rc = json_file_text(&src, &text, &size, reterr);
	if (!rc)
		rc = json_file_parse(text, size, ret, reterr);
	free(text);
	source_deinit(&src);
	return rc;
}

int json_file_number(const json_t *o, const char *key, uint32_t otherwise, uint32_t *ret, const char *path,
		     struct irqs_error *reterr)
{
	const json_t *n = json_object_get(o, key);

	*ret = otherwise;
	if (!n)
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) >= UINT32_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, path,
				 "\"%s\" is no number from 0 to 2^32 - 2", key);
	*ret = (uint32_t)json_integer_value(n);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/caps_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/json_file.h"

static json_t *list_json(const struct caps_list *list)
{
	json_t *a = json_array();

	for (size_t i = 0; i < list->count; i++)
		if (json_array_append_new(a, json_string(list->names[i])))
			break;
	return a;
}

char *caps_json(const struct caps *c)
{
	json_t *root = json_object(), *names = json_array();
	char word[24], *text;
	int rc = json_object_set_new(root, "irqshift-caps", json_integer(CAPS_FORM_VERSION));

	snprintf(word, sizeof(word), "0x%016" PRIx64, c->word);
	rc |= json_object_set_new(root, "source", json_string(c->source));
	if (c->version[0])
		rc |= json_object_set_new(root, "version", json_string(c->version));
	rc |= json_object_set_new(root, "word", json_string(word));
	for (const struct caps_row *r = caps_rows; r->name; r++)
		if (caps_has(c, r->bit))
			rc |= json_array_append_new(names, json_string(r->name));
	rc |= json_object_set_new(root, "names", names);
	if (c->qemu_major)
		rc |= json_object_set_new(root, "qemu", json_pack("[i, i]", c->qemu_major, c->qemu_minor));
	if (c->tsc_khz)
		rc |= json_object_set_new(root, "tsc-khz", json_integer((json_int_t)c->tsc_khz));
	if (c->machines.count)
		rc |= json_object_set_new(root, "machines", list_json(&c->machines));
	if (c->migration.count)
		rc |= json_object_set_new(root, "migration", list_json(&c->migration));
	text = rc ? NULL : json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

static int broken(struct irqs_error *reterr, const char *path, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, path, "%s", what);
}

static int get_list(struct caps *c, const json_t *root, const char *key, struct caps_list *ret,
		    struct irqs_error *reterr)
{
	const json_t *list = json_object_get(root, key), *item;
	size_t i;

	if (list && !json_is_array(list))
		return broken(reterr, key, "is no array");
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return broken(reterr, key, "holds something else than text");
		if (caps_list_add(c, ret, json_string_value(item)))
			return irqs_fail_nomem(reterr);
	}
	return 0;
}

static int get_word(struct caps *c, const json_t *root, struct irqs_error *reterr)
{
	const char *text = json_string_value(json_object_get(root, "word"));
	const json_t *names = json_object_get(root, "names"), *item;
	uint64_t named = 0, known = 0;
	char *end = NULL;
	size_t i;

	if (!json_object_get(root, "word"))
		return 0;
	errno = 0;
	c->word = text && text[0] != '-' ? strtoull(text, &end, 16) : 0;
	if (errno || !end || end == text || *end)
		return broken(reterr, "word", "is no 64-bit number in hexadecimal text");
	if (!names)
		return 0;
	json_array_foreach(names, i, item) {
		const char *name = json_string_value(item);
		const struct caps_row *row = name ? caps_find_name(name) : NULL;

		if (row)
			named |= CAPS_MASK(row->bit);
	}
	for (const struct caps_row *r = caps_rows; r->name; r++)
		known |= CAPS_MASK(r->bit);
	if (named != (c->word & known))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "names",
				 "they say 0x%" PRIx64 ", the word says 0x%" PRIx64, named, c->word & known);
	return 0;
}

static int get_texts(struct caps *c, const json_t *root, struct irqs_error *reterr)
{
	const char *source = json_string_value(json_object_get(root, "source"));
	const char *version = json_string_value(json_object_get(root, "version"));
	const json_t *qemu = json_object_get(root, "qemu");
	json_int_t major, minor;

	c->source = caps_string(c, source ? source : "");
	c->version = caps_string(c, version ? version : "");
	if (!c->source || !c->version) {
		c->source = c->version = "";
		return irqs_fail_nomem(reterr);
	}
	if (!qemu)
		return 0;
	major = json_integer_value(json_array_get(qemu, 0));
	minor = json_integer_value(json_array_get(qemu, 1));
	if (json_array_size(qemu) != 2 || major < 1 || major > 1000 || minor < 0 || minor > 1000)
		return broken(reterr, "qemu", "is no version [MAJOR, MINOR]");
	c->qemu_major = (unsigned int)major;
	c->qemu_minor = (unsigned int)minor;
	return 0;
}

static int get_tsc(struct caps *c, const json_t *root, struct irqs_error *reterr)
{
	const json_t *khz = json_object_get(root, "tsc-khz");

	if (!khz)
		return 0;
	if (!json_is_integer(khz) || json_integer_value(khz) < 1 || json_integer_value(khz) > CAPS_TSC_KHZ_MAX)
		return broken(reterr, "tsc-khz", "is no rate in kHz");
	c->tsc_khz = (uint64_t)json_integer_value(khz);
	return 0;
}

static int from_json(struct caps *c, const json_t *root, struct irqs_error *reterr)
{
	uint32_t form;
	int rc;

	if (!json_is_object(root))
		return broken(reterr, NULL, "capabilities are an object");
	if (!json_object_get(root, "irqshift-caps"))
		return 0;
	rc = json_file_number(root, "irqshift-caps", 0, &form, NULL, reterr);
	if (!rc && form != CAPS_FORM_VERSION)
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
			       "version %" PRIu32 " of this form: only %d is known", form, CAPS_FORM_VERSION);
	if (!rc)
		rc = get_texts(c, root, reterr);
	if (!rc)
		rc = get_word(c, root, reterr);
	if (!rc)
		rc = get_tsc(c, root, reterr);
	if (!rc)
		rc = get_list(c, root, "machines", &c->machines, reterr);
	return rc ? rc : get_list(c, root, "migration", &c->migration, reterr);
}

int caps_load(struct caps *ret, int fd, struct irqs_error *reterr)
{
	struct source src;
	char *text = NULL;
	json_t *root = NULL;
	size_t size;
	int rc = source_init(&src, fd, reterr);

	if (rc)
		return rc;
	caps_init(ret);
	rc = json_file_text(&src, &text, &size, reterr);
	if (!rc && size)
		rc = json_file_parse(text, size, &root, reterr);
	if (!rc && root)
		rc = from_json(ret, root, reterr);
	json_decref(root);
	free(text);
	source_deinit(&src);
	if (rc)
		caps_deinit(ret);
	return rc;
}

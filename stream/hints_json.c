/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/hints_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/json_file.h"

/* The object of a device, made when it is not there. */
static json_t *device_object(json_t *devices, const char *name)
{
	json_t *o = json_object_get(devices, name);

	if (!o && !json_object_set_new(devices, name, json_object()))
		o = json_object_get(devices, name);
	return o;
}

char *hints_json(const struct hints *h)
{
	json_t *root = json_object(), *devices = json_object();
	char *text;
	int rc = json_object_set_new(root, "irqshift-hints", json_integer(HINTS_FORM_VERSION));

	for (size_t i = 0; i < h->count && !rc; i++) {
		const struct hint *e = &h->entries[i];
		json_t *o = device_object(devices, e->device);

		rc = !o;
		if (!rc && e->key && !json_object_get(o, e->key))
			rc = json_object_set_new(o, e->key, json_string(e->value));
	}
	rc |= json_object_set_new(root, "devices", devices);
	text = rc ? NULL : json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

static int add_value(struct hints *h, const char *device, const char *key, const json_t *v,
		     struct irqs_error *reterr)
{
	char text[40];

	if (json_is_string(v))
		return hints_add(h, device, key, json_string_value(v), reterr);
	if (json_is_boolean(v))
		return hints_add(h, device, key, json_is_true(v) ? "yes" : "no", reterr);
	if (!json_is_integer(v))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, device,
				 "\"%s\" is no text, integer, true or false", key);
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return hints_add(h, device, key, text, reterr);
}

static int add_devices(struct hints *h, json_t *root, struct irqs_error *reterr)
{
	json_t *devices = json_object_get(root, "devices"), *device, *value;
	const char *name, *key;
	int rc;

	if (!json_is_object(devices))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "\"devices\" is no object");
	json_object_foreach(devices, name, device) {
		if (!json_is_object(device))
			return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, name,
					 "a device is an object");
		rc = hints_add(h, name, NULL, NULL, reterr);
		if (rc)
			return rc;
		json_object_foreach(device, key, value) {
			rc = add_value(h, name, key, value, reterr);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int check_form(const json_t *root, struct irqs_error *reterr)
{
	uint32_t form;
	int rc = json_file_number(root, "irqshift-hints", 0, &form, NULL, reterr);

	if (rc)
		return rc;
	if (!form)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "no hints: \"irqshift-hints\" is not in it");
	if (form != HINTS_FORM_VERSION)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "version %" PRIu32 " of this form: only %d is known", form,
				 HINTS_FORM_VERSION);
	return 0;
}

static int load(struct hints *ret, int fd, bool hints, struct irqs_error *reterr)
{
	json_t *root = NULL;
	struct source src;
	char *text = NULL;
	size_t size;
	int rc = source_init(&src, fd, reterr);

	if (rc)
		return rc;
	hints_init(ret);
	rc = json_file_text(&src, &text, &size, reterr);
	if (!rc && size)
		rc = json_file_parse(text, size, &root, reterr);
	if (!rc && root && hints)
		rc = check_form(root, reterr);
	if (!rc && root)
		rc = add_devices(ret, root, reterr);
	json_decref(root);
	free(text);
	source_deinit(&src);
	if (rc)
		hints_deinit(ret);
	return rc;
}

int hints_load(struct hints *ret, int fd, struct irqs_error *reterr)
{
	return load(ret, fd, true, reterr);
}

int hints_load_config(struct hints *ret, int fd, struct irqs_error *reterr)
{
	return load(ret, fd, false, reterr);
}

int hints_from_stream(struct hints *h, const struct qemu_stream *s, struct irqs_error *reterr)
{
	char device[300], id[16];
	int rc = hints_add(h, HINTS_STREAM, "footers", s->has_footers ? "yes" : "no", reterr);

	if (!rc)
		rc = hints_add(h, HINTS_STREAM, "vmdescription", s->has_vmdesc ? "yes" : "no", reterr);
	if (!rc)
		rc = hints_from_machine(h, s->tree.machine, reterr);
	for (size_t i = 0; i < s->nitems && !rc; i++) {
		const struct qemu_item *item = &s->items[i];

		if (item->kind != QEMU_ITEM_DEVICE || !item->node)
			continue;
		snprintf(id, sizeof(id), "%" PRIu32, item->section_id);
		rc = hints_add(h, hints_device_name(item->node, device, sizeof(device)), "section-id", id,
			       reterr);
	}
	return rc;
}

static int collect(void *ctx, const struct hint *e, enum hint_origin origin)
{
	return json_array_append_new(ctx,
				     json_pack("{s:s, s:s, s:s, s:s}", "device", e->device, "key", e->key,
					       "value", e->value, "origin", hints_origin_name(origin)));
}

char *hints_applied_json(const struct hints *config, const struct hints *h)
{
	json_t *list = json_array();
	char *text = list && !hints_apply(config, h, collect, list) ? json_dumps(list, JSON_INDENT(1)) : NULL;

	json_decref(list);
	return text;
}

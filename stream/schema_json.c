/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The normal form, and findings for a program. */
#include "stream/schema_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/json_file.h"
#include "stream/schema_forms.h"

static const char *const answers[] = {
	[SCHEMA_NO] = "no",
	[SCHEMA_YES] = "yes",
	[SCHEMA_UNKNOWN] = NULL,
};

/* ---- writing ---- */

static void put_desc(FILE *out, const struct schema_desc *d, int indent);

static void put_text(FILE *out, const char *key, const char *text)
{
	json_t *s = text ? json_string(text) : NULL;

	if (!s)
		return;
	fprintf(out, ", \"%s\": ", key);
	json_dumpf(s, out, JSON_ENCODE_ANY);
	json_decref(s);
}

static void put_number(FILE *out, const char *key, uint32_t n)
{
	if (n)
		fprintf(out, ", \"%s\": %" PRIu32, key, n);
}

static void put_true(FILE *out, const char *key, bool b)
{
	if (b)
		fprintf(out, ", \"%s\": true", key);
}

static void put_field(FILE *out, const struct schema_field *f, int indent)
{
	json_t *name = json_string(f->name);

	fprintf(out, "%*s{\"name\": ", indent, "");
	json_dumpf(name, out, JSON_ENCODE_ANY);
	json_decref(name);
	put_text(out, "type", f->type);
	put_number(out, "size", f->size);
	if (f->count == SCHEMA_NOT_SAID)
		fputs(", \"count\": null", out);
	else
		put_number(out, "count", f->count);
	put_text(out, "form", f->form);
	put_number(out, "since", f->since);
	put_number(out, "until", f->until);
	put_number(out, "struct_version", f->struct_version);
	put_true(out, "tested", f->tested);
	put_true(out, "derived", f->derived);
	put_true(out, "immutable", f->immutable);
	if (f->desc) {
		fputs(", \"struct\": {\n", out);
		put_desc(out, f->desc, indent + 1);
		fprintf(out, "%*s}", indent, "");
	}
	fprintf(out, "}%s\n", f->next ? "," : "");
}

/* The members of a description, without the braces. */
static void put_desc(FILE *out, const struct schema_desc *d, int indent)
{
	json_t *name = json_string(d->name);

	fprintf(out, "%*s\"name\": ", indent, "");
	json_dumpf(name, out, JSON_ENCODE_ANY);
	json_decref(name);
	fprintf(out, ", \"version\": %" PRIu32, d->version);
	if (d->minimum_version != SCHEMA_NOT_SAID)
		fprintf(out, ", \"minimum_version\": %" PRIu32, d->minimum_version);
	put_text(out, "needed", answers[d->needed]);
	put_text(out, "post_load", answers[d->post_load]);
	fprintf(out, ",\n%*s\"fields\": [\n", indent, "");
	for (const struct schema_field *f = d->fields; f; f = f->next)
		put_field(out, f, indent + 1);
	fprintf(out, "%*s]", indent, "");
	if (d->subsections)
		fprintf(out, ",\n%*s\"subsections\": [\n", indent, "");
	for (const struct schema_desc *sub = d->subsections; sub; sub = sub->next) {
		fprintf(out, "%*s{\n", indent + 1, "");
		put_desc(out, sub, indent + 2);
		fprintf(out, "%*s}%s\n", indent + 1, "", sub->next ? "," : "");
	}
	if (d->subsections)
		fprintf(out, "%*s]", indent, "");
	fputc('\n', out);
}

static void put_schema(FILE *out, const struct schema *s)
{
	fprintf(out, "{\n\"irqshift-schema\": %d", SCHEMA_FORM_VERSION);
	put_text(out, "source", schema_source_name(s->source));
	put_text(out, "machine", s->machine[0] ? s->machine : NULL);
	fputs(",\n\"devices\": [\n", out);
	for (size_t i = 0; i < s->ndevices; i++) {
		json_t *name = json_string(s->devices[i].name);

		fputs("{\"device\": ", out);
		json_dumpf(name, out, JSON_ENCODE_ANY);
		json_decref(name);
		fputs(", \"state\": {\n", out);
		put_desc(out, s->devices[i].desc, 1);
		fprintf(out, "}}%s\n", i + 1 < s->ndevices ? "," : "");
	}
	fputs("]\n}\n", out);
}

char *schema_json(const struct schema *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	put_schema(out, s);
	failed = ferror(out) != 0;
	if (!fclose(out) && !failed)
		return text;
	free(text);
	return NULL;
}

char *schema_findings_json(const struct schema_findings *f)
{
	json_t *root = json_object(), *list = json_array();
	char *text;
	int rc = 0;

	rc |= json_object_set_new(root, "compatible", json_boolean(!schema_count(f, SCHEMA_ERROR)));
	for (int s = SCHEMA_ERROR; s >= SCHEMA_NOTE; s--)
		rc |= json_object_set_new(root, schema_severity_name((enum schema_severity)s),
					  json_integer((json_int_t)schema_count(f, (enum schema_severity)s)));
	for (size_t i = 0; i < f->count; i++) {
		const struct schema_finding *e = &f->entries[i];

		rc |= json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s, s:b}", "path", e->path, "severity",
				  schema_severity_name(e->severity), "what", schema_what_name(e->what), "old",
				  e->old_text, "new", e->new_text, "why", e->why, "excused", e->excused));
	}
	rc |= json_object_set_new(root, "findings", list);
	text = rc ? NULL : json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

/* ---- reading ---- */

struct reader {
	struct schema *s;
	struct irqs_error *reterr;
	unsigned int depth;
};

static int get_desc(struct reader *r, const json_t *o, const char *path, struct schema_desc **ret);

static int get_answer(struct reader *r, const json_t *o, const char *key, const char *path,
		      enum schema_answer *ret)
{
	const json_t *v = json_object_get(o, key);
	const char *text = json_string_value(v);

	*ret = SCHEMA_UNKNOWN;
	if (!v)
		return 0;
	for (int i = SCHEMA_NO; i <= SCHEMA_YES; i++) {
		if (text && !strcmp(text, answers[i])) {
			*ret = (enum schema_answer)i;
			return 0;
		}
	}
	return irqs_fail(r->reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, path,
			 "\"%s\" is neither \"yes\" nor \"no\"", key);
}

static int get_field(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const json_t *body = json_object_get(o, "struct"), *count = json_object_get(o, "count");
	struct schema_field *f = name ? schema_add_field(r->s, d, name) : NULL;
	int rc;

	if (!name)
		return schema_broken(r->reterr, d->name, "a field without a name");
	if (!f || schema_set_type(r->s, f, json_string_value(json_object_get(o, "type"))))
		return irqs_fail_nomem(r->reterr);
	f->form = schema_string(r->s, json_string_value(json_object_get(o, "form")));
	rc = json_file_number(o, "size", 0, &f->size, name, r->reterr);
	if (!rc && json_is_null(count))
		f->count = SCHEMA_NOT_SAID;
	else if (!rc)
		rc = json_file_number(o, "count", 0, &f->count, name, r->reterr);
	if (!rc)
		rc = json_file_number(o, "since", 0, &f->since, name, r->reterr);
	if (!rc)
		rc = json_file_number(o, "until", 0, &f->until, name, r->reterr);
	if (!rc)
		rc = json_file_number(o, "struct_version", 0, &f->struct_version, name, r->reterr);
	if (r->s->source == SCHEMA_DUMP && f->count != SCHEMA_NOT_SAID)
		r->s->says_lengths = true;
	f->tested = json_is_true(json_object_get(o, "tested"));
	f->derived = json_is_true(json_object_get(o, "derived"));
	f->immutable = json_is_true(json_object_get(o, "immutable"));
	return rc || !body ? rc : get_desc(r, body, name, &f->desc);
}

static int get_lists(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const json_t *fields = json_object_get(o, "fields"), *subs = json_object_get(o, "subsections"), *item;
	size_t i;
	int rc;

	if (!json_is_array(fields) || (subs && !json_is_array(subs)))
		return schema_broken(r->reterr, d->name, "\"fields\" and \"subsections\" are arrays");
	if (json_array_size(fields) > SCHEMA_MAX_FIELDS || json_array_size(subs) > SCHEMA_MAX_FIELDS)
		return schema_broken(r->reterr, d->name, "too many fields");
	json_array_foreach(fields, i, item) {
		rc = get_field(r, d, item);
		if (rc)
			return rc;
	}
	json_array_foreach(subs, i, item) {
		struct schema_desc *sub;

		rc = get_desc(r, item, d->name, &sub);
		if (rc)
			return rc;
		schema_add_subsection(d, sub);
	}
	return 0;
}

static int get_desc(struct reader *r, const json_t *o, const char *path, struct schema_desc **ret)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	uint32_t version, minimum;
	struct schema_desc *d;
	int rc;

	if (!name || !json_object_get(o, "version"))
		return schema_broken(r->reterr, path, "a description without \"name\" and \"version\"");
	if (++r->depth > SCHEMA_MAX_DEPTH)
		return schema_broken(r->reterr, path, "structs are nested too deeply");
	rc = json_file_number(o, "version", 0, &version, name, r->reterr);
	if (!rc)
		rc = json_file_number(o, "minimum_version", SCHEMA_NOT_SAID, &minimum, name, r->reterr);
	if (rc)
		return rc;
	d = schema_new_desc(r->s, name, version, minimum);
	if (!d)
		return irqs_fail_nomem(r->reterr);
	rc = get_answer(r, o, "needed", name, &d->needed);
	if (!rc)
		rc = get_answer(r, o, "post_load", name, &d->post_load);
	if (!rc)
		rc = get_lists(r, d, o);
	r->depth--;
	*ret = d;
	return rc;
}

int schema_from_normal(struct schema *s, const json_t *root, struct irqs_error *reterr)
{
	struct reader r = { .s = s, .reterr = reterr };
	const char *source = json_string_value(json_object_get(root, "source"));
	const char *machine = json_string_value(json_object_get(root, "machine"));
	const json_t *devices = json_object_get(root, "devices"), *item;
	uint32_t form;
	size_t i;
	int rc = json_file_number(root, "irqshift-schema", 0, &form, NULL, reterr);

	if (rc)
		return rc;
	if (form != SCHEMA_FORM_VERSION)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "version %" PRIu32 " of the normal form: only %d is known", form,
				 SCHEMA_FORM_VERSION);
	if (!source || schema_find_source(source, &s->source))
		return schema_broken(reterr, NULL, "\"source\" is not known");
	s->machine = machine ? schema_string(s, machine) : "";
	if (!s->machine)
		return irqs_fail_nomem(reterr);
	if (!json_is_array(devices) || json_array_size(devices) > SCHEMA_MAX_DEVICES)
		return schema_broken(reterr, NULL, "\"devices\" is no array, or too long");
	json_array_foreach(devices, i, item) {
		const char *name = json_string_value(json_object_get(item, "device"));
		struct schema_desc *d = NULL;

		rc = name ? get_desc(&r, json_object_get(item, "state"), name, &d)
			  : schema_broken(reterr, NULL, "a device without a name");
		if (!rc && schema_add_device(s, name, d))
			rc = irqs_fail_nomem(reterr);
		if (rc)
			return rc;
	}
	return 0;
}

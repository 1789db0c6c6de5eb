/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Schemas by QEMU: -dump-vmstate (migration/savevm.c) and the vmdescription (migration/vmstate.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stream/json_file.h"
#include "stream/schema_forms.h"
#include "stream/vmdesc.h"

/* What is being read. */
struct reader {
	struct schema *s;
	struct irqs_error *reterr;
	unsigned int depth;
};

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The only errors here are those of the input and lack of memory. */
static int status_code(const struct irqs_error *err)
{
	return err->status == IRQS_MALFORMED ? -EBADMSG : -ENOMEM;
}

static int enter(struct reader *r, const char *name)
{
	if (++r->depth <= SCHEMA_MAX_DEPTH)
		return 0;
	return schema_broken(r->reterr, name, "structs are nested too deeply");
}

/* ---- -dump-vmstate ---- */

static struct schema_desc *dump_desc(struct reader *r, const json_t *o, const char *path);

static int dump_field(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const char *name = text_of(o, "field");
	const json_t *body = json_object_get(o, "Description");
	uint32_t size, count, since;
	struct schema_field *f;

	if (!name)
		return schema_broken(r->reterr, d->name, "a field without a name");
	if (json_file_number(o, "size", 0, &size, name, r->reterr) ||
	    json_file_number(o, "num", SCHEMA_NOT_SAID, &count, name, r->reterr) ||
	    json_file_number(o, "version_id", 0, &since, name, r->reterr))
		return -1;
	f = schema_add_field(r->s, d, name);
	if (!f)
		return irqs_fail_nomem(r->reterr);
	f->since = since;
	f->count = count;
	r->s->says_lengths = r->s->says_lengths || count != SCHEMA_NOT_SAID;
	f->tested = json_is_true(json_object_get(o, "field_exists"));
	/* Of a struct it is what the compiler makes of it. */
	f->size = body ? 0 : size;
	if (body) {
		f->desc = dump_desc(r, body, name);
		if (!f->desc)
			return -1;
	}
	return 0;
}

static int dump_body(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const json_t *list = json_object_get(o, "Fields"), *item;
	size_t i;

	if (json_array_size(list) > SCHEMA_MAX_FIELDS)
		return schema_broken(r->reterr, d->name, "too many fields");
	json_array_foreach(list, i, item)
		if (dump_field(r, d, item))
			return -1;
	list = json_object_get(o, "Subsections");
	if (json_array_size(list) > SCHEMA_MAX_FIELDS)
		return schema_broken(r->reterr, d->name, "too many subsections");
	json_array_foreach(list, i, item) {
		struct schema_desc *sub = dump_desc(r, item, d->name);

		if (!sub)
			return -1;
		schema_add_subsection(d, sub);
	}
	return 0;
}

static struct schema_desc *dump_desc(struct reader *r, const json_t *o, const char *path)
{
	const char *name = text_of(o, "name");
	uint32_t version, minimum;
	struct schema_desc *d;

	if (!name) {
		schema_broken(r->reterr, path, "a description without a name");
		return NULL;
	}
	if (enter(r, name) || json_file_number(o, "version_id", 0, &version, name, r->reterr) ||
	    json_file_number(o, "minimum_version_id", 0, &minimum, name, r->reterr))
		return NULL;
	d = schema_new_desc(r->s, name, version, minimum);
	if (!d)
		irqs_fail_nomem(r->reterr);
	else if (dump_body(r, d, o))
		d = NULL;
	r->depth--;
	return d;
}

int schema_from_dump(struct schema *s, const json_t *root, struct irqs_error *reterr)
{
	struct irqs_error err = { 0 };
	struct reader r = { .s = s, .reterr = &err };
	const json_t *item;
	const char *key;

	s->source = SCHEMA_DUMP;
	json_object_foreach((json_t *)root, key, item) {
		struct schema_desc *d;

		if (!strcmp(key, "vmschkmachine")) {
			s->machine = schema_string(s, text_of(item, "Name"));
			if (!s->machine)
				s->machine = "";
			continue;
		}
		d = s->ndevices < SCHEMA_MAX_DEVICES
			    ? dump_desc(&r, json_object_get(item, "Description"), key)
			    : NULL;
		if (d && schema_add_device(s, key, d)) {
			irqs_fail_nomem(&err);
			d = NULL;
		}
		if (!d) {
			if (!err.status)
				schema_broken(&err, key, "too many devices");
			if (reterr)
				*reterr = err;
			return status_code(&err);
		}
	}
	return 0;
}

/* ---- vmdescription ---- */

static struct schema_desc *vmdesc_desc(struct reader *r, const json_t *o, const char *name);

/*
 * An element of an array that is listed one by one joins its predecessors. QEMU 10.0 gives the last one no
 * index. Return: whether it did.
 */
static bool join_array(struct schema_field *last, const struct schema_field *f, uint32_t index)
{
	bool same_type =
		last && (last->type == f->type || (last->type && f->type && !strcmp(last->type, f->type)));

	if (index == SCHEMA_NOT_SAID && last && last->listed && !f->count)
		index = last->count;
	if (!last || last->count != index || strcmp(last->name, f->name) != 0 || last->size != f->size ||
	    !same_type || !last->desc != !f->desc || (f->desc && !schema_merge(last->desc, f->desc)))
		return false;
	last->count++;
	return true;
}

static int vmdesc_field(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const char *name = text_of(o, "name");
	const json_t *body = json_object_get(o, "struct");
	struct schema_field f = { 0 }, *n;
	uint32_t index, size;
	char indexed[256];

	if (!name)
		return schema_broken(r->reterr, d->name, "a field without a name");
	if (!body &&
	    json_object_get(o, "fields")) /* VMSTATE_WITH_TMP writes the struct into the field itself */
		body = o;
	if (json_file_number(o, "size", 0, &size, name, r->reterr) ||
	    json_file_number(o, "array_len", 0, &f.count, name, r->reterr) ||
	    json_file_number(o, "index", SCHEMA_NOT_SAID, &index, name, r->reterr))
		return -1;
	if (schema_set_type(r->s, &f, text_of(o, "type")))
		return irqs_fail_nomem(r->reterr);
	f.size = body ? 0 : size;
	f.name = name;
	if (body) {
		f.desc = vmdesc_desc(r, body, name);
		if (!f.desc)
			return -1;
	}
	if (index && join_array(d->last_field, &f, index))
		return 0;
	if (index && index != SCHEMA_NOT_SAID) {
		snprintf(indexed, sizeof(indexed), "%s[%" PRIu32 "]", name, index);
		name = indexed;
	} else if (!index) {
		f.count = 1;
		f.listed = true;
	}
	n = schema_add_field(r->s, d, name);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	f.name = n->name;
	*n = f;
	return 0;
}

static int vmdesc_body(struct reader *r, struct schema_desc *d, const json_t *o)
{
	const json_t *list = json_object_get(o, "fields"), *item;
	size_t i;

	/* Elements that are listed one by one are many and become one field. */
	if (json_array_size(list) > SCHEMA_MAX_FIELDS * 16)
		return schema_broken(r->reterr, d->name, "too many fields");
	json_array_foreach(list, i, item)
		if (vmdesc_field(r, d, item))
			return -1;
	i = 0;
	for (const struct schema_field *f = d->fields; f; f = f->next)
		if (++i > SCHEMA_MAX_FIELDS)
			return schema_broken(r->reterr, d->name, "too many fields");
	list = json_object_get(o, "subsections");
	if (json_array_size(list) > SCHEMA_MAX_FIELDS)
		return schema_broken(r->reterr, d->name, "too many subsections");
	json_array_foreach(list, i, item) {
		struct schema_desc *sub = vmdesc_desc(r, item, d->name);

		if (!sub)
			return -1;
		schema_add_subsection(d, sub);
	}
	return 0;
}

static struct schema_desc *vmdesc_desc(struct reader *r, const json_t *o, const char *name)
{
	const char *vmsd = text_of(o, "vmsd_name");
	struct schema_desc *d;
	uint32_t version;

	if (enter(r, name) || json_file_number(o, "version", 0, &version, name, r->reterr))
		return NULL;
	d = schema_new_desc(r->s, vmsd ? vmsd : name, version, SCHEMA_NOT_SAID);
	if (!d)
		irqs_fail_nomem(r->reterr);
	else if (vmdesc_body(r, d, o))
		d = NULL;
	r->depth--;
	return d;
}

/* One more section: an instance like one before, or a device of its own. */
static int add_section(struct reader *r, const struct vmdesc_device *dev, const json_t *o)
{
	struct schema_desc *d = vmdesc_desc(r, o, dev->name);
	char name[512];

	if (!d)
		return -1;
	snprintf(name, sizeof(name), "%s", dev->name);
	for (size_t i = 0; i < r->s->ndevices; i++) {
		if (strcmp(r->s->devices[i].name, dev->name) != 0)
			continue;
		if (schema_merge(r->s->devices[i].desc, d))
			return 0;
		snprintf(name, sizeof(name), "%s[%" PRIu32 "]", dev->name, dev->instance);
	}
	if (r->s->ndevices >= SCHEMA_MAX_DEVICES)
		return schema_broken(r->reterr, dev->name, "too many devices");
	return schema_add_device(r->s, name, d) ? irqs_fail_nomem(r->reterr) : 0;
}

int schema_from_vmdesc(struct schema *s, const char *text, size_t size, int64_t offset,
		       struct irqs_error *reterr)
{
	struct irqs_error err = { 0 };
	struct reader r = { .s = s, .reterr = &err };
	struct vmdesc v;
	int rc = vmdesc_init(&v, text, size, offset, reterr);

	if (rc)
		return rc;
	s->source = SCHEMA_STREAM;
	for (size_t i = 0; i < v.ndevices && !rc; i++) {
		const struct vmdesc_device *dev = &v.devices[i];
		json_t *o = NULL;

		rc = json_file_parse(text + dev->start, dev->end - dev->start, &o, &err);
		if (!rc && add_section(&r, dev, o))
			rc = status_code(&err);
		json_decref(o);
	}
	vmdesc_deinit(&v);
	if (rc && reterr)
		*reterr = err;
	return rc;
}

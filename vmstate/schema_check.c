/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices, versions and subsections; fields are compared in schema_fields.c. */
#include <errno.h>
#include <string.h>

#include "vmstate/schema_priv.h"

static void compare_versions(struct schema_walk *w, const struct schema_desc *old,
			     const struct schema_desc *new, bool nested)
{
	uint32_t minimum = new->minimum_version;
	/* Nobody compares the version of a struct, but one that goes down is a mistake all the same. */
	enum schema_severity severity = nested ? SCHEMA_WARNING : SCHEMA_ERROR;

	if (new->version < old->version)
		schema_tell_numbers(w, severity, SCHEMA_VERSION_LOWERED, NULL, old->version, new->version);
	if (minimum == SCHEMA_NOT_SAID)
		return;
	if (minimum > new->version)
		schema_tell_numbers(w, SCHEMA_ERROR, SCHEMA_MINIMUM_ABOVE_VERSION, NULL, new->version,
				    minimum);
	if (minimum > old->version)
		schema_tell_numbers(w, severity, SCHEMA_MINIMUM_RAISED, NULL, old->version, minimum);
	else if (old->minimum_version != SCHEMA_NOT_SAID && minimum > old->minimum_version)
		schema_tell_numbers(w, SCHEMA_WARNING, SCHEMA_MINIMUM_RAISED, NULL, old->minimum_version,
				    minimum);
}

static const struct schema_desc *find_subsection(const struct schema_desc *d, const char *name)
{
	const struct schema_desc *sub = d->subsections;

	while (sub && strcmp(sub->name, name) != 0)
		sub = sub->next;
	return sub;
}

static bool recognisable(const struct schema_desc *parent, const struct schema_desc *sub)
{
	size_t len = strlen(parent->name);

	return !strncmp(sub->name, parent->name, len) && sub->name[len];
}

/* What NEW itself gets wrong. */
static void examine(struct schema_walk *w, const struct schema_desc *new)
{
	for (const struct schema_field *f = new->fields; f; f = f->next) {
		if (f->derived && new->post_load == SCHEMA_NO)
			schema_tell(w, SCHEMA_DERIVED_UNSET, f->name, NULL, "derived");
		if (!f->tested && f->since > new->version)
			schema_tell_numbers(w, SCHEMA_ERROR, SCHEMA_SINCE_ABOVE_VERSION, f->name,
					    new->version, f->since);
	}
}

/* The same of all that is in it, where there is nothing to compare it with. */
static void examine_all(struct schema_walk *w, const struct schema_desc *new, const char *name)
{
	size_t len = schema_enter(w, name);

	examine(w, new);
	for (const struct schema_field *f = new->fields; f; f = f->next)
		if (f->desc)
			examine_all(w, f->desc, f->name);
	for (const struct schema_desc *sub = new->subsections; sub; sub = sub->next)
		examine_all(w, sub, sub->name);
	schema_leave(w, len);
}

static void compare_subsections(struct schema_walk *w, const struct schema_desc *old,
				const struct schema_desc *new)
{
	bool complete = w->new->source != SCHEMA_STREAM;

	for (const struct schema_desc *sub = old->subsections; sub; sub = sub->next) {
		const struct schema_desc *twin = find_subsection(new, sub->name);

		if (twin) {
			size_t len = schema_enter(w, sub->name);

			if (sub->needed == SCHEMA_YES && twin->needed == SCHEMA_NO)
				schema_tell(w, SCHEMA_SUBSECTION_UNNEEDED, NULL, "when needed", "always");
			schema_compare(w, sub, twin, false);
			schema_leave(w, len);
		} else {
			schema_tell_as(w, complete ? SCHEMA_ERROR : SCHEMA_NOTE, SCHEMA_SUBSECTION_REMOVED,
				       sub->name, sub->name, NULL);
		}
	}
	for (const struct schema_desc *sub = new->subsections; sub; sub = sub->next) {
		if (find_subsection(old, sub->name))
			continue;
		schema_tell(w, SCHEMA_SUBSECTION_ADDED, sub->name, NULL, sub->name);
		if (sub->needed == SCHEMA_NO)
			schema_tell(w, SCHEMA_SUBSECTION_UNNEEDED, sub->name, NULL, "always");
		if (!recognisable(new, sub))
			schema_tell(w, SCHEMA_SUBSECTION_NAME, sub->name, new->name, sub->name);
		examine_all(w, sub, sub->name);
	}
}

void schema_compare(struct schema_walk *w, const struct schema_desc *old, const struct schema_desc *new,
		    bool nested)
{
	if (nested && strcmp(old->name, new->name) != 0)
		schema_tell(w, SCHEMA_DESC_RENAMED, NULL, old->name, new->name);
	compare_versions(w, old, new, nested);
	examine(w, new);
	if (!nested)
		schema_compare_fields(w, old, old->version, new, old->version, false);
	compare_subsections(w, old, new);
}

/* A device by the name of its section, which is all that a stream holds of it. */
static const struct schema_device *find_section(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->ndevices; i++)
		if (!strcmp(s->devices[i].desc->name, name))
			return &s->devices[i];
	return NULL;
}

static void compare_device(struct schema_walk *w, const struct schema_device *dev)
{
	const struct schema_device *twin = schema_find(w->new, dev->name);
	bool same_source = w->old->source == w->new->source;

	if (!twin) {
		twin = find_section(w->new, dev->desc->name);
		if (!twin && (!same_source || w->new->source == SCHEMA_STREAM))
			schema_tell(w, SCHEMA_DEVICE_NOT_JUDGED, NULL, dev->desc->name, NULL);
		else if (!twin)
			schema_tell(w, SCHEMA_DEVICE_REMOVED, NULL, dev->desc->name, NULL);
		else if (same_source)
			schema_tell(w, SCHEMA_DEVICE_RENAMED, NULL, dev->name, twin->name);
	} else if (strcmp(dev->desc->name, twin->desc->name) != 0) {
		schema_tell(w, SCHEMA_SECTION_RENAMED, NULL, dev->desc->name, twin->desc->name);
	}
	if (twin)
		schema_compare(w, dev->desc, twin->desc, false);
}

int schema_check(const struct schema *old, const struct schema *new_schema, struct schema_findings *ret)
{
	struct schema_walk w = { .old = old, .new = new_schema, .out = ret };

	for (size_t i = 0; i < old->ndevices; i++) {
		schema_enter(&w, old->devices[i].name);
		compare_device(&w, &old->devices[i]);
		schema_leave(&w, 0);
	}
	for (size_t i = 0; i < new_schema->ndevices; i++) {
		const struct schema_device *dev = &new_schema->devices[i];

		if (schema_find(old, dev->name) || find_section(old, dev->desc->name))
			continue;
		schema_tell(&w, SCHEMA_DEVICE_ADDED, dev->name, NULL, dev->desc->name);
		examine_all(&w, dev->desc, dev->name);
	}
	return ret->failed ? -ENOMEM : 0;
}

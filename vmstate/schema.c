/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const source_names[] = {
	[SCHEMA_REGISTRY] = "registry",
	[SCHEMA_STREAM] = "stream",
	[SCHEMA_DUMP] = "qemu-dump",
};

#define NSOURCES (sizeof(source_names) / sizeof(source_names[0]))

const char *schema_source_name(enum schema_source source)
{
	return source_names[source];
}

int schema_find_source(const char *name, enum schema_source *ret)
{
	for (size_t i = 0; i < NSOURCES; i++) {
		if (!strcmp(name, source_names[i])) {
			*ret = (enum schema_source)i;
			return 0;
		}
	}
	return -ENOENT;
}

void schema_init(struct schema *s, enum schema_source source)
{
	*s = (struct schema){ .source = source, .machine = "" };
	arena_init(&s->arena);
}

void schema_deinit(struct schema *s)
{
	free(s->devices);
	s->devices = NULL;
	s->ndevices = s->capacity = 0;
	arena_deinit(&s->arena);
}

const char *schema_string(struct schema *s, const char *text)
{
	return text ? arena_strndup(&s->arena, text, strlen(text)) : NULL;
}

struct schema_desc *schema_new_desc(struct schema *s, const char *name, uint32_t version,
				    uint32_t minimum_version)
{
	struct schema_desc *d = arena_alloc(&s->arena, sizeof(*d));

	if (!d)
		return NULL;
	d->name = schema_string(s, name);
	d->version = version;
	d->minimum_version = minimum_version;
	d->needed = d->post_load = SCHEMA_UNKNOWN;
	return d->name ? d : NULL;
}

struct schema_field *schema_add_field(struct schema *s, struct schema_desc *d, const char *name)
{
	struct schema_field *f = arena_alloc(&s->arena, sizeof(*f));

	if (!f)
		return NULL;
	f->name = schema_string(s, name);
	if (!f->name)
		return NULL;
	if (d->last_field)
		d->last_field->next = f;
	else
		d->fields = f;
	d->last_field = f;
	return f;
}

int schema_set_type(struct schema *s, struct schema_field *f, const char *type)
{
	static const char *const remarks[] = { " equal", " le" };
	size_t len;

	if (!type)
		return 0;
	len = strlen(type);
	for (size_t i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++)
		if (len > strlen(remarks[i]) && !strcmp(type + len - strlen(remarks[i]), remarks[i]))
			len -= strlen(remarks[i]);
	f->type = arena_strndup(&s->arena, type, len);
	return f->type ? 0 : -ENOMEM;
}

void schema_add_subsection(struct schema_desc *d, struct schema_desc *sub)
{
	if (d->last_subsection)
		d->last_subsection->next = sub;
	else
		d->subsections = sub;
	d->last_subsection = sub;
}

int schema_add_device(struct schema *s, const char *name, struct schema_desc *d)
{
	const char *copy = schema_string(s, name);

	if (!copy)
		return -ENOMEM;
	if (s->ndevices == s->capacity) {
		size_t n = s->capacity ? s->capacity * 2 : 64;
		struct schema_device *more = realloc(s->devices, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->devices = more;
		s->capacity = n;
	}
	s->sorted = false;
	s->devices[s->ndevices++] = (struct schema_device){ .name = copy, .desc = d };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct schema_device *)a)->name, ((const struct schema_device *)b)->name);
}

void schema_sort(struct schema *s)
{
	if (s->ndevices)
		qsort(s->devices, s->ndevices, sizeof(s->devices[0]), by_name);
	s->sorted = true;
}

const struct schema_device *schema_find(const struct schema *s, const char *name)
{
	const struct schema_device key = { .name = name };

	if (s->sorted && s->ndevices)
		return bsearch(&key, s->devices, s->ndevices, sizeof(s->devices[0]), by_name);
	for (size_t i = 0; i < s->ndevices; i++)
		if (!strcmp(s->devices[i].name, name))
			return &s->devices[i];
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_leaf(const struct schema_field *a, const struct schema_field *b)
{
	return !strcmp(a->name, b->name) && same_text(a->type, b->type) && a->size == b->size &&
	       a->count == b->count && !a->desc == !b->desc;
}

static struct schema_desc *find_subsection(const struct schema_desc *d, const char *name)
{
	struct schema_desc *sub = d->subsections;

	while (sub && strcmp(sub->name, name) != 0)
		sub = sub->next;
	return sub;
}

/* Equal but for subsections that only one of them has. */
static bool same_shape(const struct schema_desc *a, const struct schema_desc *b)
{
	const struct schema_field *fa = a->fields, *fb = b->fields;

	if (strcmp(a->name, b->name) != 0 || a->version != b->version)
		return false;
	for (; fa && fb; fa = fa->next, fb = fb->next)
		if (!same_leaf(fa, fb) || (fa->desc && !same_shape(fa->desc, fb->desc)))
			return false;
	if (fa || fb)
		return false;
	for (const struct schema_desc *sub = b->subsections; sub; sub = sub->next) {
		const struct schema_desc *twin = find_subsection(a, sub->name);

		if (twin && !same_shape(twin, sub))
			return false;
	}
	return true;
}

static void merge(struct schema_desc *a, struct schema_desc *b)
{
	struct schema_field *fa = a->fields, *fb = b->fields;
	struct schema_desc *sub = b->subsections, *next;

	for (; fa && fb; fa = fa->next, fb = fb->next)
		if (fa->desc)
			merge(fa->desc, fb->desc);
	for (; sub; sub = next) {
		struct schema_desc *twin = find_subsection(a, sub->name);

		next = sub->next;
		sub->next = NULL;
		if (twin)
			merge(twin, sub);
		else
			schema_add_subsection(a, sub);
	}
}

bool schema_merge(struct schema_desc *a, struct schema_desc *b)
{
	if (!same_shape(a, b))
		return false;
	merge(a, b);
	return true;
}

static struct schema_desc *from_desc(struct schema *s, const struct vms_desc *d, unsigned int depth,
				     struct irqs_error *reterr);

/* How the number of elements gets into the stream, where the description alone does not say it. */
static const char *form_of(const struct vms_field *f)
{
	if (f->count_size || f->count_name)
		return "partial";
	if (f->bind == VMS_POINTERS || f->bind == VMS_CHARP)
		return f->flags & VMS_ALLOC ? "allocated-pointers" : "pointers";
	if (f->bind == VMS_TAILQ || f->bind == VMS_LIST)
		return "list";
	return f->bind == VMS_MAP ? "map" : NULL;
}

static int from_field(struct schema *s, struct schema_desc *d, const struct vms_field *f, unsigned int depth,
		      struct irqs_error *reterr)
{
	struct schema_field *n = schema_add_field(s, d, f->name);
	uint32_t width = f->size;

	if (!n)
		return irqs_fail_nomem(reterr);
	if (schema_set_type(s, n, f->type))
		return irqs_fail_nomem(reterr);
	n->form = form_of(f);
	if (!f->desc && vms_int_type(f->type, &width, NULL))
		n->size = width;
	else if (!f->desc)
		n->size = f->size;
	n->count = f->count;
	n->since = f->since;
	n->until = f->until;
	n->struct_version = f->struct_version;
	n->tested = f->exists != NULL;
	n->derived = f->flags & VMS_DERIVED;
	n->immutable = f->flags & VMS_IMMUTABLE;
	if (f->desc) {
		n->desc = from_desc(s, f->desc, depth + 1, reterr);
		if (!n->desc)
			return -1;
	}
	return 0;
}

static struct schema_desc *from_desc(struct schema *s, const struct vms_desc *d, unsigned int depth,
				     struct irqs_error *reterr)
{
	struct schema_desc *n = schema_new_desc(s, d->name, d->version, d->minimum_version);
	bool bound = d->state_size != 0;

	if (!n || depth > SCHEMA_MAX_DEPTH) {
		if (!n)
			irqs_fail_nomem(reterr);
		else
			irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, d->name,
				  "structs are nested deeper than %d", SCHEMA_MAX_DEPTH);
		return NULL;
	}
	/* Without a C struct there is no code that could be asked. */
	n->needed = d->needed ? SCHEMA_YES : bound ? SCHEMA_NO
						   : SCHEMA_UNKNOWN;
	n->post_load = d->post_load ? SCHEMA_YES : bound ? SCHEMA_NO
							 : SCHEMA_UNKNOWN;
	for (uint32_t i = 0; i < d->nfields; i++)
		if (from_field(s, n, &d->fields[i], depth, reterr))
			return NULL;
	for (const struct vms_desc *const *sub = d->subsections; sub && *sub; sub++) {
		struct schema_desc *child = from_desc(s, *sub, depth + 1, reterr);

		if (!child)
			return NULL;
		schema_add_subsection(n, child);
	}
	return n;
}

int schema_add_desc(struct schema *s, const struct vms_desc *d, struct irqs_error *reterr)
{
	struct irqs_error err = { 0 };
	struct schema_desc *n = from_desc(s, d, 0, &err);

	if (!n) {
		if (reterr)
			*reterr = err;
		return err.status == IRQS_USAGE ? -EINVAL : -ENOMEM;
	}
	return schema_add_device(s, d->name, n) ? irqs_fail_nomem(reterr) : 0;
}

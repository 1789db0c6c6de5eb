/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vmdescription's text after edits of the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/section_json.h"
#include "stream/vmdesc.h"
#include "vmstate/layout.h"

/* A growing text. */
struct text {
	char *data;
	size_t size, capacity;
	bool failed;
};

static void put(struct text *t, const char *s, size_t len)
{
	if (t->failed)
		return;
	if (len > t->capacity - t->size) {
		size_t n = (t->size + len) * 2;
		char *more = realloc(t->data, n);

		if (!more) {
			t->failed = true;
			return;
		}
		t->data = more;
		t->capacity = n;
	}
	memcpy(t->data + t->size, s, len);
	t->size += len;
}

/* An entry that was made: CPUs are reshaped by the hundred, each in one of a few ways. */
struct made {
	struct text shape; /* what its text follows from, but for name and instance */
	char *rest;        /* its text behind these */
};

#define MADE_MAX 16

struct rewriting {
	struct text out, shape;
	struct made made[MADE_MAX]; /* a ring */
	size_t nmade;
};

static void put_string(struct text *t, const char *s)
{
	put(t, s ? s : "", s ? strlen(s) + 1 : 1);
}

/* All that section_json() makes of a node, so that what is equal here is equal there; packed fields by their layout. */
static void put_shape(struct text *t, const struct vms_node *n)
{
	const struct vms_shape *packed = vms_is_leaf(n) ? NULL : vms_layout_of(n);
	const uint32_t numbers[] = { (uint32_t)n->kind, n->array, n->index, n->width, n->count, n->version };

	put(t, (const char *)&packed, sizeof(packed));
	put(t, (const char *)numbers, sizeof(numbers));
	put_string(t, n->vmsd);
	if (n->kind != VMS_SECTION || !n->vmsd)
		put_string(t, n->name);
	if (n->kind == VMS_SECTION)
		put(t, "", 1);
	else
		put_string(t, n->type);
	if (vms_is_leaf(n))
		return;
	for (const struct vms_node *c = vms_first_node(n); c; c = c->next) {
		put(t, "+", 1);
		put_shape(t, c);
	}
	put(t, "-", 1);
}

static const char *find_made(const struct rewriting *w)
{
	for (size_t i = 0; i < MADE_MAX && i < w->nmade; i++) {
		const struct made *m = &w->made[i];

		if (m->rest && m->shape.size == w->shape.size && !memcmp(m->shape.data, w->shape.data, w->shape.size))
			return m->rest;
	}
	return NULL;
}

/* Keeps the shape that was just made, and the text behind @len bytes of @entry. */
static void keep_made(struct rewriting *w, const char *entry, size_t len)
{
	struct made *m = &w->made[w->nmade++ % MADE_MAX];
	struct text old = m->shape;

	free(m->rest);
	m->rest = strdup(entry + len);
	m->shape = w->shape;
	w->shape = (struct text){ .data = old.data, .capacity = old.capacity };
}

/* How every entry begins. Return: its length; 0: no memory. */
static size_t begin_entry(const struct vms_node *section, char **ret)
{
	json_t *name = json_string(section->name);
	char *text = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
	int len = text ? asprintf(ret, "{\"name\": %s, \"instance_id\": %u", text, section->instance) : -1;

	free(text);
	json_decref(name);
	return len < 0 ? 0 : (size_t)len;
}

static void make_entry(struct rewriting *w, const struct vms_node *section, const char *begin, size_t len)
{
	json_t *o = section_json(section, false);
	char *s = o ? json_dumps(o, 0) : NULL;

	if (s)
		put(&w->out, s, strlen(s));
	else
		w->out.failed = true;
	if (s && !strncmp(s, begin, len) && s[len] == ',')
		keep_made(w, s, len);
	free(s);
	json_decref(o);
}

static void put_section(struct rewriting *w, const struct vms_node *section)
{
	char *begin = NULL;
	size_t len = begin_entry(section, &begin);
	const char *rest;

	w->shape.size = 0;
	put_shape(&w->shape, section); /* before section_json() asks for nodes */
	w->out.failed |= !len || w->shape.failed;
	rest = w->out.failed ? NULL : find_made(w);
	if (rest) {
		put(&w->out, begin, len);
		put(&w->out, rest, strlen(rest));
	} else if (!w->out.failed) {
		make_entry(w, section, begin, len);
	}
	if (len)
		free(begin);
}

static void free_made(struct rewriting *w)
{
	free(w->shape.data);
	for (size_t i = 0; i < MADE_MAX; i++) {
		free(w->made[i].shape.data);
		free(w->made[i].rest);
	}
}

static const struct vms_node *find_section(const struct vms_node *machine, const struct vms_node *hint,
					   const char *entry)
{
	const struct vms_node *start = hint ? hint->next : vms_first_child(machine), *n = start;

	do {
		if (n && n->codec == entry)
			return n;
		n = n ? n->next : vms_first_child(machine);
	} while (n != start);
	return NULL;
}

const struct vms_node *vmdesc_leading(const struct vms_node *machine)
{
	const struct vms_node *n = vms_first_child(machine);

	return n && n->codec && !strcmp(n->name, "configuration") ? n->next : n;
}

int vmdesc_rewrite(const char *text, size_t size, const struct vms_node *machine, char **ret_text,
		   size_t *ret_size, struct irqs_error *reterr)
{
	static const char separator[] = ", ";
	const struct vms_node *section = NULL;
	struct rewriting w = { .nmade = 0 };
	struct vmdesc d;
	bool first = true;
	int rc = vmdesc_init(&d, text, size, IRQS_NO_OFFSET, reterr);

	if (rc)
		return rc;
	put(&w.out, text, d.ndevices ? d.devices[0].start : size);
	for (const struct vms_node *n = vmdesc_leading(machine); n && !n->codec; n = n->next) {
		if (!first)
			put(&w.out, separator, sizeof(separator) - 1);
		first = false;
		put_section(&w, n);
	}
	for (size_t i = 0; i < d.ndevices; i++) {
		const struct vmdesc_device *dev = &d.devices[i];
		const struct vms_node *n = find_section(machine, section, text + dev->start);

		if (!n)
			continue;
		section = n;
		if (!first)
			put(&w.out, separator, sizeof(separator) - 1);
		first = false;
		if (n->reshaped)
			put_section(&w, n);
		else
			put(&w.out, text + dev->start, dev->end - dev->start);
		for (n = n->next; n && !n->codec; n = n->next) {
			put(&w.out, separator, sizeof(separator) - 1);
			put_section(&w, n);
		}
	}
	if (d.ndevices)
		put(&w.out, text + d.devices[d.ndevices - 1].end, size - d.devices[d.ndevices - 1].end);
	vmdesc_deinit(&d);
	free_made(&w);
	if (w.out.failed) {
		free(w.out.data);
		return irqs_fail_nomem(reterr);
	}
	*ret_text = w.out.data;
	*ret_size = w.out.size;
	return 0;
}

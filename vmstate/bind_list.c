/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists and maps of a bound description. On the wire each element stands behind a byte 1 and the end is a
 * byte 0, as QEMU writes a QTAILQ, a QLIST and a GTree; a map says the number of its elements first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind_priv.h"
#include "vmstate/map.h"

/* Pointers of unknown type, as <sys/queue.h> lays them out. */
static void *get_pointer(const void *at)
{
	void *p;

	memcpy(&p, at, sizeof(p));
	return p;
}

static void set_pointer(void *at, const void *p)
{
	memcpy(at, &p, sizeof(p));
}

/* TAILQ_HEAD is { first, last }, its entry { next, prev }; `last` and `prev` point to a `next` or `first`. */
static void append_tailq(uint8_t *head, uint8_t *element, size_t entry_at)
{
	uint8_t *entry = element + entry_at, *last = get_pointer(head + sizeof(void *));

	set_pointer(entry, NULL);
	set_pointer(entry + sizeof(void *), last);
	set_pointer(last, element);
	set_pointer(head + sizeof(void *), entry);
}

/* LIST_HEAD is { first }, its entry { next, prev }; @last is the `next` or `first` to hang the element on. */
static void append_list(uint8_t *last, uint8_t *element, size_t entry_at)
{
	uint8_t *entry = element + entry_at;

	set_pointer(entry, NULL);
	set_pointer(entry + sizeof(void *), last);
	set_pointer(last, element);
}

static int bind_element(const struct bind_row *r, uint32_t i, uint8_t *element)
{
	struct visit_item item = bind_item(r, "element", i);

	item.type = "struct";
	return bind_struct(r, r->f->desc, &item, element);
}

static int bind_next(const struct bind_row *r, uint32_t i, bool *more)
{
	uint64_t next = *more;
	int rc = bind_marker(r, "next", "uint8", i, &next);

	if (!rc && next > 1)
		return visit_fail(r->v, NULL, r->reterr, IRQS_MALFORMED,
				  "next[%" PRIu32 "] is %" PRIu64 ", neither 0 nor 1", i, next);
	*more = next;
	return rc;
}

/* A key: an integer, or a struct. */
static int bind_key(const struct bind_row *r, uint32_t i, void *key)
{
	struct visit_item item = {
		.kind = VMS_STRUCT,
		.name = "key",
		.type = "struct",
		.index = i,
		.count = 1,
		.field = r->f,
	};
	uint64_t value = 0;
	int rc;

	if (r->f->key_desc) {
		item.vmsd = r->f->key_desc->name;
		return bind_struct(r, r->f->key_desc, &item, key);
	}
	if (key)
		memcpy(&value, key, sizeof(value));
	rc = bind_marker(r, "key", "uint64", i, &value);
	if (!rc && r->v->mode == VISIT_LOAD)
		memcpy(key, &value, sizeof(value));
	return rc;
}

/* ---- saving ---- */

struct map_walk {
	const struct bind_row *r;
	uint32_t i;
};

static int save_pair(void *ctx, const void *key, void *value)
{
	struct map_walk *w = ctx;
	bool more = true;
	int rc = bind_next(w->r, w->i, &more);

	/* Saving reads a key only. */
	if (!rc)
		rc = bind_key(w->r, w->i, (void *)(uintptr_t)key);
	if (!rc)
		rc = bind_element(w->r, w->i, value);
	w->i++;
	return rc;
}

static int save_map(const struct bind_row *r)
{
	const struct vms_map *map = (const void *)(r->state + r->f->at);
	struct map_walk w = { .r = r };
	uint64_t n = vms_map_count(map);
	bool more = false;
	int rc = bind_marker(r, "nnodes", "uint32", VMS_NO_INDEX, &n);

	if (!rc)
		rc = vms_map_walk(map, save_pair, &w);
	return rc ? rc : bind_next(r, w.i, &more);
}

static int save_list(const struct bind_row *r)
{
	uint8_t *e = get_pointer(r->state + r->f->at);
	bool more = true;
	uint32_t i = 0;
	int rc = 0;

	for (; e && !rc; e = get_pointer(e + r->f->entry_at), i++) {
		rc = bind_next(r, i, &more);
		if (!rc)
			rc = bind_element(r, i, e);
	}
	more = false;
	return rc ? rc : bind_next(r, i, &more);
}

static int save(const struct bind_row *r)
{
	return r->f->bind == VMS_MAP ? save_map(r) : save_list(r);
}

/* ---- loading ---- */

static int load_list(const struct bind_row *r)
{
	uint8_t *head = r->state + r->f->at, *last = head, *e;
	bool more = false;
	int rc;

	if (get_pointer(head))
		return visit_fail(r->v, NULL, r->reterr, IRQS_USAGE, "the list is not empty");
	/* In a struct that was just allocated nobody has initialised it. */
	if (r->f->bind == VMS_TAILQ)
		set_pointer(head + sizeof(void *), head);
	for (uint32_t i = 0; !(rc = bind_next(r, i, &more)) && more; i++) {
		e = calloc(1, r->f->step);
		if (!e)
			return irqs_fail_nomem(r->reterr);
		/* In the list before it is filled: whatever its fields allocate is then reachable. */
		if (r->f->bind == VMS_TAILQ)
			append_tailq(head, e, r->f->entry_at);
		else
			append_list(last, e, r->f->entry_at);
		last = e + r->f->entry_at;
		rc = bind_element(r, i, e);
		if (rc)
			return rc;
	}
	return rc;
}

static int load_pair(const struct bind_row *r, struct vms_map *map, uint32_t i)
{
	void *key = calloc(1, map->key_size), *value = calloc(1, r->f->step);
	int rc;

	if (!key || !value) {
		free(key);
		free(value);
		return irqs_fail_nomem(r->reterr);
	}
	rc = bind_key(r, i, key);
	if (!rc) {
		rc = vms_map_put(map, key, value);
		if (rc == -EEXIST)
			rc = visit_fail(r->v, NULL, r->reterr, IRQS_MALFORMED,
					"key[%" PRIu32 "] arrived before", i);
		else if (rc)
			rc = irqs_fail_nomem(r->reterr);
	}
	free(key);
	if (rc) {
		free(value);
		return rc;
	}
	return bind_element(r, i, value);
}

static int load_map(const struct bind_row *r)
{
	struct vms_map *map = (void *)(r->state + r->f->at);
	size_t want = r->f->key_desc ? r->f->key_desc->state_size : sizeof(uint64_t);
	bool more = false;
	uint64_t n = 0;
	uint32_t i = 0;
	int rc;

	if (vms_map_count(map) || map->key_size != want)
		return visit_fail(r->v, NULL, r->reterr, IRQS_USAGE,
				  "the map is not empty, or its keys are not those "
				  "of the description");
	rc = bind_marker(r, "nnodes", "uint32", VMS_NO_INDEX, &n);
	for (; !rc && !(rc = bind_next(r, i, &more)) && more; i++)
		rc = load_pair(r, map, i);
	if (!rc && i != n)
		return visit_fail(r->v, NULL, r->reterr, IRQS_MALFORMED,
				  "%" PRIu32 " elements arrived, nnodes is %" PRIu64, i, n);
	return rc;
}

static int load(const struct bind_row *r)
{
	return r->f->bind == VMS_MAP ? load_map(r) : load_list(r);
}

/* ---- schema ---- */

static int show(const struct bind_row *r)
{
	uint64_t n = 0;
	bool more = true;
	int rc = 0;

	if (r->f->bind == VMS_MAP)
		rc = bind_marker(r, "nnodes", "uint32", VMS_NO_INDEX, &n);
	if (!rc)
		rc = bind_next(r, 0, &more);
	if (!rc && r->f->bind == VMS_MAP)
		rc = bind_key(r, 0, NULL);
	return rc ? rc : bind_element(r, 0, NULL);
}

int bind_list(const struct bind_row *r)
{
	struct visit_item item = {
		.kind = VMS_STRUCT,
		.name = r->f->name,
		.type = r->f->type,
		.index = VMS_NO_INDEX,
		.count = 1,
		.field = r->f,
	};
	int rc = visit_begin(r->v, &item, r->reterr);

	if (rc)
		return rc;
	if (r->v->mode == VISIT_SAVE)
		rc = save(r);
	else
		rc = r->v->mode == VISIT_LOAD ? load(r) : show(r);
	return rc ? rc : visit_end(r->v, r->reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over a bound description: structs, versions, hooks, arrays, pointers, subsections. */
#include "vmstate/bind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind_priv.h"

#define VALUE_FLAGS ((uint32_t)(VMS_DERIVED | VMS_IMMUTABLE))

struct visit_item bind_item(const struct bind_row *r, const char *name, uint32_t index)
{
	const struct vms_field *f = r->f;
	struct visit_item item = { .name = name, .type = f->type, .index = index, .count = 1, .field = f };

	if (f->desc) {
		item.kind = VMS_STRUCT;
		item.vmsd = f->desc->name;
		return item;
	}
	item.width = f->size;
	item.kind = vms_int_type(f->type, &item.width, &item.is_signed) ? VMS_INT : VMS_BYTES;
	return item;
}

/* ---- versions and hooks ---- */

static int check_version(struct visitor *v, const struct vms_desc *d, uint32_t version,
			 struct irqs_error *reterr)
{
	if (version > d->version)
		return visit_fail(v, NULL, reterr, IRQS_REFUSED,
				  "version %" PRIu32 " of '%s' is newer than %" PRIu32
				  ", the newest that is known here",
				  version, d->name, d->version);
	if (version < d->minimum_version)
		return visit_fail(v, NULL, reterr, IRQS_REFUSED,
				  "version %" PRIu32 " of '%s' is older than %" PRIu32
				  ", the oldest that is loaded here",
				  version, d->name, d->minimum_version);
	return 0;
}

/* A hook's error without a path gets the path of what is open. */
static int hook_result(const struct visitor *v, int rc, struct irqs_error *reterr)
{
	if (rc && reterr && !reterr->path[0])
		visit_path(v, NULL, reterr->path, sizeof(reterr->path));
	return rc;
}

static int bind_body(const struct bind_row *around, const struct vms_desc *d, uint8_t *state,
		     uint32_t version);

/* Which hooks a struct has: one whose values go nowhere is no state, and has nothing for them to work on. */
static bool may_prepare(const struct bind_row *r, const uint8_t *state)
{
	uint32_t without = r->v->mode == VISIT_SAVE ? BIND_DUMMY : BIND_IGNORED | VMS_IMMUTABLE;

	return state && !(r->flags & without);
}

static bool may_complete(const struct bind_row *r, const uint8_t *state)
{
	return state && r->v->mode == VISIT_LOAD && !(r->flags & BIND_IGNORED);
}

int bind_struct(const struct bind_row *r, const struct vms_desc *d, struct visit_item *item, uint8_t *state)
{
	int (*prepare)(void *, struct irqs_error *) = r->v->mode == VISIT_SAVE ? d->pre_save : d->pre_load;
	bool as_version = r->f && d == r->f->desc && r->f->struct_version;
	struct visitor *v = r->v;
	int rc;

	item->version = as_version ? r->f->struct_version : d->version;
	rc = visit_begin(v, item, r->reterr);
	if (!rc)
		rc = check_version(v, d, item->version, r->reterr);
	if (!rc && prepare && may_prepare(r, state))
		rc = hook_result(v, prepare(state, r->reterr), r->reterr);
	if (!rc)
		rc = bind_body(r, d, state, item->version);
	if (!rc)
		rc = visit_end(v, r->reterr);
	if (!rc && d->post_load && may_complete(r, state))
		rc = hook_result(v, d->post_load(state, item->version, r->reterr), r->reterr);
	return rc;
}

/* ---- arrays ---- */

static int read_count(const struct bind_row *r, uint32_t *ret)
{
	const struct vms_field *f = r->f;
	const uint8_t *p;
	uint16_t v16;

	*ret = f->count;
	if (!f->count_size || !r->state)
		return 0;
	p = r->state + f->count_at;
	if (f->count_size == 1) {
		*ret = *p;
	} else if (f->count_size == 2) {
		memcpy(&v16, p, sizeof(v16));
		*ret = v16;
	} else {
		memcpy(ret, p, sizeof(*ret));
	}
	if (*ret > f->count)
		return visit_fail(r->v, NULL, r->reterr,
				  r->v->mode == VISIT_LOAD ? IRQS_MALFORMED : IRQS_USAGE,
				  "%s is %" PRIu32 ", and there is room for %" PRIu32 " elements of '%s'",
				  f->count_name, *ret, f->count, f->name);
	return 0;
}

/* The memory that a VMS_POINTED member points to, allocated when the row says so. */
static int find_target(const struct bind_row *r, uint32_t count, uint8_t **ret)
{
	const struct vms_field *f = r->f;
	void *p;

	memcpy(&p, r->state + f->at, sizeof(p));
	if (f->flags & VMS_ALLOC && r->v->mode == VISIT_LOAD && count) {
		free(p);
		p = calloc(count, f->step);
		memcpy(r->state + f->at, &p, sizeof(p));
		if (!p)
			return irqs_fail_nomem(r->reterr);
	}
	if (!p && count)
		return visit_fail(r->v, NULL, r->reterr, IRQS_USAGE, "'%s' points nowhere", f->name);
	*ret = p;
	return 0;
}

static int bind_structs(const struct bind_row *r, uint32_t count, uint8_t *elements)
{
	struct visit_item item = bind_item(r, r->f->name, VMS_NO_INDEX);
	int rc;

	item.kind = VMS_ARRAY;
	item.array = true;
	item.count = count;
	item.vmsd = NULL;
	rc = visit_begin(r->v, &item, r->reterr);
	for (uint32_t i = 0; i < count && !rc; i++) {
		struct visit_item e = bind_item(r, r->f->name, i);

		rc = bind_struct(r, r->f->desc, &e, elements ? elements + (size_t)i * r->f->step : NULL);
		if (r->v->mode == VISIT_SCHEMA)
			break; /* they are all alike */
	}
	return rc ? rc : visit_end(r->v, r->reterr);
}

/* What lies in the struct, or behind one pointer. */
static int bind_elements(const struct bind_row *r)
{
	const struct vms_field *f = r->f;
	struct visit_item item = bind_item(r, f->name, VMS_NO_INDEX);
	uint8_t *elements = r->state ? r->state + f->at : NULL;
	uint32_t count;
	int rc = read_count(r, &count);

	if (!rc && elements && f->bind == VMS_POINTED)
		rc = find_target(r, count, &elements);
	if (rc)
		return rc;
	if (f->desc && f->count)
		return bind_structs(r, count, elements);
	if (f->desc)
		return bind_struct(r, f->desc, &item, elements);
	if (f->count_size && !strcmp(f->type, "buffer")) {
		item.width = count;
	} else if (f->count) {
		item.array = true;
		item.count = count;
	}
	return bind_values(r, &item, elements);
}

/* ---- rows ---- */

static int bind_strings(const struct bind_row *r)
{
	uint32_t count = r->f->count ? r->f->count : 1;
	int rc = 0;

	for (uint32_t i = 0; i < count && !rc; i++) {
		struct visit_item item = bind_item(r, r->f->name, r->f->count ? i : VMS_NO_INDEX);

		rc = bind_text(r, &item, r->state ? r->state + r->f->at + i * r->f->step : NULL);
		if (r->v->mode == VISIT_SCHEMA)
			break;
	}
	return rc;
}

static int bind_tmp(const struct bind_row *r)
{
	struct visit_item item = bind_item(r, r->f->name, VMS_NO_INDEX);
	uint8_t *tmp = NULL;
	int rc;

	if (r->state) {
		tmp = calloc(1, r->f->step);
		if (!tmp)
			return irqs_fail_nomem(r->reterr);
		memcpy(tmp, &r->state, sizeof(r->state));
	}
	rc = bind_struct(r, r->f->desc, &item, tmp);
	free(tmp);
	return rc;
}

static int bind_row(const struct bind_row *r)
{
	struct bind_row filler = *r;
	struct visit_item item;

	switch (r->f->bind) {
	case VMS_INLINE:
	case VMS_POINTED:
		return bind_elements(r);
	case VMS_POINTERS:
		return bind_pointers(r);
	case VMS_CHARS:
	case VMS_CHARP:
		return bind_strings(r);
	case VMS_TAILQ:
	case VMS_LIST:
	case VMS_MAP:
		return bind_list(r);
	case VMS_TMP:
		return bind_tmp(r);
	case VMS_FILLER:
		filler.flags |= BIND_DUMMY;
		item = bind_item(r, r->f->name, VMS_NO_INDEX);
		return bind_values(&filler, &item, NULL);
	case VMS_UNBOUND:
		if (r->v->mode == VISIT_SCHEMA)
			return bind_elements(r);
		break;
	}
	return visit_fail(r->v, NULL, r->reterr, IRQS_USAGE, "'%s' is not bound to a C struct", r->f->name);
}

/* Rows whose size follows from their values cannot be read without keeping them. */
static bool fixed_size(const struct vms_field *f)
{
	return f->bind == VMS_CHARS || f->bind == VMS_CHARP || f->bind == VMS_FILLER ||
	       ((f->bind == VMS_INLINE || f->bind == VMS_POINTED) && !f->count_size);
}

static int bind_field(const struct bind_row *around, const struct vms_field *f, uint8_t *state,
		      uint32_t version)
{
	struct bind_row r = { .v = around->v, .f = f, .state = state, .reterr = around->reterr };
	bool schema = r.v->mode == VISIT_SCHEMA;

	if (!schema && !vms_field_sent(f, state, version))
		return 0;
	/* Its own flags, else those of the struct around it; a dummy struct is one to the last byte. */
	r.flags = f->flags & VALUE_FLAGS ? f->flags & VALUE_FLAGS : around->flags & VALUE_FLAGS;
	r.flags |= around->flags & BIND_DUMMY;
	if (!schema && vms_field_dummy(f, version))
		r.flags |= BIND_DUMMY;
	if (r.flags && !fixed_size(f))
		return visit_fail(r.v, NULL, r.reterr, IRQS_USAGE,
				  "'%s' has no fixed size and cannot be derived, immutable or a dummy",
				  f->name);
	return bind_row(&r);
}

/* ---- subsections ---- */

static int save_subsections(const struct bind_row *r, const struct vms_desc *d, uint8_t *state)
{
	int rc = 0;

	if (r->flags & BIND_DUMMY)
		return 0;
	for (const struct vms_desc *const *s = d->subsections; s && *s && !rc; s++) {
		struct visit_item item = {
			.kind = VMS_SUBSECTION,
			.name = (*s)->name,
			.vmsd = (*s)->name,
			.index = VMS_NO_INDEX,
			.count = 1,
		};

		if (r->v->mode == VISIT_SCHEMA || !(*s)->needed || (*s)->needed(state))
			rc = bind_struct(r, *s, &item, state);
	}
	return rc;
}

static const struct vms_desc *find_subsection(const struct vms_desc *d, const char *name, uint32_t *ret_i)
{
	for (uint32_t i = 0; d->subsections && d->subsections[i]; i++) {
		if (!strcmp(d->subsections[i]->name, name)) {
			*ret_i = i;
			return d->subsections[i];
		}
	}
	return NULL;
}

static int load_subsections(const struct bind_row *r, const struct vms_desc *d, uint8_t *state)
{
	uint64_t seen[4] = { 0 };

	for (;;) {
		struct visit_item item;
		const struct vms_desc *sub;
		uint32_t i = 0;
		int rc = r->v->ops->subsection(r->v, d->name, &item, r->reterr);

		if (rc || !item.name)
			return rc;
		sub = find_subsection(d, item.name, &i);
		if (!sub)
			return visit_fail(r->v, NULL, r->reterr, IRQS_MALFORMED,
					  "subsection '%.160s' arrived, and '%s' has none of that name",
					  item.name, d->name);
		if (i >= 256 || seen[i / 64] >> i % 64 & 1)
			return visit_fail(r->v, NULL, r->reterr, IRQS_MALFORMED,
					  "subsection '%s' arrived twice", sub->name);
		seen[i / 64] |= UINT64_C(1) << i % 64;
		item = (struct visit_item){
			.kind = VMS_SUBSECTION,
			.name = sub->name,
			.vmsd = sub->name,
			.index = VMS_NO_INDEX,
			.count = 1,
		};
		rc = bind_struct(r, sub, &item, state);
		if (rc)
			return rc;
	}
}

static int bind_body(const struct bind_row *around, const struct vms_desc *d, uint8_t *state,
		     uint32_t version)
{
	int rc = 0;

	for (uint32_t i = 0; i < d->nfields && !rc; i++)
		rc = bind_field(around, &d->fields[i], state, version);
	if (rc)
		return rc;
	return around->v->mode == VISIT_LOAD ? load_subsections(around, d, state)
					     : save_subsections(around, d, state);
}

/* ---- sections ---- */

static int bind_section(struct visitor *v, const struct vms_desc *d, uint32_t instance, void *state,
			enum visit_mode mode, struct irqs_error *reterr)
{
	struct irqs_error scratch;
	struct bind_row r = { .v = v, .reterr = reterr ? reterr : &scratch };
	struct visit_item item = {
		.kind = VMS_SECTION,
		.name = d->name,
		.vmsd = d->name,
		.instance = instance,
		.index = VMS_NO_INDEX,
		.count = 1,
	};

	memset(r.reterr, 0, sizeof(*r.reterr));
	if (v->mode != mode)
		return visit_fail(v, &item, reterr, IRQS_USAGE, "a visitor for something else");
	return bind_struct(&r, d, &item, state);
}

int vms_save(struct visitor *v, const struct vms_desc *d, uint32_t instance, void *state,
	     struct irqs_error *reterr)
{
	return bind_section(v, d, instance, state, VISIT_SAVE, reterr);
}

int vms_load(struct visitor *v, const struct vms_desc *d, uint32_t instance, void *state,
	     struct irqs_error *reterr)
{
	return bind_section(v, d, instance, state, VISIT_LOAD, reterr);
}

int vms_schema(struct visitor *v, const struct vms_desc *d, struct irqs_error *reterr)
{
	return bind_section(v, d, 0, NULL, VISIT_SCHEMA, reterr);
}

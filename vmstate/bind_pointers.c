/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pointers of a bound description, each to one value or struct, any of which may be NULL. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind_priv.h"

/* What QEMU writes for an element that is NULL. */
#define NULLPTR_MARK 0x30

static int bind_null(const struct bind_row *r, uint32_t index)
{
	struct visit_item item = {
		.kind = VMS_BYTES,
		.name = r->f->name,
		.type = "nullptr",
		.index = index,
		.width = 1,
		.count = 1,
		.field = r->f,
	};
	uint8_t mark = NULLPTR_MARK;
	int rc = visit_leaf(r->v, &item, &mark, r->reterr);

	if (!rc && mark != NULLPTR_MARK)
		return visit_fail(r->v, &item, r->reterr, IRQS_MALFORMED,
				  "0x%02x is not the mark of a NULL pointer", mark);
	return rc;
}

/* With VMS_ALLOC: which elements are there, as one array in front of them. */
static int bind_presence(const struct bind_row *r, uint32_t count, uint8_t **slots, uint8_t *there)
{
	char name[160];
	struct visit_item item = {
		.kind = VMS_INT,
		.name = name,
		.type = "bool",
		.index = VMS_NO_INDEX,
		.width = 1,
		.count = count,
		.array = true,
		.field = r->f,
	};
	int rc;

	(void)!snprintf(name, sizeof(name), "%s.present", r->f->name);
	for (uint32_t i = 0; i < count && slots; i++)
		there[i] = slots[i] != NULL;
	rc = visit_leaf(r->v, &item, there, r->reterr);
	for (uint32_t i = 0; i < count && !rc && r->v->mode == VISIT_LOAD; i++) {
		if (there[i] > 1)
			return visit_fail(r->v, &item, r->reterr, IRQS_MALFORMED,
					  "[%" PRIu32 "] %u is no bool", i, there[i]);
		if (there[i] && !slots[i] && !(slots[i] = calloc(1, r->f->step)))
			return irqs_fail_nomem(r->reterr);
		if (!there[i] && slots[i])
			return visit_fail(r->v, &item, r->reterr, IRQS_REFUSED,
					  "[%" PRIu32 "] NULL arrived for a pointer that leads somewhere", i);
	}
	return rc;
}

static int bind_target(const struct bind_row *r, uint32_t index, uint8_t *target)
{
	struct visit_item item = bind_item(r, r->f->name, index);

	return r->f->desc ? bind_struct(r, r->f->desc, &item, target) : bind_values(r, &item, target);
}

static int walk_pointers(const struct bind_row *r, uint32_t count, uint8_t **slots, uint8_t *there)
{
	bool alloc = r->f->flags & VMS_ALLOC, schema = r->v->mode == VISIT_SCHEMA;
	int rc = alloc ? bind_presence(r, count, slots, schema ? NULL : there) : 0;

	for (uint32_t i = 0; i < count && !rc; i++) {
		uint32_t index = r->f->count ? i : VMS_NO_INDEX;

		if (schema)
			rc = bind_target(r, index, NULL);
		else if (slots[i])
			rc = bind_target(r, index, slots[i]);
		else if (!alloc)
			rc = bind_null(r, index);
		if (schema)
			break; /* they are all alike */
	}
	return rc;
}

int bind_pointers(const struct bind_row *r)
{
	uint32_t count = r->f->count ? r->f->count : 1;
	uint8_t **slots = NULL, *there = NULL;
	int rc;

	if (r->state) {
		slots = calloc(count, sizeof(*slots));
		there = calloc(count, 1);
		if (!slots || !there) {
			free(slots);
			free(there);
			return irqs_fail_nomem(r->reterr);
		}
		memcpy(slots, r->state + r->f->at, count * sizeof(*slots));
	}
	rc = walk_pointers(r, count, slots, there);
	/* What was allocated belongs to the state, whether or not the rest arrived. */
	if (r->state && r->v->mode == VISIT_LOAD)
		memcpy(r->state + r->f->at, slots, count * sizeof(*slots));
	free(slots);
	free(there);
	return rc;
}

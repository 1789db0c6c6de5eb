/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/in_place_priv.h"
#include "stream/qemu_sink_priv.h"

struct planner {
	struct qemu_sink sink;
	struct source *source;
	struct in_place_plan *plan;
	/* What was written and is not in a range yet: of one piece, or, once lengths differ, of all from there on. */
	uint8_t *fresh;
	size_t used, capacity;
	bool to_the_end;     /* a piece changed its length: */
	uint64_t end_offset; /* the last range begins here */
};

static int grow(struct planner *p, size_t more, struct irqs_error *reterr)
{
	size_t need = p->used + more, capacity = need < 2 * p->capacity ? 2 * p->capacity : need;
	uint8_t *fresh;

	if (need <= p->capacity)
		return 0;
	fresh = realloc(p->fresh, capacity);
	if (!fresh)
		return irqs_fail_nomem(reterr);
	p->fresh = fresh;
	p->capacity = capacity;
	return 0;
}

static int add_bytes(struct qemu_sink *k, const uint8_t *data, size_t len, struct irqs_error *reterr)
{
	struct planner *p = (struct planner *)k;
	int rc = grow(p, len, reterr);

	if (rc)
		return rc;
	memcpy(p->fresh + p->used, data, len);
	p->used += len;
	return 0;
}

/* The plan owns @bytes from here on, also after a failure. */
static int own(struct in_place_plan *plan, uint8_t *bytes, struct irqs_error *reterr)
{
	if (bytes && plan->nbytes == plan->capacity) {
		size_t n = plan->capacity ? 2 * plan->capacity : 16;
		uint8_t **more = realloc(plan->bytes, n * sizeof(*more));

		if (!more) {
			free(bytes);
			bytes = NULL;
		} else {
			plan->bytes = more;
			plan->capacity = n;
		}
	}
	if (!bytes)
		return irqs_fail_nomem(reterr);
	plan->bytes[plan->nbytes++] = bytes;
	return 0;
}

/* Two buffers a range. */
static int add_range(struct in_place_plan *plan, const struct journal_range *range, struct irqs_error *reterr)
{
	struct journal *j = &plan->journal;
	struct journal_range *more = realloc(j->ranges, (j->nranges + 1) * sizeof(*more));

	if (!more)
		return irqs_fail_nomem(reterr);
	j->ranges = more;
	j->ranges[j->nranges++] = *range;
	return 0;
}

/* What the file has at @offset, owned by the plan. */
static int read_old(struct planner *p, uint64_t offset, uint64_t size, uint8_t **ret, struct irqs_error *reterr)
{
	uint8_t *old = malloc(size + 1);
	int rc = own(p->plan, old, reterr);

	if (rc)
		return rc;
	*ret = old;
	return source_read(p->source, offset, old, size, reterr);
}

/* The bytes of @fresh become the plan's. */
static int add_fresh(struct planner *p, uint64_t offset, const uint8_t *old, uint64_t old_size, struct irqs_error *reterr)
{
	struct journal_range r = { offset, old_size, p->used, old, p->fresh };
	int rc = own(p->plan, p->fresh, reterr);

	p->fresh = NULL;
	p->used = p->capacity = 0;
	return rc ? rc : add_range(p->plan, &r, reterr);
}

/* A piece of the same place and length; most are as they were, and leave nothing. */
static int compare(struct planner *p, const struct qemu_item *item, struct irqs_error *reterr)
{
	uint8_t *old;
	int rc = read_old(p, item->offset, item->length, &old, reterr);

	if (rc)
		return rc;
	if (memcmp(old, p->fresh, p->used) != 0)
		return add_fresh(p, item->offset, old, item->length, reterr);
	p->plan->nbytes--;
	free(old);
	p->used = 0;
	return 0;
}

static int end_piece(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr)
{
	struct planner *p = (struct planner *)k;

	if (p->to_the_end)
		return 0;
	if (p->used == item->length)
		return compare(p, item, reterr);
	p->to_the_end = true;
	p->end_offset = pos;
	return 0;
}

static int keep(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr)
{
	struct planner *p = (struct planner *)k;
	int rc;

	if (!p->to_the_end)
		return 0;
	if (item->ram)
		return irqs_fail(reterr, IRQS_REFUSED, (int64_t)item->offset, "ram",
				 "what stands before it changes its length by %" PRId64
				 " bytes: it would have to move (convert into another file)",
				 (int64_t)(pos - item->offset));
	rc = grow(p, item->length, reterr);
	if (!rc)
		rc = source_read(p->source, item->offset, p->fresh + p->used, item->length, reterr);
	p->used += item->length;
	return rc;
}

static int finish(struct planner *p, struct irqs_error *reterr)
{
	uint64_t size = p->source->size;
	uint8_t *old;
	int rc;

	p->plan->journal.old_size = p->plan->journal.new_size = size;
	if (!p->to_the_end)
		return 0;
	rc = read_old(p, p->end_offset, size - p->end_offset, &old, reterr);
	if (rc)
		return rc;
	p->plan->journal.new_size = p->end_offset + p->used;
	return add_fresh(p, p->end_offset, old, size - p->end_offset, reterr);
}

int in_place_plan(const struct qemu_stream *s, struct in_place_plan *ret, struct irqs_error *reterr)
{
	struct source source;
	struct planner p = {
		.sink = { .write = add_bytes, .keep = keep, .end = end_piece },
		.source = &source,
		.plan = ret,
	};
	int rc = source_init(&source, s->source.fd, reterr);

	*ret = (struct in_place_plan){ 0 };
	if (rc)
		return rc;
	rc = qemu_put_items(s, &p.sink, reterr);
	if (!rc)
		rc = finish(&p, reterr);
	free(p.fresh);
	source_deinit(&source);
	if (rc)
		in_place_plan_deinit(ret);
	return rc;
}

void in_place_plan_deinit(struct in_place_plan *p)
{
	for (size_t i = 0; i < p->nbytes; i++)
		free(p->bytes[i]);
	free(p->bytes);
	journal_deinit(&p->journal);
	*p = (struct in_place_plan){ 0 };
}

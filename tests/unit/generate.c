/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ROWS_MAX 8u
#define DEPTH_MAX 3u

/* An element of a generated list: its links, then its fields. */
struct element {
	TAILQ_ENTRY(element)
	entry;
};
TAILQ_HEAD(element_queue, element);

/* splitmix64 */
static uint64_t next(struct gen *g)
{
	uint64_t z = g->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void gen_init(struct gen *g, uint64_t seed)
{
	g->seed = seed;
	g->names = 0;
	arena_init(&g->arena);
}

void gen_deinit(struct gen *g)
{
	arena_deinit(&g->arena);
}

uint64_t gen_below(struct gen *g, uint64_t n)
{
	return next(g) % n;
}

static void *give(struct gen *g, size_t size)
{
	void *p = arena_alloc(&g->arena, size);

	cr_assert_not_null(p);
	return p;
}

static const char *name_of(struct gen *g, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%u", what, g->names++);
	return arena_strndup(&g->arena, text, strlen(text));
}

/* ---- descriptions ---- */

/* A description that grows row by row, and the struct that grows with it. */
struct layout {
	struct gen *g;
	struct vms_desc *d;
	struct vms_field *rows;
	size_t *size;
	unsigned int depth;
	bool in_list; /* its states are allocated by the load: no pointers that somebody has to set */
};

static const struct {
	const char *name;
	uint32_t step, size;
} types[] = {
	{ "bool", 1, 0 },
	{ "uint8", 1, 0 },
	{ "uint16", 2, 0 },
	{ "uint32", 4, 0 },
	{ "uint64", 8, 0 },
	{ "int8", 1, 0 },
	{ "int16", 2, 0 },
	{ "int32", 4, 0 },
	{ "int64", 8, 0 },
	{ "timer", 8, 0 },
	{ "float64", 8, 8 },
};

static struct vms_desc *make_desc(struct gen *g, unsigned int depth, const char *name, size_t *size,
				  bool in_list);

static size_t place(struct layout *l, size_t bytes)
{
	size_t at = *l->size;

	*l->size += (bytes + 7) & ~(size_t)7;
	return at;
}

static struct vms_field *add_row(struct layout *l, const char *type, enum vms_bind bind)
{
	struct vms_field *f = &l->rows[l->d->nfields++];

	*f = (struct vms_field){ .name = name_of(l->g, "field"), .type = type, .bind = bind };
	f->since = (uint32_t)gen_below(l->g, l->d->version + 1);
	return f;
}

/* A row for the number of elements of the next one, which is there as long as that. */
static void add_count(struct layout *l, struct vms_field *f)
{
	static const uint32_t sizes[] = { 1, 2, 4 };
	static const char *const names[] = { "uint8", "uint16", "uint32" };
	struct vms_field *array = f + 1;
	uint64_t i = gen_below(l->g, 3);

	*array = *f;
	*f = (struct vms_field){
		.name = name_of(l->g, "count"),
		.type = names[i],
		.bind = VMS_INLINE,
		.step = sizes[i],
		.at = place(l, 8),
		.since = array->since,
	};
	array->count_name = f->name;
	array->count_size = sizes[i];
	array->count_at = f->at;
	l->d->nfields++;
}

/* The value went out of use in some older version; only for rows of fixed size. */
static void maybe_outlive(struct layout *l, struct vms_field *f)
{
	if (f->since < l->d->version && !gen_below(l->g, 5))
		f->until = f->since + (uint32_t)gen_below(l->g, l->d->version - f->since);
}

static void add_values(struct layout *l, uint32_t count, bool partial)
{
	size_t t = gen_below(l->g, sizeof(types) / sizeof(types[0]));
	struct vms_field *f = add_row(l, types[t].name, VMS_INLINE);

	f->size = types[t].size;
	f->step = types[t].step;
	f->count = count;
	f->at = place(l, f->step * (count ? count : 1));
	if (partial)
		add_count(l, f);
	else
		maybe_outlive(l, f);
}

static void add_structs(struct layout *l, uint32_t count, bool partial)
{
	struct vms_field *f = add_row(l, "struct", VMS_INLINE);
	size_t size = 0;

	f->desc = make_desc(l->g, l->depth + 1, name_of(l->g, "generated-struct-"), &size, l->in_list);
	f->step = f->desc->state_size;
	f->count = count;
	f->at = place(l, f->step * (count ? count : 1));
	if (partial)
		add_count(l, f);
}

static void add_bytes(struct layout *l, const char *type, uint32_t size)
{
	struct vms_field *f = add_row(l, type, VMS_INLINE);

	f->size = size;
	f->step = size;
	f->at = place(l, size);
	maybe_outlive(l, f);
}

static void add_pointers(struct layout *l)
{
	struct vms_field *f = add_row(l, "uint32", VMS_POINTERS);

	f->count = (uint32_t)gen_below(l->g, 4);
	f->step = 4;
	f->at = place(l, (f->count ? f->count : 1) * sizeof(void *));
	f->entry_at = next(l->g); /* unused by such rows: which of them are NULL */
	place(l, (f->count ? f->count : 1) * 8u);
}

static void add_list(struct layout *l)
{
	struct vms_field *f = add_row(l, "qtailq", VMS_TAILQ);
	size_t size = sizeof(struct element);

	f->desc = make_desc(l->g, l->depth + 1, name_of(l->g, "generated-element-"), &size, true);
	f->step = f->desc->state_size;
	f->at = place(l, sizeof(struct element_queue));
}

static void add_some_row(struct layout *l)
{
	struct vms_field *f;

	switch (gen_below(l->g, l->depth < DEPTH_MAX ? 13 : 9)) {
	case 0:
	case 1:
		add_values(l, 0, false);
		break;
	case 2:
		add_values(l, 1 + (uint32_t)gen_below(l->g, 9), false);
		break;
	case 3:
		add_values(l, 1 + (uint32_t)gen_below(l->g, 5), true);
		break;
	case 4:
		add_bytes(l, "buffer", 1 + (uint32_t)gen_below(l->g, 40));
		break;
	case 5:
		add_bytes(l, "bitmap", 8 * (1 + (uint32_t)gen_below(l->g, 3)));
		break;
	case 6:
		f = add_row(l, "string", VMS_CHARS);
		f->step = 1 + gen_below(l->g, 20);
		f->at = place(l, f->step);
		break;
	case 7:
		f = add_row(l, "string", VMS_CHARP);
		f->count = (uint32_t)gen_below(l->g, 3);
		f->step = sizeof(char *);
		f->at = place(l, f->step * (f->count ? f->count : 1));
		break;
	case 8:
		f = add_row(l, "unused_buffer", VMS_FILLER);
		f->size = 1 + (uint32_t)gen_below(l->g, 9);
		break;
	case 9:
		add_structs(l, 0, false);
		break;
	case 10:
		add_structs(l, 1 + (uint32_t)gen_below(l->g, 3), gen_below(l->g, 2));
		break;
	case 11:
		if (!l->in_list) {
			add_pointers(l);
			break;
		}
		/* fall through */
	default:
		add_list(l);
		break;
	}
}

static bool needed0(const void *state)
{
	return *(const uint8_t *)state & 1;
}

static bool needed1(const void *state)
{
	return *(const uint8_t *)state & 2;
}

static void add_rows(struct layout *l, bool needs)
{
	uint64_t n = gen_below(l->g, l->depth ? 4 : ROWS_MAX);

	/* A row may bring its count along; the first one may be there for the subsections. */
	l->rows = give(l->g, sizeof(*l->rows) * (2 * n + 2));
	l->d->fields = l->rows;
	if (needs)
		l->rows[l->d->nfields++] = (struct vms_field){
			.name = "needs",
			.type = "uint8",
			.bind = VMS_INLINE,
			.step = 1,
		};
	while (n--)
		add_some_row(l);
}

/* A subsection describes the same struct: its members come behind the others. */
static void add_subsections(struct layout *l)
{
	uint64_t n = gen_below(l->g, 3);
	const struct vms_desc **list = give(l->g, 3 * sizeof(*list));

	for (uint64_t i = 0; i < n; i++) {
		struct vms_desc *sub = give(l->g, sizeof(*sub));
		struct layout below = { l->g, sub, NULL, l->size, DEPTH_MAX, l->in_list };
		char text[128];

		snprintf(text, sizeof(text), "%s/%u", l->d->name, (unsigned int)i);
		sub->name = arena_strndup(&l->g->arena, text, strlen(text));
		sub->version = 1 + (uint32_t)gen_below(l->g, 3);
		sub->needed = i ? needed1 : needed0;
		add_rows(&below, false);
		list[i] = sub;
	}
	l->d->subsections = list;
	for (uint64_t i = 0; i < n; i++)
		((struct vms_desc *)list[i])->state_size = *l->size;
}

static struct vms_desc *make_desc(struct gen *g, unsigned int depth, const char *name, size_t *size,
				  bool in_list)
{
	struct vms_desc *d = give(g, sizeof(*d));
	struct layout l = { g, d, NULL, size, depth, in_list };
	bool outermost = *size == 0;

	d->name = name;
	d->version = 1 + (uint32_t)gen_below(g, 5);
	d->minimum_version = 0;
	if (outermost)
		*size = 8; /* which subsections are needed */
	add_rows(&l, outermost);
	if (outermost && depth < 2)
		add_subsections(&l);
	d->state_size = *size;
	return d;
}

struct vms_desc *gen_desc(struct gen *g)
{
	size_t size = 0;

	return make_desc(g, 0, name_of(g, "generated-device-"), &size, false);
}

static struct vms_desc *filter(struct gen *g, const struct vms_desc *d, uint32_t low, uint32_t high)
{
	struct vms_field *rows = give(g, sizeof(*rows) * (d->nfields + 1));
	struct vms_desc *copy = give(g, sizeof(*copy));

	*copy = *d;
	copy->fields = rows;
	copy->nfields = 0;
	for (uint32_t i = 0; i < d->nfields; i++)
		if (d->fields[i].since >= low && d->fields[i].since <= high)
			rows[copy->nfields++] = d->fields[i];
	return copy;
}

struct vms_desc *gen_older(struct gen *g, const struct vms_desc *d, uint32_t version)
{
	struct vms_desc *older = filter(g, d, 0, version);

	older->version = version;
	return older;
}

struct vms_desc *gen_rest(struct gen *g, const struct vms_desc *d, uint32_t version)
{
	struct vms_desc *rest = filter(g, d, version + 1, UINT32_MAX);

	rest->subsections = NULL;
	return rest;
}

/* ---- states ---- */

static void fill(struct gen *g, const struct vms_desc *d, uint8_t *state, bool empty);

static char *random_text(struct gen *g, size_t len)
{
	char *s = malloc(len + 1);

	cr_assert_not_null(s);
	for (size_t i = 0; i < len; i++)
		s[i] = (char)(1 + gen_below(g, gen_below(g, 4) ? 126 : 255));
	s[len] = '\0';
	return s;
}

static void fill_values(struct gen *g, const struct vms_field *f, uint8_t *p)
{
	size_t bytes = f->step * (f->count ? f->count : 1);
	bool is_bool = !strcmp(f->type, "bool"), extreme = !gen_below(g, 8);
	uint8_t all = (uint8_t)(0 - gen_below(g, 2));

	for (size_t i = 0; i < bytes; i++)
		p[i] = is_bool ? (uint8_t)gen_below(g, 2) : extreme ? all
								    : (uint8_t)next(g);
}

static void fill_list(struct gen *g, const struct vms_field *f, uint8_t *p, bool empty)
{
	struct element_queue *q = (void *)p;
	uint64_t n = empty ? 0 : gen_below(g, 4);

	TAILQ_INIT(q);
	for (uint64_t i = 0; i < n; i++) {
		struct element *e = calloc(1, f->step);

		cr_assert_not_null(e);
		TAILQ_INSERT_TAIL(q, e, entry);
		fill(g, f->desc, (uint8_t *)e, empty);
	}
}

/* The targets lie behind the pointers; which are NULL is a matter of the description. */
static void fill_pointers(struct gen *g, const struct vms_field *f, uint8_t *p)
{
	uint32_t n = f->count ? f->count : 1;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *target = p + n * sizeof(void *) + 8 * i;

		memcpy(target, &(uint32_t){ (uint32_t)next(g) }, 4);
		if (f->entry_at >> i & 1)
			target = NULL;
		memcpy(p + i * sizeof(void *), &target, sizeof(target));
	}
}

static void fill_texts(struct gen *g, const struct vms_field *f, uint8_t *p)
{
	for (uint32_t i = 0; i < (f->count ? f->count : 1); i++) {
		char *s = gen_below(g, 4) ? random_text(g, gen_below(g, 12)) : NULL;

		memcpy(p + i * sizeof(s), &s, sizeof(s));
	}
}

static void fill_row(struct gen *g, const struct vms_field *f, uint8_t *state, bool empty)
{
	uint8_t *p = state + f->at;
	uint32_t n;
	char *s;

	if (f->bind == VMS_TAILQ) {
		fill_list(g, f, p, empty);
	} else if (f->bind == VMS_POINTERS) {
		fill_pointers(g, f, p);
	} else if (f->bind == VMS_CHARP) {
		fill_texts(g, f, p);
	} else if (f->bind == VMS_CHARS) {
		s = random_text(g, gen_below(g, f->step));
		strcpy((char *)p, s);
		free(s);
	} else if (f->desc) {
		for (n = 0; n < (f->count ? f->count : 1); n++)
			fill(g, f->desc, p + n * f->step, empty);
	} else if (f->bind == VMS_INLINE) {
		fill_values(g, f, p);
	}
	if (f->count_size) {
		n = (uint32_t)gen_below(g, f->count + 1);
		memcpy(state + f->count_at, &n, f->count_size);
	}
}

static void fill(struct gen *g, const struct vms_desc *d, uint8_t *state, bool empty)
{
	for (uint32_t i = 0; i < d->nfields; i++)
		fill_row(g, &d->fields[i], state, empty);
	for (const struct vms_desc *const *s = d->subsections; s && *s; s++)
		fill(g, *s, state, empty);
}

void *gen_state(struct gen *g, const struct vms_desc *d, bool empty)
{
	void *state = calloc(1, d->state_size);

	cr_assert_not_null(state);
	fill(g, d, state, empty);
	return state;
}

static void release(const struct vms_desc *d, uint8_t *state)
{
	for (uint32_t i = 0; i < d->nfields; i++) {
		const struct vms_field *f = &d->fields[i];
		uint8_t *p = state + f->at;
		struct element *e;
		char *s;

		for (uint32_t j = 0; j < (f->count ? f->count : 1); j++) {
			if (f->bind == VMS_CHARP) {
				memcpy(&s, p + j * sizeof(s), sizeof(s));
				free(s);
			} else if (f->bind == VMS_INLINE && f->desc) {
				release(f->desc, p + j * f->step);
			}
		}
		while (f->bind == VMS_TAILQ && (e = TAILQ_FIRST((struct element_queue *)(void *)p))) {
			TAILQ_REMOVE((struct element_queue *)(void *)p, e, entry);
			release(f->desc, (uint8_t *)e);
			free(e);
		}
	}
	for (const struct vms_desc *const *s = d->subsections; s && *s; s++)
		release(*s, state);
}

void gen_free(const struct vms_desc *d, void *state)
{
	release(d, state);
	free(state);
}

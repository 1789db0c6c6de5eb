/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two lists of fields brought side by side. Fields with equal names belong together; the longest series of
 * them that has the same order on both sides holds the lists together, what is out of it was moved. Between
 * two such fields what is left on both sides is compared by its place: there fields are renamed, retired,
 * added and removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/schema_priv.h"

/* A field that is sent, or read. */
struct slot {
	const struct schema_field *f;
	size_t pos;
	struct slot *twin;
	int rank;            /* among fields of one name: which comes first */
	bool anchored;       /* in the series */
	struct slot *before; /* in the series that ends here */
};

struct side {
	struct slot *slots;
	size_t n;
};

/* Of several fields of one name a stream has the one that is always sent: it comes before tested ones. */
static int make_side(struct side *s, const struct schema_desc *d, uint32_t version, bool ranked)
{
	size_t n = 0;

	for (const struct schema_field *f = d->fields; f; f = f->next)
		n++;
	s->n = 0;
	s->slots = calloc(n + 1, sizeof(*s->slots));
	if (!s->slots)
		return -1;
	for (const struct schema_field *f = d->fields; f; f = f->next) {
		if (!f->tested && f->since > version)
			continue;
		s->slots[s->n] = (struct slot){ .f = f, .pos = s->n, .rank = ranked && f->tested };
		s->n++;
	}
	return 0;
}

/* Without the "[k]" that a vmdescription gives to the k-th field of one name, and a dump does not. */
static size_t base_length(const char *name)
{
	size_t len = strlen(name), i = len;

	if (!len || name[len - 1] != ']')
		return len;
	for (i = len - 1; i && name[i - 1] >= '0' && name[i - 1] <= '9'; i--)
		;
	return i > 1 && i < len - 1 && name[i - 1] == '[' ? i - 1 : len;
}

static int compare_names(const char *a, const char *b)
{
	size_t la = base_length(a), lb = base_length(b);
	int rc = memcmp(a, b, la < lb ? la : lb);

	return rc ? rc : (la > lb) - (la < lb);
}

static bool is_filler(const struct schema_field *f)
{
	return !compare_names(f->name, "unused") || (f->type && !strcmp(f->type, "unused_buffer"));
}

static int by_name(const void *a, const void *b)
{
	const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;
	int rc = compare_names(x->f->name, y->f->name);

	if (!rc)
		rc = x->rank - y->rank;
	return rc ? rc : (x->pos > y->pos) - (x->pos < y->pos);
}

static struct slot **sort_names(const struct side *s, size_t *ret_n)
{
	struct slot **list = calloc(s->n + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && i < s->n; i++)
		if (!is_filler(s->slots[i].f))
			list[n++] = &s->slots[i];
	if (list)
		qsort(list, n, sizeof(*list), by_name);
	*ret_n = n;
	return list;
}

/* The k-th field of a name on one side belongs to the k-th on the other. */
static int find_twins(const struct side *old, const struct side *new)
{
	size_t na, nb, i = 0, j = 0;
	struct slot **a = sort_names(old, &na), **b = sort_names(new, &nb);
	int rc = a && b ? 0 : -1;

	while (!rc && i < na && j < nb) {
		int order = compare_names(a[i]->f->name, b[j]->f->name);

		if (!order) {
			a[i]->twin = b[j];
			b[j]->twin = a[i];
		}
		i += order <= 0;
		j += order >= 0;
	}
	free(a);
	free(b);
	return rc;
}

/* Marks the longest series of twins with rising positions on both sides. */
static int anchor(const struct side *old)
{
	/* ends[k]: of all series of k + 1 twins found so far, the end of the one that ends lowest */
	struct slot **ends = calloc(old->n + 1, sizeof(*ends));
	size_t n = 0;

	if (!ends)
		return -1;
	for (size_t i = 0; i < old->n; i++) {
		struct slot *s = &old->slots[i];
		size_t low = 0, high = n;

		if (!s->twin)
			continue;
		while (low < high) {
			size_t mid = (low + high) / 2;

			if (ends[mid]->twin->pos < s->twin->pos)
				low = mid + 1;
			else
				high = mid;
		}
		s->before = low ? ends[low - 1] : NULL;
		ends[low] = s;
		n += low == n;
	}
	for (struct slot *s = n ? ends[n - 1] : NULL; s; s = s->before)
		s->anchored = s->twin->anchored = true;
	free(ends);
	return 0;
}

/* Bytes of a plain field or array; 0: not known. @ret_least receives what it has at least. */
static uint64_t bytes_of(const struct schema_field *f, uint64_t *ret_least)
{
	uint64_t n = f->count == SCHEMA_NOT_SAID || !f->count ? 1 : f->count;

	*ret_least = f->desc ? 0 : f->size * n;
	return f->form || f->count == SCHEMA_NOT_SAID ? 0 : *ret_least;
}

static bool same_type(const struct schema_field *a, const struct schema_field *b)
{
	return !a->type || !b->type || !strcmp(a->type, b->type);
}

static uint32_t struct_version(const struct schema_field *f)
{
	return f->struct_version ? f->struct_version : f->desc->version;
}

static void compare_struct(struct schema_walk *w, const struct schema_field *a, const struct schema_field *b)
{
	size_t len = schema_enter(w, b->name);

	if (struct_version(a) != struct_version(b))
		schema_tell_numbers(w, SCHEMA_NOTE, SCHEMA_STRUCT_VERSION, NULL, struct_version(a),
				    struct_version(b));
	schema_compare(w, a->desc, b->desc, true);
	schema_compare_fields(w, a->desc, struct_version(a), b->desc, struct_version(b), true);
	schema_leave(w, len);
}

static const char *format_field(const struct schema_field *f, char *buf, size_t size)
{
	if (f->type && !f->desc)
		snprintf(buf, size, "%s %s", f->name, f->type);
	else
		snprintf(buf, size, "%s", f->name);
	return buf;
}

static void compare_flags(struct schema_walk *w, const struct schema_field *a, const struct schema_field *b)
{
	bool streams = w->old->source == SCHEMA_STREAM || w->new->source == SCHEMA_STREAM;

	/* A stream lists what was sent; since when and why it does not say. */
	if (!streams && a->tested != b->tested)
		schema_tell(w, SCHEMA_FIELD_TESTED, b->name, a->tested ? "tested" : "always",
			    b->tested ? "tested" : "always");
	if (!streams && !b->tested && !a->tested && b->since > a->since)
		schema_tell_numbers(w, SCHEMA_WARNING, SCHEMA_SINCE_RAISED, b->name, a->since, b->since);
	if (a->immutable != b->immutable && w->old->source == w->new->source)
		schema_tell(w, SCHEMA_IMMUTABLE_CHANGED, b->name, a->immutable ? "immutable" : "mutable",
			    b->immutable ? "immutable" : "mutable");
	if (b->until && b->until != a->until && w->old->source == w->new->source)
		schema_tell_numbers(w, SCHEMA_NOTE, SCHEMA_FIELD_RETIRED, b->name, a->until, b->until);
}

static void compare_field(struct schema_walk *w, const struct schema_field *a, const struct schema_field *b)
{
	bool same_source = w->old->source == w->new->source;

	compare_flags(w, a, b);
	/* What lies in the stream by a temporary struct is taken as bytes by some sources. */
	if (!a->desc != !b->desc && !same_source && a->type && b->type && !strcmp(a->type, b->type))
		return;
	if (!a->desc != !b->desc) {
		schema_tell(w, SCHEMA_STRUCT_CHANGED, b->name, a->desc ? "struct" : a->type,
			    b->desc ? "struct" : b->type);
		return;
	}
	if (!same_type(a, b))
		schema_tell(w, SCHEMA_RETYPED, b->name, a->type, b->type);
	if (same_source && (a->form ? !b->form || strcmp(a->form, b->form) != 0 : b->form != NULL))
		schema_tell(w, SCHEMA_FORM_CHANGED, b->name, a->form, b->form);
	/* Of several tested fields of one name a stream has one; which one cannot be seen. */
	if (!a->desc && a->size && b->size && a->size != b->size)
		schema_tell_numbers(w,
				    !same_source && (a->tested || b->tested) ? SCHEMA_WARNING : SCHEMA_ERROR,
				    SCHEMA_RESIZED, b->name, a->size, b->size);
	if (same_source && w->old->says_lengths && w->new->says_lengths &&
	    (a->count == SCHEMA_NOT_SAID) != (b->count == SCHEMA_NOT_SAID))
		schema_tell(w, SCHEMA_ARRAY_LENGTH, b->name,
			    a->count == SCHEMA_NOT_SAID ? "no fixed array" : "fixed array",
			    b->count == SCHEMA_NOT_SAID ? "no fixed array" : "fixed array");
	/* An array of one element has the bytes of a plain field. */
	if (a->count != SCHEMA_NOT_SAID && b->count != SCHEMA_NOT_SAID && a->count != b->count)
		schema_tell_numbers(w, a->count + b->count == 1 ? SCHEMA_WARNING : SCHEMA_ERROR,
				    SCHEMA_ARRAY_LENGTH, b->name, a->count, b->count);
	if (a->desc)
		compare_struct(w, a, b);
}

/* Between two anchors: what is left of OLD's fields in [i, iend) and NEW's in [j, jend). */
struct gap {
	const struct side *old, *new;
	size_t i, iend, j, jend;
	const struct schema_desc *new_desc;
	bool nested;
};

/* The next slot of a side that is not spoken for. */
static size_t skip_taken(const struct side *s, size_t i, size_t end)
{
	while (i < end && s->slots[i].twin)
		i++;
	return i;
}

static size_t count_free(const struct side *s, size_t i, size_t end)
{
	size_t n = 0;

	for (; i < end; i++)
		n += !s->slots[i].twin;
	return n;
}

static void tell_removed(struct schema_walk *w, struct gap *g)
{
	const struct schema_field *f = g->old->slots[g->i++].f;
	char text[128];

	/* NEW may know it and not read it from this version. */
	for (const struct schema_field *n = g->new_desc->fields; n; n = n->next) {
		if (!strcmp(n->name, f->name) && n->since > f->since && !n->tested) {
			schema_tell_numbers(w, SCHEMA_ERROR, SCHEMA_SINCE_RAISED, f->name, f->since,
					    n->since);
			return;
		}
	}
	if (f->tested)
		schema_tell_as(w, SCHEMA_WARNING, SCHEMA_FIELD_REMOVED, f->name, "tested", NULL);
	else
		schema_tell(w, SCHEMA_FIELD_REMOVED, f->name, format_field(f, text, sizeof(text)), NULL);
}

static void tell_added(struct schema_walk *w, struct gap *g)
{
	const struct schema_field *f = g->new->slots[g->j++].f;
	char text[128];

	format_field(f, text, sizeof(text));
	if (f->tested)
		schema_tell_as(w, w->old->source == SCHEMA_STREAM ? SCHEMA_NOTE : SCHEMA_WARNING,
			       SCHEMA_FIELD_TESTED, f->name, NULL, text);
	else if (w->old->source == SCHEMA_STREAM && f->desc && (f->form || f->count == SCHEMA_NOT_SAID))
		/* An array without elements leaves no trace in a vmdescription. */
		schema_tell_as(w, SCHEMA_NOTE, SCHEMA_ARRAY_LENGTH, f->name, NULL, text);
	else
		schema_tell(w, g->nested ? SCHEMA_FIELD_IN_STRUCT : SCHEMA_FIELD_UNVERSIONED, f->name, NULL,
			    text);
}

/*
 * Filler of @filler's bytes over the free fields of @s from @i on. Return: 1 when it covers fields exactly, 0
 * when that cannot be told because lengths are not said, -1 when it does not; *@ret_end is behind them.
 */
static int cover(const struct schema_field *filler, const struct side *s, size_t i, size_t end,
		 size_t *ret_end)
{
	uint64_t have, least, sum = 0;
	bool sure = true;

	have = bytes_of(filler, &least);
	if (!have)
		have = least;
	while (sum < have && (i = skip_taken(s, i, end)) < end) {
		sure = bytes_of(s->slots[i].f, &least) != 0 && sure;
		sum += least;
		i++;
		if (!least)
			break;
	}
	*ret_end = i;
	if (sum == have)
		return 1;
	return sum < have && !sure ? 0 : -1;
}

/* Fields that became filler, or filler that became fields. Return: whether that explains this place. */
static bool try_filler(struct schema_walk *w, struct gap *g)
{
	bool retired = is_filler(g->new->slots[g->j].f);
	const struct schema_field *filler = retired ? g->new->slots[g->j].f : g->old->slots[g->i].f;
	const struct side *s = retired ? g->old : g->new;
	size_t *at = retired ? &g->i : &g->j, end;
	int fits = cover(filler, s, *at, retired ? g->iend : g->jend, &end);

	if (fits < 0)
		return false;
	for (; *at < end; (*at)++) {
		const struct schema_field *f = s->slots[*at].f;

		if (s->slots[*at].twin || is_filler(f))
			continue;
		if (retired)
			schema_tell_as(w, fits ? SCHEMA_NOTE : SCHEMA_WARNING, SCHEMA_FIELD_RETIRED, f->name,
				       f->name,
				       fits ? filler->name
					    : "unused; whether its length is right cannot be told");
		else
			schema_tell(w, SCHEMA_FIELD_REVIVED, f->name, filler->name, f->name);
	}
	*(retired ? &g->j : &g->i) += 1;
	return true;
}

static bool same_place(const struct schema_field *a, const struct schema_field *b)
{
	uint64_t least_a, least_b, bytes_a = bytes_of(a, &least_a), bytes_b = bytes_of(b, &least_b);

	if (a->desc || b->desc)
		return a->desc && b->desc && !strcmp(a->desc->name, b->desc->name);
	return same_type(a, b) && least_a && least_a == least_b &&
	       (!bytes_a || !bytes_b || bytes_a == bytes_b);
}

static void compare_gap(struct schema_walk *w, struct gap *g)
{
	for (;;) {
		const struct schema_field *a, *b;
		size_t left, right;

		g->i = skip_taken(g->old, g->i, g->iend);
		g->j = skip_taken(g->new, g->j, g->jend);
		left = count_free(g->old, g->i, g->iend);
		right = count_free(g->new, g->j, g->jend);
		if (!left && !right)
			return;
		if (!left || !right) {
			(left ? tell_removed : tell_added)(w, g);
			continue;
		}
		a = g->old->slots[g->i].f;
		b = g->new->slots[g->j].f;
		if ((is_filler(a) || is_filler(b)) && try_filler(w, g))
			continue;
		if (!is_filler(a) && !is_filler(b) && same_place(a, b)) {
			schema_tell(w, SCHEMA_FIELD_RENAMED, b->name, a->name, b->name);
			compare_field(w, a, b);
			g->i++;
			g->j++;
			continue;
		}
		if (left >= right)
			tell_removed(w, g);
		if (right >= left)
			tell_added(w, g);
	}
}

/* The fields right behind @b that make up for what it lost against @a; 0: they do not. */
static size_t split_fields(const struct schema_field *a, const struct slot *b, const struct side *new)
{
	uint64_t least, have = bytes_of(a, &least), sum = bytes_of(b->f, &least);
	size_t n = 0;

	if (!have || !sum || a->desc || b->f->desc || !same_type(a, b->f))
		return 0;
	while (sum < have && b->pos + n + 1 < new->n && !b[n + 1].twin) {
		uint64_t more = bytes_of(b[n + 1].f, &least);

		if (!more || b[n + 1].f->tested)
			return 0;
		sum += more;
		n++;
	}
	return sum == have ? n : 0;
}

static void compare_sides(struct schema_walk *w, const struct side *old, const struct side *new,
			  const struct schema_desc *new_desc, bool nested)
{
	struct gap g = { .old = old, .new = new, .new_desc = new_desc, .nested = nested };

	for (size_t i = 0; i <= old->n; i++) {
		struct slot *s = &old->slots[i];
		size_t split;

		if (i < old->n && !s->anchored) {
			if (s->twin) {
				schema_tell_numbers(w, SCHEMA_ERROR, SCHEMA_FIELD_REORDERED, s->f->name,
						    (uint32_t)s->pos + 1, (uint32_t)s->twin->pos + 1);
				compare_field(w, s->f, s->twin->f);
			}
			continue;
		}
		g.iend = i;
		g.jend = i < old->n ? s->twin->pos : new->n;
		compare_gap(w, &g);
		if (i == old->n)
			return;
		split = split_fields(s->f, s->twin, new);
		if (split)
			schema_tell_numbers(w, SCHEMA_WARNING, SCHEMA_FIELD_SPLIT, s->f->name, 1, (uint32_t)split + 1);
		else
			compare_field(w, s->f, s->twin->f);
		g.i = i + 1;
		g.j = s->twin->pos + 1 + split;
	}
}

static void tell_later_fields(struct schema_walk *w, const struct schema_desc *old,
			      const struct schema_desc *new, uint32_t read_version)
{
	for (const struct schema_field *f = new->fields; f; f = f->next) {
		const struct schema_field *o = old->fields;

		if (f->tested || f->since <= read_version || f->since > new->version)
			continue;
		while (o && strcmp(o->name, f->name) != 0)
			o = o->next;
		if (!o)
			schema_tell_numbers(w, SCHEMA_NOTE, SCHEMA_FIELD_ADDED, f->name, read_version,
					    f->since);
	}
}

void schema_compare_fields(struct schema_walk *w, const struct schema_desc *old, uint32_t old_version,
			   const struct schema_desc *new, uint32_t read_version, bool nested)
{
	bool ranked = w->old->source == SCHEMA_STREAM || w->new->source == SCHEMA_STREAM;
	struct side a = { 0 }, b = { 0 };

	if (make_side(&a, old, old_version, ranked) || make_side(&b, new, read_version, ranked) ||
	    find_twins(&a, &b) || anchor(&a))
		w->out->failed = true;
	else
		compare_sides(w, &a, &b, new, nested);
	if (!w->out->failed)
		tell_later_fields(w, old, new, read_version);
	free(a.slots);
	free(b.slots);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths into the tree, and the integers that they name. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/children_priv.h"
#include "vmstate/tree.h"

/* What a path leads to: a node, a packed field, or one element of an array of integers. */
struct target {
	bool by_node;          /* wanted: only nodes will do */
	struct vms_node *node; /* NULL: packed */
	enum vms_kind kind;
	bool is_int; /* one integer */
	struct vms_ints ints;
};

/* "[n]" at *s: moves *s behind it. */
static bool parse_index(const char **s, uint32_t *ret)
{
	const char *p = *s;
	unsigned long long v;
	char *end;

	if (*p != '[' || !isdigit((unsigned char)p[1]))
		return false;
	errno = 0;
	v = strtoull(p + 1, &end, 10);
	if (errno || *end != ']' || v >= VMS_NO_INDEX)
		return false;
	*ret = (uint32_t)v;
	*s = end + 1;
	return true;
}

static bool resolve(const struct vms_node *n, const char *path, struct target *ret);

static struct vms_ints ints_of(const struct vms_node *n)
{
	return (struct vms_ints){ n->data, n->type, n->width, n->count, n->is_signed };
}

static void found_node(struct target *ret, struct vms_node *c)
{
	ret->node = c;
	ret->kind = c->kind;
	ret->is_int = c->kind == VMS_INT && !c->array;
	ret->ints = ints_of(c);
}

/* One element of what was found. */
static void pick(struct target *ret, uint32_t i)
{
	ret->is_int = true;
	ret->ints.data += (size_t)i * ret->ints.width;
	ret->ints.count = 1;
}

/* The rest of a path behind the name of @c. */
static bool resolve_rest(struct vms_node *c, const char *rest, struct target *ret)
{
	uint32_t i = 0;
	bool indexed = parse_index(&rest, &i);

	if (c->kind == VMS_SECTION) {
		if (c->instance != i)
			return false;
	} else if (c->index != VMS_NO_INDEX && c->parent->kind != VMS_ARRAY) {
		/* An element written in index form: a node of its own that repeats the array's name. */
		if (!indexed || c->index != i)
			return false;
	} else if (indexed && c->kind == VMS_ARRAY) {
		struct vms_node *e = vms_first_child(c);

		while (e && i--)
			e = e->next;
		if (!e)
			return false;
		c = e;
	} else if (indexed) {
		if (c->kind != VMS_INT || !c->array || i >= c->count || *rest || ret->by_node)
			return false;
		found_node(ret, c);
		pick(ret, i);
		return true;
	}
	if (!*rest) {
		found_node(ret, c);
		return true;
	}
	return *rest == '.' && resolve(c, rest + 1, ret);
}

static bool resolve_packed(const struct vms_shape *s, uint8_t *data, const char *path, struct target *ret);

/* As resolve_rest(), behind the name of a packed field. */
static bool resolve_field(const struct vms_shape_field *f, uint8_t *data, const char *rest, struct target *ret)
{
	uint32_t i = 0;
	bool indexed = parse_index(&rest, &i);

	if (f->index != VMS_NO_INDEX) {
		if (!indexed || i != f->index)
			return false;
		indexed = false;
	}
	if (indexed && (!f->array || i >= f->count || (f->kind != VMS_ARRAY && (f->kind != VMS_INT || *rest))))
		return false;
	if (indexed && f->shape)
		data += (size_t)i * f->width;
	if (*rest)
		return *rest == '.' && f->shape && indexed == f->array && resolve_packed(f->shape, data, rest + 1, ret);
	ret->node = NULL;
	ret->kind = f->kind;
	ret->is_int = f->kind == VMS_INT && !f->array;
	ret->ints = (struct vms_ints){ data, f->type, f->width, f->count, f->is_signed };
	if (indexed && !f->shape)
		pick(ret, i);
	return true;
}

static bool try_packed(const struct vms_shape *s, uint8_t *data, const char *path, size_t len, struct target *ret)
{
	uint32_t hash = children_hash(path, len);
	const struct vms_shape_field *f = NULL;

	while ((f = shape_field(s, f, path, len, hash)))
		if (resolve_field(f, data + f->offset, path + len, ret))
			return true;
	return false;
}

static bool ends_name(const char *path, size_t len)
{
	return !path[len] || path[len] == '.' || path[len] == '[';
}

static bool resolve_packed(const struct vms_shape *s, uint8_t *data, const char *path, struct target *ret)
{
	for (size_t len = strlen(path); len; len--)
		if (ends_name(path, len) && try_packed(s, data, path, len, ret))
			return true;
	return false;
}

/* Names may hold '.' and '[': the answer is that of the longest name that leads somewhere. */
static bool resolve(const struct vms_node *n, const char *path, struct target *ret)
{
	const struct vms_shape *packed;

	if (ret->by_node || n->kind == VMS_ARRAY)
		vms_first_child(n);
	packed = children_packed(n);
	for (size_t len = strlen(path); len; len--) {
		if (!ends_name(path, len))
			continue;
		if (packed && try_packed(packed, n->data, path, len, ret))
			return true;
		if (!vms_first_node(n))
			continue;
		for (struct vms_node *c = children_find_made(n, path, len); c; c = vms_next_namesake(c))
			if (resolve_rest(c, path + len, ret))
				return true;
	}
	return false;
}

struct vms_node *vms_lookup(const struct vms_node *n, const char *path)
{
	struct target t = { .by_node = true };

	return resolve(n, path, &t) ? t.node : NULL;
}

uint64_t vms_ints_get(const struct vms_ints *f, uint32_t i)
{
	uint64_t v = get_be(f->data + (size_t)i * f->width, f->width);

	return f->is_signed ? (uint64_t)sign_extend(v, f->width) : v;
}

void vms_ints_set(const struct vms_ints *f, uint32_t i, uint64_t value)
{
	put_be(f->data + (size_t)i * f->width, f->width, value);
}

uint64_t vms_element_get(const struct vms_node *n, uint32_t i)
{
	struct vms_ints ints = ints_of(n);

	return vms_ints_get(&ints, i);
}

void vms_element_set(struct vms_node *n, uint32_t i, uint64_t value)
{
	struct vms_ints ints = ints_of(n);

	vms_ints_set(&ints, i, value);
}

int vms_find_int(const struct vms_node *n, const char *path, struct vms_ints *ret, struct irqs_error *reterr)
{
	char base[128] = "", full[160];
	struct target t = { .by_node = false };

	if (resolve(n, path, &t) && t.is_int) {
		*ret = t.ints;
		return 0;
	}
	if (!reterr)
		return -EBADMSG;
	vms_path(n, base, sizeof(base));
	snprintf(full, sizeof(full), "%s%s%s", base, base[0] ? "." : "", path);
	return irqs_fail(reterr, IRQS_MALFORMED, n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET, full,
			 "no such integer field");
}

int vms_get(const struct vms_node *n, const char *path, uint64_t *ret, struct irqs_error *reterr)
{
	struct vms_ints found;
	int rc = vms_find_int(n, path, &found, reterr);

	if (!rc)
		*ret = vms_ints_get(&found, 0);
	return rc;
}

uint64_t vms_get_or(const struct vms_node *n, const char *path, uint64_t otherwise)
{
	uint64_t v;

	return vms_get(n, path, &v, NULL) ? otherwise : v;
}

static bool fits(uint64_t value, uint32_t width)
{
	return width == 8 || value >> (8 * width) == 0 ||
	       (uint64_t)sign_extend(value, width) == value;
}

int vms_set(struct vms_node *n, const char *path, uint64_t value, struct irqs_error *reterr)
{
	struct vms_ints found;
	int rc = vms_find_int(n, path, &found, reterr);
	char base[128] = "", full[160];

	if (rc)
		return rc;
	if (!fits(value, found.width)) {
		vms_path(n, base, sizeof(base));
		snprintf(full, sizeof(full), "%s%s%s", base, base[0] ? "." : "", path);
		irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, full, "0x%" PRIx64 " does not fit into %s", value,
			  found.type);
		return -ERANGE;
	}
	vms_ints_set(&found, 0, value);
	return 0;
}

/* A text that is cut where its room ends; a report has a path for each change, and snprintf() would be most of its time. */
struct text {
	char *to;
	size_t left; /* with the terminator */
};

static void add_text(struct text *t, const char *s)
{
	size_t len = strnlen(s, t->left - 1);

	memcpy(t->to, s, len);
	t->to += len;
	t->left -= len;
	*t->to = '\0';
}

static void add_index(struct text *t, uint32_t i)
{
	char digits[16], *p = digits + sizeof(digits);

	*--p = '\0';
	*--p = ']';
	do
		*--p = (char)('0' + i % 10);
	while (i /= 10);
	*--p = '[';
	add_text(t, p);
}

static void add_path(struct text *t, const struct vms_node *n)
{
	bool element = n && n->parent && n->parent->kind == VMS_ARRAY;
	char *start = t->to;

	if (!n || n->kind == VMS_MACHINE)
		return;
	if (n->kind != VMS_SECTION)
		add_path(t, n->parent);
	if (!element && t->to != start)
		add_text(t, ".");
	if (!element)
		add_text(t, n->name);
	if (n->kind == VMS_SECTION)
		add_index(t, n->instance);
	else if (element || n->index != VMS_NO_INDEX)
		add_index(t, n->index);
}

char *vms_path(const struct vms_node *n, char *buf, size_t size)
{
	struct text t = { buf, size };

	buf[0] = '\0';
	add_path(&t, n);
	return buf;
}

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

/* What a path leads to: a node, or one element of a VMS_INT array. */
struct target {
	struct vms_node *node;
	uint32_t element;
	bool has_element;
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
		if (c->kind != VMS_INT || !c->array || i >= c->count || *rest)
			return false;
		*ret = (struct target){ c, i, true };
		return true;
	}
	if (!*rest) {
		*ret = (struct target){ c, 0, false };
		return true;
	}
	return *rest == '.' && resolve(c, rest + 1, ret);
}

/* Names may hold '.' and '[': the answer is that of the longest name that leads somewhere. */
static bool resolve(const struct vms_node *n, const char *path, struct target *ret)
{
	for (size_t len = strlen(path); len; len--) {
		if (path[len] && path[len] != '.' && path[len] != '[')
			continue;
		for (struct vms_node *c = children_find(n, path, len); c; c = vms_next_namesake(c))
			if (resolve_rest(c, path + len, ret))
				return true;
	}
	return false;
}

struct vms_node *vms_lookup(const struct vms_node *n, const char *path)
{
	struct target t;

	return resolve(n, path, &t) && !t.has_element ? t.node : NULL;
}

uint64_t vms_element_get(const struct vms_node *n, uint32_t i)
{
	uint64_t v = get_be(n->data + (size_t)i * n->width, n->width);

	return n->is_signed ? (uint64_t)sign_extend(v, n->width) : v;
}

void vms_element_set(struct vms_node *n, uint32_t i, uint64_t value)
{
	put_be(n->data + (size_t)i * n->width, n->width, value);
}

static int find_int(const struct vms_node *n, const char *path, struct target *ret, struct irqs_error *reterr)
{
	char base[128] = "", full[160];

	if (resolve(n, path, ret) && ret->node->kind == VMS_INT && (ret->has_element || !ret->node->array))
		return 0;
	if (!reterr)
		return -EBADMSG;
	vms_path(n, base, sizeof(base));
	snprintf(full, sizeof(full), "%s%s%s", base, base[0] ? "." : "", path);
	return irqs_fail(reterr, IRQS_MALFORMED, n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET, full,
			 "no such integer field");
}

int vms_get(const struct vms_node *n, const char *path, uint64_t *ret, struct irqs_error *reterr)
{
	struct target t;
	int rc = find_int(n, path, &t, reterr);

	if (!rc)
		*ret = vms_element_get(t.node, t.element);
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
	struct target t;
	int rc = find_int(n, path, &t, reterr);
	char full[160];

	if (rc)
		return rc;
	if (!fits(value, t.node->width)) {
		irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, vms_path(t.node, full, sizeof(full)),
			  "0x%" PRIx64 " does not fit into %s", value, t.node->type);
		return -ERANGE;
	}
	vms_element_set(t.node, t.element, value);
	return 0;
}

char *vms_path(const struct vms_node *n, char *buf, size_t size)
{
	size_t used;

	buf[0] = '\0';
	if (!n || n->kind == VMS_MACHINE)
		return buf;
	vms_path(n->parent, buf, size);
	used = strlen(buf);
	if (n->parent && n->parent->kind == VMS_ARRAY)
		snprintf(buf + used, size - used, "[%" PRIu32 "]", n->index);
	else if (n->kind == VMS_SECTION)
		snprintf(buf, size, "%s[%" PRIu32 "]", n->name, n->instance);
	else if (n->index != VMS_NO_INDEX)
		snprintf(buf + used, size - used, ".%s[%" PRIu32 "]", n->name, n->index);
	else
		snprintf(buf + used, size - used, "%s%s", used ? "." : "", n->name);
	return buf;
}

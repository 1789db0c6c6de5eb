/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes: finding them, making them, putting them in their place, and what the report says of them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filters/rules_priv.h"

#define PATH_SIZE 512
#define DEPTH_MAX 64

/* "name[3]": an element of an array of integers, which has no node of its own. */
static bool find_element(struct vms_node *n, const char *path, struct rules_target *ret)
{
	const char *bracket = strrchr(path, '[');
	char name[PATH_SIZE], *end;
	unsigned long i;

	if (!bracket || bracket[1] < '0' || bracket[1] > '9' || (size_t)(bracket - path) >= sizeof(name))
		return false;
	i = strtoul(bracket + 1, &end, 10);
	if (strcmp(end, "]") != 0)
		return false;
	memcpy(name, path, (size_t)(bracket - path));
	name[bracket - path] = '\0';
	ret->node = vms_lookup(n, name);
	if (!ret->node || ret->node->kind != VMS_INT || !ret->node->array || i >= ret->node->count)
		return false;
	ret->first = (uint32_t)i;
	ret->count = 1;
	return true;
}

bool rules_find(struct vms_node *n, const char *path, struct rules_target *ret)
{
	ret->node = path ? vms_lookup(n, path) : n;
	if (!ret->node)
		return find_element(n, path, ret);
	ret->first = 0;
	ret->count = ret->node->kind == VMS_INT ? ret->node->count : 0;
	return true;
}

char *rules_full_path(const struct vms_node *n, const char *field, char *buf, size_t size)
{
	size_t used;

	vms_path(n, buf, size);
	used = strlen(buf);
	if (field)
		snprintf(buf + used, size - used, "%s%s", used ? "." : "", field);
	return buf;
}

/* Where the rule that runs is written: its line, and the line of its action. */
static unsigned int line_of(const struct rules_run *c)
{
	struct rules_at list = { NULL, c->rule->list, 0 }, rule = { &list, NULL, c->rule->index };
	struct rules_at todo = { &rule, "do", 0 }, action = { &todo, NULL, c->action ? c->action->index : 0 };
	struct rules_position pos;

	rules_text_find(c->rules->text, c->rules->size, c->action ? &action : &rule, false, &pos);
	return pos.line;
}

int rules_fail(struct rules_run *c, const struct vms_node *n, const char *field, const char *fmt, ...)
{
	char path[PATH_SIZE], what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return irqs_fail(c->reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, rules_full_path(n, field, path, sizeof(path)),
			 "filter %s, line %u: %s%s%s", c->rules->filter.name, line_of(c),
			 c->action ? rules_verb_name(c->action->verb) : "", c->action ? ": " : "", what);
}

void rules_report(struct rules_run *c, enum report_action action, const char *path, const char *old_value,
		  const char *new_value)
{
	report_add(c->run->report, c->rules->filter.name, action, c->action->cost, path, old_value, new_value, "%s",
		   c->action->why);
}

void rules_refuse(struct rules_run *c, enum report_cost cost, const struct vms_node *n, const char *field,
		  const char *fmt, ...)
{
	char path[PATH_SIZE], what[256], value[32];
	struct rules_target t;
	bool single = rules_find((struct vms_node *)n, field, &t) && t.count == 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (single)
		rules_show(t.node->is_signed, vms_element_get(t.node, t.first), value, sizeof(value));
	report_add(c->run->report, c->rules->filter.name, cost == COST_FATAL ? REPORT_REFUSED : REPORT_KEPT,
		   cost, rules_full_path(n, field, path, sizeof(path)), single ? value : NULL, NULL, "%s: %s", what,
		   c->action->why);
}

char *rules_show(bool is_signed, uint64_t v, char *buf, size_t size)
{
	if (is_signed)
		snprintf(buf, size, "%" PRId64, (int64_t)v);
	else if (v < 10)
		snprintf(buf, size, "%" PRIu64, v);
	else
		snprintf(buf, size, "0x%" PRIx64, v);
	return buf;
}

char *rules_show_node(const struct vms_node *n, char *buf, size_t size)
{
	if (n->kind == VMS_INT && n->count == 1)
		return rules_show(n->is_signed, vms_element_get(n, 0), buf, size);
	if (n->kind == VMS_INT)
		snprintf(buf, size, "%" PRIu32 " x %s", n->count, n->type);
	else
		snprintf(buf, size, "%" PRIu64 " bytes", vms_size(n));
	return buf;
}

static int full(struct rules_run *c)
{
	return rules_fail(c, c->section, NULL, "these rules add more than %zu fields or %zu MiB to a machine",
			  RULES_MAX_NODES, RULES_MAX_BYTES >> 20);
}

struct vms_node *rules_node(struct rules_run *c, enum vms_kind kind, const char *name, const char *type)
{
	struct vms_node *n;

	if (!c->nodes_left) {
		c->rc = full(c);
		return NULL;
	}
	c->nodes_left--;
	n = vms_node_create(c->run->tree, kind, name, type);
	if (!n)
		c->rc = irqs_fail_nomem(c->reterr);
	return n;
}

int rules_data(struct rules_run *c, struct vms_node *n, uint64_t size)
{
	if (size > c->bytes_left)
		return full(c);
	c->bytes_left -= size;
	n->data = arena_alloc(&c->run->tree->arena, size ? size : 1);
	return n->data ? 0 : irqs_fail_nomem(c->reterr);
}

static struct vms_node *clone_below(struct rules_run *c, const struct vms_node *n, unsigned int depth)
{
	struct vms_node *copy = depth < DEPTH_MAX ? rules_node(c, n->kind, n->name, n->type) : NULL;

	if (!copy) {
		if (depth == DEPTH_MAX)
			c->rc = rules_fail(c, n, NULL, "it nests too deep");
		return NULL;
	}
	copy->vmsd = n->kind == VMS_SUBSECTION ? copy->name : n->vmsd;
	copy->version = n->version;
	copy->index = n->index;
	copy->width = n->width;
	copy->count = n->count;
	copy->array = n->array;
	copy->is_signed = n->is_signed;
	if (vms_is_leaf(n)) {
		c->rc = rules_data(c, copy, vms_size(n));
		if (c->rc)
			return NULL;
		memcpy(copy->data, n->data, vms_size(n));
	}
	for (const struct vms_node *k = vms_first_child(n); k; k = k->next) {
		struct vms_node *below = clone_below(c, k, depth + 1);

		if (!below)
			return NULL;
		vms_append(copy, below);
	}
	return copy;
}

struct vms_node *rules_clone(struct rules_run *c, const struct vms_node *n)
{
	return clone_below(c, n, 0);
}

int rules_set_name(struct rules_run *c, struct vms_node *n, const char *name)
{
	return vms_rename(c->run->tree, n, name) ? irqs_fail_nomem(c->reterr) : 0;
}

static struct vms_node *child_named(const struct vms_node *parent, const char *name)
{
	for (struct vms_node *c = vms_first_child(parent); c; c = c->next)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* The last node in front of which nothing of its like may come: fields lie before subsections. */
static struct vms_node *first_subsection(const struct vms_node *parent)
{
	struct vms_node *c = vms_first_child(parent);

	while (c && c->kind != VMS_SUBSECTION)
		c = c->next;
	return c;
}

static struct vms_node *find_place(struct vms_node *parent, const struct rules_place *place)
{
	for (size_t i = 0; place->after && i < place->after->count; i++) {
		struct vms_node *prev = child_named(parent, place->after->items[i]);

		if (prev)
			return prev;
	}
	return NULL;
}

void rules_put(struct vms_node *parent, struct vms_node *n, const struct rules_place *place)
{
	struct vms_node *subs = first_subsection(parent), *prev = find_place(parent, place);
	bool is_sub = n->kind == VMS_SUBSECTION, in_front = place->after && !prev;

	if (prev && (prev->kind == VMS_SUBSECTION) == is_sub)
		vms_insert_after(prev, n);
	else if (in_front && !is_sub && vms_first_child(parent))
		vms_insert_before(vms_first_child(parent), n);
	else if ((in_front || !is_sub) && subs)
		vms_insert_before(subs, n);
	else
		vms_append(parent, n);
	rules_reshaped(parent);
}

struct vms_node *rules_parent(struct vms_node *n, const char *path, const char **ret_name)
{
	char head[PATH_SIZE];

	for (size_t i = strlen(path); i-- > 1;) {
		struct vms_node *c;

		if (path[i] != '.' || !path[i + 1] || i >= sizeof(head))
			continue;
		memcpy(head, path, i);
		head[i] = '\0';
		c = vms_lookup(n, head);
		if (!c || c->kind == VMS_INT || c->kind == VMS_BYTES || c->kind == VMS_ARRAY)
			continue;
		*ret_name = path + i + 1;
		return c;
	}
	*ret_name = path;
	return n->kind == VMS_INT || n->kind == VMS_BYTES || n->kind == VMS_ARRAY ? NULL : n;
}

void rules_reshaped(struct vms_node *n)
{
	struct vms_node *section = vms_section(n);

	if (section)
		section->reshaped = true;
}

/* Whether one entry of a vmdescription describes both. */
static bool alike(const struct vms_node *a, const struct vms_node *b)
{
	const struct vms_node *x = vms_first_child(a), *y = vms_first_child(b);

	if (a->kind != b->kind || a->width != b->width || a->count != b->count || a->version != b->version)
		return false;
	for (; x && y; x = x->next, y = y->next)
		if (strcmp(x->name, y->name) != 0 || !alike(x, y))
			return false;
	return x == y;
}

int rules_even(struct rules_run *c, const struct vms_node *n)
{
	int rc = 0;

	for (const struct vms_node *k = vms_first_child(n); k && !rc; k = k->next) {
		if (n->kind == VMS_ARRAY && k != vms_first_child(n) && !alike(vms_first_child(n), k))
			return rules_fail(c, k, NULL, "the elements of an array must stay alike");
		rc = rules_even(c, k);
	}
	return rc;
}

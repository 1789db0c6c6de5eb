/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy and move: whole fields, structs and subsections, or one member of all elements of an array at once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "filters/rules_priv.h"

#define PATH_SIZE 512

/* Wide enough for any 64-bit value times a factor below 2^63. */
__extension__ typedef __int128 wide;

static uint64_t change_value(struct rules_run *c, const struct vms_node *n, uint64_t v, const struct vms_node *to)
{
	const struct rules_change *change = &c->action->change;
	wide value = (n->is_signed ? (wide)(int64_t)v : (wide)v) * (wide)change->multiply, low = 0, high;
	unsigned int bits = 8 * to->width - to->is_signed;
	char text[32];

	high = ((wide)1 << bits) - 1;
	if (to->is_signed)
		low = -high - 1;
	if (!strcmp(to->type, "bool"))
		high = 1;
	if (value % (wide)change->divide && !change->round)
		rules_refuse(c, COST_FATAL, n, NULL, "%s is no multiple of %" PRIu64,
			     rules_show(n->is_signed, v, text, sizeof(text)), change->divide);
	value /= (wide)change->divide;
	if (value >= low && value <= high)
		return (uint64_t)value;
	rules_refuse(c, COST_FATAL, n, NULL, "%s is out of the range of %s",
		     rules_show(n->is_signed, v, text, sizeof(text)), to->type);
	return 0;
}

struct vms_node *rules_converted(struct rules_run *c, const struct vms_node *n, uint32_t first, uint32_t count,
				 bool array, const char *name)
{
	const struct rules_change *change = &c->action->change;
	const char *type = change->type ? change->type : n->type;
	struct vms_node *to = NULL;

	if (change->was_type && strcmp(n->type, change->was_type) != 0)
		c->rc = rules_fail(c, n, NULL, "its type is %s, not %s", n->type, change->was_type);
	else
		to = rules_node(c, VMS_INT, name, type);
	if (!to)
		return NULL;
	to->width = n->width;
	to->is_signed = n->is_signed;
	if (change->type)
		vms_int_type(type, &to->width, &to->is_signed);
	to->count = count;
	to->array = array;
	c->rc = rules_data(c, to, (uint64_t)to->width * count);
	if (c->rc)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		vms_element_set(to, i, change_value(c, n, vms_element_get(n, first + i), to));
	return to;
}

static bool is_plain(const struct rules_change *c)
{
	return !c->type && c->multiply == 1 && c->divide == 1;
}

static bool inside(const struct vms_node *n, const struct vms_node *outer)
{
	while (n && n != outer)
		n = n->parent;
	return n;
}

static void report_moved(struct rules_run *c, const char *from, const struct vms_node *n)
{
	char to[PATH_SIZE], value[32];

	vms_path(n, to, sizeof(to));
	if (c->action->verb == RULES_MOVE)
		rules_report(c, REPORT_RENAMED, from, from, to);
	else
		rules_report(c, REPORT_SYNTHESISED, to, NULL, rules_show_node(n, value, sizeof(value)));
}

/* copy into integers that are there already. */
static int overwrite(struct rules_run *c, const struct rules_target *from, struct vms_node *base)
{
	char before[32], after[32], path[PATH_SIZE];
	struct rules_target to;

	if (!rules_find(base, c->action->to, &to) || to.node->kind != VMS_INT || to.count != from->count)
		return rules_fail(c, base, c->action->to, "it is there already, and not as many integers as are copied");
	for (uint32_t i = 0; i < to.count; i++) {
		uint64_t old = vms_element_get(to.node, to.first + i), v;

		v = change_value(c, from->node, vms_element_get(from->node, from->first + i), to.node);
		vms_element_set(to.node, to.first + i, v);
		v = vms_element_get(to.node, to.first + i);
		if (v != old && to.count == 1)
			rules_report(c, REPORT_DERIVED, rules_full_path(base, c->action->to, path, sizeof(path)),
				     rules_show(to.node->is_signed, old, before, sizeof(before)),
				     rules_show(to.node->is_signed, v, after, sizeof(after)));
	}
	if (to.count > 1)
		rules_report(c, REPORT_DERIVED, rules_full_path(base, c->action->to, path, sizeof(path)), NULL,
			     rules_show_node(to.node, after, sizeof(after)));
	return 0;
}

static int copy_one(struct rules_run *c, struct vms_node *n, struct vms_node *base)
{
	const struct rules_action *a = c->action;
	struct rules_target t, there;
	struct vms_node *parent, *f;
	char from[PATH_SIZE];
	const char *name;

	if (!rules_find(n, a->field, &t))
		return a->optional ? 0 : rules_fail(c, n, a->field, "no such field");
	if (rules_find(base, a->to, &there))
		return t.node->kind == VMS_INT ? overwrite(c, &t, base)
					       : rules_fail(c, base, a->to, "it is there already");
	parent = rules_parent(base, a->to, &name);
	if (!parent)
		return rules_fail(c, base, a->to, "nothing can be put there");
	if (t.node->kind == VMS_INT)
		f = rules_converted(c, t.node, t.first, t.count, t.node->array && vms_lookup(n, a->field), name);
	else if (!is_plain(&a->change))
		return rules_fail(c, n, a->field, "only an integer can get another type or scale");
	else
		f = rules_clone(c, t.node);
	if (!f || (t.node->kind != VMS_INT && (c->rc = rules_set_name(c, f, name))))
		return c->rc;
	f->index = VMS_NO_INDEX;
	rules_put(parent, f, &a->place);
	report_moved(c, rules_full_path(n, a->field, from, sizeof(from)), f);
	return 0;
}

static int move_one(struct rules_run *c, struct vms_node *n, struct vms_node *base)
{
	const struct rules_action *a = c->action;
	struct vms_node *parent, *f;
	char from[PATH_SIZE];
	const char *name;
	int rc = rules_movable(c, n, a->field, &f);

	if (rc || !f)
		return rc;
	parent = rules_parent(base, a->to, &name);
	if (!parent || inside(parent, f))
		return rules_fail(c, base, a->to, "nothing can be put there");
	/* Its own name is free: the move may be one within a struct. */
	rc = parent == f->parent && !strcmp(f->name, name) ? 0 : rules_free_name(c, parent, name);
	if (rc)
		return rc;
	vms_path(f, from, sizeof(from));
	if (!is_plain(&a->change)) {
		struct vms_node *changed = NULL;

		if (f->kind != VMS_INT)
			return rules_fail(c, f, NULL, "only an integer can get another type or scale");
		changed = rules_converted(c, f, 0, f->count, f->array, name);
		if (!changed)
			return c->rc;
		vms_remove(f);
		f = changed;
	} else {
		vms_remove(f);
		rc = rules_set_name(c, f, name);
	}
	if (!rc) {
		rules_put(parent, f, &a->place);
		report_moved(c, from, f);
	}
	return rc;
}

/* The array that a path with "[*]" names; "" behind it: integers, else structs and the member of each. */
static int find_list(struct rules_run *c, struct vms_node *n, const char *path, struct vms_node **ret,
		     const char **ret_member)
{
	const char *star = strstr(path, "[*]");
	char head[PATH_SIZE];

	*ret = NULL;
	*ret_member = star[3] ? star + 4 : "";
	if ((size_t)(star - path) >= sizeof(head))
		return rules_fail(c, n, NULL, "a path is too long");
	memcpy(head, path, (size_t)(star - path));
	head[star - path] = '\0';
	*ret = vms_lookup(n, head);
	return 0;
}

/* "queues[*].vector" to "vectors[*]" */
static int gather(struct rules_run *c, struct vms_node *n, struct vms_node *base, struct vms_node *list,
		  const char *member)
{
	const struct rules_action *a = c->action;
	struct vms_node *first = vms_first_child(list) ? vms_lookup(vms_first_child(list), member) : NULL, *all, *parent;
	char to[PATH_SIZE], from[PATH_SIZE];
	const char *name;
	uint32_t i = 0;

	if (!list->count)
		return 0;
	if (list->kind != VMS_ARRAY)
		return rules_fail(c, list, NULL, "no array of structs");
	if (!first || first->kind != VMS_INT || first->array)
		return a->optional && !first ? 0 : rules_fail(c, n, a->field, "no such integer in its elements");
	snprintf(to, sizeof(to), "%.*s", (int)(strlen(a->to) - 3), a->to);
	parent = rules_parent(base, to, &name);
	if (!parent || inside(parent, list))
		return rules_fail(c, base, a->to, "nothing can be put there");
	if ((c->rc = rules_free_name(c, parent, name)))
		return c->rc;
	/* One after the other into an array of the right length, then converted as a whole. */
	all = rules_node(c, VMS_INT, name, first->type);
	if (!all || (c->rc = rules_data(c, all, (uint64_t)first->width * list->count)))
		return c->rc;
	all->width = first->width;
	all->is_signed = first->is_signed;
	all->count = list->count;
	all->array = true;
	for (struct vms_node *e = vms_first_child(list); e; e = e->next, i++) {
		struct vms_node *f = vms_lookup(e, member);

		if (!f || f->kind != VMS_INT || f->array || f->width != all->width || i >= all->count)
			return rules_fail(c, e, NULL, "the elements of an array must be alike");
		vms_element_set(all, i, vms_element_get(f, 0));
		if (a->verb == RULES_MOVE)
			vms_remove(f);
	}
	if (!is_plain(&a->change)) {
		rules_put(parent, all, &a->place);
		vms_path(all, from, sizeof(from));
		first = rules_converted(c, all, 0, all->count, true, name);
		vms_remove(all);
		all = first;
	}
	if (!all)
		return c->rc;
	rules_put(parent, all, &a->place);
	report_moved(c, rules_full_path(n, a->field, from, sizeof(from)), all);
	return 0;
}

/* "vectors[*]" to "queues[*].vector" */
static int scatter(struct rules_run *c, struct vms_node *n, struct vms_node *list, struct vms_node *to,
		   const char *member)
{
	const struct rules_action *a = c->action;
	char from[PATH_SIZE], path[PATH_SIZE];
	uint32_t i = 0;

	if (list->kind != VMS_INT || !list->array)
		return rules_fail(c, list, NULL, "no array of integers");
	if (!to || to->kind != VMS_ARRAY || to->count != list->count)
		return rules_fail(c, n, a->to, "no array of %" PRIu32 " structs", list->count);
	vms_path(list, from, sizeof(from));
	for (struct vms_node *e = vms_first_child(to); e && i < list->count; e = e->next, i++) {
		const char *name;
		struct vms_node *parent = rules_parent(e, member, &name), *f;

		if (!parent)
			return rules_fail(c, e, member, "nothing can be put there");
		if ((c->rc = rules_free_name(c, parent, name)))
			return c->rc;
		f = rules_converted(c, list, i, 1, false, name);
		if (!f)
			return c->rc;
		rules_put(parent, f, &a->place);
	}
	if (a->verb == RULES_MOVE)
		vms_remove(list);
	rules_report(c, a->verb == RULES_MOVE ? REPORT_RENAMED : REPORT_SYNTHESISED, from, from,
		     rules_full_path(n, a->to, path, sizeof(path)));
	return 0;
}

int rules_act_move(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	struct vms_node *base = a->in ? rules_other_section(c, a->in) : n, *list, *to;
	const char *member, *to_member;
	int rc;

	if (!base)
		return c->rc ? c->rc : rules_fail(c, n, NULL, "there is no section %s of this instance", a->in);
	if (!strstr(a->field, "[*]"))
		return a->verb == RULES_COPY ? copy_one(c, n, base) : move_one(c, n, base);
	rc = find_list(c, n, a->field, &list, &member);
	if (!rc)
		rc = find_list(c, base, a->to, &to, &to_member);
	if (rc)
		return rc;
	if (!list)
		return a->optional ? 0 : rules_fail(c, n, a->field, "no such array");
	return *member ? gather(c, n, base, list, member) : scatter(c, n, list, to, to_member);
}

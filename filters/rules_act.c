/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on one field: rename, drop, set, map, require; the others are in files of their own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "filters/rules_priv.h"

#define PATH_SIZE 512

/* An array with more elements gets one entry in the report for all of them. */
#define ENTRIES_MAX 16u

static int missing(struct rules_run *c, const struct vms_node *n, const char *field)
{
	return c->action->optional ? 0 : rules_fail(c, n, field, "no such field");
}

int rules_movable(struct rules_run *c, struct vms_node *n, const char *path, struct vms_node **ret)
{
	struct vms_node *found = path ? vms_lookup(n, path) : n;
	struct rules_target t;

	*ret = NULL;
	if (!found && rules_find(n, path, &t))
		return rules_fail(c, n, path, "one element of an array cannot leave it");
	if (!found)
		return missing(c, n, path);
	if (found->kind != VMS_SECTION && (found->index != VMS_NO_INDEX || found->parent->kind == VMS_ARRAY))
		return rules_fail(c, n, path, "one element of an array cannot leave it");
	*ret = found;
	return 0;
}

int rules_free_name(struct rules_run *c, struct vms_node *parent, const char *name)
{
	for (const struct vms_node *k = vms_first_child(parent); k; k = k->next)
		if (!strcmp(k->name, name))
			return rules_fail(c, k, NULL, "there is a field of that name already");
	return 0;
}

static int rename_field(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	bool converts = a->change.type || a->change.multiply != 1 || a->change.divide != 1;
	struct vms_node *f, *changed;
	char path[PATH_SIZE];
	int rc = rules_movable(c, n, a->field, &f);

	if (rc || !f)
		return rc;
	if (f->kind == VMS_SECTION)
		return rules_fail(c, f, NULL, "a section is renamed by \"section\", \"name\" or \"vmsd\"");
	rc = strcmp(f->name, a->to) ? rules_free_name(c, f->parent, a->to) : 0;
	if (rc)
		return rc;
	rules_report(c, REPORT_RENAMED, vms_path(f, path, sizeof(path)), f->name, a->to);
	rules_reshaped(f);
	if (!converts)
		return rules_set_name(c, f, a->to);
	if (f->kind != VMS_INT)
		return rules_fail(c, f, NULL, "only an integer can get another type or scale");
	changed = rules_converted(c, f, 0, f->count, f->array, a->to);
	if (!changed)
		return c->rc;
	vms_insert_after(f, changed);
	vms_remove(f);
	return 0;
}

/* The value that a field must have had. */
static bool was(struct rules_run *c, struct vms_node *n, const char *field, const struct rules_target *t)
{
	const struct rules_action *a = c->action;
	uint64_t mask = a->mask ? a->mask : UINT64_MAX;
	char found[32], wanted[32];

	for (uint32_t i = 0; a->has_was && i < t->count; i++) {
		uint64_t v = vms_element_get(t->node, t->first + i);

		if (mask == UINT64_MAX ? !rules_compare(v, t->node->is_signed, &a->was) : !((v ^ a->was.bits) & mask))
			continue;
		rules_refuse(c, COST_FATAL, n, field, "it is %s and should be %s",
			     rules_show(t->node->is_signed, v & mask, found, sizeof(found)),
			     rules_show(a->was.negative, a->was.bits, wanted, sizeof(wanted)));
		return false;
	}
	return true;
}

static int drop(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	char path[PATH_SIZE], value[32];
	struct rules_target t;
	struct vms_node *f;
	int rc = rules_movable(c, n, a->field, &f);

	if (rc || !f)
		return rc;
	t = (struct rules_target){ f, 0, f->kind == VMS_INT ? f->count : 0 };
	if (a->has_was && f->kind != VMS_INT)
		return rules_fail(c, f, NULL, "no integer, so it has no value that it \"was\"");
	if (a->type && strcmp(f->type, a->type) != 0)
		return rules_fail(c, f, NULL, "its type is %s, not %s", f->type, a->type);
	if (!was(c, n, a->field, &t))
		return 0;
	vms_path(f, path, sizeof(path));
	rules_show_node(f, value, sizeof(value));
	vms_remove(f);
	rules_report(c, REPORT_DROPPED, path, value, NULL);
	return 0;
}

bool rules_fits(const struct rules_number *v, const char *type, uint32_t width)
{
	if (!strcmp(type, "bool"))
		return v->bits <= 1;
	return width == 8 || v->bits >> (8 * width) == 0 || (uint64_t)sign_extend(v->bits, width) == v->bits;
}

/* One element; @entries: with an entry of its own. */
static int write_element(struct rules_run *c, struct vms_node *n, const struct rules_target *t, uint32_t i,
			 const struct rules_number *value, bool entries, bool *changed)
{
	uint64_t old = vms_element_get(t->node, t->first + i), mask = c->action->mask ? c->action->mask : UINT64_MAX;
	struct rules_number v = { (old & ~mask) | (value->bits & mask), value->negative };
	char path[PATH_SIZE], before[32], after[32];
	size_t used;

	if (!rules_fits(&v, t->node->type, t->node->width))
		return rules_fail(c, n, c->action->field, "%s does not fit into %s",
				  rules_show(v.negative, v.bits, after, sizeof(after)), t->node->type);
	vms_element_set(t->node, t->first + i, v.bits);
	v.bits = vms_element_get(t->node, t->first + i);
	if (v.bits == old)
		return 0;
	*changed = true;
	if (!entries)
		return 0;
	used = strlen(vms_path(t->node, path, sizeof(path)));
	if (t->node->array)
		snprintf(path + used, sizeof(path) - used, "[%" PRIu32 "]", t->first + i);
	rules_report(c, REPORT_DERIVED, path, rules_show(t->node->is_signed, old, before, sizeof(before)),
		     rules_show(t->node->is_signed, v.bits, after, sizeof(after)));
	return 0;
}

static void report_all(struct rules_run *c, const struct rules_target *t)
{
	char path[PATH_SIZE], value[32];

	rules_report(c, REPORT_DERIVED, vms_path(t->node, path, sizeof(path)), NULL,
		     rules_show_node(t->node, value, sizeof(value)));
}

static int set_version(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	char path[PATH_SIZE], before[32], after[32];
	struct vms_node *f = a->field ? vms_lookup(n, a->field) : n;

	if (!f)
		return missing(c, n, a->field);
	if (f->kind != VMS_SECTION && f->kind != VMS_SUBSECTION && f->kind != VMS_STRUCT)
		return rules_fail(c, f, NULL, "only a section, subsection or struct has a version");
	snprintf(before, sizeof(before), "version %" PRIu32, f->version);
	snprintf(after, sizeof(after), "version %" PRIu64, a->values[0].bits);
	vms_path(f, path, sizeof(path));
	if (a->has_was && f->version != a->was.bits) {
		rules_refuse(c, COST_FATAL, f, NULL, "it is %s and should be version %" PRIu64, before, a->was.bits);
	} else if (f->version != a->values[0].bits) {
		f->version = (uint32_t)a->values[0].bits;
		rules_reshaped(f);
		rules_report(c, REPORT_DERIVED, path, before, after);
	}
	return 0;
}

static int make_field(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	char path[PATH_SIZE], value[32];
	const char *name;
	struct vms_node *parent = rules_parent(n, a->field, &name), *f;
	int rc = parent ? rules_free_name(c, parent, name) : rules_fail(c, n, a->field, "nothing can be put there");

	if (rc)
		return rc;
	f = rules_node(c, VMS_INT, name, a->type);
	if (!f)
		return c->rc;
	vms_int_type(a->type, &f->width, &f->is_signed);
	f->array = a->count;
	f->count = a->count ? a->count : 1;
	rc = rules_data(c, f, (uint64_t)f->width * f->count);
	for (uint32_t i = 0; i < f->count && !rc; i++) {
		const struct rules_number *v = &a->values[a->nvalues > 1 ? i : 0];

		if (!rules_fits(v, f->type, f->width))
			rc = rules_fail(c, n, a->field, "%s does not fit into %s",
					rules_show(v->negative, v->bits, value, sizeof(value)), f->type);
		else
			vms_element_set(f, i, v->bits);
	}
	if (rc)
		return rc;
	rules_put(parent, f, &a->place);
	rules_report(c, REPORT_SYNTHESISED, vms_path(f, path, sizeof(path)), NULL,
		     rules_show_node(f, value, sizeof(value)));
	return 0;
}

/* What set and map write to: integers. */
static int find_integers(struct rules_run *c, struct vms_node *n, struct rules_target *ret)
{
	const char *field = c->action->field;

	ret->node = NULL;
	if (!rules_find(n, field, ret))
		return missing(c, n, field);
	return ret->node->kind == VMS_INT ? 0 : rules_fail(c, n, field, "no integer");
}

static int set(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	bool changed = false;
	struct rules_target t;
	int rc;

	if (a->has_version)
		return set_version(c, n);
	if (a->type && !(a->optional && rules_find(n, a->field, &t)))
		return make_field(c, n);
	rc = find_integers(c, n, &t);
	if (rc || !t.node)
		return rc;
	if (a->nvalues > 1 && a->nvalues != t.count)
		return rules_fail(c, n, a->field, "%zu values for %" PRIu32 " elements", a->nvalues, t.count);
	if (!was(c, n, a->field, &t))
		return 0;
	for (uint32_t i = 0; i < t.count && !rc; i++)
		rc = write_element(c, n, &t, i, &a->values[a->nvalues > 1 ? i : 0], t.count <= ENTRIES_MAX, &changed);
	if (!rc && changed && t.count > ENTRIES_MAX)
		report_all(c, &t);
	return rc;
}

static const struct rules_number *mapped(const struct rules_action *a, uint64_t v, bool is_signed)
{
	for (size_t i = 0; i < a->npairs; i++)
		if (!rules_compare(v, is_signed, &a->pairs[i].from))
			return &a->pairs[i].to;
	return a->otherwise == RULES_ELSE_VALUE ? &a->otherwise_value : NULL;
}

static int map(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	struct rules_target t;
	bool changed = false;
	char value[32];
	int rc = find_integers(c, n, &t);

	for (uint32_t i = 0; !rc && t.node && i < t.count; i++) {
		uint64_t v = vms_element_get(t.node, t.first + i);
		const struct rules_number *to = mapped(a, v, t.node->is_signed);

		if (to)
			rc = write_element(c, n, &t, i, to, t.count <= ENTRIES_MAX, &changed);
		else if (a->otherwise == RULES_ELSE_REFUSE)
			rules_refuse(c, COST_FATAL, n, a->field, "there is no value for %s",
				     rules_show(t.node->is_signed, v, value, sizeof(value)));
	}
	if (!rc && changed && t.count > ENTRIES_MAX)
		report_all(c, &t);
	return rc;
}

static int require(struct rules_run *c, struct vms_node *n)
{
	static const char *const ops[] = { "==", "!=", "&", "<", "<=", ">", ">=" };
	const struct rules_action *a = c->action;

	for (size_t i = 0; i < a->conditions.count; i++) {
		const struct rules_condition *cond = &a->conditions.items[i];
		const struct vms_node *base = cond->in ? rules_other_section(c, cond->in) : n;
		char value[32];

		if (rules_holds(c, n, cond))
			continue;
		if (!base)
			rules_refuse(c, a->cost, n, NULL, "there is no section %s", cond->in);
		else if (cond->op >= RULES_PRESENT)
			rules_refuse(c, a->cost, base, cond->field, "it must %s there",
				     cond->op == RULES_PRESENT ? "be" : "not be");
		else
			rules_refuse(c, a->cost, base, cond->field, "it must be %s %s", ops[cond->op],
				     rules_show(cond->value.negative, cond->value.bits, value, sizeof(value)));
	}
	return 0;
}

int rules_act(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;

	switch (a->verb) {
	case RULES_RENAME:
		return a->to ? rename_field(c, n) : rules_rename_section(c, n);
	case RULES_DROP:
		return drop(c, n);
	case RULES_SET:
		return set(c, n);
	case RULES_COPY:
	case RULES_MOVE:
		return rules_act_move(c, n);
	case RULES_MAP:
		return map(c, n);
	case RULES_REQUIRE:
		return require(c, n);
	case RULES_SPLIT:
		return rules_act_split(c, n);
	case RULES_MERGE:
		return rules_act_merge(c, n);
	case RULES_UNPACK:
		return rules_act_unpack(c, n);
	case RULES_PACK:
		return rules_act_pack(c, n);
	}
	return 0;
}

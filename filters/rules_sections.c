/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on whole sections: rename, split into several, merge several into one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "filters/rules_priv.h"

#define PATH_SIZE 512

static struct vms_node *section_named(const struct rules_run *c, const char *name, uint32_t instance)
{
	struct vms_node *s = vms_first_child(c->run->tree->machine);

	while (s && (s->kind != VMS_SECTION || s->instance != instance || strcmp(s->name, name) != 0))
		s = s->next;
	return s;
}

static char *duplicate(struct rules_run *c, const char *s)
{
	char *copy = arena_strndup(&c->run->tree->arena, s, strlen(s));

	if (!copy)
		c->rc = irqs_fail_nomem(c->reterr);
	return copy;
}

/* One of the three names of a section. */
static int rename_one(struct rules_run *c, struct vms_node *s, const char *to, const char **name, bool in_stream)
{
	char expanded[RULES_NAME_MAX + 1], path[PATH_SIZE];

	if (!to)
		return 0;
	if (!rules_expand(c, to, expanded))
		return c->rc;
	if (*name && !strcmp(*name, expanded))
		return 0;
	rules_report(c, REPORT_RENAMED, vms_path(s, path, sizeof(path)), *name ? *name : s->name, expanded);
	*name = duplicate(c, expanded);
	if (in_stream)
		s->reshaped = true;
	return c->rc;
}

int rules_rename_section(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	char name[RULES_NAME_MAX + 1];
	int rc;

	if (a->name && !rules_expand(c, a->name, name))
		return c->rc;
	if (a->name && strcmp(n->name, name) != 0 && section_named(c, name, n->instance))
		return rules_fail(c, n, NULL, "there is a section %s already", name);
	rc = rename_one(c, n, a->section, &n->type, false);
	if (!rc)
		rc = rename_one(c, n, a->vmsd, &n->vmsd, true);
	return rc ? rc : rename_one(c, n, a->name, &n->name, true);
}

static void move_child(struct rules_run *c, struct vms_node *n, struct vms_node *to)
{
	static const struct rules_place last = { NULL };
	char from[PATH_SIZE], path[PATH_SIZE];

	vms_path(n, from, sizeof(from));
	vms_remove(n);
	rules_put(to, n, &last);
	rules_report(c, REPORT_RENAMED, from, from, vms_path(n, path, sizeof(path)));
}

/* A part of @from, next to @beside. */
static int make_section(struct rules_run *c, const struct rules_part *p, struct vms_node *from,
			struct vms_node *beside, struct vms_node **ret)
{
	char name[RULES_NAME_MAX + 1], type[RULES_NAME_MAX + 1], vmsd[RULES_NAME_MAX + 1], path[PATH_SIZE];
	struct vms_node *s;

	if (!rules_expand(c, p->name, name) || !rules_expand(c, p->section, type) || !rules_expand(c, p->vmsd, vmsd))
		return c->rc;
	if (section_named(c, name, from->instance))
		return rules_fail(c, from, NULL, "there is a section %s already", name);
	s = rules_node(c, VMS_SECTION, name, type);
	if (!s)
		return c->rc;
	s->vmsd = duplicate(c, vmsd);
	s->instance = from->instance;
	s->version = p->version;
	s->path = from->path;
	if (p->before)
		vms_insert_before(beside, s);
	else
		vms_insert_after(beside, s);
	rules_report(c, REPORT_SYNTHESISED, vms_path(s, path, sizeof(path)), NULL, s->type);
	*ret = s;
	return c->rc;
}

static int fill_section(struct rules_run *c, const struct rules_part *p, struct vms_node *from, struct vms_node *to)
{
	for (size_t i = 0; i < p->fields.count; i++) {
		bool found = false;

		for (struct vms_node *k = vms_first_child(from), *next; k; k = next) {
			next = k->next;
			if (!rules_glob(p->fields.items[i], k->name, NULL))
				continue;
			found = true;
			move_child(c, k, to);
		}
		if (!found && !c->action->optional)
			return rules_fail(c, from, p->fields.items[i], "no such field");
	}
	return 0;
}

int rules_act_split(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;
	struct vms_node *last = n; /* parts behind the section stay in the order in which they are written */
	int rc = 0;

	for (size_t i = 0; i < a->nparts && !rc; i++) {
		const struct rules_part *p = &a->parts[i];
		struct vms_node *made = NULL;

		rc = make_section(c, p, n, p->before ? n : last, &made);
		if (!rc)
			rc = fill_section(c, p, n, made);
		if (!p->before)
			last = made;
	}
	return rc;
}

/* The children that @order names come first, in that order; subsections stay behind all fields. */
static void sort_children(struct vms_node *n, const struct rules_strings *order)
{
	for (int subs = 0; subs < 2; subs++) {
		for (size_t i = order->count; i-- > 0;) {
			struct vms_node *k = vms_first_child(n), *first = vms_first_child(n);

			while (k && ((k->kind == VMS_SUBSECTION) != subs || strcmp(k->name, order->items[i]) != 0))
				k = k->next;
			while (first && (first->kind == VMS_SUBSECTION) != subs)
				first = first->next;
			if (!k || k == first)
				continue;
			vms_remove(k);
			vms_insert_before(first, k);
		}
	}
}

int rules_act_merge(struct rules_run *c, struct vms_node *n)
{
	const struct rules_action *a = c->action;

	for (size_t i = 0; i < a->nparts; i++) {
		const struct rules_part *p = &a->parts[i];
		char name[RULES_NAME_MAX + 1], path[PATH_SIZE];
		struct vms_node *s;

		if (!rules_expand(c, p->name, name))
			return c->rc;
		s = section_named(c, name, n->instance);
		if (!s || s == n)
			return rules_fail(c, n, NULL, "there is no other section %s of this instance", name);
		if (s->version != p->version)
			return rules_fail(c, s, NULL, "its version is %" PRIu32 ", not %" PRIu32, s->version, p->version);
		while (vms_first_child(s)) {
			if ((c->rc = rules_free_name(c, n, vms_first_child(s)->name)))
				return c->rc;
			move_child(c, vms_first_child(s), n);
		}
		vms_path(s, path, sizeof(path));
		rules_report(c, REPORT_DROPPED, path, s->type, NULL);
		vms_remove(s);
	}
	sort_children(n, &a->order);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules as a filter: loading, the choice of a direction, and the walk over the tree. */
#include "filters/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filters/rules_priv.h"

#define PATH_SIZE 512

/* Nodes that a rule acts on, collected before anything is changed. */
struct nodes {
	struct vms_node **items;
	size_t count, capacity;
};

static int add_node(struct nodes *list, struct vms_node *n, struct irqs_error *reterr)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		struct vms_node **items = realloc(list->items, capacity * sizeof(*items));

		if (!items)
			return irqs_fail_nomem(reterr);
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = n;
	return 0;
}

static bool wanted(const struct rules_rule *rule, const struct vms_node *n, size_t prefix)
{
	char path[PATH_SIZE];

	if (!rule->path)
		return n->kind == VMS_STRUCT || n->kind == VMS_SUBSECTION;
	return strlen(vms_path(n, path, sizeof(path))) > prefix && rules_glob(rule->path, path + prefix + 1, NULL);
}

/* @prefix: length of the path of the section. */
static int collect_below(const struct rules_rule *rule, const struct vms_node *n, size_t prefix, struct nodes *list,
			 struct irqs_error *reterr)
{
	int rc = 0;

	for (struct vms_node *k = vms_first_child(n); k && !rc; k = k->next) {
		if (wanted(rule, k, prefix))
			rc = add_node(list, k, reterr);
		if (!rc && rule->recurse)
			rc = collect_below(rule, k, prefix, list, reterr);
	}
	return rc;
}

static int collect(const struct rules_rule *rule, struct vms_node *section, struct nodes *list,
		   struct irqs_error *reterr)
{
	char path[PATH_SIZE];
	int rc = 0;

	list->count = 0;
	if (!rule->path)
		rc = add_node(list, section, reterr);
	if (rc || (!rule->path && !rule->recurse))
		return rc;
	return collect_below(rule, section, strlen(vms_path(section, path, sizeof(path))), list, reterr);
}

/* Whether an earlier action has taken it out, or what it is in. */
static bool attached(const struct vms_node *n, const struct vms_node *machine)
{
	while (n && n != machine)
		n = n->parent;
	return n;
}

static int act_on(struct rules_run *c, struct vms_node *n)
{
	const struct vms_node *machine = c->run->tree->machine;

	for (size_t i = 0; i < c->rule->where.count; i++)
		if (!rules_holds(c, n, &c->rule->where.items[i]))
			return c->rc;
	for (size_t i = 0; i < c->rule->nactions && attached(n, machine); i++) {
		int rc;

		c->action = &c->rule->actions[i];
		rc = rules_act(c, n);
		if (!rc)
			rc = c->rc;
		if (rc)
			return rc;
	}
	return 0;
}

static int run_on_section(struct rules_run *c, struct nodes *list)
{
	int rc = collect(c->rule, c->section, list, c->reterr);

	for (size_t i = 0; i < list->count && !rc; i++) {
		c->action = NULL;
		if (attached(list->items[i], c->run->tree->machine))
			rc = act_on(c, list->items[i]);
	}
	c->action = NULL;
	return !rc && c->section->reshaped ? rules_even(c, c->section) : rc;
}

/* All sections as they were when the rule started: it does not see those that it makes. */
static int run_rule(struct rules_run *c, struct nodes *sections, struct nodes *below)
{
	int rc = 0;

	sections->count = 0;
	for (struct vms_node *s = vms_first_child(c->run->tree->machine); s && !rc; s = s->next)
		if (s->kind == VMS_SECTION && rules_section_matches(c, s))
			rc = add_node(sections, s, c->reterr);
	for (size_t i = 0; i < sections->count && !rc; i++) {
		c->section = sections->items[i];
		if (c->section->parent && rules_section_matches(c, c->section))
			rc = run_on_section(c, below);
	}
	return rc;
}

static int run_rules(struct filter_run *run, struct irqs_error *reterr)
{
	const struct rules *r = run->self->data;
	const struct rules_list *list = rules_choose(r, run->from, run->to) == RULES_BACK ? &r->back : &r->forward;
	struct nodes sections = { 0 }, below = { 0 };
	struct rules_run c = {
		.run = run,
		.rules = r,
		.nodes_left = RULES_MAX_NODES,
		.bytes_left = RULES_MAX_BYTES,
		.reterr = reterr,
	};
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		c.rule = &list->items[i];
		rc = run_rule(&c, &sections, &below);
	}
	free(sections.items);
	free(below.items);
	return rc;
}

static bool version_matches(const struct rules_host *h, const struct profile *p)
{
	/* What is not stated is the oldest QEMU that is known. */
	unsigned int major = p->qemu_major ? p->qemu_major : 7, minor = p->qemu_major ? p->qemu_minor : 2;
	int order = major != h->major ? (major > h->major) - (major < h->major)
				      : (minor > h->minor) - (minor < h->minor);

	switch (h->op[0]) {
	case '<':
		return order < 0 || (h->op[1] && !order);
	case '>':
		return order > 0 || (h->op[1] && !order);
	case '=':
		return !order;
	default:
		return true;
	}
}

static bool host_matches(const struct rules_hosts *hosts, const struct profile *p)
{
	for (size_t i = 0; i < hosts->count; i++) {
		const struct rules_host *h = &hosts->items[i];

		if ((h->any_kind || h->kind == p->kind) && version_matches(h, p))
			return true;
	}
	return !hosts->count;
}

enum rules_direction rules_choose(const struct rules *r, const struct profile *from, const struct profile *to)
{
	if (r->forced != RULES_BY_HOSTS)
		return r->forced;
	if (host_matches(&r->from, from) && host_matches(&r->to, to))
		return RULES_FORWARD;
	if (r->two_way && host_matches(&r->from, to) && host_matches(&r->to, from))
		return RULES_BACK;
	return RULES_BY_HOSTS;
}

static bool applies(const struct filter *self, const struct profile *from, const struct profile *to)
{
	return rules_choose(self->data, from, to) != RULES_BY_HOSTS;
}

int rules_force(struct rules *r, enum rules_direction direction, struct irqs_error *reterr)
{
	if (direction == RULES_BACK && !r->two_way)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "filter %s: it has no way back",
				 r->filter.name);
	r->forced = direction;
	return 0;
}

const struct filter *rules_filter(const struct rules *r)
{
	return &r->filter;
}

static int parse_text(struct rules *r, struct irqs_error *reterr)
{
	struct rules_reader reader = { r, r->text, r->size, reterr };
	json_error_t err;
	json_t *root = json_loadb(r->text, r->size, JSON_REJECT_DUPLICATES, &err);
	int rc;

	if (!root && json_error_code(&err) == json_error_out_of_memory)
		return irqs_fail_nomem(reterr);
	if (!root)
		return irqs_fail(reterr, IRQS_MALFORMED, err.position, NULL, "line %d, column %d: %s", err.line,
				 err.column, err.text);
	rc = rules_parse(&reader, root);
	json_decref(root);
	return rc;
}

int rules_load(struct rules **ret, const char *text, size_t size, struct irqs_error *reterr)
{
	struct rules *r;
	int rc;

	if (size > RULES_TEXT_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "a text of more than %zu MiB",
				 RULES_TEXT_MAX >> 20);
	r = calloc(1, sizeof(*r));
	if (!r)
		return irqs_fail_nomem(reterr);
	arena_init(&r->arena);
	r->text = arena_strndup(&r->arena, text, size);
	r->size = size;
	r->filter = (struct filter){ .applies = applies, .run = run_rules, .data = r };
	rc = r->text ? parse_text(r, reterr) : irqs_fail_nomem(reterr);
	if (rc) {
		rules_destroy(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void rules_destroy(struct rules *r)
{
	if (!r)
		return;
	arena_deinit(&r->arena);
	free(r);
}

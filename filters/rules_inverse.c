/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way back out of the way there: the rules from the last to the first, each with the inverse of its actions
 * from the last to the first. What keeps no trace of what was has none, and is named.
 */
#include <string.h>

#include "filters/rules_priv.h"

struct inverter {
	struct rules_reader *r;
	const struct rules_at *at; /* the action */
	const struct rules_rule *rule;
	struct rules_rule *out;
};

static int none(struct inverter *v, const char *why)
{
	return rules_mistake(v->r, v->at, false, "it has no inverse: %s", why);
}

static bool literal(const char *s)
{
	return s && !s[strcspn(s, "*?\\$")];
}

/* One pattern becomes the new name, and the new name what the pattern said. */
static int swap_pattern(struct inverter *v, const char *was, const char **pattern, const char **name, const char *what)
{
	if (!*name)
		return 0;
	if (*pattern != was)
		return none(v, "its rule renames the section twice");
	if (!literal(was) || !literal(*name))
		return rules_mistake(v->r, v->at, false,
				     "it has no inverse: \"%s\" of the rule, and the new one, must be names without "
				     "wildcards",
				     what);
	*pattern = *name;
	*name = was;
	return 0;
}

static int invert_change(struct inverter *v, struct rules_change *c)
{
	struct rules_change was = *c;

	if (c->round)
		return none(v, "it rounds");
	if (c->type && !c->was_type)
		return none(v, "\"was_type\" is missing");
	c->type = was.was_type;
	c->was_type = was.type;
	c->multiply = was.divide;
	c->divide = was.multiply;
	return 0;
}

static int invert_rename(struct inverter *v, struct rules_action *a)
{
	const char *was = a->was_name ? a->was_name : a->field;
	size_t prefix;
	char *path;
	int rc;

	if (a->vmsd)
		return none(v, "a rule does not say the vmsd_name that was");
	if (a->section || a->name) {
		rc = swap_pattern(v, v->rule->section, &v->out->section, &a->section, "section");
		return rc ? rc : swap_pattern(v, v->rule->name, &v->out->name, &a->name, "name");
	}
	if (!a->field)
		return none(v, "\"field\" is missing");
	if (!a->was_name && strchr(a->field, '.'))
		return none(v, "\"was\" is missing: a '.' may be part of a name");
	if (strlen(was) > strlen(a->field) || strcmp(a->field + strlen(a->field) - strlen(was), was))
		return none(v, "\"field\" does not end in \"was\"");
	prefix = strlen(a->field) - strlen(was);
	path = rules_array(v->r, prefix + strlen(a->to) + 1, 1);
	if (!path)
		return irqs_fail_nomem(v->r->reterr);
	memcpy(path, a->field, prefix);
	strcpy(path + prefix, a->to);
	a->was_name = a->to;
	a->to = was;
	a->field = path;
	return invert_change(v, &a->change);
}

static int invert_drop(struct inverter *v, struct rules_action *a)
{
	if (!a->has_was || !a->type)
		return none(v, "\"was\" and \"type\" are missing");
	a->verb = RULES_SET;
	a->values = &a->was;
	a->nvalues = 1;
	a->mask = UINT64_MAX;
	return 0;
}

static int invert_set(struct inverter *v, struct rules_action *a)
{
	struct rules_number *was;

	if (a->nvalues != 1)
		return none(v, "it sets elements to different values");
	if (!a->type && !a->has_was)
		return none(v, "\"was\" is missing, or \"type\" if the field is new");
	was = rules_array(v->r, 1, sizeof(*was));
	if (!was)
		return irqs_fail_nomem(v->r->reterr);
	*was = a->was;
	a->was = a->values[0];
	a->values = was;
	if (a->type)
		a->verb = RULES_DROP;
	a->has_was = true;
	return 0;
}

static int invert_move(struct inverter *v, struct rules_action *a)
{
	const struct rules_place place = a->place;
	const char *to = a->to;

	if (a->in)
		return none(v, "the field goes into another section");
	a->to = a->field;
	a->field = to;
	a->place = a->was_place;
	a->was_place = place;
	return invert_change(v, &a->change);
}

static int invert_map(struct inverter *v, struct rules_action *a)
{
	struct rules_pair *pairs = rules_array(v->r, a->npairs, sizeof(*pairs));

	if (!pairs)
		return irqs_fail_nomem(v->r->reterr);
	if (a->otherwise != RULES_ELSE_REFUSE)
		return none(v, "\"else\" makes two values one");
	for (size_t i = 0; i < a->npairs; i++) {
		for (size_t k = 0; k < i; k++)
			if (a->pairs[k].to.bits == a->pairs[i].to.bits)
				return none(v, "it makes two values one");
		pairs[i] = (struct rules_pair){ a->pairs[i].to, a->pairs[i].from };
	}
	a->pairs = pairs;
	return 0;
}

static int invert_action(struct inverter *v, struct rules_action *a)
{
	if (a->why_back)
		a->why = a->why_back;
	switch (a->verb) {
	case RULES_RENAME:
		return invert_rename(v, a);
	case RULES_DROP:
		return invert_drop(v, a);
	case RULES_SET:
		return invert_set(v, a);
	case RULES_COPY:
		return none(v, "the way back would have to choose between two fields");
	case RULES_MOVE:
		return invert_move(v, a);
	case RULES_MAP:
		return invert_map(v, a);
	case RULES_REQUIRE:
		return 0;
	case RULES_SPLIT:
	case RULES_MERGE:
		a->verb = a->verb == RULES_SPLIT ? RULES_MERGE : RULES_SPLIT;
		return 0;
	case RULES_UNPACK:
	case RULES_PACK:
		a->verb = a->verb == RULES_UNPACK ? RULES_PACK : RULES_UNPACK;
		return 0;
	}
	return 0;
}

/* Whether one path is the other, or leads into it. */
static bool related(const char *a, const char *b)
{
	size_t la, lb, len;

	if (!a || !b)
		return true;
	la = strlen(a);
	lb = strlen(b);
	len = la < lb ? la : lb;
	if (strncmp(a, b, len) != 0)
		return false;
	return la == lb || strchr(".[", (la < lb ? b : a)[len]);
}

/* Whether a condition may hold before an action and not behind it. */
static bool touches(const struct rules_action *a, const struct rules_condition *c)
{
	switch (a->verb) {
	case RULES_REQUIRE:
		return false;
	case RULES_SPLIT:
	case RULES_MERGE:
	case RULES_UNPACK:
	case RULES_PACK:
		return true;
	default:
		break;
	}
	if (a->has_version || a->section || a->name || a->vmsd)
		return c->in;
	return related(a->field, c->field) || (a->to && related(a->to, c->field));
}

static int check_conditions(struct rules_reader *r, const struct rules_at *at, const struct rules_rule *rule)
{
	struct rules_at list = { at, "where", 0 };

	for (size_t i = 0; i < rule->where.count; i++) {
		struct rules_at here = { &list, NULL, i };

		for (size_t k = 0; k < rule->nactions; k++)
			if (touches(&rule->actions[k], &rule->where.items[i]))
				return rules_mistake(r, &here, false,
						     "no inverse: what it asks for is changed by do[%zu]; "
						     "write \"back\" out",
						     k);
	}
	return 0;
}

/* With a path, the way back finds the same nodes only if they keep their names. */
static bool keeps_names(const struct rules_rule *rule)
{
	for (size_t k = 0; k < rule->nactions; k++) {
		const struct rules_action *a = &rule->actions[k];

		if (a->verb != RULES_MAP && a->verb != RULES_REQUIRE && (a->verb != RULES_SET || a->type))
			return false;
	}
	return true;
}

static int invert_rule(struct rules_reader *r, const struct rules_at *at, const struct rules_rule *rule,
		       struct rules_rule *ret)
{
	struct rules_at list = { at, "do", 0 };
	int rc = check_conditions(r, at, rule);

	if (rc)
		return rc;
	if ((rule->path || rule->recurse) && !keeps_names(rule))
		return rules_mistake(r, at, false,
				     "no inverse: with \"path\" or \"recurse\" only map, require and set have one");
	*ret = *rule;
	ret->actions = rules_array(r, rule->nactions, sizeof(*ret->actions));
	if (!ret->actions)
		return irqs_fail_nomem(r->reterr);
	for (size_t i = 0; i < rule->nactions && !rc; i++) {
		struct rules_at step = { &list, NULL, rule->nactions - 1 - i };
		struct rules_at here = { &step, rules_verb_name(rule->actions[step.index].verb), 0 };
		struct inverter v = { r, &here, rule, ret };

		ret->actions[i] = rule->actions[step.index];
		rc = invert_action(&v, &ret->actions[i]);
	}
	return rc;
}

int rules_invert(struct rules_reader *r)
{
	const struct rules_list *forward = &r->rules->forward;
	struct rules_list *back = &r->rules->back;
	struct rules_at list = { NULL, "forward", 0 };
	int rc = 0;

	back->items = rules_array(r, forward->count, sizeof(*back->items));
	if (!back->items)
		return irqs_fail_nomem(r->reterr);
	for (size_t i = 0; i < forward->count && !rc; i++) {
		struct rules_at here = { &list, NULL, forward->count - 1 - i };

		rc = invert_rule(r, &here, &forward->items[here.index], &back->items[i]);
		back->count += !rc;
	}
	return rc;
}

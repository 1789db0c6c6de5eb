/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A rules text into memory: the frame, the hosts, the rules and their conditions. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filters/rules_priv.h"

static const char *const cost_names[] = { "lossless", "approximate", "lossy", "fatal", NULL };

/* In the order of enum rules_op. */
static const char *const op_names[] = { "==", "!=", "&", "<", "<=", ">", ">=", "present", "absent", NULL };

int rules_parse_cost(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *ret)
{
	size_t cost = ret->cost;
	int rc = rules_get_choice(r, o, at, "cost", cost_names, &cost);

	ret->cost = (enum report_cost)cost;
	if (rc || (rc = rules_get_text(r, o, at, "why", &ret->why)))
		return rc;
	return rules_get_text(r, o, at, "why_back", &ret->why_back);
}

int rules_parse_condition(struct rules_reader *r, const json_t *o, const struct rules_at *at,
			  struct rules_condition *ret)
{
	static const char *const keys[] = { "field", "in", "op", "value", NULL };
	const json_t *value = json_object_get(o, "value");
	struct rules_at here = { at, "value", 0 };
	size_t op = RULES_EQ;
	int rc = rules_keys(r, o, at, keys);

	if (!rc)
		rc = rules_get_text(r, o, at, "field", &ret->field);
	if (!rc)
		rc = rules_get_name(r, o, at, "in", &ret->in);
	if (!rc)
		rc = rules_get_choice(r, o, at, "op", op_names, &op);
	if (rc)
		return rc;
	ret->op = (enum rules_op)op;
	if (ret->in && !ret->field)
		return rules_mistake(r, at, false, "\"in\" names a section, \"field\" is missing");
	if (op < RULES_PRESENT && !value)
		return rules_mistake(r, at, false, "\"value\" is missing");
	if (op >= RULES_PRESENT && value)
		return rules_mistake(r, &here, true, "\"%s\" takes no value", op_names[op]);
	return rules_get_number(r, o, at, "value", &ret->value);
}

int rules_parse_conditions(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
			   struct rules_conditions *ret)
{
	const json_t *list = json_object_get(o, key), *item;
	struct rules_at here = { at, key, 0 };
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list) || !json_array_size(list))
		return rules_mistake(r, &here, false, "a list of conditions is needed here");
	ret->items = rules_array(r, json_array_size(list), sizeof(*ret->items));
	if (!ret->items)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(list, i, item) {
		struct rules_at there = { &here, NULL, i };
		int rc = rules_parse_condition(r, item, &there, &ret->items[i]);

		if (rc)
			return rc;
		ret->count++;
	}
	return 0;
}

/* "KIND" or "KIND@qemu" with an operator and "MAJOR.MINOR". */
static bool parse_host(const char *s, struct rules_host *ret)
{
	static const char *const ops[] = { "<=", ">=", "<", ">", "=" };
	const char *at = strchr(s, '@');
	struct profile p;
	char kind[16], *end;
	size_t len = at ? (size_t)(at - s) : strlen(s), i;

	if (len >= sizeof(kind))
		return false;
	memcpy(kind, s, len);
	kind[len] = '\0';
	ret->any_kind = !strcmp(kind, "*");
	if (!ret->any_kind && profile_parse(kind, &p, NULL))
		return false;
	ret->kind = ret->any_kind ? PROFILE_KVM : p.kind;
	if (!at)
		return true;
	if (strncmp(at, "@qemu", 5) != 0)
		return false;
	s = at + 5;
	for (i = 0; i < 5 && strncmp(s, ops[i], strlen(ops[i])) != 0; i++)
		;
	if (i == 5)
		return false;
	strcpy(ret->op, ops[i]);
	s += strlen(ops[i]);
	if (!isdigit((unsigned char)*s))
		return false;
	ret->major = (unsigned int)strtoul(s, &end, 10);
	if (*end != '.' || !isdigit((unsigned char)end[1]) || end - s > 4)
		return false;
	s = end + 1;
	ret->minor = (unsigned int)strtoul(s, &end, 10);
	return !*end && end - s <= 4;
}

int rules_parse_hosts(struct rules_reader *r, const json_t *root, const char *key, struct rules_hosts *ret)
{
	struct rules_at here = { NULL, key, 0 };
	struct rules_strings names = { 0 };
	int rc = rules_get_strings(r, root, NULL, key, &names);

	if (rc || !json_object_get(root, key))
		return rc;
	if (!names.count)
		return rules_mistake(r, &here, false, "no host is in this list");
	ret->items = rules_array(r, names.count, sizeof(*ret->items));
	if (!ret->items)
		return irqs_fail_nomem(r->reterr);
	for (; ret->count < names.count; ret->count++) {
		struct rules_at there = { &here, NULL, ret->count };

		if (!parse_host(names.items[ret->count], &ret->items[ret->count]))
			return rules_mistake(r, &there, false,
					     "no kind of host: it is kvm, kvm-split, kvm-off, tcg or *, and may go on "
					     "with @qemu, one of < <= = >= > and a version MAJOR.MINOR");
	}
	return 0;
}

/* What changes whole sections has no meaning below one. */
static int check_place(struct rules_reader *r, const struct rules_at *at, const struct rules_rule *rule,
		       const struct rules_action *a)
{
	bool whole = a->verb == RULES_SPLIT || a->verb == RULES_MERGE || a->section || a->name || a->vmsd;

	if (!whole || (!rule->path && !rule->recurse))
		return 0;
	return rules_mistake(r, at, false, "it changes whole sections: its rule has no \"path\" and no \"recurse\"");
}

static int parse_actions(struct rules_reader *r, const json_t *o, const struct rules_at *at,
			 const struct rules_action *defaults, struct rules_rule *ret)
{
	const json_t *list = json_object_get(o, "do"), *item;
	struct rules_at here = { at, "do", 0 };
	size_t i;

	if (!json_is_array(list) || !json_array_size(list))
		return rules_mistake(r, &here, false, "a list of actions is needed here");
	ret->actions = rules_array(r, json_array_size(list), sizeof(*ret->actions));
	if (!ret->actions)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(list, i, item) {
		struct rules_at there = { &here, NULL, i };
		int rc;

		ret->actions[i] = *defaults;
		ret->actions[i].index = i;
		rc = rules_parse_action(r, item, &there, &ret->actions[i]);
		if (!rc)
			rc = check_place(r, &there, ret, &ret->actions[i]);
		if (rc)
			return rc;
		ret->nactions++;
	}
	return 0;
}

static int parse_rule(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_rule *ret)
{
	static const char *const keys[] = { "!section", "name", "instance", "path", "recurse", "where",
					    "!cost", "!why", "why_back", "!do", NULL };
	struct rules_action defaults = { .cost = COST_LOSSLESS };
	int rc = rules_keys(r, o, at, keys);

	if (rc || (rc = rules_get_name(r, o, at, "section", &ret->section)) ||
	    (rc = rules_get_name(r, o, at, "name", &ret->name)) ||
	    (rc = rules_get_name(r, o, at, "path", &ret->path)) ||
	    (rc = rules_get_bool(r, o, at, "recurse", &ret->recurse)) ||
	    (rc = rules_get_u32(r, o, at, "instance", 0, VMS_NO_INDEX - 1, &ret->instance)) ||
	    (rc = rules_parse_cost(r, o, at, &defaults)) ||
	    (rc = rules_parse_conditions(r, o, at, "where", &ret->where)))
		return rc;
	ret->has_instance = json_object_get(o, "instance");
	return parse_actions(r, o, at, &defaults, ret);
}

static int parse_list(struct rules_reader *r, const json_t *root, const char *key, struct rules_list *ret)
{
	const json_t *list = json_object_get(root, key), *item;
	struct rules_at here = { NULL, key, 0 };
	size_t i;

	if (!json_is_array(list) || !json_array_size(list))
		return rules_mistake(r, &here, false, "a list of rules is needed here%s",
				     strcmp(key, "back") ? "" : ", or \"inverse\"");
	ret->items = rules_array(r, json_array_size(list), sizeof(*ret->items));
	if (!ret->items)
		return irqs_fail_nomem(r->reterr);
	json_array_foreach(list, i, item) {
		struct rules_at there = { &here, NULL, i };
		int rc;

		ret->items[i].index = i;
		ret->items[i].list = key;
		rc = parse_rule(r, item, &there, &ret->items[i]);
		if (rc)
			return rc;
		ret->count++;
	}
	return 0;
}

static int parse_back(struct rules_reader *r, const json_t *root)
{
	const json_t *back = json_object_get(root, "back");

	r->rules->two_way = back;
	if (!back)
		return 0;
	if (json_is_string(back) && !strcmp(json_string_value(back), "inverse"))
		return rules_invert(r);
	return parse_list(r, root, "back", &r->rules->back);
}

static int check_form(struct rules_reader *r, const json_t *root)
{
	struct rules_at here = { NULL, "irqshift-rules", 0 };
	uint32_t form = 0;
	int rc;

	if (!json_is_object(root))
		return rules_mistake(r, NULL, false, "an object is needed here");
	if (!json_object_get(root, here.key))
		return rules_mistake(r, NULL, false, "no rules: \"irqshift-rules\" is missing");
	rc = rules_get_u32(r, root, NULL, here.key, 1, UINT16_MAX, &form);
	if (!rc && form != RULES_FORM_VERSION)
		rc = rules_mistake(r, &here, false, "version %u of this form: only %d is known", form,
				   RULES_FORM_VERSION);
	return rc;
}

/* A name for command lines and reports. */
static int check_name(struct rules_reader *r, const char *name)
{
	struct rules_at here = { NULL, "name", 0 };

	for (const char *s = name; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '-')
			return rules_mistake(r, &here, false, "a name of small letters, digits and '-' is needed here");
	return 0;
}

int rules_parse(struct rules_reader *r, const json_t *root)
{
	static const char *const keys[] = { "$schema", "!irqshift-rules", "!name", "!summary", "after", "from",
					    "to", "layouts", "!forward", "back", NULL };
	struct rules *rules = r->rules;
	struct rules_strings after = { 0 };
	int rc = check_form(r, root);

	if (rc || (rc = rules_keys(r, root, NULL, keys)) ||
	    (rc = rules_get_name(r, root, NULL, "name", &rules->filter.name)) ||
	    (rc = check_name(r, rules->filter.name)) ||
	    (rc = rules_get_text(r, root, NULL, "summary", &rules->filter.summary)) ||
	    (rc = rules_get_strings(r, root, NULL, "after", &after)) ||
	    (rc = rules_parse_hosts(r, root, "from", &rules->from)) ||
	    (rc = rules_parse_hosts(r, root, "to", &rules->to)) || (rc = rules_parse_layouts(r, root)) ||
	    (rc = parse_list(r, root, "forward", &rules->forward)))
		return rc;
	/* The list of strings has room for the NULL that ends it. */
	rules->filter.after = after.items;
	return parse_back(r, root);
}

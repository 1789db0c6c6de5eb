/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns and conditions. */
#include <string.h>

#include "filters/rules_priv.h"

/* One wildcard of a pattern and the text that it stands for. */
struct wild {
	size_t start, len;
};

/*
 * The wildcards seen so far are a stack: going back to the last '*' drops those behind it. That one is enough
 * to go back to, so the time is that of pattern times text.
 */
bool rules_glob(const char *pattern, const char *text, struct rules_run *c)
{
	struct wild wilds[RULES_NAME_MAX + 1];
	size_t n = 0, star_n = 0, t = 0, p = 0, star = 0;
	bool has_star = false;

	while (text[t] || pattern[p]) {
		bool escaped = pattern[p] == '\\' && pattern[p + 1];

		if (pattern[p] == '*' && n < RULES_NAME_MAX) {
			has_star = true;
			star = p++;
			star_n = n;
			wilds[n++] = (struct wild){ t, 0 };
		} else if (pattern[p] == '?' && text[t] && n < RULES_NAME_MAX) {
			wilds[n++] = (struct wild){ t++, 1 };
			p++;
		} else if (text[t] && pattern[p] && pattern[p + escaped] == text[t]) {
			p += 1 + (size_t)escaped;
			t++;
		} else if (has_star && text[wilds[star_n].start + wilds[star_n].len]) {
			n = star_n + 1;
			wilds[star_n].len++;
			t = wilds[star_n].start + wilds[star_n].len;
			p = star + 1;
		} else {
			return false;
		}
	}
	for (size_t i = 0; c && i < n && i < RULES_CAPTURES; i++) {
		c->captured[i] = text + wilds[i].start;
		c->captured_len[i] = wilds[i].len;
	}
	return true;
}

bool rules_section_matches(struct rules_run *c, const struct vms_node *section)
{
	const struct rules_rule *r = c->rule;

	if (r->has_instance && section->instance != r->instance)
		return false;
	if (r->name && !rules_glob(r->name, section->name, NULL))
		return false;
	memset(c->captured, 0, sizeof(c->captured));
	return rules_glob(r->section, section->type ? section->type : section->name, c);
}

char *rules_expand(struct rules_run *c, const char *name, char buf[static RULES_NAME_MAX + 1])
{
	size_t used = 0;

	for (; *name; name++) {
		const char *s = name;
		size_t len = 1;

		if (name[0] == '$' && name[1] >= '1' && name[1] <= '9') {
			size_t i = (size_t)(*++name - '1');

			if (!c->captured[i]) {
				c->rc = rules_fail(c, c->section, NULL,
						   "\"$%zu\": the pattern of the section has fewer wildcards", i + 1);
				return NULL;
			}
			s = c->captured[i];
			len = c->captured_len[i];
		}
		if (used + len > RULES_NAME_MAX) {
			c->rc = rules_fail(c, c->section, NULL, "a name became longer than %u bytes", RULES_NAME_MAX);
			return NULL;
		}
		memcpy(buf + used, s, len);
		used += len;
	}
	buf[used] = '\0';
	return buf;
}

struct vms_node *rules_other_section(struct rules_run *c, const char *in)
{
	char name[RULES_NAME_MAX + 1];

	if (!rules_expand(c, in, name))
		return NULL;
	return vms_find_section(c->run->tree->machine, name, c->section->instance);
}

int rules_compare(uint64_t value, bool is_signed, const struct rules_number *n)
{
	if (is_signed && !n->negative && n->bits > INT64_MAX)
		return -1;
	if (!is_signed && n->negative)
		return 1;
	if (is_signed)
		return ((int64_t)value > (int64_t)n->bits) - ((int64_t)value < (int64_t)n->bits);
	return (value > n->bits) - (value < n->bits);
}

static bool compare(const struct rules_condition *cond, uint64_t v, bool is_signed)
{
	int order = rules_compare(v, is_signed, &cond->value);

	switch (cond->op) {
	case RULES_EQ:
		return !order;
	case RULES_NE:
		return order;
	case RULES_AND:
		return v & cond->value.bits;
	case RULES_LT:
		return order < 0;
	case RULES_LE:
		return order <= 0;
	case RULES_GT:
		return order > 0;
	case RULES_GE:
		return order >= 0;
	default:
		return false;
	}
}

bool rules_holds(struct rules_run *c, const struct vms_node *n, const struct rules_condition *cond)
{
	struct vms_node *base = cond->in ? rules_other_section(c, cond->in) : (struct vms_node *)n;
	bool one_is_enough = cond->op == RULES_NE || cond->op == RULES_AND;
	struct rules_target t;
	bool found = base && rules_find(base, cond->field, &t);

	if (cond->op == RULES_PRESENT || cond->op == RULES_ABSENT)
		return found == (cond->op == RULES_PRESENT);
	/* What is not there has no value that a condition could hold for. */
	if (!found || t.node->kind != VMS_INT || !t.count)
		return false;
	for (uint32_t i = 0; i < t.count; i++)
		if (compare(cond, vms_element_get(t.node, t.first + i), t.node->is_signed) == one_is_enough)
			return one_is_enough;
	return !one_is_enough;
}

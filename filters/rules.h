/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filters as data: a JSON text that says which sections and fields it matches and what becomes of them
 * (docs/rules.md, docs/rules.schema.json). One text is one filter, for one direction or for both.
 */
#ifndef IRQSHIFT_FILTERS_RULES_H
#define IRQSHIFT_FILTERS_RULES_H

#include <stddef.h>

#include "filters/filter.h"

/* "irqshift-rules" of the texts that are understood. */
#define RULES_FORM_VERSION 1

/* A longer text is refused. */
#define RULES_TEXT_MAX ((size_t)1 << 20)

enum rules_direction {
	RULES_BY_HOSTS, /* what "from" and "to" of the text say about the two hosts */
	RULES_FORWARD,
	RULES_BACK,
};

struct rules;

/**
 * rules_load - make a filter of a text
 * @ret: receives the rules; release with rules_destroy()
 * @text: JSON; not kept, need not be terminated
 * @size: its bytes
 * @reterr: IRQS_MALFORMED: "line L, column C: JSON path: what: why", with the byte offset
 *
 * The whole text is checked, the derived way back included: what loads can only fail over a tree.
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int rules_load(struct rules **ret, const char *text, size_t size, struct irqs_error *reterr);
void rules_destroy(struct rules *r);

/**
 * rules_force - apply one direction whatever the hosts are
 * @r: rules
 * @direction: RULES_BY_HOSTS takes it back
 * @reterr: IRQS_USAGE
 *
 * Return: 0; -EINVAL when there is no way back.
 */
int rules_force(struct rules *r, enum rules_direction direction, struct irqs_error *reterr);

/* rules_choose - the way that is taken between two hosts; RULES_BY_HOSTS: these rules have nothing to do. */
enum rules_direction rules_choose(const struct rules *r, const struct profile *from, const struct profile *to);

/*
 * rules_filter - the filter, for filter_options.extra. It lives as long as @r, and so does the name that the
 * entries of a report refer to: release the report first.
 */
const struct filter *rules_filter(const struct rules *r);

#endif

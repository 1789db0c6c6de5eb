/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's XML between its text and its rules. */
#ifndef IRQSHIFT_FILTERS_DOMAIN_PRIV_H
#define IRQSHIFT_FILTERS_DOMAIN_PRIV_H

#include <libxml/tree.h>
#include <stdbool.h>

#include "filters/domain.h"

struct domain_run {
	xmlDoc *doc;
	const char *root; /* its name: "domain" or "cookie" */
	const struct profile *to;
	struct report *report;
	bool moves;           /* between KVM and TCG */
	bool changed, failed; /* failed: no memory */
};

/* domain_is_element - whether @n is an element whose name are these @len bytes. */
bool domain_is_element(const xmlNode *n, const char *name, size_t len);

/* domain_parse - make @r->doc; its root has the right name. Freed with xmlFreeDoc(), also after an error. */
int domain_parse(struct domain_run *r, const char *xml, struct irqs_error *reterr);

/* domain_print - the text of @r->doc; malloc(), NULL: no memory. */
char *domain_print(const struct domain_run *r);

#endif

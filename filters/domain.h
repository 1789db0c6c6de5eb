/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A libvirt domain's XML for another kind of host: its type, where its interrupt controllers are, and what only one
 * kind of host has. Each change is an entry of the report, with the path of the element below "domain".
 */
#ifndef IRQSHIFT_FILTERS_DOMAIN_H
#define IRQSHIFT_FILTERS_DOMAIN_H

#include "base/error.h"
#include "filters/profile.h"
#include "filters/report.h"

/* What libvirt keeps of a domain; strings from malloc(). */
struct domain_text {
	char *xml;    /* <domain> */
	char *cookie; /* <cookie> of a save image: the CPU as it was when the domain ran; NULL: there is none */
};

/**
 * domain_convert - adapt a domain's XML
 * @d: the texts, UTF-8, at most 16 MiB each; each is replaced when something in it changes, and stays byte for byte when not
 * @to: kind of host that shall run it. What ran it before is in the XML: one that was adapted already does not change
 * @report: receives an entry per change; what cannot be there at all is REPORT_REFUSED and COST_FATAL, and the text
 *          is then not to be used
 * @reterr: what was wrong
 *
 * Nothing outside the texts is read, and a document type is not taken. Return: 0; -EBADMSG (IRQS_MALFORMED); -ENOMEM.
 */
int domain_convert(struct domain_text *d, const struct profile *to, struct report *report, struct irqs_error *reterr);

#endif

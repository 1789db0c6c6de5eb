/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A libvirt domain's XML for another kind of host: its type, where its interrupt controllers are, and what only one
 * kind of host has. Each change is an entry of the report, with the path of the element below "domain".
 */
#ifndef IRQSHIFT_FILTERS_DOMAIN_H
#define IRQSHIFT_FILTERS_DOMAIN_H

#include <stddef.h>

#include "base/error.h"
#include "filters/profile.h"
#include "filters/report.h"

/* What the XML's root is; each has a CPU that has to fit the host. */
enum domain_xml {
	DOMAIN_XML,        /* <domain> */
	DOMAIN_XML_COOKIE, /* <cookie> of a save image: libvirt's memory of the CPU as it was when it ran */
};

/**
 * domain_convert - adapt a domain's XML
 * @xml: the text, UTF-8, not terminated
 * @size: its bytes; at most 16 MiB
 * @root: what it is
 * @to: kind of host that shall run it. What ran it before does not matter: the result is the same for one that was
 *      adapted already
 * @report: receives an entry per change; what cannot be there at all is REPORT_REFUSED and COST_FATAL, and the text
 *          is then not to be used
 * @ret: receives the new text, malloc(); the old one where nothing changed, byte for byte
 * @reterr: what was wrong
 *
 * Nothing outside the text is read, and a document type is not taken. Return: 0; -EBADMSG (IRQS_MALFORMED); -ENOMEM.
 */
int domain_convert(const char *xml, size_t size, enum domain_xml root, const struct profile *to, struct report *report,
		   char **ret, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to document and back, for text that comes from outside. */
#include <errno.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <string.h>

#include "filters/domain_priv.h"

#define XML_MAX ((size_t)16 << 20)

bool domain_is_element(const xmlNode *n, const char *name, size_t len)
{
	return n->type == XML_ELEMENT_NODE && strlen((const char *)n->name) == len && !memcmp(n->name, name, len);
}

static int fail_xml(const struct domain_run *r, const xmlError *e, struct irqs_error *reterr)
{
	char text[160];

	snprintf(text, sizeof(text), "%s", e && e->message ? e->message : "not well-formed");
	text[strcspn(text, "\n")] = '\0';
	return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, r->root, "libvirt's XML, line %d: %s",
			 e ? e->line : 0, text);
}

/* Entities are the way to make a small text large, and libvirt writes none: what declares them is not taken. */
static bool has_doctype(const char *xml)
{
	return strstr(xml, "<!DOCTYPE");
}

int domain_parse(struct domain_run *r, const char *xml, struct irqs_error *reterr)
{
	size_t size = strlen(xml);
	xmlParserCtxt *ctxt;
	int rc = 0;

	r->doc = NULL;
	if (size > XML_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, r->root, "libvirt's XML: more than 16 MiB");
	if (has_doctype(xml))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, r->root,
				 "libvirt's XML: a document type, which libvirt does not write");
	ctxt = xmlNewParserCtxt();
	if (!ctxt)
		return irqs_fail_nomem(reterr);
	/* The encoding is fixed, so that has_doctype() saw what the parser sees. */
	r->doc = xmlCtxtReadMemory(ctxt, xml, (int)size, NULL, "UTF-8",
				   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!r->doc)
		rc = ctxt->errNo == XML_ERR_NO_MEMORY ? irqs_fail_nomem(reterr)
						      : fail_xml(r, xmlCtxtGetLastError(ctxt), reterr);
	xmlFreeParserCtxt(ctxt);
	if (!rc && !domain_is_element(xmlDocGetRootElement(r->doc), r->root, strlen(r->root)))
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, r->root,
			       "libvirt's XML: its root has another name");
	return rc;
}

/* The root alone: libvirt writes no declaration in front of it. */
char *domain_print(const struct domain_run *r)
{
	xmlBuffer *b = xmlBufferCreate();
	char *text = NULL;

	if (b && xmlNodeDump(b, r->doc, xmlDocGetRootElement(r->doc), 0, 0) > 0 &&
	    asprintf(&text, "%s\n", (const char *)xmlBufferContent(b)) < 0)
		text = NULL;
	xmlBufferFree(b);
	return text;
}

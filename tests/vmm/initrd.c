/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/initrd.h"

#include <stdlib.h>
#include <string.h>

/* Up to a single comma or the end; pairs of commas become one. Return: what is behind the comma, or NULL. */
static const char *take_entry(const char *p, char *to)
{
	const char *next = NULL;

	p += strspn(p, " ");
	for (; !next && *p; p++) {
		if (*p == ',' && *++p != ',')
			next = p;
		else
			*to++ = *p;
	}
	*to = '\0';
	return next;
}

static int add(struct initrd *i, char *text, struct irqs_error *reterr)
{
	struct initrd_entry *more = realloc(i->entries, (i->n + 1) * sizeof(*more));
	char *file = strndup(text, strcspn(text, " "));

	if (more)
		i->entries = more;
	if (!more || !file) {
		free(file);
		free(text);
		return irqs_fail_nomem(reterr);
	}
	i->entries[i->n++] = (struct initrd_entry){ .text = text, .file = file };
	return *file ? 0 : irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "entry %u has no file name", i->n);
}

int initrd_parse(const char *arg, struct initrd *ret, struct irqs_error *reterr)
{
	int rc = 0;

	*ret = (struct initrd){ 0 };
	while (arg && !rc) {
		char *text = malloc(strlen(arg) + 1);

		if (text)
			arg = take_entry(arg, text);
		rc = text ? add(ret, text, reterr) : irqs_fail_nomem(reterr);
	}
	if (rc)
		initrd_free(ret);
	return rc;
}

void initrd_free(struct initrd *i)
{
	for (unsigned int n = 0; n < i->n; n++) {
		free(i->entries[n].text);
		free(i->entries[n].file);
	}
	free(i->entries);
	*i = (struct initrd){ 0 };
}

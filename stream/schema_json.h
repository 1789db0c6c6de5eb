/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schemas in files. The normal form is JSON of our own (docs/schema.md): one field per line, devices by
 * name, so that two of them can also be compared by eye. Read as well: what `qemu -dump-vmstate` writes, and
 * the vmdescription of a stream.
 */
#ifndef IRQSHIFT_STREAM_SCHEMA_JSON_H
#define IRQSHIFT_STREAM_SCHEMA_JSON_H

#include <stddef.h>

#include "base/error.h"
#include "vmstate/schema.h"
#include "vmstate/schema_check.h"

/* The version of the normal form. */
#define SCHEMA_FORM_VERSION 1

/**
 * schema_load - read a schema, whatever it is in
 * @ret: receives it, sorted; release with schema_deinit()
 * @fd: the normal form, a dump of QEMU's, a vmdescription, or a stream that has one; a pipe will do
 * @reterr: what was wrong, with the place in the file or the path in the schema
 *
 * Instances of a device with the same fields become one device. Return: 0; -EBADMSG; -ENOMEM; -errno.
 */
int schema_load(struct schema *ret, int fd, struct irqs_error *reterr);

/* schema_json - the normal form, allocated with malloc(). Return: NULL when out of memory. */
char *schema_json(const struct schema *s);

/* schema_findings_json - the findings, allocated with malloc(). Return: NULL when out of memory. */
char *schema_findings_json(const struct schema_findings *f);

/* Known exceptions, as read. */
struct schema_known_list {
	struct schema_known *entries;
	size_t count;
	/* private: */
	struct arena arena;
};

/**
 * schema_known_load - read a list of known exceptions
 * @ret: receives it; release with schema_known_deinit(), after the findings that it excused
 * @fd: JSON: an array of objects with "reason" and at least one of "path", "what", "old", "new"
 *
 * Return: 0; -EBADMSG when an entry has no reason or names nothing; -ENOMEM; -errno.
 */
int schema_known_load(struct schema_known_list *ret, int fd, struct irqs_error *reterr);
void schema_known_deinit(struct schema_known_list *list);

#endif

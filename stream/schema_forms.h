/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The forms that a schema comes in. Private to schema_load.c, schema_json.c and schema_qemu.c. */
#ifndef IRQSHIFT_STREAM_SCHEMA_FORMS_H
#define IRQSHIFT_STREAM_SCHEMA_FORMS_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "vmstate/schema.h"

/* Each fills an empty schema. Return: 0; -EBADMSG with the path; -ENOMEM. */
int schema_from_normal(struct schema *s, const json_t *root, struct irqs_error *reterr);
int schema_from_dump(struct schema *s, const json_t *root, struct irqs_error *reterr);
int schema_from_vmdesc(struct schema *s, const char *text, size_t size, int64_t offset,
		       struct irqs_error *reterr);

/* schema_broken - the error of a schema that is not what it says. Return: -EBADMSG. */
int schema_broken(struct irqs_error *reterr, const char *path, const char *what);

#endif

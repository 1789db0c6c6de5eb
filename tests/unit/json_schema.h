/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of JSON Schema (draft 2020-12) as the schemas in docs/ use; a keyword that is not known is a failure. */
#ifndef IRQSHIFT_TESTS_JSON_SCHEMA_H
#define IRQSHIFT_TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* json_schema_valid - whether @value is valid; if not, @why receives the path and what was violated. */
bool json_schema_valid(const json_t *schema, const json_t *value, char *why, size_t size);

#endif

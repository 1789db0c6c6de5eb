/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to schema_check.c, schema_fields.c and schema_findings.c. */
#ifndef IRQSHIFT_VMSTATE_SCHEMA_PRIV_H
#define IRQSHIFT_VMSTATE_SCHEMA_PRIV_H

#include "vmstate/schema_check.h"

/* A comparison under way; the path is that of the descriptions being compared. */
struct schema_walk {
	const struct schema *old, *new;
	struct schema_findings *out;
	char path[512];
	size_t path_len;
};

/* schema_enter/schema_leave - one level down, and back to the length that schema_enter() returned. */
size_t schema_enter(struct schema_walk *w, const char *name);
void schema_leave(struct schema_walk *w, size_t len);

/* schema_tell - add a finding of its usual severity; @name (may be NULL) is appended to the path. */
void schema_tell(struct schema_walk *w, enum schema_what what, const char *name, const char *old_text,
		 const char *new_text);

/* schema_tell_as - as schema_tell(), with another severity. */
void schema_tell_as(struct schema_walk *w, enum schema_severity severity, enum schema_what what,
		    const char *name, const char *old_text, const char *new_text);

/* schema_tell_numbers - as schema_tell_as(), for two numbers. */
void schema_tell_numbers(struct schema_walk *w, enum schema_severity severity, enum schema_what what,
			 const char *name, uint32_t old_value, uint32_t new_value);

/* schema_usual - the usual severity. */
enum schema_severity schema_usual(enum schema_what what);

/* schema_compare - two descriptions; a struct's (@nested) version is not in the stream. */
void schema_compare(struct schema_walk *w, const struct schema_desc *old, const struct schema_desc *new,
		    bool nested);

/**
 * schema_compare_fields - the fields of two descriptions, and the structs in them
 * @w: the comparison
 * @old: what wrote them ...
 * @old_version: ... as this version
 * @new: what reads them ...
 * @read_version: ... as this version
 * @nested: they are in a struct
 */
void schema_compare_fields(struct schema_walk *w, const struct schema_desc *old, uint32_t old_version,
			   const struct schema_desc *new, uint32_t read_version, bool nested);

#endif

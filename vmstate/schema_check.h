/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * May NEW load what OLD saved? Two schemas compared by VMState's rules: a field is never removed, a new one
 * comes with a higher version or in a subsection, what is sent has the type that was sent before.
 */
#ifndef IRQSHIFT_VMSTATE_SCHEMA_CHECK_H
#define IRQSHIFT_VMSTATE_SCHEMA_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "vmstate/schema.h"

enum schema_severity {
	SCHEMA_NOTE,    /* a difference that the rules allow */
	SCHEMA_WARNING, /* cannot be judged, or breaks something else than OLD to NEW */
	SCHEMA_ERROR,   /* NEW cannot load it, or loads something else */
};

enum schema_what {
	SCHEMA_DEVICE_REMOVED,
	SCHEMA_DEVICE_ADDED,
	SCHEMA_DEVICE_RENAMED,    /* its class; the section's name is still written by another one */
	SCHEMA_DEVICE_NOT_JUDGED, /* the other source would not list it anyway */
	SCHEMA_DESC_RENAMED,      /* of a struct: not in the stream */
	SCHEMA_SECTION_RENAMED,   /* of a device: the name in the stream */
	SCHEMA_VERSION_LOWERED,
	SCHEMA_MINIMUM_RAISED,
	SCHEMA_MINIMUM_ABOVE_VERSION,
	SCHEMA_FIELD_REMOVED,
	SCHEMA_FIELD_ADDED,       /* with a version that OLD does not reach */
	SCHEMA_FIELD_UNVERSIONED, /* added, and NEW expects it in what OLD wrote */
	SCHEMA_FIELD_IN_STRUCT,   /* added to a struct, whose version is not in the stream */
	SCHEMA_FIELD_TESTED,      /* added, or now read, only when a test says so */
	SCHEMA_FIELD_RENAMED,
	SCHEMA_FIELD_RETIRED, /* OLD's field is filler in NEW */
	SCHEMA_FIELD_REVIVED, /* OLD's filler is a field in NEW */
	SCHEMA_FIELD_SPLIT,   /* the bytes of one field are several in NEW */
	SCHEMA_FIELD_REORDERED,
	SCHEMA_SINCE_RAISED,
	SCHEMA_SINCE_ABOVE_VERSION,
	SCHEMA_RETYPED,
	SCHEMA_RESIZED,
	SCHEMA_ARRAY_LENGTH,
	SCHEMA_FORM_CHANGED,   /* "partial", "pointers"... */
	SCHEMA_STRUCT_CHANGED, /* a struct became a plain field, or the other way */
	SCHEMA_STRUCT_VERSION, /* a struct is now sent as another version */
	SCHEMA_SUBSECTION_REMOVED,
	SCHEMA_SUBSECTION_ADDED,
	SCHEMA_SUBSECTION_UNNEEDED, /* sent always, so that OLD can never load from NEW */
	SCHEMA_SUBSECTION_NAME,     /* a loader cannot recognise it */
	SCHEMA_DERIVED_UNSET,       /* derived without a post_load */
	SCHEMA_IMMUTABLE_CHANGED,
	SCHEMA_NR_WHATS,
};

struct schema_finding {
	enum schema_severity severity;
	enum schema_what what;
	char *path;                /* "device.field", "device.device/subsection.field" */
	char *old_text, *new_text; /* may be NULL */
	const char *why;           /* one sentence; of an excused finding the reason that was given */
	bool excused;              /* a known exception made a note of it */
};

struct schema_findings {
	struct schema_finding *entries;
	size_t count;
	/* private: */
	size_t capacity;
	bool failed;
};

/* A known exception: every part that is not NULL must match for a finding to become a note. */
struct schema_known {
	const char *path; /* glob (fnmatch(3)) */
	const char *what; /* name */
	const char *old_text;
	const char *new_text;
	const char *reason; /* why it does no harm; lives at least as long as the findings */
};

void schema_findings_init(struct schema_findings *f);
void schema_findings_deinit(struct schema_findings *f);

/**
 * schema_check - compare
 * @old: what saved
 * @new_schema: what shall load
 * @ret: initialised; receives the findings in the order of OLD's devices
 *
 * A device is found by its name, else by the name of its section, which is all that a stream holds of it.
 * Sorted schemas (schema_sort()) are compared in linear time but for a factor log n.
 *
 * Return: 0, also when there are findings; -ENOMEM.
 */
int schema_check(const struct schema *old, const struct schema *new_schema, struct schema_findings *ret);

/* schema_excuse - make notes of the findings that are known. Return: how many. */
size_t schema_excuse(struct schema_findings *f, const struct schema_known *known, size_t n);

/* schema_count - how many findings have that severity. */
size_t schema_count(const struct schema_findings *f, enum schema_severity severity);

/* schema_what_name/schema_severity_name - "field-removed"; "error". */
const char *schema_what_name(enum schema_what what);
const char *schema_severity_name(enum schema_severity severity);

/* schema_find_what - by its name. Return: 0 or -ENOENT. */
int schema_find_what(const char *name, enum schema_what *ret);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be found, what it means, and the list of what was. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/schema_priv.h"

struct what_row {
	const char *name;
	enum schema_severity severity;
	const char *why;
};

static const struct what_row whats[SCHEMA_NR_WHATS] = {
	[SCHEMA_DEVICE_REMOVED] = { "device-removed", SCHEMA_ERROR, "no section of that name can be loaded" },
	[SCHEMA_DEVICE_ADDED] = { "device-added", SCHEMA_NOTE, "OLD never sends it" },
	[SCHEMA_DEVICE_RENAMED] = { "device-renamed", SCHEMA_NOTE,
				    "another class loads the section of that name; compared with it" },
	[SCHEMA_DEVICE_NOT_JUDGED] = { "device-not-judged", SCHEMA_NOTE,
				       "NEW's source does not list every device" },
	[SCHEMA_DESC_RENAMED] = { "struct-renamed", SCHEMA_WARNING,
				  "not in the stream, but subsections of it are recognised by that name" },
	[SCHEMA_SECTION_RENAMED] = { "section-renamed", SCHEMA_ERROR, "the stream has the old name" },
	[SCHEMA_VERSION_LOWERED] = { "version-lowered", SCHEMA_ERROR,
				     "NEW refuses what is newer than itself" },
	[SCHEMA_MINIMUM_RAISED] = { "minimum-raised", SCHEMA_ERROR, "NEW refuses OLD's version as too old" },
	[SCHEMA_MINIMUM_ABOVE_VERSION] = { "minimum-above-version", SCHEMA_ERROR,
					   "NEW cannot load what it saves" },
	[SCHEMA_FIELD_REMOVED] = { "field-removed", SCHEMA_ERROR,
				   "NEW takes its bytes for the next field; a dummy must stay" },
	[SCHEMA_FIELD_ADDED] = { "field-added", SCHEMA_NOTE, "with a version that OLD does not reach" },
	[SCHEMA_FIELD_UNVERSIONED] = { "field-unversioned", SCHEMA_ERROR,
				       "NEW expects it from OLD: the version must rise" },
	[SCHEMA_FIELD_IN_STRUCT] = { "field-in-struct", SCHEMA_ERROR,
				     "a struct's version is not in the stream: NEW expects it from all" },
	[SCHEMA_FIELD_TESTED] = { "field-tested", SCHEMA_WARNING,
				  "code decides whether it is read; that cannot be seen" },
	[SCHEMA_FIELD_RENAMED] = { "field-renamed", SCHEMA_ERROR,
				   "another name in the same place: an exception may say that this is all" },
	[SCHEMA_FIELD_RETIRED] = { "field-retired", SCHEMA_NOTE, "its bytes are read and ignored" },
	[SCHEMA_FIELD_REVIVED] = { "field-revived", SCHEMA_WARNING,
				   "OLD sends filler where NEW reads a value" },
	[SCHEMA_FIELD_SPLIT] = { "field-split", SCHEMA_WARNING,
				 "its bytes are several fields in NEW: what OLD sent there must suit them" },
	[SCHEMA_FIELD_REORDERED] = { "field-reordered", SCHEMA_ERROR,
				     "fields are read in the order of the stream" },
	[SCHEMA_SINCE_RAISED] = { "since-raised", SCHEMA_ERROR,
				  "OLD sends it, NEW does not read it from that version" },
	[SCHEMA_SINCE_ABOVE_VERSION] = { "since-above-version", SCHEMA_ERROR,
					 "NEW does not write that version: it must rise" },
	[SCHEMA_RETYPED] = { "field-retyped", SCHEMA_ERROR,
			     "the type sent and the type read must be the same" },
	[SCHEMA_RESIZED] = { "field-resized", SCHEMA_ERROR, "NEW reads another number of bytes" },
	[SCHEMA_ARRAY_LENGTH] = { "array-length", SCHEMA_ERROR, "NEW reads another number of elements" },
	[SCHEMA_FORM_CHANGED] = { "form-changed", SCHEMA_ERROR,
				  "the number of elements is found in another way" },
	[SCHEMA_STRUCT_CHANGED] = { "struct-changed", SCHEMA_ERROR,
				    "a struct became a plain field, or the other way" },
	[SCHEMA_STRUCT_VERSION] = { "struct-version", SCHEMA_NOTE, "the struct is read as another version" },
	[SCHEMA_SUBSECTION_REMOVED] = { "subsection-removed", SCHEMA_ERROR,
					"NEW refuses a subsection it does not know" },
	[SCHEMA_SUBSECTION_ADDED] = { "subsection-added", SCHEMA_NOTE,
				      "OLD never sends it; NEW may not be able to go back" },
	[SCHEMA_SUBSECTION_UNNEEDED] = { "subsection-unneeded", SCHEMA_ERROR,
					 "it is sent always, and OLD can never load from NEW" },
	[SCHEMA_SUBSECTION_NAME] = { "subsection-name", SCHEMA_ERROR,
				     "a loader recognises a subsection by its parent's name in front" },
	[SCHEMA_DERIVED_UNSET] = { "derived-unset", SCHEMA_ERROR,
				   "what arrives is ignored, and there is no post_load to set it" },
	[SCHEMA_IMMUTABLE_CHANGED] = { "immutable-changed", SCHEMA_WARNING,
				       "one of them compares on arrival, the other overwrites" },
};

static const char *const severities[] = {
	[SCHEMA_NOTE] = "note",
	[SCHEMA_WARNING] = "warning",
	[SCHEMA_ERROR] = "error",
};

const char *schema_what_name(enum schema_what what)
{
	return whats[what].name;
}

const char *schema_severity_name(enum schema_severity severity)
{
	return severities[severity];
}

enum schema_severity schema_usual(enum schema_what what)
{
	return whats[what].severity;
}

int schema_find_what(const char *name, enum schema_what *ret)
{
	for (size_t i = 0; i < SCHEMA_NR_WHATS; i++) {
		if (!strcmp(name, whats[i].name)) {
			*ret = (enum schema_what)i;
			return 0;
		}
	}
	return -ENOENT;
}

void schema_findings_init(struct schema_findings *f)
{
	*f = (struct schema_findings){ 0 };
}

void schema_findings_deinit(struct schema_findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->entries[i].path);
		free(f->entries[i].old_text);
		free(f->entries[i].new_text);
	}
	free(f->entries);
	schema_findings_init(f);
}

size_t schema_count(const struct schema_findings *f, enum schema_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->entries[i].severity == severity;
	return n;
}

static bool glob_matches(const char *glob, const char *text)
{
	return !glob || !fnmatch(glob, text, 0);
}

static bool text_matches(const char *wanted, const char *text)
{
	return !wanted || (text && !strcmp(wanted, text));
}

size_t schema_excuse(struct schema_findings *f, const struct schema_known *known, size_t n)
{
	size_t excused = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct schema_finding *e = &f->entries[i];

		for (size_t k = 0; k < n && e->severity != SCHEMA_NOTE; k++) {
			if (!glob_matches(known[k].path, e->path) ||
			    !text_matches(known[k].what, schema_what_name(e->what)) ||
			    !text_matches(known[k].old_text, e->old_text) ||
			    !text_matches(known[k].new_text, e->new_text))
				continue;
			e->severity = SCHEMA_NOTE;
			e->why = known[k].reason;
			e->excused = true;
			excused++;
		}
	}
	return excused;
}

size_t schema_enter(struct schema_walk *w, const char *name)
{
	size_t before = w->path_len;
	int n = snprintf(w->path + before, sizeof(w->path) - before, "%s%s", before ? "." : "", name);

	if (n > 0)
		w->path_len +=
			(size_t)n < sizeof(w->path) - before ? (size_t)n : sizeof(w->path) - before - 1;
	return before;
}

void schema_leave(struct schema_walk *w, size_t len)
{
	w->path_len = len;
	w->path[len] = '\0';
}

static char *copy_text(struct schema_findings *f, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		f->failed = true;
	return copy;
}

void schema_tell_as(struct schema_walk *w, enum schema_severity severity, enum schema_what what,
		    const char *name, const char *old_text, const char *new_text)
{
	struct schema_findings *f = w->out;
	size_t len = w->path_len;

	if (f->count == f->capacity) {
		size_t n = f->capacity ? f->capacity * 2 : 32;
		struct schema_finding *more = realloc(f->entries, n * sizeof(*more));

		if (!more) {
			f->failed = true;
			return;
		}
		f->entries = more;
		f->capacity = n;
	}
	if (name)
		schema_enter(w, name);
	f->entries[f->count++] = (struct schema_finding){
		.severity = severity,
		.what = what,
		.path = copy_text(f, w->path),
		.old_text = copy_text(f, old_text),
		.new_text = copy_text(f, new_text),
		.why = whats[what].why,
	};
	schema_leave(w, len);
}

void schema_tell(struct schema_walk *w, enum schema_what what, const char *name, const char *old_text,
		 const char *new_text)
{
	schema_tell_as(w, whats[what].severity, what, name, old_text, new_text);
}

void schema_tell_numbers(struct schema_walk *w, enum schema_severity severity, enum schema_what what,
			 const char *name, uint32_t old_value, uint32_t new_value)
{
	char a[16], b[16];

	snprintf(a, sizeof(a), "%" PRIu32, old_value);
	snprintf(b, sizeof(b), "%" PRIu32, new_value);
	schema_tell_as(w, severity, what, name, a, b);
}

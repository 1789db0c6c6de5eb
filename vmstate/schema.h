/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schemas: what a program writes and reads of each device, without a value in it. One comes from our own
 * descriptions, from the vmdescription of a stream or from QEMU's -dump-vmstate; vmstate/schema_check.h says
 * whether one can load what another saved. Each source leaves something out: "not said" is not zero.
 *
 * A schema owns all that is reached from it. One thread at a time may use it.
 */
#ifndef IRQSHIFT_VMSTATE_SCHEMA_H
#define IRQSHIFT_VMSTATE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "vmstate/describe.h"

/* A number that the source does not say. */
#define SCHEMA_NOT_SAID UINT32_MAX

/* Bounds against hostile input: nesting of structs and subsections, fields of one of them, devices. */
#define SCHEMA_MAX_DEPTH 32
#define SCHEMA_MAX_FIELDS 8192
#define SCHEMA_MAX_DEVICES 16384

enum schema_source {
	SCHEMA_REGISTRY, /* descriptions: says everything */
	SCHEMA_STREAM,   /* a vmdescription: only subsections that were saved; no minimum versions or tests */
	SCHEMA_DUMP,     /* -dump-vmstate: no types, no needs; array lengths only in newer QEMUs */
};

enum schema_answer {
	SCHEMA_NO,
	SCHEMA_YES,
	SCHEMA_UNKNOWN,
};

struct schema_desc;

struct schema_field {
	const char *name;
	const char *type;        /* vmdesc type without remarks such as " equal"; NULL: not said */
	const char *form;        /* of what is not as long as declared: "partial", "pointers", "list"... */
	uint32_t size;           /* bytes of one element; 0: not said, or a struct */
	uint32_t count;          /* array length, 0: a plain field, SCHEMA_NOT_SAID */
	uint32_t since;          /* first version that has it; 0: always there */
	uint32_t until;          /* last version in which it has a meaning; 0: no end */
	uint32_t struct_version; /* a struct sent as this version; 0: its newest */
	bool tested;             /* code decides whether it is there */
	bool derived, immutable;
	struct schema_desc *desc; /* of a struct, or NULL */
	struct schema_field *next;
	/* private: */
	bool listed; /* its elements were read one by one */
};

/* A device's state, a struct or a subsection. */
struct schema_desc {
	const char *name;
	uint32_t version;
	uint32_t minimum_version;     /* or SCHEMA_NOT_SAID */
	enum schema_answer needed;    /* of a subsection: whether it is sent only when needed */
	enum schema_answer post_load; /* whether code runs behind a load */
	struct schema_field *fields;  /* in stream order */
	struct schema_desc *subsections;
	struct schema_desc *next; /* of a subsection */
	/* private: */
	struct schema_field *last_field;
	struct schema_desc *last_subsection;
};

struct schema_device {
	const char *name; /* of a registry or a stream: the section's name; of a dump: the device's class */
	struct schema_desc *desc;
};

struct schema {
	enum schema_source source;
	const char *machine;           /* machine type, "" when not said */
	bool says_lengths;             /* a dump: what does not say a length is no fixed array */
	struct schema_device *devices; /* by name after schema_sort() */
	size_t ndevices;
	struct arena arena;
	/* private: */
	size_t capacity;
	bool sorted;
};

/* schema_init/schema_deinit - a schema without devices. */
void schema_init(struct schema *s, enum schema_source source);
void schema_deinit(struct schema *s);

/* schema_string - a copy that lives as long as the schema. Return: NULL when out of memory, or for NULL. */
const char *schema_string(struct schema *s, const char *text);

/* schema_new_desc - a description that is not in use yet. Return: NULL when out of memory. */
struct schema_desc *schema_new_desc(struct schema *s, const char *name, uint32_t version,
				    uint32_t minimum_version);

/* schema_add_field - an untyped field, last in @d; the caller fills it. Return: NULL when out of memory. */
struct schema_field *schema_add_field(struct schema *s, struct schema_desc *d, const char *name);

/* schema_set_type - a vmdesc type, without remarks such as " equal"; NULL: not said. Return: 0 or -ENOMEM. */
int schema_set_type(struct schema *s, struct schema_field *f, const char *type);

/* schema_add_subsection - @sub becomes the last subsection of @d. */
void schema_add_subsection(struct schema_desc *d, struct schema_desc *sub);

/* schema_add_device - one more device. Return: 0 or -ENOMEM. */
int schema_add_device(struct schema *s, const char *name, struct schema_desc *d);

/* schema_sort - put the devices in the order of their names. */
void schema_sort(struct schema *s);

/* schema_find - the device with that name, or NULL. */
const struct schema_device *schema_find(const struct schema *s, const char *name);

/**
 * schema_merge - make one description of two instances of a device
 * @a: receives the subsections that only @b has, at every depth
 * @b: no longer to be used when this returns true
 *
 * Return: whether they are equal but for their subsections; when not, nothing was changed.
 */
bool schema_merge(struct schema_desc *a, struct schema_desc *b);

/**
 * schema_add_desc - the schema of one of our descriptions
 * @s: receives it as the device @d->name
 * @d: description
 * @reterr: IRQS_USAGE for a description that does not end (a struct inside itself)
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int schema_add_desc(struct schema *s, const struct vms_desc *d, struct irqs_error *reterr);

/* schema_source_name/schema_find_source - "registry", "stream", "qemu-dump", and back: 0 or -ENOENT. */
const char *schema_source_name(enum schema_source source);
int schema_find_source(const char *name, enum schema_source *ret);

#endif

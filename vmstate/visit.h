/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Visitors: one walk over a device's state that saves it, loads it, prints it, compares it or lists its
 * schema, in whatever encoding the visitor stands for. A description is walked by vms_save() and vms_load()
 * (vmstate/bind.h); a device without one walks its state by hand:
 *
 *	rc = visit_begin_section(v, "virtio-console", 0, &version, reterr);
 *	if (!rc)
 *		rc = visit_u32(v, "guest_connected", &port->guest_connected, reterr);
 *	if (!rc)
 *		rc = visit_end(v, reterr);
 *
 * The same lines save and load. On load nothing is implicit: a name, type, width or count that is not the one
 * that arrived is an error that names the field, and visit_end() refuses a field that nobody asked for.
 *
 * A visitor is used by one thread at a time and by one walk; after an error it is good for nothing but its
 * deinit.
 */
#ifndef IRQSHIFT_VMSTATE_VISIT_H
#define IRQSHIFT_VMSTATE_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmstate/tree.h"

/* Structs inside structs; real devices stay below ten. */
#define VISIT_DEPTH_MAX 32u

enum visit_mode {
	VISIT_SAVE,   /* values go from the state to the visitor */
	VISIT_LOAD,   /* values go from the visitor to the state */
	VISIT_SCHEMA, /* no values: every field and subsection that there may be */
};

struct vms_field;

/* What is being visited: the attributes of a node of the tree. */
struct visit_item {
	enum vms_kind kind;
	const char *name;
	const char *type;  /* as in struct vms_node; NULL for a section or subsection */
	const char *vmsd;  /* of a section, subsection, struct; or NULL */
	uint32_t version;  /* of a section, subsection, struct; on load begin() replaces it by what arrived */
	uint32_t instance; /* of a section */
	uint32_t index;    /* element of an array, else VMS_NO_INDEX */
	uint32_t width;    /* bytes of one element of a leaf */
	uint32_t count;    /* elements of a leaf or a VMS_ARRAY */
	bool array, is_signed;
	const struct vms_field *field; /* the row of a description, or NULL */
};

struct visitor;

struct visit_ops {
	/* A section, subsection, struct or VMS_ARRAY starts, ends. */
	int (*begin)(struct visitor *v, struct visit_item *item, struct irqs_error *reterr);
	int (*end)(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr);
	/* A VMS_INT or VMS_BYTES: width * count bytes, integers big-endian; NULL in a schema. */
	int (*leaf)(struct visitor *v, const struct visit_item *item, uint8_t *data,
		    struct irqs_error *reterr);
	/* Load only: the width of the leaf to come, of a type whose width only the sender knew. */
	int (*width)(struct visitor *v, struct visit_item *item, struct irqs_error *reterr);
	/* Load only: name and version of the subsection of @parent that comes next; a NULL name: none. */
	int (*subsection)(struct visitor *v, const char *parent, struct visit_item *ret,
			  struct irqs_error *reterr);
};

struct visitor {
	const struct visit_ops *ops;
	enum visit_mode mode;
	/* private: */
	uint32_t depth;
	struct visit_item frame[VISIT_DEPTH_MAX];
};

/* visitor_init - for the codecs: a visitor at the top level. */
void visitor_init(struct visitor *v, const struct visit_ops *ops, enum visit_mode mode);

/* visit_path - the path of @item below what is open ("apic[1].lvt"), cut to @size. Return: @buf. */
char *visit_path(const struct visitor *v, const struct visit_item *item, char *buf, size_t size);

/**
 * visit_fail - an error about an item
 * @v: visitor
 * @item: the item, or NULL for what is open
 * @status: whose fault
 * @fmt: "what: why"
 *
 * Return: as irqs_fail().
 */
int visit_fail(const struct visitor *v, const struct visit_item *item, struct irqs_error *reterr,
	       enum irqs_status status, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* visit_begin/visit_end - open and close @item; on load its version becomes the one that arrived. */
int visit_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr);
int visit_end(struct visitor *v, struct irqs_error *reterr);

/* visit_leaf - one leaf, see struct visit_ops. */
int visit_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data, struct irqs_error *reterr);

/**
 * visit_begin_section - a device
 * @name: its name in the stream
 * @instance: its instance_id
 * @version: its version_id; on load it receives the one that arrived, and the caller checks it
 */
int visit_begin_section(struct visitor *v, const char *name, uint32_t instance, uint32_t *version,
			struct irqs_error *reterr);

/* visit_begin_struct - a struct that is a field. */
int visit_begin_struct(struct visitor *v, const char *name, struct irqs_error *reterr);

/*
 * visit_begin_array - an array of structs, whose length both sides know or which was visited as a field of
 * its own; visit_begin_element - its element @i. Each is closed by visit_end().
 */
int visit_begin_array(struct visitor *v, const char *name, uint32_t count, struct irqs_error *reterr);
int visit_begin_element(struct visitor *v, const char *name, uint32_t i, struct irqs_error *reterr);

/**
 * visit_subsection - optional state, behind all fields
 * @name: full name: the parent's, '/', its own
 * @there: on save: whether to send it; on load: receives whether it arrived
 * @version: as for visit_begin_section()
 *
 * When it is there, it is open, and visit_end() closes it. On load subsections are asked for in the order in
 * which they were sent.
 */
int visit_subsection(struct visitor *v, const char *name, bool *there, uint32_t *version,
		     struct irqs_error *reterr);

/* One value. On load *@value changes on success only. */
int visit_bool(struct visitor *v, const char *name, bool *value, struct irqs_error *reterr);
int visit_u8(struct visitor *v, const char *name, uint8_t *value, struct irqs_error *reterr);
int visit_u16(struct visitor *v, const char *name, uint16_t *value, struct irqs_error *reterr);
int visit_u32(struct visitor *v, const char *name, uint32_t *value, struct irqs_error *reterr);
int visit_u64(struct visitor *v, const char *name, uint64_t *value, struct irqs_error *reterr);
int visit_s8(struct visitor *v, const char *name, int8_t *value, struct irqs_error *reterr);
int visit_s16(struct visitor *v, const char *name, int16_t *value, struct irqs_error *reterr);
int visit_s32(struct visitor *v, const char *name, int32_t *value, struct irqs_error *reterr);
int visit_s64(struct visitor *v, const char *name, int64_t *value, struct irqs_error *reterr);
int visit_f64(struct visitor *v, const char *name, double *value, struct irqs_error *reterr);

/* @count values, the same on both sides. */
int visit_u8s(struct visitor *v, const char *name, uint8_t *values, uint32_t count,
	      struct irqs_error *reterr);
int visit_u16s(struct visitor *v, const char *name, uint16_t *values, uint32_t count,
	       struct irqs_error *reterr);
int visit_u32s(struct visitor *v, const char *name, uint32_t *values, uint32_t count,
	       struct irqs_error *reterr);
int visit_u64s(struct visitor *v, const char *name, uint64_t *values, uint32_t count,
	       struct irqs_error *reterr);

/* visit_buffer - @size bytes as they are. */
int visit_buffer(struct visitor *v, const char *name, void *data, uint32_t size, struct irqs_error *reterr);

/* visit_string - a terminated string in a buffer of @size bytes. */
int visit_string(struct visitor *v, const char *name, char *text, uint32_t size, struct irqs_error *reterr);

/* visit_node - hand a node of a tree, and all that is below it, to a visitor that saves. */
int visit_node(struct visitor *to, const struct vms_node *n, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The self-describing tree: machine > section > fields, structs, arrays, subsections.
 *
 * A node's bytes are kept as QEMU's VMState writes them (big-endian, in order), so a tree that nobody
 * edited is written back byte for byte. Edits keep width and type. A tree owns all its nodes; one thread
 * at a time may use it.
 *
 * Paths: names joined by '.', "[n]" picks an element of an array, or the instance of a section:
 * "apic[1].irr[3]", "cpu[0].env.tsc", "i8254.channels[0].count", "cpu[0].cpu/tsc_khz.env.tsc_khz".
 * A field name may itself hold '.' and '[' ("env.tsc", "channels[0].irq_disabled"): the longest name that
 * matches wins. A section without "[n]" means instance 0.
 */
#ifndef IRQSHIFT_VMSTATE_TREE_H
#define IRQSHIFT_VMSTATE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum vms_kind {
	VMS_MACHINE,    /* root; children are sections */
	VMS_SECTION,    /* children are fields and subsections */
	VMS_SUBSECTION, /* like a section, inside a section, struct or subsection */
	VMS_STRUCT,     /* children are fields and subsections */
	VMS_ARRAY,      /* children are the elements, structs, in order */
	VMS_INT,        /* @count integers of @width bytes */
	VMS_BYTES,      /* @count buffers of @width bytes: raw, unused, or a type that only its device knows */
};

/* The index of a node that is not an element of an array. */
#define VMS_NO_INDEX UINT32_MAX

/* What a walk over a list and a look for a value read comes first: one line of the cache for each node. */
struct vms_node {
	enum vms_kind kind;
	bool array; /* declared with an array length, even if that is 1 */
	bool is_signed;
	bool reshaped;    /* of a section: fields or subsections were added or removed since it was read */
	const char *name; /* field or subsection name; a section's name in the stream ("apic") */
	const char *type; /* vmdesc type ("uint32", "struct"); a section's irqshift type ("kvm-apic") */
	struct vms_node *next;
	uint8_t *data;                 /* VMS_INT and VMS_BYTES: width * count bytes, writable; see also vms_packed() */
	struct vms_children *children; /* private; NULL: a field */
	uint32_t index;                /* element of an array, or of an array written in index form; else VMS_NO_INDEX */
	uint32_t width;                /* bytes of one element (VMS_INT 1 to 8) */
	uint32_t count;                /* number of elements; 1 for a plain field; VMS_ARRAY: number of children */
	uint32_t instance;             /* instance_id of a section */
	uint32_t version;              /* of a section, subsection or struct */
	uint32_t hash;                 /* private: of the name once it is in an index */
	struct vms_node *bucket_next;  /* private: see vms_child() */
	struct vms_node *parent, *prev;
	struct vms_node *head, *tail; /* private: see vms_first_child() */
	const char *vmsd;             /* vmsd_name of a section, subsection or struct; else NULL */
	uint64_t offset;              /* where the node starts in the input, for messages; 0 for a new node */

	/* Sections only. */
	const void *codec; /* private to the codec that read the section; NULL for a new one */
	const char *path;  /* where the device is in the machine, when the source said it; else NULL */
};

/* vms_is_leaf - whether a node holds values; of the others only packed ones have data, see vms_packed(). */
static inline bool vms_is_leaf(const struct vms_node *n)
{
	return n->kind == VMS_INT || n->kind == VMS_BYTES;
}

struct vms_tree {
	struct arena arena;
	struct vms_node *machine; /* VMS_MACHINE; its name is the machine type or "" */
	/* private: */
	size_t nodes;
	struct vms_pools *pools; /* in the arena: a tree may be moved */
};

/* vms_tree_init/vms_tree_deinit - an empty machine. Return: 0 or -ENOMEM. */
int vms_tree_init(struct vms_tree *t, struct irqs_error *reterr);
void vms_tree_deinit(struct vms_tree *t);

/* vms_tree_memory - bytes that the tree has taken from the system so far. */
size_t vms_tree_memory(const struct vms_tree *t);

/**
 * vms_node_create - a new node without a parent
 * @t: tree that will own it
 * @kind: its kind
 * @name: copied
 * @type: copied, may be NULL
 *
 * Return: the node with count 1 and index VMS_NO_INDEX, or NULL when out of memory or when the tree
 * would exceed VMS_MAX_NODES.
 */
struct vms_node *vms_node_create(struct vms_tree *t, enum vms_kind kind, const char *name, const char *type);

/* vms_tree_ok - whether there was memory for all nodes that were asked for by now. */
bool vms_tree_ok(const struct vms_tree *t);

/* vms_node_create_named - as vms_node_create(); @name and @type are not copied and must last as long as the tree. */
struct vms_node *vms_node_create_named(struct vms_tree *t, enum vms_kind kind, const char *name, const char *type);

/* vms_node_data - give a VMS_INT or VMS_BYTES the bytes of its width and count, zeroed. Return: 0 or -ENOMEM. */
int vms_node_data(struct vms_tree *t, struct vms_node *n);

/* More nodes than any real machine has: a bound against hostile input. */
#define VMS_MAX_NODES ((size_t)16 << 20)

/* vms_append/vms_insert_after - put @n, which has no parent, last in @parent or right behind @prev. */
void vms_append(struct vms_node *parent, struct vms_node *n);
void vms_insert_after(struct vms_node *prev, struct vms_node *n);

/* vms_insert_before - put @n, which has no parent, right in front of @next. */
void vms_insert_before(struct vms_node *next, struct vms_node *n);

/* vms_rename - give a node another name, which is copied; a subsection's vmsd follows. Return: 0 or -ENOMEM. */
int vms_rename(struct vms_tree *t, struct vms_node *n, const char *name);

/* vms_remove - take a section, subsection or field out; its section counts as reshaped. */
void vms_remove(struct vms_node *n);

/**
 * vms_add_subsection - a new, empty subsection, last in @parent
 * @t: the tree
 * @parent: section, struct or subsection
 * @name: full name, such as "apic_sipi"
 * @version: its version_id
 *
 * Return: the subsection, or NULL when out of memory.
 */
struct vms_node *vms_add_subsection(struct vms_tree *t, struct vms_node *parent, const char *name,
				    uint32_t version);

/**
 * vms_add_int - a new integer field or array, placed behind @parent's other fields, before its subsections
 * @t: the tree
 * @parent: section, struct or subsection
 * @name: field name
 * @type: vmdesc type: "bool", "uint8" to "uint64", "int8" to "int64", "timer"; it gives width and sign
 * @count: 0 for a plain field, else the array length
 *
 * Return: the field, zeroed, or NULL when out of memory or when @type is not an integer type.
 */
struct vms_node *vms_add_int(struct vms_tree *t, struct vms_node *parent, const char *name, const char *type,
			     uint32_t count);

/**
 * vms_int_type - what a vmdesc type name says of an integer
 * @type: such as "uint32", "int32 equal", "bool", "timer"
 * @ret_width: receives bytes, 1 to 8; may be NULL
 * @ret_signed: receives signedness; may be NULL
 *
 * Return: whether @type is an integer type. "int32 le" is one too: it names a comparison, not a byte order.
 */
bool vms_int_type(const char *type, uint32_t *ret_width, bool *ret_signed);

/*
 * vms_first_child/vms_last_child - where a walk over the children by next, or prev, starts; NULL: none
 *
 * Fields that were read by a description are packed: their bytes are there, their nodes are made when somebody asks for
 * one. Without memory for that they stay packed, vms_packed() goes on saying so, and vms_tree_ok() is false.
 */
struct vms_node *vms_first_child(const struct vms_node *n);
struct vms_node *vms_last_child(const struct vms_node *n);

/* vms_first_node - the first child that has a node already, as subsections always have, or NULL. */
struct vms_node *vms_first_node(const struct vms_node *n);

/* vms_packed - how many bytes of fields at @data, in front of all children that have nodes, have none yet. */
uint64_t vms_packed(const struct vms_node *n);

/* vms_child - the first child of @n with exactly that name, or NULL. Fast, however many children there are. */
struct vms_node *vms_child(const struct vms_node *n, const char *name);

/* vms_next_namesake - the next child of the same parent with the name of @n, or NULL. */
struct vms_node *vms_next_namesake(const struct vms_node *n);

/* vms_lookup - the node at @path below @n, or NULL. An element of a VMS_INT array has no node: use the getters. */
struct vms_node *vms_lookup(const struct vms_node *n, const char *path);

/**
 * vms_get - read an integer
 * @n: where @path starts: machine, section, struct
 * @path: path of an integer, "[i]" for an element of an array
 * @ret: receives the value, sign-extended when the type is signed
 * @reterr: IRQS_MALFORMED with the full path when there is no such integer
 *
 * Return: 0 or -EBADMSG.
 */
int vms_get(const struct vms_node *n, const char *path, uint64_t *ret, struct irqs_error *reterr);

/* vms_get_or - as vms_get(), but @otherwise when the field is not there. */
uint64_t vms_get_or(const struct vms_node *n, const char *path, uint64_t otherwise);

/**
 * vms_set - write an integer, keeping width and type
 *
 * As vms_get(). Return: 0, -EBADMSG when there is no such integer, -ERANGE (IRQS_MALFORMED) when @value
 * does not fit the field: neither as its signed nor as its unsigned value.
 */
int vms_set(struct vms_node *n, const char *path, uint64_t value, struct irqs_error *reterr);

/* Integers where they are, in a node or packed; good until their section is reshaped. */
struct vms_ints {
	uint8_t *data;
	const char *type; /* vmdesc type */
	uint32_t width, count;
	bool is_signed;
};

/* vms_find_int - as vms_get(), but where the integer is: one look for several uses. */
int vms_find_int(const struct vms_node *n, const char *path, struct vms_ints *ret, struct irqs_error *reterr);

/* vms_ints_get/vms_ints_set - element @i, below count; what does not fit is cut off. */
uint64_t vms_ints_get(const struct vms_ints *f, uint32_t i);
void vms_ints_set(const struct vms_ints *f, uint32_t i, uint64_t value);

/* vms_element_get/vms_element_set - element @i of a VMS_INT node; @i must be below its count. */
uint64_t vms_element_get(const struct vms_node *n, uint32_t i);
void vms_element_set(struct vms_node *n, uint32_t i, uint64_t value);

/* vms_path - the full path of @n from its section on ("apic[1].lvt"), cut to @size. Return: @buf. */
char *vms_path(const struct vms_node *n, char *buf, size_t size);

/* vms_size - bytes of @n as QEMU's VMState writes it, subsections included, without a section's header. */
uint64_t vms_size(const struct vms_node *n);

/* vms_section - the section that @n is in (or @n itself), NULL for the machine. */
struct vms_node *vms_section(const struct vms_node *n);

/**
 * vms_next_section - iterate over the sections of a machine by type
 * @machine: the machine
 * @prev: NULL to start, or the section returned before
 * @type: irqshift type or stream name to match exactly, or NULL for all
 *
 * A type without the prefix "kvm-" also matches its in-kernel twin ("apic" finds "apic" and "kvm-apic").
 */
struct vms_node *vms_next_section(const struct vms_node *machine, const struct vms_node *prev, const char *type);

/* vms_find_section - the section with that type (see vms_next_section()) and instance, or NULL. */
struct vms_node *vms_find_section(const struct vms_node *machine, const char *type, uint32_t instance);

/* vms_subsection - the subsection of @n with that full name, or NULL. */
struct vms_node *vms_subsection(const struct vms_node *n, const char *name);

/* vms_set_type - give a section another irqshift type. Return: 0 or -ENOMEM. */
int vms_set_type(struct vms_tree *t, struct vms_node *section, const char *type);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions: the layout of a device's state as VMState writes it, stated once as data. A description
 * makes a section out of bytes when a stream brings no vmdescription, and makes the sections and
 * subsections that a filter adds. Bound to a C struct (vmstate/rows.h) it saves and loads that struct through
 * any codec (vmstate/bind.h).
 */
#ifndef IRQSHIFT_VMSTATE_DESCRIBE_H
#define IRQSHIFT_VMSTATE_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmstate/tree.h"

struct vms_desc;

/* A field of type "string" is its length in 4 bytes and then its bytes; this length stands for NULL. */
#define VMS_STRING_HEADER 4u
#define VMS_STRING_NULL UINT32_MAX

/* How the value of a field lies in C. A row without a C struct behind it is VMS_UNBOUND. */
enum vms_bind {
	VMS_UNBOUND,
	VMS_INLINE,   /* the elements lie in the struct */
	VMS_POINTED,  /* the member points to all elements, one behind the other */
	VMS_POINTERS, /* each element is a pointer of its own, which may be NULL */
	VMS_CHARS,    /* a terminated string in a char array */
	VMS_CHARP,    /* each element is a char *, malloc'ed, which may be NULL */
	VMS_TAILQ,    /* TAILQ_HEAD of <sys/queue.h> */
	VMS_LIST,     /* LIST_HEAD of <sys/queue.h> */
	VMS_MAP,      /* struct vms_map */
	VMS_TMP,      /* a struct that lives only while it is saved or loaded */
	VMS_FILLER,   /* bytes without a meaning */
};

enum vms_field_flags {
	/* Sent; what arrives is ignored: the description's post_load sets it. */
	VMS_DERIVED = 1 << 0,
	/* Sent; what arrives must be what is there already. */
	VMS_IMMUTABLE = 1 << 1,
	/* Missing targets of pointers are calloc()ed on load, and the stream says which are there. */
	VMS_ALLOC = 1 << 2,
};

/* One field, in stream order. */
struct vms_field {
	const char *name;
	const char *type;            /* vmdesc type; "struct" needs @desc, no integer needs @size */
	uint32_t count;              /* array length, the bound of a partial array; 0: a plain field */
	uint32_t size;               /* bytes of one element, for types that are no integers */
	uint32_t since;              /* first version_id that has it; 0: always there */
	const struct vms_desc *desc; /* of a struct */

	uint32_t until;          /* last version_id in which it means something: later ones send zeros */
	const char *count_name;  /* row above this one that holds the length of a partial array */
	uint32_t struct_version; /* a struct saved and loaded as this version of @desc; 0: its newest */
	/* Whether it is there, in place of @since; @state is the struct, NULL where there is none. */
	bool (*exists)(const void *state, uint32_t version);

	/* The C struct. Rows are made by the macros of vmstate/rows.h. */
	enum vms_bind bind;
	uint32_t flags;                  /* enum vms_field_flags, else those of the struct around it */
	size_t at;                       /* offset of the member */
	size_t step;                     /* bytes of one element in C */
	size_t count_at;                 /* offset of the member that holds the length of a partial array */
	uint32_t count_size;             /* its bytes; 0: not a partial array */
	size_t entry_at;                 /* VMS_TAILQ, VMS_LIST: offset of the links in an element */
	const struct vms_desc *key_desc; /* VMS_MAP: of a key; NULL: keys are uint64_t */
};

struct vms_desc {
	const char *name;         /* vmsd_name; for a section also its name in the stream */
	uint32_t version;         /* written */
	uint32_t minimum_version; /* oldest that can be read */
	const struct vms_field *fields;
	uint32_t nfields;
	const struct vms_desc *const *subsections; /* NULL-terminated, in stream order; or NULL */

	size_t state_size; /* of the C struct; 0: unbound */
	/* Of a subsection: whether the state differs from what its absence says. */
	bool (*needed)(const void *state);
	/* Hooks, each may be NULL. @version is the one that arrived. Return: 0 or -errno with @reterr. */
	int (*pre_save)(void *state, struct irqs_error *reterr);
	int (*pre_load)(void *state, struct irqs_error *reterr);
	int (*post_load)(void *state, uint32_t version, struct irqs_error *reterr);
};

/* vms_field_sent - whether a row is part of version @version; @state as for exists(). */
bool vms_field_sent(const struct vms_field *f, const void *state, uint32_t version);

/* vms_field_dummy - whether it is only a place that is kept: later than its until. */
bool vms_field_dummy(const struct vms_field *f, uint32_t version);

/**
 * vms_desc_parse - turn bytes into the nodes of a section by its description
 * @t: tree that will own the nodes
 * @d: description
 * @section: an empty VMS_SECTION, VMS_SUBSECTION or VMS_STRUCT node; its version selects the fields
 * @data: the bytes; copied
 * @size: bytes available; more than the section needs is fine
 * @offset: offset of @data in the input, for messages and nodes
 * @ret_used: receives the bytes consumed, subsections included
 * @reterr: what was wrong, and where
 *
 * A subsection is recognised as QEMU does it: the byte 5, a name longer than the parent's that starts with
 * it; one that the description does not know is left unread, and @ret_used ends before it. Rows that only
 * the device itself can size (pointers that may be NULL) are refused.
 *
 * Return: 0; -EBADMSG when the version is not in [minimum_version, version], the bytes end early, or a count
 * is above its bound; -EOPNOTSUPP; -ENOMEM.
 */
int vms_desc_parse(struct vms_tree *t, const struct vms_desc *d, struct vms_node *section,
		   const uint8_t *data, uint64_t size, uint64_t offset, uint64_t *ret_used,
		   struct irqs_error *reterr);

/**
 * vms_desc_instantiate - add the fields of a description, all zero, to an empty section or subsection
 * @t: tree that owns @n
 * @d: description; its newest version is used
 * @n: empty node; receives vmsd and version
 *
 * Partial arrays and lists are empty. Return: 0, -EOPNOTSUPP (pointers that may be NULL) or -ENOMEM.
 */
int vms_desc_instantiate(struct vms_tree *t, const struct vms_desc *d, struct vms_node *n);

/* vms_packed_by - whether a section is packed (see vms_packed()), and its fields are exactly those of a version of @d. */
bool vms_packed_by(const struct vms_node *n, const struct vms_desc *d);

/**
 * vms_row_ints - the integers of a row, found without a look for its name
 * @n: section or subsection
 * @d: its description
 * @row: one of @d->fields
 * @ret: receives them
 *
 * Return: whether they are there: only in a section of which vms_packed_by() is true.
 */
bool vms_row_ints(const struct vms_node *n, const struct vms_desc *d, const struct vms_field *row, struct vms_ints *ret);

/**
 * vms_layout_note - memory for what follows from the layout of a packed section, and so holds for all that have it
 * @n: section or subsection
 * @key: whose it is
 * @size: bytes, the same for a @key every time
 *
 * Return: zeroed the first time, good as long as the tree; NULL: not packed (see vms_packed()), or no memory.
 */
void *vms_layout_note(const struct vms_node *n, const void *key, size_t size);

/* vms_desc_match - whether a section has exactly the description's fields (names, widths, counts). */
bool vms_desc_match(const struct vms_desc *d, const struct vms_node *n);

#endif

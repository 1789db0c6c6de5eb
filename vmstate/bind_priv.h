/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the parts of the walk over a bound description: bind.c and the other bind_*.c. */
#ifndef IRQSHIFT_VMSTATE_BIND_PRIV_H
#define IRQSHIFT_VMSTATE_BIND_PRIV_H

#include "vmstate/bind.h"

/* Only the place is kept: zeros are sent, what arrives is ignored. Beside enum vms_field_flags. */
#define BIND_DUMMY (1u << 16)

/* What arrives goes nowhere. */
#define BIND_IGNORED (BIND_DUMMY | VMS_DERIVED)

/* A row on its way: where its struct is, and the flags that hold for it. */
struct bind_row {
	struct visitor *v;
	const struct vms_field *f;
	uint8_t *state; /* NULL in a schema */
	uint32_t flags;
	struct irqs_error *reterr;
};

/* bind_item - a leaf or struct of the row. */
struct visit_item bind_item(const struct bind_row *r, const char *name, uint32_t index);

/* bind_struct - one struct with its hooks, version and subsections. @state is NULL in a schema. */
int bind_struct(const struct bind_row *r, const struct vms_desc *d, struct visit_item *item, uint8_t *state);

/* bind_values - the leaf @item of the row, from or to @host; that may be NULL where no value is needed. */
int bind_values(const struct bind_row *r, const struct visit_item *item, uint8_t *host);

/* bind_marker - one small integer of the encoding itself ("next", "nnodes", ...). */
int bind_marker(const struct bind_row *r, const char *name, const char *type, uint32_t index,
		uint64_t *value);

/* bind_text - the string @item. */
int bind_text(const struct bind_row *r, struct visit_item *item, uint8_t *member);

/* bind_pointers - pointers that may be NULL. */
int bind_pointers(const struct bind_row *r);

/* bind_list - a list or map. */
int bind_list(const struct bind_row *r);

#endif
